"""`upcast check --laws`: tests the laws of a chain on its golden pairs and on generated events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from upcast_authoring.checks import Checked
from upcast_authoring.counted import counted
from upcast_authoring.errors import CommandError
from upcast_authoring.extras import pip_install
from upcasters import Chain, ChainError, load_chain
from upcasters.testing import Law, LawBroken, LawNotTried, golden_folder, laws


def check_laws(names: Iterable[str], tell: Callable[[str], None]) -> list[Checked]:
    """Test each chain once. Those that do not load are left out, since they are reported already. Raises
    ``CommandError`` without hypothesis.

    ``tell`` gets a line for each law when it ends.
    """
    checked = []
    for name in dict.fromkeys(names):
        try:
            chain = load_chain(name)
        except ChainError:
            continue
        checked.append(_check(name, chain, tell))
    return checked


def _check(name: str, chain: Chain, tell: Callable[[str], None]) -> Checked:
    try:
        listed = laws(chain, golden=golden_folder(name, chain))
    except ImportError as error:
        raise CommandError(f"--laws needs {error.name}: {pip_install('testing')}", code="UPC1006") from error
    results = [(law, *_tried(law, tell)) for law in listed]
    problems = tuple(line for _, _, lines in results for line in lines)
    return Checked(_counted([(law, verdict) for law, verdict, _ in results]), name, chain.fingerprint, problems)


def _counted(results: Sequence[tuple[Law, str]]) -> str:
    """How many were tried and how many were wrong: the laws, and apart from them the golden pairs."""
    pairs = Counter(verdict for law, verdict in results if law.name == "golden")
    tried = Counter(verdict for law, verdict in results if law.name != "golden")
    told = f"{counted(tried['ok'] + tried['wrong'], 'law')} tried, {tried['wrong']} wrong"
    if tried["not tried"]:
        told += f", {tried['not tried']} not tried"
    return f"{told}; {counted(pairs.total(), 'golden pair')}, {pairs['wrong']} wrong" if pairs else told


def _tried(law: Law, tell: Callable[[str], None]) -> tuple[str, list[str]]:
    """The verdict (ok, wrong, not tried) and what there is to say of it, in lines; none where the law holds."""
    try:
        events = law.check()
    except LawBroken as error:
        verdict = "not tried" if isinstance(error, LawNotTried) else "wrong"
        tell(f"{verdict}: {law.id}")
        return verdict, str(error).splitlines()
    tell(f"ok: {law.id}, {counted(events, 'event')} {'was' if events == 1 else 'were'} upcast")
    return "ok", []
