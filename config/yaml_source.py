"""Reads a YAML file as data together with the line of everything in it.

Plain scalars follow the core schema of YAML 1.2 alone: `yes`, `no`, `on`, `NO`, `12:30` and dates are text.
Numbers are `WrittenInt` and `WrittenFloat`, so a text field can take `3.10` as it was written. Tags such as
`!!python/object` and merge keys are refused; anchors and aliases are followed, unless they run in a circle or
multiply beyond reason. No text here quotes a value of the file: it may be a secret.

    bytes -> text -> PyYAML's nodes -> survey (circles, size) -> data + Place
"""

from __future__ import annotations

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from config.faults import ConfigError, Fault, key_text
from config.place import UNREADABLE, Place, Slip, Source, Unreadable
from config.text import as_written
from config.yaml_core import MAX_DEPTH, BadValue, CoreLoader, Scalar, fast_root, scalar_value, syntax_fault

MAX_NODES = 1_000_000
"""Values in the file, those behind aliases counted as often as they are used."""


def parse(text: str, file: str) -> Source:
    """The data of `text`; `file` is its name in faults. Raises ConfigError when it is no YAML."""
    root = fast_root(text) or _compose(text, file)
    if root is None or (isinstance(root, ScalarNode) and not root.value and not root.style):
        raise ConfigError([Fault(file, 1, "", "is empty: is it the right file?")])
    _Survey(file).extent(root)
    conversion = _Conversion(file)
    data, place = conversion.value(root, _line(root), "", ())
    return Source(file, data, place, tuple(conversion.slips))


def _compose(text: str, file: str) -> Node | None:
    """The root node, None for an empty file."""
    line = 0
    try:
        loader = CoreLoader(text)
        try:
            return loader.get_single_node()
        finally:
            line = loader.line
    except ReaderError as exc:
        line, what = text.count("\n", 0, exc.position) + 1, f"character 0x{exc.character:02X} can't be shown: leave it out"
    except yaml.MarkedYAMLError as exc:
        line, what = syntax_fault(exc)
    except (ValueError, OverflowError):  # PyYAML on escapes and directives with numbers beyond all bounds
        line, what = line + 1, "is not valid YAML: a number in an escape or a directive is beyond all bounds"
    raise ConfigError([Fault(file, line, "", what)])


def _line(node: Node) -> int:
    return node.start_mark.line + 1


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


class _Survey:
    """Measures a graph of nodes, each node once, before anything walks it as a tree."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._extents: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def extent(self, node: Node) -> tuple[int, int]:
        """Values and depth of the tree under `node`. Raises ConfigError on a circle or beyond the bounds."""
        if id(node) in self._extents:
            return self._extents[id(node)]
        if id(node) in self._open:
            self._refuse(node, "an alias stands inside its own anchor, so it would never end: write the values out")
        self._open.add(id(node))
        extents = [self.extent(child) for child in _children(node)]
        self._open.remove(id(node))
        size, depth = 1 + sum(size for size, _ in extents), 1 + max((depth for _, depth in extents), default=0)
        if size > MAX_NODES or depth > MAX_DEPTH:
            self._refuse(node, f"holds more than {MAX_NODES} values or is nested deeper than {MAX_DEPTH}: do aliases multiply?")
        self._extents[id(node)] = size, depth
        return size, depth

    def _refuse(self, node: Node, what: str) -> None:
        raise ConfigError([Fault(self._file, _line(node), "", what)])


class _Conversion:
    """Turns nodes into data and places; what it can't turn becomes a slip and UNREADABLE."""

    def __init__(self, file: str) -> None:
        self.slips: list[Slip] = []
        self._file = file

    def value(self, node: Node, line: int, path: str, steps: tuple[Scalar, ...]) -> tuple[object, Place]:
        if isinstance(node, MappingNode) and node.tag == CoreLoader.DEFAULT_MAPPING_TAG:
            return self._mapping(node, line, path, steps)
        if isinstance(node, SequenceNode) and node.tag == CoreLoader.DEFAULT_SEQUENCE_TAG:
            return self._sequence(node, line, path, steps)
        try:
            return scalar_value(node), Place(line, path, file=self._file)
        except BadValue as exc:
            self.slips.append(Slip(line, steps, str(exc)))
            return UNREADABLE, Place(line, path, file=self._file)

    def _sequence(self, node: SequenceNode, line: int, path: str, steps: tuple[Scalar, ...]) -> tuple[object, Place]:
        items = [self.value(child, _line(child), f"{path}[{n + 1}]", (*steps, n)) for n, child in enumerate(node.value)]
        return [data for data, _ in items], Place(line, path, dict(enumerate(place for _, place in items)), file=self._file)

    def _mapping(self, node: MappingNode, line: int, path: str, steps: tuple[Scalar, ...]) -> tuple[object, Place]:
        data: dict[Scalar, object] = {}
        places: dict[Scalar, Place] = {}
        first_lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, steps)
            if isinstance(key, Unreadable):
                continue
            shown, key_line = str(as_written(key)), _line(key_node)
            if key in data or shown in first_lines:
                first = places[key].line if key in data else first_lines[shown]
                self.slips.append(Slip(key_line, steps, f"{{key}} is written twice, first on line {first}: keep one", shown))
                continue
            first_lines[shown] = key_line
            inside = f"{path}.{key_text(shown)}" if path else key_text(shown)
            data[key], places[key] = self.value(value_node, key_line, inside, (*steps, key))
        return data, Place(line, path, places, is_mapping=True, file=self._file)

    def _key(self, node: Node, steps: tuple[Scalar, ...]) -> Scalar | Unreadable:
        try:
            key = scalar_value(node) if isinstance(node, ScalarNode) else UNREADABLE
            problem = _no_key(key, node)
        except BadValue as exc:
            key, problem = UNREADABLE, str(exc)
        if problem is None:
            return key
        self.slips.append(Slip(_line(node), steps, problem))
        return UNREADABLE


def _no_key(key: Scalar | Unreadable, node: Node) -> str | None:
    """Why `key` is none; None when it is one."""
    if isinstance(key, Unreadable):
        return "a list or mapping stands where a key belongs: write a plain text"
    if key is None or isinstance(key, bool):
        found = "nothing" if key is None else str(key).lower()
        return f"found {found} as a key: put it in quotes if the text is meant"
    if key == "<<" and isinstance(node, ScalarNode) and not node.style:
        return "merge keys (<<) are not followed: write the keys out"
    return None
