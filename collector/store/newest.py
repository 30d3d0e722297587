"""The newest slot of each scan group: where a journal ends, seen by groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from collector.store.daily import DailyFile
from collector.terms import EventKind

MOST_GAPS = 1000
_GAPS = " WHERE kind = ? ORDER BY seq DESC LIMIT ?"

Group = tuple[str, str, str]
"""Endpoint, device, group."""


@dataclass(frozen=True, slots=True)
class NewestSlot:
    """Of a scan group."""

    slot_ns: int
    lost: bool
    """A gap begins there, and no event has ended it."""


def newest_slots(file: DailyFile, back_ns: int) -> dict[Group, NewestSlot]:
    """Of the groups that have a scan or the end of a gap not more than `back_ns` before the newest scan of the file."""
    newest: dict[Group, NewestSlot] = {}
    for slot_ns, _, layout, lost in file.scans.newest_slots(back_ns):
        of = file.layout(layout)
        newest[of.endpoint, of.device, of.group] = NewestSlot(slot_ns, lost)
    for group, to_ns in _gaps(file):
        if group not in newest or newest[group].slot_ns <= to_ns:
            newest[group] = NewestSlot(to_ns, lost=False)
    return newest


def _gaps(file: DailyFile) -> Iterator[tuple[Group, int]]:
    for row in file.events(_GAPS, (EventKind.GAP.value, MOST_GAPS)):
        endpoint, device, group, to_ns = (row.event.body.get(key) for key in ("endpoint", "device", "group", "to_ns"))
        if isinstance(device, str) and isinstance(to_ns, int):
            yield (str(endpoint), device, str(group)), to_ns
