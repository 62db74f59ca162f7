"""`upcast show`: the history, what each version changes, and the code that is generated from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.options import ChainOption, Markdown
from upcast_authoring.errors import CommandError

if TYPE_CHECKING:
    from upcasters import Chain
    from upcasters.describe import HistoryLine, TypeLine
    from upcasters.step import Hop, VersionKey

TYPES = ("type", "versions", "oldest", "current", "newest", "steps", "operations", "lossy steps")
CHANGES = ("change", "reads", "writes", "way back")
FIELDS = ("field of the model", "before", "after")
MOST_OPERATIONS = 100
"""What is shown unasked: more of them are thousands of lines."""
MOST_VERSIONS = 50
"""Of a longer history, one that is asked for stands alone."""
MOST_STEPS = 10


def show(
    chain: ChainOption = None,
    event_type: Annotated[str | None, typer.Option("--type", metavar="TYPE", help="Only this event type.")] = None,
    version: Annotated[
        str | None, typer.Option("--version", metavar="VERSION", help="Only what leads to this version.")
    ] = None,
    markdown: Markdown = False,
    code: Annotated[bool, typer.Option("--code", help="Print the generated code of each way instead.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Every version of a large chain, however long.")] = False,
) -> None:
    """Show a chain: a summary, its history, and for each version what changes in the events and in the model.

    Of a large chain it is the summary, of a large type its history: --version shows one version, --all everything.
    Without --chain it is the shipped chain.

    **Example:** `upcast show --type task_context --version 2.0`
    """
    from upcast_authoring.one_chain import SHIPPED, load
    from upcasters.operations.choice import walk

    loaded = load(chain)
    _refuse_unknown(loaded, event_type, version)
    if code:
        _show_code(chain or SHIPPED, loaded, event_type, version)
        return
    if event_type is None and version is None:
        _show_summary(loaded, markdown)
        if loaded.readers:
            typer.echo(f"{_readers(loaded)}\n")
    shown = [
        hop for hop in loaded.hops.values() if event_type in (None, hop.source[0]) and version in (None, hop.target[1])
    ]
    large = not everything and sum(1 for hop in shown for _ in walk(hop.operations)) > MOST_OPERATIONS
    if not large or event_type is not None:
        _show_history(loaded, event_type, version, markdown)
    if large and version is None:
        one_type = "" if event_type else "--type TYPE shows one type, "
        typer.echo(f"too large to show as a whole: {one_type}--version VERSION shows one version, --all everything")
        return
    for hop in shown:
        _show_hop(loaded, hop, markdown)


def _show_summary(chain: Chain, markdown: bool) -> None:
    from upcast_authoring.cli.output import print_markdown, print_table
    from upcast_authoring.counted import counted
    from upcasters.describe import summary

    lines = summary(chain)
    counts = [(len(lines), "type"), (len(chain.versions), "version"), (len(chain.steps), "step")]
    counts += [(sum(len(line.lossy) for line in lines), "lossy step")]
    told = ", ".join(counted(count, name) for count, name in counts)
    (print_markdown if markdown else print_table)(TYPES, map(_summary_cells, lines), told)


def _summary_cells(line: TypeLine) -> tuple[str, ...]:
    named, more = list(line.lossy[:MOST_STEPS]), len(line.lossy) - MOST_STEPS
    if more > 0:
        named.append(f"and {more} more")
    versions = (str(len(line.versions)), line.versions[0], line.current or "-", line.versions[-1])
    return (line.event_type, *versions, str(line.steps), str(line.operations), "\n".join(named))


def _refuse_unknown(chain: Chain, event_type: str | None, version: str | None) -> None:
    if event_type is not None and event_type not in chain.types:
        raise CommandError(f"the chain has no type {event_type}; it has {', '.join(chain.types)}", code="UPC1003")
    versions = {found for name, found in chain.versions if event_type in (None, name)}
    versions |= {hop.target[1] for hop in chain.hops.values()}
    if version is not None and version not in versions:
        raise CommandError(f"the chain has no version {version}; it has {', '.join(sorted(versions))}", code="UPC1003")


def _show_history(chain: Chain, event_type: str | None, version: str | None, markdown: bool) -> None:
    from upcast_authoring.cli.output import print_tree
    from upcasters.describe import history

    lines = [line for line in history(chain) if event_type in (None, line.event_type)]
    if version is not None and len(lines) > MOST_VERSIONS:
        lines = [line for line in lines if line.version == version]
    trees: dict[str, list[str]] = {}
    for line in lines:
        trees.setdefault(line.event_type, []).append(_told(line))
    for name, versions in trees.items():
        if markdown:
            typer.echo("\n".join([f"## {name}", "", *(f"- {told}" for told in versions), ""]))
        else:
            print_tree(name, versions)


def _told(line: HistoryLine) -> str:
    marks = f" ({', '.join(line.marks)})" if line.marks else ""
    leads = f", then {' and '.join(line.leads_to)}" if line.leads_to else ""
    summary = f": {line.summary}" if line.summary else ""
    return f"{line.version or '(no version)'}{marks}{leads}{summary}"


def _show_hop(chain: Chain, hop: Hop, markdown: bool) -> None:
    from upcast_authoring.cli.output import print_markdown, print_table
    from upcasters.describe import changes, field_changes

    print_rows = print_markdown if markdown else print_table
    title = f"{hop.source[0]} {hop.source[1]} -> {hop.target[1]} ({hop.id})"
    cells = [
        (". " * change.depth + change.text, "\n".join(change.reads), "\n".join(change.writes), str(change.back))
        for change in changes(hop)
    ]
    print_rows(CHANGES, cells, title)
    for end in hop.ends:
        fields = field_changes(chain.versions[hop.source], chain.versions[end])
        if fields:
            rows = [(field.path, field.before or "-", field.after or "-") for field in fields]
            what = "schema" if chain.versions[end].model is None else "model"
            print_rows(FIELDS, rows, f"the {what} of {end[0]} {end[1]}")


def _show_code(name: str, chain: Chain, event_type: str | None, version: str | None) -> None:
    for source in _sources(chain, event_type, version):
        typer.echo(source)
    if version is None:
        for line in _programs(name, chain, event_type):
            typer.echo(line)


def _programs(name: str, chain: Chain, event_type: str | None) -> Iterator[str]:
    """What the native extension would learn from the first golden event of each version that it can read."""
    from upcasters import ChainError
    from upcasters.testing import LawBroken, golden_folder
    from upcasters.testing.golden import goldens

    folder = golden_folder(name, chain)
    try:
        upcaster, pairs = chain.upcaster(), goldens(chain, folder) if folder is not None else []
    except (ChainError, LawBroken):
        return
    told: set[tuple[str, str]] = set()
    for pair in pairs:
        node = (pair.event_type, pair.source)
        if node in told or event_type not in (None, pair.event_type):
            continue
        programs = upcaster.programs_of(node, pair.before)
        if programs:
            told.add(node)
            yield f"# layout programs, natively, for {' '.join(node)}, as in {pair.stem.name}"
            yield from (f"#   {program}" for program in programs)


def _sources(chain: Chain, event_type: str | None, version: str | None) -> Iterator[str]:
    """What tells the version of most events, then the function of each version, which it calls."""
    source, source_of = _generated(chain) if version is None else ("", None)
    if event_type is None and version is None:
        if chain.readers:
            yield f"# {_readers(chain)}"
        yield f"# from bytes to outcome, on a route that leaves all as it is by default\n{source}"
    for node in chain.versions:
        if event_type not in (None, node[0]):
            continue
        targets = {node[0]: version} if version is not None else None
        hops = chain.path(node, targets) if version is None or _is_above(chain, node, version) else ()
        if hops:
            yield f"# {node[0]}\n{source_of(node) if source_of else _operations(hops)}"


def _readers(chain: Chain) -> str:
    return f"readers in front of the decoder: {', '.join(reader.name for reader in chain.readers)}"


def _generated(chain: Chain) -> tuple[str, Callable[[VersionKey], str] | None]:
    """The function for a route that leaves all as it is by default, or why there is none; what gives a version's."""
    from upcasters import ChainError

    try:
        upcaster = chain.upcaster()
    except ChainError as error:
        return "\n".join(f"# none: {problem.message}" for problem in error.problems), None
    return (
        upcaster.source or "# none: these rules of detection are asked one by one for every event",
        upcaster.source_of,
    )


def _operations(hops: Sequence[Hop]) -> str:
    from upcasters.compile import compile_hops

    return compile_hops(hops).source


def _is_above(chain: Chain, node: tuple[str, str], version: str) -> bool:
    ways = (chain.hops[start] for start in chain.upwards(node) if start in chain.hops)
    return any(hop.target[1] == version for hop in ways)
