"""A reader of line protocol, written from its description and not from our writer: the oracle of the encoder's tests."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

Field = float | int | bool | str


@dataclass(frozen=True, slots=True)
class Point:
    """One line, read."""

    measurement: str
    tags: Mapping[str, str]
    fields: Mapping[str, Field]
    time_ns: int


def parse(line: bytes) -> Point:
    """Raises ValueError for what is no line."""
    text = line.decode("utf-8")
    key, at = _until(text, 0, " ")
    fields: dict[str, Field] = {}
    while True:
        name, at = _until(text, at + 1, "=")
        value, at = _value(text, at + 1)
        if unescaped(name) in fields:
            raise ValueError(f"field {name} twice")
        fields[unescaped(name)] = value
        if text[at] == " ":
            break
        if text[at] != ",":
            raise ValueError(f"{text[at]!r} after a field")
    measurement, *tags = _split(key, ",")
    pairs = [_split(tag, "=") for tag in tags]
    if any(len(pair) != 2 or not pair[0] or not pair[1] for pair in pairs):
        raise ValueError(f"tags {tags}")
    return Point(unescaped(measurement), {unescaped(k): unescaped(v) for k, v in pairs}, fields, int(text[at + 1 :]))


def bits(value: object) -> object:
    """A float as its bits, so that -0.0 is not 0.0; anything else with its type."""
    return struct.pack("<d", value) if isinstance(value, float) else (type(value), value)


def unescaped(text: str) -> str:
    """A backslash counts only before a comma, an equals sign or a space."""
    for special in ",= ":
        text = text.replace("\\" + special, special)
    return text


def _until(text: str, start: int, end: str) -> tuple[str, int]:
    at = start
    while text[at] != end or text[at - 1] == "\\":
        if text[at] == "\n":
            raise ValueError("a line feed outside a text")
        at += 1
    return text[start:at], at


def _split(text: str, separator: str) -> list[str]:
    parts, start = [], 0
    for at, character in enumerate(text):
        if character == separator and text[at - 1] != "\\":
            parts.append(text[start:at])
            start = at + 1
    return [*parts, text[start:]]


def _value(text: str, at: int) -> tuple[Field, int]:
    if text[at] == '"':
        return _quoted(text, at + 1)
    end = min(i for i in (text.find(",", at), text.find(" ", at)) if i >= 0)
    word = text[at:end]
    if word in ("true", "false"):
        return word == "true", end
    if word.endswith("i"):
        number = int(word[:-1])
        if not -(2**63) <= number < 2**63:
            raise ValueError(f"{word} is no int64")
        return number, end
    if not math.isfinite(float(word)):
        raise ValueError(f"{word} is not finite")
    return float(word), end


def _quoted(text: str, at: int) -> tuple[str, int]:
    characters = []
    while text[at] != '"':
        if text[at] == "\\" and text[at + 1] in '"\\':
            at += 1
        characters.append(text[at])
        at += 1
    return "".join(characters), at + 1
