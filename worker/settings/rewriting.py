"""Rewrites the text of an older configuration file in the current format, changing nothing else.

YAML is edited where its parser says that a name or a value stands, so that comments, order, quotes and spacing stay
as they are. (Libraries that write YAML anew keep comments, too, but not where settings move into sections.)
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from dotenv.parser import Binding, parse_stream

from worker.errors import WorkerError
from worker.settings.environment import Environment
from worker.settings.file import Location, dotted
from worker.settings.upgrade import CURRENT, Renamed, renamed_in, upgrade, upgraded

YamlNode = yaml.Node
Edit = tuple[int, int, str]


# YAML.


@dataclass(frozen=True)
class Parsed:
    """Where each key and value of a document stands."""

    root: yaml.MappingNode
    keys: dict[Location, YamlNode] = field(default_factory=dict)
    values: dict[Location, YamlNode] = field(default_factory=dict)


def rewrite_yaml(text: str, content: Mapping[str, Any], version: int) -> str:
    """``text``, whose settings are ``content``, in today's format. Raises WorkerError where that takes a person."""
    expected = upgrade(content, version)
    if not content:
        return text
    line_end = "\r\n" if "\r\n" in text else "\n"
    return line_end.join(_lines(text.replace("\r\n", "\n"), content, version, expected))


def _lines(text: str, content: Mapping[str, Any], version: int, expected: Mapping[str, Any]) -> list[str]:
    parsed = _parse(text)
    found = renamed_in(content, version)
    moves = {key: move for each in found if (move := _move(each)) for key in [move.key]}
    edited = _edit(text, [*_edits(parsed, found, moves), *_version_edit(parsed)])
    lines = edited.split("\n")
    blocks = _blocks(parsed, lines)
    made = _arranged(parsed, lines, blocks, moves)
    if {**yaml.safe_load("\n".join(made)), "version": CURRENT} != {**expected, "version": CURRENT}:
        raise WorkerError(
            "it cannot be rewritten with its comments: write the current settings by hand", code="UPC1106"
        )
    return made


@dataclass(frozen=True)
class SettingMove:
    """A setting of the top that goes into a section; ``section`` ends in 0 for the first of a list."""

    key: str
    section: Location
    name: str


def _move(each: Renamed) -> SettingMove | None:
    old, new = _cores(each)
    if len(old) == len(new):
        return None
    if len(old) != 1:
        raise WorkerError(f"{dotted(old)} moves to {dotted(new)}: move it by hand", code="UPC1106")
    return SettingMove(str(old[0]), new[:-1], str(new[-1]))


def _cores(each: Renamed) -> tuple[Location, Location]:
    """Both locations without the positions at their ends: a list moves as a whole."""
    old, new = each.old, each.new
    while isinstance(old[-1], int) and isinstance(new[-1], int):
        old, new = old[:-1], new[:-1]
    return old, new


def _parse(text: str) -> Parsed:
    root = yaml.compose(text, yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise WorkerError("it holds no settings", code="UPC1106")
    parsed = Parsed(root)

    def walk(node: YamlNode, at: Location) -> None:
        parsed.values[at] = node
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                walk(item, (*at, index))
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                parsed.keys[(*at, str(key.value))] = key
                walk(value, (*at, str(key.value)))

    walk(root, ())
    return parsed


def _edits(parsed: Parsed, found: list[Renamed], moves: Mapping[str, SettingMove]) -> Iterator[Edit]:
    for each in found:
        old, new = _cores(each)
        if str(old[0]) in moves:
            yield from _replaced(parsed.keys, old, str(new[-1]))
        else:
            for end in range(1, len(old) + 1):
                if old[end - 1] != new[end - 1]:
                    yield from _replaced(parsed.keys, old[:end], str(new[end - 1]))
        if each.old_value != each.new_value:
            yield from _replaced(parsed.values, each.old, str(each.new_value))


def _replaced(nodes: Mapping[Location, YamlNode], at: Location, text: str) -> Iterator[Edit]:
    node = nodes.get(at)
    if node is not None:  # else it came in by a merge key; the text is checked in the end
        yield node.start_mark.index, node.end_mark.index, text


def _version_edit(parsed: Parsed) -> Iterator[Edit]:
    yield from _replaced(parsed.values, ("version",), str(CURRENT))


def _edit(text: str, edits: list[Edit]) -> str:
    for start, end, new in sorted(set(edits), reverse=True):
        text = text[:start] + new + text[end:]
    return text


@dataclass
class Block:
    """Lines ``[start, end)``: a setting of the top, with the comments right above it."""

    key: str
    start: int
    end: int


def _blocks(parsed: Parsed, lines: list[str]) -> list[Block]:
    blocks: list[Block] = []
    for key, _ in parsed.root.value:
        start = key.start_mark.line
        while start > 0 and lines[start - 1].lstrip().startswith("#"):
            start -= 1
        if blocks:
            blocks[-1].end = start
        blocks.append(Block(str(key.value), start, len(lines)))
    return blocks


def _arranged(parsed: Parsed, lines: list[str], blocks: list[Block], moves: Mapping[str, SettingMove]) -> list[str]:
    """The lines, settings that move brought into their sections, and the version on top."""
    if moves and parsed.root.flow_style:
        raise WorkerError(
            "all of it is written in one line: write a setting a line, then migrate again", code="UPC1106"
        )
    first = blocks[0].start if blocks else len(lines)
    made = lines[:first]
    if ("version",) not in parsed.keys:
        made += [] if parsed.root.flow_style else [f"version: {CURRENT}"]
    there = {block.key for block in blocks} - set(moves)
    done: set[Location] = set()
    for block in blocks:
        move = moves.get(block.key)
        if move is None:
            made += _with_members(parsed, lines, block, _members(lines, blocks, moves, (block.key,)))
        elif move.section[0] not in there and move.section not in done:
            done.add(move.section)
            made += _section(move.section, _members(lines, blocks, moves, move.section))
        elif move.section[0] in there and len(move.section) > 1:
            raise WorkerError(
                f"{block.key} belongs into {move.section[0]}, which exists already: move it by hand", code="UPC1106"
            )
    return made


def _members(
    lines: list[str], blocks: list[Block], moves: Mapping[str, SettingMove], section: Location
) -> list[list[str]]:
    inside = [block for block in blocks if block.key in moves and moves[block.key].section == section]
    return [lines[block.start : block.end] for block in inside]


def _section(section: Location, members: list[list[str]]) -> list[str]:
    listed = len(section) > 1
    made = [f"{section[0]}:"]
    for number, member in enumerate(members):
        made += _indented(member, 4 if listed else 2, item=listed and number == 0)
    return made


def _indented(member: list[str], width: int, *, item: bool = False) -> list[str]:
    """The lines further in; the setting begins an item of a list where ``item`` says so."""
    made = [" " * width + line if line.strip() else line for line in member]
    if item:
        at = next(index for index, line in enumerate(member) if line.strip() and not line.lstrip().startswith("#"))
        made[: at + 1] = [*(line[2:] for line in made[:at]), made[at][: width - 2] + "- " + made[at][width:].lstrip()]
    return made


def _with_members(parsed: Parsed, lines: list[str], block: Block, members: list[list[str]]) -> list[str]:
    own = lines[block.start : block.end]
    if not members:
        return own
    section = parsed.values[(block.key,)]
    if not isinstance(section, yaml.MappingNode) or section.flow_style or not section.value:
        raise WorkerError(
            f"{block.key} is written in one line: write a setting a line, then migrate again", code="UPC1106"
        )
    column = section.value[0][0].start_mark.column
    last = max(index for index, line in enumerate(own) if line.strip()) + 1
    return [*own[:last], *(line for member in members for line in _indented(member, column)), *own[last:]]


# Environment files.


def rewrite_env(text: str) -> str:
    """The lines of a `.env` file with the variables of today. Raises WorkerError where that takes a person."""
    bindings = list(parse_stream(io.StringIO(text)))
    variables = {each.key: each.value for each in bindings if each.key is not None and each.value is not None}
    found, newer = upgraded(Environment(variables))
    names = {old: new for new, old in newer.older.items()}
    del found
    return "".join(_rewritten(each, names, newer.variables) for each in bindings)


def _rewritten(binding: Binding, names: Mapping[str, str], variables: Mapping[str, str]) -> str:
    text = binding.original.string
    if binding.key is None or binding.key not in names:
        return text
    name = names[binding.key]
    before, equals, after = text.partition("=")
    if variables[name] != binding.value:
        if not binding.value or after.count(binding.value) != 1:
            raise WorkerError(
                f"line {binding.original.line}: {binding.key} has to be rewritten by hand", code="UPC1106"
            )
        after = after.replace(binding.value, variables[name])
    return before.replace(binding.key, name) + equals + after
