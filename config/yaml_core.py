"""The core schema of YAML 1.2 on PyYAML's composer, and PyYAML's complaints in plain words.

libyaml scans seven times faster than PyYAML's Python; where it is there, only files with a fault are scanned a second
time in Python, whose complaints are the ones put into words.

No text here quotes more of the file than one character: `password: *abc` is an undefined alias and a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, cast

import yaml
from yaml.composer import Composer, ComposerError
from yaml.error import MarkedYAMLError
from yaml.nodes import Node, ScalarNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.resolver import BaseResolver
from yaml.scanner import Scanner

from config.text import WrittenFloat, WrittenInt

Scalar = str | int | float | bool | None

MAX_DEPTH = 40
"""Mappings and lists inside each other; a plant file has nine."""


class _Bounded(Composer, BaseResolver):
    """Events -> nodes. Its recursion is bounded by MAX_DEPTH."""

    _depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self._depth == MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[attr-defined]  # of the parser this is mixed with
            raise ComposerError(None, None, f"nested deeper than {MAX_DEPTH}", mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class CoreLoader(_Bounded, Reader, Scanner, Parser):
    """Text -> nodes, tagged by the core schema."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        BaseResolver.__init__(self)


_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


def _with_libyaml() -> Callable[[str], Any] | None:
    """The same on libyaml's events, None where PyYAML was built without it."""
    if not yaml.__with_libyaml__:
        return None
    from yaml._yaml import CParser  # noqa: PLC0415  not there without libyaml

    class FastLoader(_Bounded, CParser):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            BaseResolver.__init__(self)

    FastLoader.yaml_implicit_resolvers = CoreLoader.yaml_implicit_resolvers
    return FastLoader


def fast_root(text: str) -> Node | None:
    """The root node by libyaml. None when the file is empty, has a fault or there is no libyaml: ask CoreLoader then."""
    if FAST_LOADER is None or _HALF_CHARACTER.search(text):
        return None
    try:
        return cast("Node | None", FAST_LOADER(text).get_single_node())
    except (yaml.YAMLError, ValueError, OverflowError):
        return None


_TAG: Final = "tag:yaml.org,2002:"


def _integer(text: str) -> Scalar:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    try:
        return WrittenInt(int(text, base), text)
    except ValueError:  # more digits than Python converts: no number of a plant, so the text it is
        return text


def _float(text: str) -> Scalar:
    return WrittenFloat(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")), text)


_SCHEMA: dict[str, tuple[re.Pattern[str], list[str], Callable[[str], Scalar]]] = {
    f"{_TAG}null": (re.compile(r"(?:null|Null|NULL|~|)\Z"), ["n", "N", "~", ""], lambda _: None),
    f"{_TAG}bool": (
        re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
        list("tTfF"),
        lambda text: text.lower() == "true",
    ),
    f"{_TAG}int": (re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z"), list("-+0123456789"), _integer),
    f"{_TAG}float": (
        re.compile(r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"),
        list("-+.0123456789"),
        _float,
    ),
}

for _tag, (_pattern, _first, _) in _SCHEMA.items():
    CoreLoader.add_implicit_resolver(_tag, _pattern, _first)

FAST_LOADER: Final = _with_libyaml()


class BadValue(ValueError):
    """A node that is no value of the core schema; the text says what would be right."""


UNKNOWN_TAG = "a tag (a word that begins with !) is not followed here: leave it out, or put the text in quotes"


def scalar_value(node: Node) -> Scalar:
    """The value of a scalar. Raises BadValue, also for a list or mapping with a tag."""
    if not isinstance(node, ScalarNode):
        raise BadValue(UNKNOWN_TAG)
    if node.tag == CoreLoader.DEFAULT_SCALAR_TAG:
        if not node.value.isascii() and _HALF_CHARACTER.search(node.value):
            raise BadValue("holds an escape of half a character (\\ud800 to \\udfff): write the character itself")
        return str(node.value)
    pattern, _, convert = _SCHEMA.get(node.tag, (None, None, None))
    if not (pattern and convert and pattern.match(node.value)):
        raise BadValue(UNKNOWN_TAG)
    return convert(node.value)


_PLAIN_WORDS = (
    ("nested deeper", f"is nested deeper than {MAX_DEPTH}: no plant file is"),
    ("mapping values are not allowed", "a ':' stands where none fits: mend the indentation, or quote the text that holds it"),
    ("could not find expected ':'", "a line without ':' stands among keys: write `key: value`"),
    ("sequence entries are not allowed", "a '- ' stands where none fits: begin the list on a line of its own"),
    ("mapping keys are not allowed", "a '? ' stands where none fits: quote the text that holds it"),
    (r"'\t'", "a tab stands where spaces belong: indent with spaces"),
    ("cannot start any token", "a text that begins with @, % or ` must be in quotes"),
    ("unexpected end of stream", "the quote opened here is never closed"),
    ("unexpected document separator", "the quote opened here is never closed"),
    ("undefined alias", "a text that begins with * is an alias, and no anchor (&) before it has that name: quote the text"),
    ("duplicate anchor", "an anchor (&) of this name is set already: give it another name"),
    ("tag handle", "a text that begins with ! is a tag, and this one is unknown: quote the text"),
    ("expected <block end>", "the indentation does not fit the lines above, or a text holds a quote that must itself be quoted"),
    ("expected ',' or ']'", "a list [...] lacks a comma or its closing bracket"),
    ("expected ',' or '}'", "a mapping {...} lacks a comma or its closing brace"),
    ("another document", "a second document (---) begins: keep one plant in a file"),
    ("unknown escape character", "unknown escape in a double-quoted text: write \\\\ for a backslash, or use single quotes"),
)
_CLOSES = ("expected ',' or",)
_OPENED = ("unexpected end of stream", "unexpected document separator", "could not find expected ':'")
"""Problems that are best told where their cause begins."""


def syntax_fault(error: MarkedYAMLError) -> tuple[int, str]:
    """Line and plain words for what PyYAML complains of."""
    problem = error.problem or "unknown"
    mark = error.problem_mark or error.context_mark
    if problem.endswith(_OPENED):
        mark = error.context_mark or mark
    line = mark.line + 1 if mark else 1
    words = next((words for sign, words in _PLAIN_WORDS if sign in problem or sign in (error.context or "")), problem)
    if problem.startswith(_CLOSES) and error.context_mark:
        words = f"{words}; it begins on line {error.context_mark.line + 1}"
    return line, f"is not valid YAML: {words}"
