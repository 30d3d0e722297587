"""Pydantic's errors in a plant engineer's words: what was found, and what would be right.

Inside a secret nothing that was found is told. Of lists and mappings only that they are one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, get_args

from pydantic_core import ErrorDetails

from config.faults import did_you_mean, key_head, key_text
from config.places import Spot
from config.text import UnclearNumber, Written

_SCHEME = re.compile(r"[A-Za-z.+-]{1,12}://")
_BEGINS_AS_NUMBER = re.compile(r"[-+]?\.?\d")


_LONGEST = 400


def wording(error: ErrorDetails, spot: Spot) -> str:
    """What is wrong at `spot`, and what would be right; on one line."""
    words = " ".join(_words(error, spot).split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}..."


def _words(error: ErrorDetails, spot: Spot) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    if spot.is_secret:
        return str(context.get("error", "give a secret as {env: NAME} or {file: PATH}; the secret itself is never written here"))
    kind = error["type"]
    if kind in ("extra_forbidden", "invalid_key"):
        return _unknown_key(str(error["loc"][-1]), spot)
    if kind == "union_tag_not_found":
        return _no_variant(error["input"], _discriminator(error), spot)
    return _about_the_value(error, context)


def _about_the_value(error: ErrorDetails, context: dict[str, Any]) -> str:
    kind, value = error["type"], error["input"]
    if kind in _WHOLE:
        return _WHOLE[kind](value, context)
    if kind in _EXPECTED_SHAPES:
        return f"found {_shape(value)}, expected {_EXPECTED_SHAPES[kind](value, context)}"
    if kind in _EXPECTED:
        return f"found {_found(value)}, expected {_EXPECTED[kind](value, context)}"
    return f"found {_shape(value)}: {error['msg']}"


def _unknown_key(key: str, spot: Spot) -> str:
    head = key_head(key)
    hint = "" if head == key else " (a key ends with a colon and a space)"
    return f"unknown key{hint}{did_you_mean(head, spot.allowed)}; known here: {', '.join(spot.allowed)}"


def _found(value: object) -> str:
    if isinstance(value, Written):
        return f"the number {key_text(value.text)}"
    if value is None or isinstance(value, bool):
        return "nothing" if value is None else str(value).lower()
    if isinstance(value, str):
        return f"the text {_quoted(value)}"
    return "a mapping" if isinstance(value, dict) else "a list"


def _shape(value: object) -> str:
    """What was found where no single value belongs: not its text, which may be anything."""
    if isinstance(value, str):
        return "a text"
    return "a number" if isinstance(value, Written) else _found(value)


def _quoted(text: str) -> str:
    return repr(text) if len(text) <= 60 else f"{text[:57]!r}..."


def _number(value: object, _: dict[str, Any]) -> str:
    if isinstance(value, UnclearNumber):
        return f"a number: {value.why}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "a smaller one"
    if isinstance(value, str) and _BEGINS_AS_NUMBER.match(value):
        return "a number: without quotes or unit, with a decimal point"
    return "a number"


def _whole_number(value: object, _: dict[str, Any]) -> str:
    if isinstance(value, UnclearNumber):
        return f"a whole number: {value.why}"
    hint = ": without quotes or unit" if isinstance(value, str) and _BEGINS_AS_NUMBER.match(value) else ""
    return f"a whole number{hint}"


def _text(value: object, _: dict[str, Any]) -> str:
    if value is None:
        return "a text: write one, or leave the key out"
    return "a text" + (": put it in quotes if that is the text" if isinstance(value, bool) else "")


def _choice(value: object, context: dict[str, Any]) -> str:
    choices = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags")))
    text = value if isinstance(value, str) else ""
    return f"one of {', '.join(choices)}{did_you_mean(text, choices)}"


def _mapping(_: object, context: dict[str, Any]) -> str:
    if context.get("class_name") == "Bounds":
        return "two bounds: [low, high]; null for an open side"
    return "a mapping: lines of `key: value`, indented below"


def _meant(key: str, item: object) -> str:
    """`; 'ulr' is unknown, is it meant?` where an item has no `key`, so that its other keys can't be judged."""
    near = get_close_matches(key, [str(known) for known in item], n=1) if isinstance(item, dict) else []
    return f"; is {near[0]!r} meant for it?" if near else ""


def told_by(error: ErrorDetails) -> str | None:
    """The key that tells the variant of a union, for an error that says it doesn't; `kind` of a sink."""
    if error["type"] == "unknown_url":
        return "url"
    return _discriminator(error) if error["type"] in ("union_tag_invalid", "union_tag_not_found") else None


def _discriminator(error: ErrorDetails) -> str:
    return str(error.get("ctx", {}).get("discriminator", "")).strip("'")


def _no_variant(value: object, key: str, spot: Spot) -> str:
    if not isinstance(value, dict):
        return f"found {_shape(value)}, expected {_mapping(value, {})}"
    fields = [owner.model_fields[key] for owner in spot.owners if key in owner.model_fields]
    *most, last = [str(word) for field in fields for word in get_args(field.annotation)] or [f"a {key}"]
    return f"missing: write {', '.join(most)}{' or ' if most else ''}{last}{_meant(key, value)}"


def _variant(value: object, context: dict[str, Any]) -> str:
    """Pydantic gives the whole item where it can't tell its variant."""
    word = value.get(str(context["discriminator"]).strip("'")) if isinstance(value, dict) else value
    return f"found {_found(word)}, expected {_choice(word, context)}"


def _url(value: object, _: dict[str, Any]) -> str:
    right = "opc.tcp://host:4840 (OPC UA) or modbus://host:502 (Modbus)"
    if not isinstance(value, dict):
        return f"found {_shape(value)}, expected {_mapping(value, {})}"
    url = value.get("url")
    if url is None:
        return f"missing: it tells the protocol; write {right}{_meant('url', value)}"
    scheme = _SCHEME.match(str(url))
    shown = f"a url that begins with {scheme[0]}" if scheme else _shape(url)  # what follows may be a password
    return f"found {shown}, expected {right}"


_WHOLE: dict[str, Callable[[object, dict[str, Any]], str]] = {
    "value_error": lambda _value, context: str(context["error"]),
    "missing": lambda _value, _context: "missing: it must be given",
    "string_too_short": lambda _value, _context: "empty: give a text",
    "too_short": lambda value, _context: "empty: give a text" if isinstance(value, str) else "empty: give at least one",
    "union_tag_invalid": _variant,
    "unknown_url": _url,
}
"""Errors that are told whole."""

_EXPECTED: dict[str, Callable[[object, dict[str, Any]], str]] = {
    "string_type": _text,
    "path_type": lambda _value, _context: "the path of a file",
    "int_type": _whole_number,
    "float_type": _number,
    "bool_type": lambda _value, _context: "true or false",
    "finite_number": lambda _value, _context: "a finite number",
    "greater_than": lambda _value, context: f"more than {context['gt']:g}",
    "greater_than_equal": lambda _value, context: f"at least {context['ge']:g}",
    "less_than": lambda _value, context: f"less than {context['lt']:g}",
    "less_than_equal": lambda _value, context: f"at most {context['le']:g}",
    "literal_error": _choice,
    "enum": _choice,
}
"""Errors that are told as what was found and what was expected."""

_EXPECTED_SHAPES: dict[str, Callable[[object, dict[str, Any]], str]] = {
    "model_type": _mapping,
    "model_attributes_type": _mapping,
    "dict_type": _mapping,
    "tuple_type": lambda _value, _context: "a list: lines of `- item`, or [item, item]",
    "named_items": lambda _value, _context: "each item under its name: lines of `name:`, indented below",
}
"""The same, where a list or mapping was expected."""
