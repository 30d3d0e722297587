"""docs/reference/events.md names every kind of event with the keys of its body and their types: held against the events
that the whole daemon tells of a simulated device, through three starts, a step of the wall clock and a disk that is full.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from collector import commits, gateway
from collector.acquire.kernel_clock import KernelClock
from collector.app import Daemon, Outside
from collector.keeping import room
from collector.monitor import minutes
from collector.store.files import connect
from collector.store.reader import Reader
from collector.terms import Event, EventKind, Json
from config.model import OpcUaEndpoint, Plant
from simulators.plant import SimulatedPlant

REFERENCE = (Path(__file__).parents[3] / "docs" / "reference" / "events.md").read_text("utf-8")
DEADLINE_S = 60.0
STEP_NS = 1_000_000_000
_ROW = re.compile(r"^\| `(?P<key>[^`]+)` \| (?P<type>[^|]+) \|[^|]*\|[^|]*\|$", re.MULTILINE)
_PYTHON: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "yes/no": (bool,),
    "mapping": (dict,),
    "list": (list,),
    "null": (type(None),),
}

ELSEWHERE = {EventKind.SUBSCRIPTION, EventKind.DAMAGE, EventKind.RETENTION}
"""What a Modbus device can't have, and a sound disk does not."""

DURATION = {"statistic": "duration", "par": [None, 9e9]}
EWMA = {"role": "product_temperature", "statistic": "ewma", "time_constant_s": 60, "par": [1000.0, None]}
CUSUM = {"role": "product_temperature", "statistic": "cusum_low", "sp": 1.0, "slack": 1.0, "decision_interval": 9e9}
OUTSIDE = {
    "role": "product_temperature",
    "statistic": "time_outside",
    "within": "batch",
    "nor": [1000.0, None],
    "allowed_outside_s": 9e9,
}
LASTING = (OUTSIDE, EWMA, CUSUM, DURATION)

Bodies = dict[str, dict[str, str]]
"""Key -> type of each form of a body, by heading: `device`, `gap: overload`."""


def documented() -> Bodies:
    sections = re.split(r"^##+ ", REFERENCE, flags=re.MULTILINE)[1:]
    tables = {text.partition("\n")[0]: dict(_ROW.findall(text)) for text in sections}
    return {heading: keys for heading, keys in tables.items() if keys}


BODIES = documented()


def plant_of(url: str) -> Plant:
    tags = {
        "TT-1": {"address": "input:0", "type": "float32", "role": "product_temperature"},
        "PHASE": {"address": "holding:0", "type": "text", "length": 8, "role": "phase"},
        "BATCH_ID": {"address": "holding:8", "type": "text", "length": 8, "role": "batch_id"},
    }
    device = {"unit": "R-1", "groups": {"main": {"period_s": 0.05}}, "tags": tags}
    return Plant.model_validate(
        {
            "site": "docs",
            "endpoints": {"controller": {"url": url, "devices": {"R-1-PLC": device}}},
            "units": {"R-1": None},
            "limits": [{"role": "product_temperature", "par": [1000.0, None]}, *LASTING],
            "sinks": {"absent": {"kind": "influxdb1", "url": "http://127.0.0.1:9", "database": "none"}},
            "web": None,
            "disk": {"reserve_mb": 1.0},
        }
    )


def with_a_secured_endpoint(plant: Plant) -> Plant:
    """Its keys are not there, which is told."""
    tags = {"TT-9": {"address": "i=2258", "role": "spare"}}
    security = {"policy": "Basic256Sha256", "key": "nowhere.pem"}
    endpoint = {"name": "secured", "url": "opc.tcp://127.0.0.1:1", "security": security}
    secured = OpcUaEndpoint.model_validate(endpoint | {"devices": {"R-2-PLC": {"unit": "R-1", "tags": tags}}})
    return plant.model_copy(update={"endpoints": (*plant.endpoints, secured)})


class Steps:
    """A wall clock that is set forward and back once, and a disk that refuses once."""

    step_ns = 0
    refusals = 1
    stepped = was_set_back = False

    def kernel(self) -> KernelClock:
        return KernelClock(synchronised=False, max_error_s=16.0, estimated_error_s=16.0)

    def connect(self, path: Path, mode: str) -> sqlite3.Connection:
        if path.suffix == ".new" and self.refusals:
            self.refusals -= 1
            raise sqlite3.OperationalError("database or disk is full")
        return connect(path, mode)

    def wall_ns(self) -> int:
        return time.time_ns() + self.step_ns


async def collect(url: str, data: Path, wanted: set[EventKind], steps: Steps) -> None:
    """Run the daemon until it has told of all that is `wanted`."""
    stop, hurry = asyncio.Event(), asyncio.Event()
    hurry.set()
    seen: set[EventKind] = set()

    def listen(what: object) -> None:
        if isinstance(what, Event):
            seen.add(what.kind)
            if what.kind is EventKind.DEVICE and not steps.stepped:
                steps.stepped, steps.step_ns = True, STEP_NS
            if "moved_s" in what.body:
                steps.step_ns = 0
            steps.was_set_back |= "set_back_s" in what.body
            if wanted <= seen and steps.was_set_back:
                stop.set()

    plant, outside = (
        with_a_secured_endpoint(plant_of(url)),
        Outside(file=steps.connect, wall_ns=steps.wall_ns, kernel=steps.kernel),
    )
    async with asyncio.timeout(DEADLINE_S), Daemon(plant, data, "0" * 64, outside=outside) as daemon:
        daemon.live.listeners.append(listen)
        await daemon.run(stop, hurry)


@asynccontextmanager
async def simulated() -> Any:
    async with SimulatedPlant(plant_of("modbus://127.0.0.1:1"), ports="free") as plant:
        yield plant.urls["controller"]


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Event]]:
    """Every event of the journal after three runs."""
    data = tmp_path_factory.mktemp("data")
    steps = Steps()

    async def three_runs() -> None:
        async with simulated() as url:
            await collect(url, data, set(EventKind) - ELSEWHERE - {EventKind.EVALUABILITY}, steps)
            patch.setattr(commits, "PENDING_SAMPLES", 0)
            await collect(url, data, {EventKind.EXCURSION}, steps)
            await collect("modbus://127.0.0.1:1", data, {EventKind.DEVICE, EventKind.EVALUABILITY}, steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minutes, "STATISTICS_WINDOW_NS", 200_000_000)
        patch.setattr(gateway, "REMEMBER_INTERVAL_S", 0.02)
        patch.setattr(room, "INTERVAL_S", 0.02)
        asyncio.run(three_runs())
    reader = Reader(data)
    yield [row.event for row in reader.events_between(0, 2**62)]
    reader.close()


def flat(body: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """`roles` -> `roles` and, of each role, `roles.*.mean` ..."""
    for key, value in body.items():
        yield key, value
        for inner in value.values() if isinstance(value, dict) else ():
            if isinstance(inner, dict):
                yield from ((f"{key}.*.{name}", figure) for name, figure in inner.items())


def fits(value: Json, told: str) -> bool:
    kinds = tuple(kind for word in told.split(" or ") for kind in _PYTHON[word])
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))


def form_of(event: Event) -> str:
    """The heading whose keys are those of the event."""
    keys = {key for key, _ in flat(event.body)}
    forms = [heading for heading in BODIES if heading.partition(":")[0] == event.kind and set(BODIES[heading]) == keys]
    if event.kind is EventKind.DAEMON:
        forms = [form for form in forms if form == f"daemon: {event.body['state']}"]
    assert len(forms) == 1, f"{event.kind} with the keys {sorted(keys)} is not in the reference"
    return forms[0]


def test_the_reference_has_every_kind_and_no_other() -> None:
    headings = re.findall(r"^## (\w+)$", REFERENCE, re.MULTILINE)
    assert headings == [kind.value for kind in EventKind]
    assert {heading.partition(":")[0] for heading in BODIES} == set(headings)


def test_every_form_was_told_and_has_the_documented_keys_and_types(events: list[Event]) -> None:
    told: set[str] = set()
    for event in events:
        form = form_of(event)
        told.add(form)
        for key, value in flat(event.body):
            assert fits(value, BODIES[form][key]), f"{form}: {key} is {value!r}, not {BODIES[form][key]}"
    assert told == {heading for heading in BODIES if heading.partition(":")[0] not in ELSEWHERE} - {"clock: skew"}


def test_words_of_states_are_in_the_reference(events: list[Event]) -> None:
    for event in events:
        for key in ("state", "from", "to", "rule", "statistic", "what", "ended", "mode"):
            word = event.body.get(key)
            assert not word or f"`{word}`" in REFERENCE, f"{event.kind}: {key} {word!r}"


def test_events_without_a_unit_have_an_empty_stamp(events: list[Event]) -> None:
    of_units = {event.kind for event in events if event.unit}
    assert of_units == {
        *(EventKind.TRANSITION, EventKind.EVALUABILITY, EventKind.ALARM),
        *(EventKind.EXCURSION, EventKind.BATCH, EventKind.STATISTICS, EventKind.ACCUMULATED),
    }
    assert all(event.unit or not event.stamp.batch for event in events)
