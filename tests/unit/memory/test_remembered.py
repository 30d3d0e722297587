"""States of a moment in the registry: what changed is put, what is over is forgotten, what stayed costs no write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from collector.memory.states import Remembered, States
from collector.monitor.excursions import Excursion
from collector.show.live import DeviceState
from collector.store.registry import Registry
from collector.terms import Json

EXCURSION = Excursion("R-1", "pressure", 1, 2, 7.5, 1.0, 5.0, area=3.5, cpp=True)


class Counting(Registry):
    """Counts what is put; may refuse."""

    refusing = False

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self.put: list[tuple[str, set[str]]] = []

    def put_kinds(self, kinds: Mapping[str, Mapping[str, Mapping[str, Json] | None]]) -> None:
        if self.refusing:
            raise sqlite3.OperationalError("disk I/O error")
        self.put += [(kind, set(states)) for kind, states in kinds.items()]
        super().put_kinds(kinds)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Counting]:
    registry = Counting(tmp_path)
    yield registry
    registry.close()


def of(**devices: DeviceState) -> States:
    return {"device": devices}


def test_a_state_is_kept_with_all_its_fields_by_their_names(registry: Counting) -> None:
    Remembered(registry, ["excursion"]).put({"excursion": {"R-1/pressure": EXCURSION}, "sink": {"influx": {"state": "taking"}}})
    assert registry.states("excursion") == {
        "R-1/pressure": {
            **{"unit": "R-1", "role": "pressure", "first_ns": 1, "last_ns": 2, "peak": 7.5, "low": 1.0, "high": 5.0},
            **{"area": 3.5, "not_evaluable_s": 0.0, "coverage": 1.0, "cpp": True, "statistic": "value", "ended": ""},
        }
    }
    assert registry.states("sink") == {"influx": {"state": "taking"}}


def test_only_what_changed_is_put(registry: Counting) -> None:
    remembered = Remembered(registry, ["device"])
    remembered.put(of(a=DeviceState("plc"), b=DeviceState("plc")))
    remembered.put(of(a=DeviceState("plc"), b=DeviceState("plc", answers=True, since_ns=5)))
    remembered.put(of(a=DeviceState("plc"), b=DeviceState("plc", answers=True, since_ns=5)))
    assert registry.put == [("device", {"a", "b"}), ("device", {"b"})]
    assert registry.states("device")["b"]["since_ns"] == 5


def test_what_is_over_is_forgotten_also_when_it_is_of_before_a_restart(registry: Counting) -> None:
    Remembered(registry, ["device"]).put(of(a=DeviceState("plc"), b=DeviceState("plc")))
    after = Remembered(registry, ["device"])
    after.put(of(b=DeviceState("plc")))
    assert set(registry.states("device")) == {"b"}
    after.put(of())
    assert registry.states("device") == {}


def test_what_a_disk_refused_is_put_by_the_next_call(registry: Counting) -> None:
    remembered = Remembered(registry, ["device"])
    registry.refusing = True
    with pytest.raises(sqlite3.Error):
        remembered.put(of(a=DeviceState("plc")))
    registry.refusing = False
    remembered.put(of(a=DeviceState("plc")))
    assert set(registry.states("device")) == {"a"}
