"""Devices are told on edges, and only then."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.acquire.health import Health
from collector.show.live import DeviceState
from collector.terms import Event, EventKind

happenings = st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["", "no route", "late"])), max_size=40)


@given(happenings)
def test_an_event_at_each_edge_and_none_between(history: list[tuple[str, str]]) -> None:
    told: list[Event] = []
    health = Health(told.append)
    health.expect("plc", "a")
    health.expect("plc", "b")
    assert health.devices["a"] == DeviceState("plc", None)
    for slot_ns, (device, cause) in enumerate(history, 1):
        before, count = health.devices[device], len(told)
        if cause:
            health.lost(device, slot_ns, cause)
        else:
            health.answered(device, slot_ns)
        if before.answers == (not cause):
            assert health.devices[device] == before, "the first cause and time stay"
            assert len(told) == count
            continue
        assert health.devices[device] == DeviceState("plc", not cause, slot_ns, cause)
        (event,) = told[count:]
        assert (event.kind, event.slot_ns) == (EventKind.DEVICE, slot_ns)
        state = "lost" if cause else "answers"
        assert dict(event.body) == {"endpoint": "plc", "device": device, "state": state, "cause": cause}
