"""Text as it was written in the plant file.

YAML reads `recipe_version: 3.10` as the number 3.1. The loader therefore hands numbers over with the text
they were written with, and fields of type `Text` take that text back: a recipe version, a batch id or a
phase is never silently rewritten.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, StringConstraints


class WrittenInt(int):
    """An int read from a file, with its source text."""

    text: str

    def __new__(cls, value: int, text: str) -> WrittenInt:
        number = super().__new__(cls, value)
        number.text = text
        return number


class WrittenFloat(float):
    """A float read from a file, with its source text."""

    text: str

    def __new__(cls, value: float, text: str) -> WrittenFloat:
        number = super().__new__(cls, value)
        number.text = text
        return number


class UnclearNumber(str):
    """A text such as `1.500` from a table, which may be 1.5 or 1500: fine in a text, a fault where a number belongs."""

    why: str

    def __new__(cls, text: str, why: str) -> UnclearNumber:
        unclear = super().__new__(cls, text)
        unclear.why = why
        return unclear


Written = WrittenInt | WrittenFloat
"""A number that remembers the text it was written with."""


def as_written(value: object) -> object:
    """The source text of a number from a file; anything else unchanged."""
    return value.text if isinstance(value, Written) else value


_WRITTEN = Annotated[str, StringConstraints(min_length=1)] | float
Text = Annotated[str, BeforeValidator(as_written, json_schema_input_type=_WRITTEN), StringConstraints(min_length=1)]
"""A non-empty text; numbers keep the spelling of the file."""


def _on_one_line(name: str) -> str:
    if not name.isprintable():
        raise ValueError(f"{name!r} has a line break or another character that can't be seen: write it with visible characters")
    if name != name.strip(" ") or name.endswith("\\"):
        raise ValueError(f"{name!r} begins or ends with a space, or ends with a backslash: write it without")
    return name


Name = Annotated[Text, AfterValidator(_on_one_line)]
"""A text that identifies something in rows, keys and messages: visible characters on one line."""
