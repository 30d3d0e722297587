"""Excursions that a run left open because it was killed: the next start tells that they ended.

    journal     open ─────────────── killed            started: closed, `stopped`
    registry         looked at, every 2 s              with the figures of the last look

So who has the events knows what is open, also after a kill. How such a stretch went on until the kill stands in the samples:
`judge` finds its figures to the last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from collector.store.reader import Reader
from collector.terms import Event, EventKind, Json

KIND: Final = "excursion"
"""Of the registry's states: those that are open."""
LOOK_BACK_NS: Final = 600_000_000_000
"""Before the newest commit, and before the first sample of those known to be open."""
_FIGURES: Final = ("last_ns", "peak", "area", "not_evaluable_s", "coverage")


def left_open(reader: Reader, states: Mapping[str, Mapping[str, Json]]) -> list[Event]:
    """The end of each that the journal tells to be open; `states`: of the registry. Raises StoreError, DamagedRow."""
    last_ns = reader.last_commit_ns()
    if last_ns is None:
        return []
    first_ns = [begun for state in states.values() if isinstance(begun := state.get("first_ns"), int)]
    newest: dict[tuple[Json, ...], Event] = {}
    for row in reader.events_after(EventKind.EXCURSION, reader.committed_before(min([last_ns, *first_ns]) - LOOK_BACK_NS)):
        newest[_name(row.event.unit, row.event.body)] = row.event
    known = {_name(str(state.get("unit")), state): state for state in states.values()}
    return [_ended(event, known.get(name, {})) for name, event in newest.items() if event.body.get("state") == "open"]


def _name(unit: str, body: Mapping[str, Json]) -> tuple[Json, ...]:
    return unit, body.get("role"), body.get("statistic")


def _ended(opened: Event, state: Mapping[str, Json]) -> Event:
    """`state`: how it stood when it was looked at last, unless that was another one."""
    body = dict(opened.body)
    if state.get("first_ns") == body["first_ns"]:
        body |= {name: state[name] for name in _FIGURES if name in state}
    first_ns, last_ns = body["first_ns"], body["last_ns"]
    assert isinstance(first_ns, int) and isinstance(last_ns, int)
    body |= {"state": "closed", "ended": "stopped", "duration_s": (last_ns - first_ns) / 1e9}
    return replace(opened, slot_ns=last_ns, body=body)
