"""Which reads of a scan group a device answers: an address it refuses must not cost the tags beside it. Pure.

           refused                refused, cannot be cut       after a wait
    sound ---------> suspect ----------------------> quarantined ----------> suspect
      ^                 |  ^
      +---- answered ---+  +--- refused: cut in two

A block that is refused is cut at tag boundaries until what the device lacks stands alone. That search asks at most
PROBES_PER_SLOT requests in a slot, beside the sound reads, and goes on in the next one. What is found holds for the
connection: after a reconnect the device may have been changed, and all begins anew. Some devices refuse addresses that they
have while they start, so the first wait is short, and each one after it twice as long. When the search is over, what was cut
finer than need be is tried in larger reads again, once: a slow line has no time for a hundred small ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from config.model import ModbusDevice
from config.tags import ModbusTag
from drivers.modbus.plan import Read, halves, plan_reads

PROBES_PER_SLOT = 16
FIRST_RETRY_S, RETRY_S = 5, 300
"""Until what is quarantined is asked for again: the first time, and at the most."""


class Blocks:
    """The reads of one scan group on one connection."""

    def __init__(self, tags: Sequence[ModbusTag], device: ModbusDevice) -> None:
        """Raises ValueError where no legal read can take in a tag."""
        self._tags = tags
        self._device = device
        self._sound: dict[Read, None] = dict.fromkeys(plan_reads(tags, device))
        self._suspects: deque[Read] = deque()
        self._postponed: list[Read] = []
        self._retry_ns: dict[int, int] = {}
        self._waits_s: dict[int, float] = {}
        """Of columns that are, or were just now, quarantined: the last wait."""
        self._is_cut = False
        """There are sound reads that were parts of a larger one, and it was not tried to put them together."""
        self._unions: list[Read] = []

    def sound(self) -> tuple[Read, ...]:
        """What to ask in each slot, at once where the device allows that. Tell the verdicts before asking for suspects."""
        return tuple(self._sound)

    @property
    def at_rest(self) -> bool:
        """Nothing is being looked for, left out, or to be put together."""
        return not (self._suspects or self._postponed or self._retry_ns or self._is_cut or self._unions)

    def suspects(self, now_ns: int) -> Iterator[Read]:
        """What to ask besides in this slot. Tell the verdict on each read before taking the next one."""
        self._suspects.extend(self._postponed)
        self._postponed.clear()
        self._release(now_ns)
        for _ in range(PROBES_PER_SLOT):
            if self._suspects:
                yield self._suspects.popleft()

    def answered(self, read: Read) -> None:
        """The device gave its values."""
        self._is_cut = self._is_cut or read not in self._sound
        self._sound.setdefault(read)
        if self._waits_s:
            for column in read.columns:
                self._waits_s.pop(column, None)

    def unions(self) -> Iterator[Read]:
        """Reads that may each take the place of several sound ones, to be asked for besides: if `united` is told, they do."""
        if self._is_cut and not self._suspects and not self._postponed:
            self._is_cut = False
            self._unions = list(self._larger())
        for _ in range(PROBES_PER_SLOT):
            if self._unions:
                yield self._unions.pop()

    def united(self, read: Read) -> None:
        """The device gave the values of a union. What is no sound read any more was refused meanwhile: then it is left alone."""
        columns = set(read.columns)
        parts = [each for each in self._sound if not columns.isdisjoint(each.columns)]
        if {column for each in parts for column in each.columns} == columns:
            self._sound = {each: None for each in self._sound if each not in parts} | {read: None}

    def _larger(self) -> Iterator[Read]:
        """Of sound reads beside each other, as far as the device allows it and has no missing address between."""
        missing = self._addresses(self._retry_ns) - self._addresses(column for read in self._sound for column in read.columns)
        union: Read | None = None
        for read in sorted(self._sound, key=lambda each: (each.table, each.first)):
            larger = plan_reads(self._tags, self._device, (*union.columns, *read.columns)) if union else ()
            if len(larger) == 1 and missing.isdisjoint((read.table, n) for n in range(larger[0].first, larger[0].last + 1)):
                union = larger[0]
                continue
            if union and union not in self._sound:
                yield union
            union = read
        if union and union not in self._sound:
            yield union

    def _addresses(self, columns: Iterable[int]) -> set[tuple[str, int]]:
        tags = [self._tags[column] for column in columns]
        return {(tag.table, tag.offset_in_table + n) for tag in tags for n in range(tag.register_count)}

    def failed(self, read: Read) -> None:
        """The device has no values now (it is busy, say), which tells nothing of the addresses."""
        if read not in self._sound:
            self._postponed.append(read)

    def refused(self, read: Read, now_ns: int) -> None:
        """The device lacks an address of it."""
        self._sound.pop(read, None)
        parts = halves(read, self._tags, self._device)
        self._suspects.extend(parts)
        for column in () if parts else read.columns:
            wait_s = self._waits_s[column] = min(2 * self._waits_s.get(column, FIRST_RETRY_S / 2), RETRY_S)
            self._retry_ns[column] = now_ns + round(wait_s * 1e9)

    def _release(self, now_ns: int) -> None:
        if all(retry_ns > now_ns for retry_ns in self._retry_ns.values()):
            return
        # Those that are soon due come along: what was found missing in neighbouring slots is read in one block again.
        soon_ns = now_ns + FIRST_RETRY_S * 1_000_000_000
        due = [column for column, retry_ns in self._retry_ns.items() if retry_ns <= soon_ns]
        for column in due:
            del self._retry_ns[column]
        self._suspects.extend(plan_reads(self._tags, self._device, due))
