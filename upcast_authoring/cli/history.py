"""`upcast history`, `heads` and `lock`: which versions a chain has, and which of them are released."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from upcast_authoring.cli.options import ChainOption, Json, Markdown, Plain

if TYPE_CHECKING:
    from upcasters import Chain
    from upcasters.describe import HistoryLine

COLUMNS = ("type", "version", "", "made by")
HEADS = ("type", "current", "newest", "made by")
MODULE_CHAIN = Annotated[
    str, typer.Option("--chain", metavar="MODULE:ATTRIBUTE", help="The chain.", show_default=False)
]


def history(chain: ChainOption = None, markdown: Markdown = False, as_json: Json = False, plain: Plain = False) -> None:
    """List every version of a chain, oldest first: the file or step that makes it, and its marks.

    `current`: events rest there. `preview`: only who asks for it gets it. `locked`: released, see `upcast lock`.
    Without --chain it is the shipped chain.

    **Example:** `upcast history --chain orders:chain`
    """
    from upcast_authoring.cli.output import print_json, print_markdown, print_table
    from upcast_authoring.lock import locked_versions
    from upcast_authoring.one_chain import SHIPPED, load
    from upcasters.describe import history as history_of

    loaded = load(chain)
    locked = locked_versions(chain or SHIPPED, loaded)
    lines = [(line, _marks(line, locked), _file(loaded, line)) for line in history_of(loaded)]
    if as_json:
        print_json(
            [
                {"type": line.event_type, "version": line.version, "marks": marks, "step": line.step, "file": file}
                for line, marks, file in lines
            ]
        )
        return
    cells = [
        (line.event_type, line.version or "(none)", ", ".join(marks), file or line.step) for line, marks, file in lines
    ]
    if markdown:
        print_markdown(COLUMNS, cells)
    else:
        print_table(COLUMNS, cells, plain=plain)


def heads(chain: ChainOption = None, as_json: Json = False, plain: Plain = False) -> None:
    """List the current and the newest version of each type of a chain. Without --chain it is the shipped chain.

    **Example:** `upcast heads --chain orders:chain`
    """
    from upcast_authoring.cli.output import print_json, print_table
    from upcast_authoring.one_chain import load
    from upcasters.describe import history as history_of

    loaded = load(chain)
    newest = {line.event_type: line for line in history_of(loaded)}
    rows = [
        (name, loaded.resting(name) or "-", line.version or "(none)", _file(loaded, line) or line.step)
        for name, line in newest.items()
    ]
    if as_json:
        print_json([dict(zip(("type", "current", "newest", "made_by"), row, strict=True)) for row in rows])
    else:
        print_table(HEADS, rows, plain=plain)


def lock(
    chain: MODULE_CHAIN,
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", metavar="PART", help="A released part whose change you accept, or `everything`."),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="WHY", help="Kept in the lock file.")] = "",
) -> None:
    """Lock the chain as released: `upcast check` then refuses changes to it.

    Steps, models, version rules and golden pairs go into a file beside the chain, which belongs into version control.
    Previews are left out. Run it at each release; what is new is added. Exit codes: 0 locked, 2 the chain is
    wrong, or a released part was changed and not accepted.

    **Example:** `upcast lock --chain orders:chain`
    """
    from datetime import UTC, datetime

    from upcast_authoring.lock import make_lock, write_lock
    from upcast_authoring.one_chain import load

    file, made, before = make_lock(chain, load(chain, sound=True), accept or [], reason, datetime.now(UTC).date())
    write_lock(file, made)
    added = len(made.parts.keys() - (before.parts.keys() if before else set()))
    typer.echo(f"locked: {file.name}: {len(made.parts)} parts, {added} of them new")


def _marks(line: HistoryLine, locked: frozenset[tuple[str, str]]) -> tuple[str, ...]:
    is_locked = (line.event_type, line.version) in locked
    return (*line.marks, *(["locked"] if is_locked else []))


def _file(chain: Chain, line: HistoryLine) -> str:
    return chain.versions[line.event_type, line.version].file
