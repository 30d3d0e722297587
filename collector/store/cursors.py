"""How far a sink has got in the journal, and what it refused. Pure.

    seq   1 ...... 400 | 401 ........ 9000 | 9001 ..... 9050 | 9051 ...
          settled        behind              settled           to come
                                                          ^ seq = 9050, behind = ((400, 9000],)

For every sink at any moment: samples read = accepted + queued + dead-lettered, where queued are the samples of the rows
behind and beyond its cursor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows beyond `after`, up to and including `until`."""

    after: int
    until: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """All rows up to and including `seq` but those `behind` are settled: their samples are accepted or dead-lettered."""

    seq: int = 0
    accepted: int = 0
    """Samples."""
    dead_lettered: int = 0
    """Samples."""
    behind: tuple[Stretch, ...] = ()
    """Passed over for what is live, still to be sent: ascending, apart from each other."""

    @property
    def settled_until(self) -> int:
        """All rows up to and including this one are settled."""
        return self.behind[0].after if self.behind else self.seq

    def settled(self, stretch: Stretch, accepted: int, dead_lettered: int) -> Cursor:
        """With the rows of `stretch` settled as well; rows that it passes over are behind from now on.

        Raises ValueError when some of its rows are settled already: they would count twice.
        """
        counts = self.accepted + accepted, self.dead_lettered + dead_lettered
        if stretch.after >= self.seq:
            passed = (Stretch(self.seq, stretch.after),) if stretch.after > self.seq else ()
            return Cursor(stretch.until, *counts, (*self.behind, *passed))
        if not any(each.after <= stretch.after and stretch.until <= each.until for each in self.behind):
            raise ValueError(f"rows {stretch.after + 1} to {stretch.until} are settled already: {self}")
        return Cursor(self.seq, *counts, tuple(self._without(stretch)))

    def _without(self, stretch: Stretch) -> Iterator[Stretch]:
        for each in self.behind:
            pieces = Stretch(each.after, min(each.until, stretch.after)), Stretch(max(each.after, stretch.until), each.until)
            yield from (piece for piece in pieces if piece.after < piece.until)

    def passed_by(self, seq: int) -> Cursor:
        """With all rows up to `seq` settled: they are gone."""
        behind = tuple(Stretch(max(each.after, seq), each.until) for each in self.behind if each.until > seq)
        return Cursor(max(self.seq, seq), self.accepted, self.dead_lettered, behind)

    def taken_up(self, samples: int) -> Cursor:
        """With `samples` that were dead-lettered accepted after all."""
        return Cursor(self.seq, self.accepted + samples, self.dead_lettered - samples, self.behind)


@dataclass(frozen=True, slots=True)
class KnownSink:
    """A sink that is in the plant file, or was."""

    cursor: Cursor = Cursor()
    removed_seq: int | None = None
    """The journal's last row when a start found it gone from the plant file; None while it is there."""
    forget: bool = False
    """Somebody asked the daemon to forget it."""


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


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A dead letter as the registry keeps it."""

    id: int
    sink: str
    letter: DeadLetter
    retry: bool
    """Somebody asked for another try, which is still to come."""
