"""A bound that asyncua's decoder lacks: an array of Null takes no bytes, so its length is believed, up to 2^31 steps.

Four damaged bytes, or a hostile server, would hold the event loop for minutes. Everything else that is too long runs out
of bytes. Importing this module sets the bound, on asyncua 2.1's table of arrays that are decoded at once.
"""

from __future__ import annotations

from typing import Any

from asyncua.ua.ua_binary import Primitives1

MOST_NULLS = 10_000
"""No server has a reason to send so many nothings."""


class _Nulls:
    """How asyncua unpacks arrays of Null from now on."""

    @staticmethod
    def unpack_array(_data: Any, length: int) -> tuple[None, ...]:
        """Raises ValueError, which is undecodable, for a length that is none."""
        if not 0 <= length <= MOST_NULLS:  # asyncua has dealt with -1, which is no array
            raise ValueError(f"an array of {length} Nulls")
        return (None,) * length


Primitives1.Null = _Nulls  # type: ignore[attr-defined]
