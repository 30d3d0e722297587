"""A change, and the kinds of comparison that all parts of a plant share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from config.common import Model, Named
from config.difference.pairing import Pairs
from config.difference.words import sentence


class Kind(StrEnum):
    """What happened to a thing."""

    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    MOVED = "moved"
    CHANGED = "changed"
    ORDER = "order"
    """Only the order in the file: it has no meaning."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `where` is the heading it belongs under, `name` the thing, `text` what happened to it."""

    where: str
    name: str
    kind: Kind
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.name else self.text


NO_MATTER = "it does not matter"
NEW_LAYOUT = "the columns are the same, in a new layout"


def changed(old: Model, new: Model, where: str, name: str = "", *, skip: Sequence[str] = (), unit: str = "") -> Iterator[Change]:
    """A change for every field that differs, those of inner models by their path."""
    for field in dict.fromkeys((*type(old).model_fields, *type(new).model_fields)):
        before, after = getattr(old, field, None), getattr(new, field, None)
        if field not in skip and before != after:
            yield from (Change(where, name, Kind.CHANGED, text) for text in sentence(field, before, after, unit))


NO_TAGS: Counter[str] = Counter()


def come_and_gone(what: str, pairs: Pairs[Any], lost: Counter[str] = NO_TAGS, found: Counter[str] = NO_TAGS) -> Iterator[Change]:
    """`lost` and `found`: how many tags went or came with a device."""
    for kind, items, tags in ((Kind.REMOVED, pairs.removed, lost), (Kind.ADDED, pairs.added, found)):
        for item in items:
            yield Change(f"{what} {item.name}", "", kind, f"{kind}{_with_tags(item, tags)}")


def _with_tags(item: Named, tags: Counter[str]) -> str:
    devices = getattr(item, "devices", (item,))
    number = sum(tags[device.name] for device in devices)
    return f", with {number} tag{'' if number == 1 else 's'}" if number else ""


def in_order(where: str, what: str, old: Iterable[str], new: Iterable[str], effect: str) -> Iterator[Change]:
    """Where the things that are in both stand in another order."""
    before, after = list(old), list(new)
    kept = set(before) & set(after)
    if [name for name in before if name in kept] != [name for name in after if name in kept]:
        yield Change(where, "", Kind.ORDER, f"the order of {what} changed: {effect}")


def names_of(items: Iterable[Named]) -> list[str]:
    """In their order."""
    return [item.name for item in items]
