"""A column `unit` of a table: engineering units, or the units of the plant? Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from config.engineering_units import understood

_SIGNS: Final = frozenset("/%°º²³·^µμ")
"""No unit of a plant has them in its name."""
_NO_UNIT: Final = frozenset(("", "-", "--", "\u2013", "none", "na", "n/a", "dimensionless", "au", "a.u.", "count", "counts"))


def are_engineering_units(texts: Collection[str]) -> bool:
    """Whether all of them are, or most; `A`, `B` and `C` are rather reactors than ampere, a letter and degrees."""
    said = {text for text in texts if text.casefold() not in _NO_UNIT}
    if not said:
        return any(texts)
    known = [text for text in said if understood(text) is not None or not _SIGNS.isdisjoint(text)]
    return len(known) == len(said) or (2 * len(known) > len(said) and any(len(text) > 1 for text in known))
