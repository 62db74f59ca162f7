"""Golden pairs: an event before and after, beside the steps, byte for byte.

``golden/<type>/<from>-to-<to>/<case>.before.json`` is the value as it comes in. Beside it stands one of

- ``<case>.after.json``: the value as it comes out; where several events come out, or none, a list of
  ``{"key": …, "value": …}``;
- ``<case>.fault.json``: ``{"stage": …, "error_type": …, "path": …}`` of the dead letter.

``<case>.headers.json`` gives the event headers; without it the event has none where its shape can tell the version,
else those in which the chain looks for type and version. One line break at the end of a file belongs to the file.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from upcasters.chain import Chain
from upcasters.detection import FromShape
from upcasters.errors import ChainError
from upcasters.event import Event, Header, SourcePartition
from upcasters.outcome import DeadLettered, Outcome
from upcasters.policy import Policy
from upcasters.testing.law import LawBroken, broken, told, told_event, told_outcome
from upcasters.testing.routes import goes_by_schemas, headers_of, pinned, rules_of

COORDINATES = SourcePartition("golden", 0)
_BEFORE, _AFTER, _FAULT, _HEADERS = ".before.json", ".after.json", ".fault.json", ".headers.json"


@dataclass(frozen=True)
class Golden:
    """One case: ``source`` and ``target`` are versions of ``event_type``; ``stem`` is its files' common path."""

    event_type: str
    source: str
    target: str
    stem: Path

    @property
    def subject(self) -> str:
        """What a report calls it."""
        return f"{self.event_type} {self.source} to {self.target}, {self.stem.name}"

    @property
    def before(self) -> bytes:
        """The value as it comes in."""
        return _read(_file(self.stem, _BEFORE))


class _Fault(msgspec.Struct, forbid_unknown_fields=True):
    stage: str
    error_type: str
    path: str


class _Produced(msgspec.Struct, forbid_unknown_fields=True):
    key: str | None
    value: msgspec.Raw


def golden_folder(name: str, chain: Chain) -> Path | None:
    """Where the golden pairs of the chain called ``name`` (``module:attribute``) stand, if they have a place."""
    module_name = chain.name or name.partition(":")[0]
    try:
        file = importlib.import_module(module_name).__file__
    except ImportError:  # the name of an entry point
        return None
    folder = Path(file or "").parent / "golden"
    return folder if file and folder.is_dir() else None


def slug(text: str) -> str:
    """A type or version as part of a file's name."""
    return re.sub(r"[^\w.-]", "_", text) or "none"


def folder_of(root: Path, event_type: str, source: str, target: str) -> Path:
    """The folder below ``root`` that holds the pairs between two versions."""
    return root / slug(event_type) / f"{slug(source)}-to-{slug(target)}"


def goldens(chain: Chain, root: Path) -> list[Golden]:
    """Every case below ``root``. Raises LawBroken for files that belong to no case and no pair of versions."""
    found: list[Golden] = []
    for folder in sorted({file.parent for file in root.rglob("*.json")}):
        event_type, source, target = _versions(chain, root, folder)
        found += [Golden(event_type, source, target, stem) for stem in _stems(folder)]
    return found


def _versions(chain: Chain, root: Path, folder: Path) -> tuple[str, str, str]:
    for event_type, known in _ends(chain).items():
        if folder.parent == root / slug(event_type):
            source, _, target = folder.name.partition("-to-")
            by_slug = {slug(version): version for version in known}
            if source in by_slug and target in by_slug:
                return event_type, by_slug[source], by_slug[target]
    place = folder.relative_to(root.parent).as_posix()
    raise broken("golden", place, "the folder is not <type>/<from>-to-<to> of versions that the chain has")


def _ends(chain: Chain) -> Mapping[str, Sequence[str]]:
    """The versions from and to which events of each type can go, those that they leave their type by too."""
    leaving: dict[str, list[str]] = {event_type: list(versions) for event_type, versions in chain.types.items()}
    for hop in chain.hops.values():
        leaving[hop.source[0]].append(hop.target[1])
    return leaving


def _stems(folder: Path) -> Iterator[Path]:
    suffixes = (_BEFORE, _AFTER, _FAULT, _HEADERS)
    for file in sorted(folder.glob("*.json")):
        suffix = next((suffix for suffix in suffixes if file.name.endswith(suffix)), None)
        place = file.relative_to(folder.parents[1]).as_posix()
        if suffix is None:
            raise broken("golden", place, f"the name does not end in one of {', '.join(suffixes)}")
        stem = file.with_name(file.name.removesuffix(suffix))
        if suffix == _BEFORE:
            yield stem
        elif not _file(stem, _BEFORE).exists():
            raise broken("golden", place, f"there is no {stem.name}{_BEFORE} beside it")


def check(chain: Chain, golden: Golden) -> None:
    """Run one case. Raises LawBroken."""
    event, outcome = run(chain, golden)
    after, fault = _file(golden.stem, _AFTER), _file(golden.stem, _FAULT)
    if after.exists() == fault.exists():
        what = f"there has to be either {after.name} or {fault.name}"
        raise _wrong(golden, event, outcome, what, ())
    if fault.exists():
        _check_fault(golden, event, outcome, fault)
    else:
        _check_after(golden, event, outcome, after)


def event_of(chain: Chain, golden: Golden) -> Event:
    """The event of a case, with its headers."""
    return Event(golden.before, None, _headers(chain, golden), offset=0)


def run(chain: Chain, golden: Golden) -> tuple[Event, Outcome]:
    """The event of a case and what the chain makes of it."""
    event = event_of(chain, golden)
    targets = {**dict(_hop_ends(chain, golden)), golden.event_type: golden.target}
    try:
        upcaster = None if goes_by_schemas(chain) else chain.upcaster(Policy(target=targets, validate_source="never"))
    except ChainError:
        upcaster = None
    if upcaster is None:  # the chain leaves it to its routes to say how versions are told
        detection = pinned(chain, golden.event_type, golden.source)
        upcaster = chain.upcaster(Policy(detection=detection, target=targets, validate_source="never"))
    return event, upcaster.upcast(event, COORDINATES)


def _hop_ends(chain: Chain, golden: Golden) -> Iterator[tuple[str, str]]:
    for hop in chain.hops.values():
        if hop.source[0] == golden.event_type and hop.target[1] == golden.target:
            yield from hop.ends


def _headers(chain: Chain, golden: Golden) -> Sequence[Header]:
    file = _file(golden.stem, _HEADERS)
    if file.exists():
        given = msgspec.json.decode(file.read_bytes(), type=dict[str, str | None])
        return [(name, None if text is None else text.encode()) for name, text in given.items()]
    rules = rules_of(chain)
    if rules is None or any(isinstance(rule, FromShape) for rule in rules.version):
        return ()
    return headers_of(rules, golden.event_type, golden.source)


def _check_fault(golden: Golden, event: Event, outcome: Outcome, file: Path) -> None:
    expected = msgspec.json.decode(file.read_bytes(), type=_Fault)
    if isinstance(outcome, DeadLettered):
        fault = outcome.fault
        fits = (fault.stage, fault.error_type) == (expected.stage, expected.error_type)
        if fits and expected.path in (fault.path, fault.pattern):
            return
    wanted = f"dead letter of stage {expected.stage}, at {expected.path or 'no place'}: {expected.error_type}"
    raise _wrong(golden, event, outcome, f"not the fault of {file.name}", (("expected", wanted),))


def _check_after(golden: Golden, event: Event, outcome: Outcome, file: Path) -> None:
    data = _read(file)
    what = f"not what {file.name} says"
    if isinstance(outcome, DeadLettered):
        raise _wrong(golden, event, outcome, what, (("expected", told(data)),))
    if outcome.passage.from_version != golden.source:
        what = f"the chain takes the event for version {outcome.passage.from_version}; give it headers"
        raise _wrong(golden, event, outcome, what, ())
    records = outcome.output(event)
    if data.lstrip().startswith(b"["):
        expected = [(one.key, _value(bytes(one.value))) for one in msgspec.json.decode(data, type=list[_Produced])]
        produced = [(None if one.key is None else one.key.decode(), one.value) for one in records]
        fits = produced == expected
    else:
        fits = [one.value for one in records] == [_value(data)]
    if not fits:
        if [_compact(one.value or b"null") for one in records] == [_compact(data)]:
            what += "; only white space differs, and it is compared byte for byte: copy what happened"
        raise _wrong(golden, event, outcome, what, (("expected", told(data)),))


def _compact(text: bytes) -> bytes:
    """JSON without white space; what is none, as it is."""
    try:
        return msgspec.json.format(text, indent=-1)
    except msgspec.DecodeError:
        return text


def _value(text: bytes) -> bytes | None:
    """The value that a golden file tells: ``null`` is a tombstone."""
    return None if text == b"null" else text


def _wrong(
    golden: Golden, event: Event, outcome: Outcome, message: str, facts: tuple[tuple[str, str], ...]
) -> LawBroken:
    happened = ("happened", told_outcome(outcome, event))
    return broken("golden", golden.subject, message, ("event", told_event(event)), *facts, happened)


def _file(stem: Path, suffix: str) -> Path:
    return stem.with_name(stem.name + suffix)


def _read(file: Path) -> bytes:
    return file.read_bytes().removesuffix(b"\n")
