"""How far a sink has got in the journal, and what it refused.

For every sink at any moment: samples read = accepted + queued + dead-lettered, where queued are the samples of
the rows beyond its cursor.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cursor:
    """All rows up to and including `seq` are settled: their samples are either accepted or dead-lettered."""

    seq: int = 0
    accepted: int = 0
    """Samples."""
    dead_lettered: int = 0
    """Samples."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One line that a sink refused for good."""

    seq: int
    """Of the row it was made from."""
    samples: int
    """Samples it carries."""
    line: bytes
    """As it was sent, without a line feed."""
    reason: str
    """The sink's own words."""
    time_ns: int
    """Plant time of the refusal."""
