"""Faults of a plant file, as they are told to the one who wrote it.

A fault says where (file, line, path by the plant's own names) and what, and what would be right. Faults never
show a secret, and each stands on one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches

_MANY_WORDS = 500
_SIGNS = "abcdefghijklmnopqrstuvwxyz0123456789_-."
_NOT_OF_A_KEY = re.compile(r"[\s:=]")


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong, or unwise. `line` counts from 1; `path` is empty for the file as a whole. Of a template,
    `file` and `line` are the template's, and `row` says which row filled it."""

    file: str
    line: int
    path: str
    what: str
    row: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " + (f"{self.path}: " if self.path else "")
        return where + self.what + (f" [{self.row}]" if self.row else "")


class ConfigError(Exception):
    """A plant file that can't be used. Its text is every fault, one a line, in the order of the file."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = in_order(faults)
        super().__init__("\n".join(map(str, self.faults)))


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Each fault once, by file and line. What is alike for several rows of a template is told for the first of them."""
    first: dict[Fault, Fault] = {}
    rows: dict[Fault, set[str]] = {}
    for fault in faults:
        alike = replace(fault, path="", row="") if fault.row else fault
        first.setdefault(alike, fault)
        rows.setdefault(alike, set()).add(fault.row)
    told = (_with_rows(fault, len(rows[alike]) - 1) for alike, fault in first.items())
    return tuple(sorted(told))


def _with_rows(fault: Fault, others: int) -> Fault:
    return replace(fault, row=f"{fault.row}, and {others} more") if others else fault


def did_you_mean(word: str, among: Iterable[str]) -> str:
    """`; did you mean 'role'?` when one of `among` is spelt much like `word`, else nothing."""
    by_lower = {known.lower(): known for known in sorted(among)}  # of two that differ in case the one in small letters
    if len(by_lower) > _MANY_WORDS:
        near = [other for other in _one_slip_away(word.lower()) if other in by_lower][:1]
    else:
        near = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return f"; did you mean {by_lower[near[0]]!r}?" if near else ""


def _one_slip_away(word: str) -> Iterator[str]:
    """The words with one sign other, less, more, or two swapped: among thousands of words the quick way to a near one."""
    yield word
    for n in range(len(word) + 1):
        before, after = word[:n], word[n:]
        yield before + after[1:]
        yield before + after[1:2] + after[:1] + after[2:]
        for sign in _SIGNS:
            yield before + sign + after[1:]
            yield before + sign + after


def key_head(key: str) -> str:
    """A key that is unknown, up to its first `:`, `=` or space: `{token:abc}` is the key `token:abc` and shows a secret."""
    return _NOT_OF_A_KEY.split(key, maxsplit=1)[0]


def key_text(key: str) -> str:
    """A key or name for people: as it is, or escaped and cut when it can't be shown on part of a line."""
    shown = key if key.isprintable() and key else repr(key)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
