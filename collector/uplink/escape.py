"""Line protocol's spelling of names, tag values and field values. Pure.

    measurement,key=value,key=value field=1.0,field=5i,field=true,field="text" 1732270000000000000

What line protocol can hold comes back as it was. What it can't hold in a tag value on every server is replaced by
something a person recognises: a line feed, carriage return or tab by `\\n`, `\\r`, `\\t` (two characters), and a
backslash at the end, or before one of `, = space \\` and those three, by `⧵` (U+29F5). Lone surrogates, which UTF-8
has none of, become `\\udXXX`. The journal keeps the original.
"""

from __future__ import annotations

import re
from functools import lru_cache

import orjson

_SPECIAL = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ ", "\n": "\\n", "\r": "\\r", "\t": "\\t"})
_PLAIN = re.compile(r"[A-Za-z0-9_.:/+-]*")
_AMBIGUOUS_BACKSLASH = re.compile(r"\\(?=[\\,= \n\r\t]|\Z)")

INFLUX_OWN = frozenset({"time", "_time", "_field", "_measurement", "_value"})
"""Names that InfluxDB takes for itself; it drops a field called `time` without a word."""

RESERVED = INFLUX_OWN | {"site", "unit", "batch", "phase"}
"""Names that no role's field may have: InfluxDB's own and the tag keys beside it, which InfluxDB 3 refuses."""


def _utf8(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def name(text: str) -> str:
    """A tag value, or a tag or field key."""
    if _PLAIN.fullmatch(text):
        return text
    return _AMBIGUOUS_BACKSLASH.sub("⧵", _utf8(text)).translate(_SPECIAL)


def field_name(role: str, reserved: frozenset[str] = RESERVED) -> str:
    """The field of a role: itself, but `phase` -> `phase_value`; then `phase_value` -> `phase_value_value`: no two share one."""
    stem = role
    while stem not in reserved and stem.endswith("_value"):
        stem = stem.removesuffix("_value")
    return f"{role}_value" if stem in reserved else role


def text_field(text: str) -> bytes:
    """A text as a field value; line feeds stay what they are."""
    return b'"' + _utf8(text).replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def number_field(value: float) -> bytes:
    """A finite float64 as a field value, bit-exact: the shortest digits that name it."""
    return orjson.dumps(float(value))


@lru_cache(maxsize=8192)
def series(measurement: str, tags: tuple[tuple[str, str], ...]) -> bytes:
    """`measurement,key=value `, up to the space before the fields; tags with an empty value are left out."""
    keys = "".join(f",{name(key)}={name(value)}" for key, value in tags if value)
    return f"{measurement}{keys} ".encode()
