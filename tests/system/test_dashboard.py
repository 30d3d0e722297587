"""The Grafana dashboard: every query it asks is run against a real InfluxDB, filled through the encoder."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector.monitor.excursions import Excursion
from collector.monitor.rules import Transition
from collector.show.live import Counters
from collector.store.rows import EventRow, Row, ScanRow
from collector.terms import Event, EventKind, Json, Stamp
from collector.uplink.lines import Encoder
from config.tags import Kind
from tests.journal_rows import SECOND_NS, SLOT_NS, Value, column, event_row, layout, scan
from tests.servers import InfluxDB, Series, running_influxdb

PROJECT = Path(__file__).resolve().parents[2]
PHASES = ("Charge", "Heat", "Dose", "Hold")
PHASE_S = 300
ROLES = ("product_temperature", "jacket_inlet_temperature", "headspace_pressure", "stirrer_speed", "dosing_rate")


def generate(folder: Path, *options: str) -> None:
    """As a site does it."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore::DeprecationWarning"}  # the SDK warns of its own classes
    subprocess.run(
        [sys.executable, "-m", "config.grafana.build", str(folder), *options],
        cwd=PROJECT,
        env=environment,
        check=True,
        timeout=60,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grafana")
    generate(folder)
    return folder


@pytest.fixture(scope="module")
def dashboard(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "dashboards" / "reactor.json").read_text("utf-8"))
    return content


@pytest.fixture(scope="module")
def influxdb() -> Iterator[InfluxDB]:
    with running_influxdb() as server:
        server.create("plant")
        lines = [line.data for row in Encoder("basel").encode(list(history())) for line in row.lines]
        assert server.write(b"\n".join(lines), "plant") == 204
        yield server


def history() -> Iterator[Row]:
    """Twenty minutes of a batch on R-201, and of another unit beside it."""
    numbers = iter(range(1, 10**6))
    of = layout(
        *[column(role) for role in ROLES],
        column("stirrer_running", Kind.BOOLEAN),
        column("phase", Kind.TEXT),
        column("product_temperature", unit="R-202"),
    )
    for second in range(PHASE_S * len(PHASES)):
        slot_ns, phase = SLOT_NS + second * SECOND_NS, PHASES[second // PHASE_S]
        stamp = Stamp("B-24-017", phase)
        for event in events(second, slot_ns, phase, stamp):
            yield EventRow(next(numbers), event)
        temperature = 65 + 8 * math.sin(second / 60)
        values: list[Value] = [temperature, temperature - 5, 1.1, 80.0, 100.0 * (phase == "Dose"), True, phase, 20.0]
        status = [0, 0, 0x8031_0000 * (400 <= second < 420), 0, 0, 0, 0, 0]
        yield ScanRow(next(numbers), scan(of, values, slot_ns, status), (stamp, Stamp("B-24-099", "Idle")))


def events(second: int, slot_ns: int, phase: str, stamp: Stamp) -> Iterator[Event]:
    if second % PHASE_S == 0:
        for state, of in (("ended", PHASES[second // PHASE_S - 1] if second else ""), ("began", phase)):
            if of:
                body: dict[str, Json] = {"what": "phase", "state": state, "batch": "B-24-017", "phase": of}
                yield event_row(0, EventKind.BATCH, body, "R-201", stamp, slot_ns).event
    if second % 10 == 0:
        figures: dict[str, Json] = {"mean": 65.0, "slope": 0.4, "std": 0.1}
        yield Event(EventKind.STATISTICS, slot_ns, "R-201", stamp, {"window_s": 60.0, "roles": {"product_temperature": figures}})
        counters: dict[str, Json] = dict(asdict(Counters(read=8 * second, committed=8 * second)))
        others: dict[str, Json] = {
            "pending": 8,
            "devices_lost": 0,
            "rules_outside": 1,
            "resident_bytes": 9e7,
            "clock_offset_s": 0.01,
        }
        yield Event(EventKind.GATEWAY, slot_ns, body={**counters, **others})
    if second == 700:
        role = "product_temperature"
        yield Transition(slot_ns, "R-201", role, "value", None, "par high", "inside", "outside", 70.5, 70.0, cpp=True).event(
            stamp
        )
        yield Transition(
            slot_ns, "R-201", "headspace_pressure", "value", None, "h", "inside", "outside", 1.6, 1.5, cpp=False
        ).event(stamp)
        yield Transition(slot_ns, "R-201", "stirrer_speed", "value", None, "l", "inside", "outside", 9.0, 10.0, cpp=False).event(
            stamp
        )
        yield Excursion("R-201", role, slot_ns - 9 * SECOND_NS, slot_ns, 72.5, 60.0, 70.0, 11.0, ended="inside").event(stamp, "")
        yield Event(EventKind.DEVICE, slot_ns, body={"endpoint": "plc", "device": "plc", "state": "lost", "cause": "no answer"})


FROM_MS = SLOT_NS // 1_000_000
TO_MS = FROM_MS + PHASE_S * len(PHASES) * 1000


def filled_in(query: str, unit: str = "R-201", batch: str = ".*") -> str:
    """As Grafana fills in a query; nothing may be left that it would not know."""
    values = {
        "$timeFilter": f"time >= {FROM_MS}ms and time <= {TO_MS}ms",
        "$__interval": "10s",
        "${__from}": str(FROM_MS),
        "${__to}": str(TO_MS),
        "$unit": unit,
        "${batch:regex}": batch,
    }
    for name, value in values.items():
        query = query.replace(name, value)
    left = re.findall(r"\$\{?\w+", query)
    assert not left, f"{left} in {query}"
    return query


def queries(dashboard: dict[str, Any]) -> dict[str, str]:
    """Every query by where it is."""
    found = {f"variable {v['name']}": v["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"}
    found |= {f"annotation {a['name']}": a["target"]["query"] for a in dashboard["annotations"]["list"]}
    for panel in dashboard["panels"]:
        found |= {f"{panel['title']} {target['refId']}": target["query"] for target in panel.get("targets", [])}
    return found


def figures(series: list[Series]) -> list[object]:
    """Everything but times and nulls."""
    return [value for one in series for row in one.rows() for key, value in row.items() if key != "time"]


def test_every_query_finds_something(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    asked = queries(dashboard)
    assert len(asked) >= 15
    empty = [place for place, query in asked.items() if not figures(influxdb.query(filled_in(query), "plant"))]
    assert empty == []


def test_variables(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    asked = queries(dashboard)
    assert figures(influxdb.query(filled_in(asked["variable unit"]), "plant")) == ["unit", "R-201", "unit", "R-202"]
    assert figures(influxdb.query(filled_in(asked["variable batch"]), "plant")) == ["batch", "B-24-017"]
    assert figures(influxdb.query(filled_in(asked["variable batch"], "R-202"), "plant")) == ["batch", "B-24-099"]


def test_the_phases_in_their_order(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    found = figures(influxdb.query(filled_in(queries(dashboard)["Phase A"]), "plant"))
    assert [phase for phase in found if phase] == list(PHASES)
    assert found[1::2] == [""] * 3, "an ended phase does not run on"


def test_temperatures_of_this_unit_and_batch_with_the_limits_crossed(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    asked = queries(dashboard)
    (found,) = influxdb.query(filled_in(asked["Temperatures A"]), "plant")
    assert set(found.columns) == {"time", "mean_product_temperature", "mean_jacket_inlet_temperature"}
    assert all(57 <= float(str(row["mean_product_temperature"])) <= 73 for row in found.rows() if len(row) > 1)
    (limit,) = influxdb.query(filled_in(asked["Temperatures B"]), "plant")
    assert (limit.tags, set(figures([limit]))) == ({"role": "product_temperature", "rule": "par high"}, {70})
    assert influxdb.query(filled_in(asked["Temperatures A"], batch="B-24-099"), "plant") == []


def test_bad_samples_leave_a_gap_and_a_quality(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    (pressure,) = influxdb.query(filled_in(queries(dashboard)["Pressures A"]), "plant")
    holes = [row["time"] for row in pressure.rows() if "mean_headspace_pressure" not in row]
    # bins of 10 s: bad from second 400 to 419, and the bin that begins where the range ends
    assert holes == [SLOT_NS + second * SECOND_NS for second in (400, 410, PHASE_S * len(PHASES))]
    quality = influxdb.query(filled_in(queries(dashboard)["Quality, last told A"]), "plant")
    assert {series.tags["role"]: series.rows()[0]["quality"] for series in quality} == dict.fromkeys(
        [*ROLES, "stirrer_running", "phase"], "good"
    )


def test_tables_show_the_excursion_and_the_transition(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    asked = queries(dashboard)
    (excursions,) = influxdb.query(filled_in(asked["Excursions outside PAR A"]), "plant")
    (row,) = excursions.rows()
    assert row | {"role": "product_temperature", "state": "closed", "peak": 72.5, "low": 60, "high": 70, "duration_s": 9} == row
    (transitions,) = influxdb.query(filled_in(asked["Transitions A"]), "plant")
    assert {(row["role"], row["from"], row["to"], row["level"]) for row in transitions.rows()} == {
        ("product_temperature", "inside", "outside", 70),
        ("headspace_pressure", "inside", "outside", 1.5),
        ("stirrer_speed", "inside", "outside", 10),
    }


def test_the_queries_of_the_documentation(influxdb: InfluxDB) -> None:
    text = (PROJECT / "docs" / "reference" / "influxdb.md").read_text("utf-8")
    statements = [line for line in text.partition("```sql")[2].partition("```")[0].splitlines() if line.startswith("SELECT")]
    assert len(statements) == 4
    for statement in statements:
        assert figures(
            influxdb.query(statement.replace("time > now() - 1h", f"time >= {FROM_MS}ms AND time <= {TO_MS}ms"), "plant")
        ), statement


def test_the_gateways_rate_is_a_rate(dashboard: dict[str, Any], influxdb: InfluxDB) -> None:
    (found,) = influxdb.query(filled_in(queries(dashboard)["Samples per second A"]), "plant")
    assert {row["read"] for row in found.rows()} == {8}


def test_panels_have_their_own_ids_and_the_chosen_source(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            assert target["datasource"] == panel["datasource"] == {"type": "influxdb", "uid": "${source}"}


def test_two_runs_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    generate(tmp_path)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert [str(name) for name in names] == [
        "dashboards/reactor.json",
        "provisioning/dashboards/reactorwatch.yaml",
        "provisioning/datasources/influxdb.yaml",
    ]
    assert [(folder / name).read_bytes() for name in names] == [(tmp_path / name).read_bytes() for name in names]


@pytest.mark.parametrize(
    ("influxdb_version", "secret"),
    [("1", {"password": "$INFLUXDB_PASSWORD"}), ("2", {"httpHeaderValue1": "Token $INFLUXDB_TOKEN"})],
)
def test_the_data_source_has_no_address_or_password_of_its_own(
    tmp_path: Path, influxdb_version: str, secret: dict[str, str]
) -> None:
    generate(tmp_path, "--influxdb", influxdb_version)
    (source,) = yaml.safe_load((tmp_path / "provisioning/datasources/influxdb.yaml").read_text("utf-8"))["datasources"]
    assert (source["type"], source["access"], source["url"]) == ("influxdb", "proxy", "$INFLUXDB_URL")
    assert source["jsonData"]["dbName"] == "$INFLUXDB_DATABASE"
    assert source["secureJsonData"] == secret
