"""Where the run before left each scan group: its first slot of which neither a scan nor a gap tells.

A kill leaves no time to say how far a group had come, nor that its device was down. The journal shows it: the newest slot
of a group lies somewhat before the last commit, for what is committed was read before. So the next start can tell, group
by group, which slots nobody read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.acquire.slots import Cause, Left
from collector.store.newest import NewestSlot
from collector.terms import CauseClass, Json
from drivers.base import ScanGroup

LOOK_BACK_PERIODS = 4
"""A group that answers has a scan within so many of the longest periods before the newest."""

_DOWN = "gateway down: the daemon did not run"


def look_back_ns(groups: Iterable[ScanGroup]) -> int:
    """How far before the newest slot the newest of every group that answers lies."""
    return LOOK_BACK_PERIODS * max((group.layout.period_ns for group in groups), default=0)


def left_by(
    groups: Iterable[ScanGroup], newest: Mapping[tuple[str, str, str], NewestSlot], devices: Mapping[str, Mapping[str, Json]]
) -> dict[str, Left]:
    """By the group's name. `devices` are their remembered states; a group that nothing is known of is left out."""
    left = {}
    for group in groups:
        layout = group.layout
        state = devices.get(layout.device, {})
        lost, since = state.get("answers") is False, state.get("since_ns")
        known = newest.get((layout.endpoint, layout.device, layout.group))
        if known is not None:
            lost = known.lost
            from_ns = known.slot_ns if known.lost else known.slot_ns + layout.period_ns
        elif lost and isinstance(since, int):
            from_ns = since + -since % layout.period_ns
        else:
            continue
        left[group.name] = Left(from_ns, _cause(lost, str(state.get("cause") or "")))
    return left


def _cause(lost: bool, cause: str) -> Cause:
    if lost:
        return Cause(f"{cause or 'the device gave nothing'}; then {_DOWN}", CauseClass.DEVICE_DOWN)
    return Cause(_DOWN, CauseClass.GATEWAY_DOWN)
