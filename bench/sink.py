"""What does a value cost on its way to the database? CPU µs per value, from the journal to a real InfluxDB.

Ours reads the journal, makes line protocol, compresses, sends and acknowledges durably. The rivals have their values in
memory and send them through influxdb-client with its gzip: one Point per unit and slot, and, as most scripts do, one Point
per value. All write through the same v2 write path (`bench._write_path`); what they sent is counted in the database. Only
CPU of the measured process counts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from statistics import median

from bench import _sink_rows
from bench._figures import child, end, figure, first_line
from bench._shape import TOKEN_VARIABLE
from tests.servers import InfluxDB, running_influxdb

UNIT = "CPU µs per value"


def main() -> None:
    """Every one in turn, several times; medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    rounds, rows = (1, 3_000) if parser.parse_args().quick else (5, 10_000)
    os.environ.setdefault(TOKEN_VARIABLE, "bench")
    ours, scans, values = [], [], []
    with running_influxdb() as influx:
        path = child("bench._write_path", influx.url)
        url = str(first_line(path)["sink"])
        for number in range(rounds):
            ours.append(_ours(influx, url, f"ours{number}", rows))
            scans.append(_script(influx, url, f"scan{number}", "scan", rows))
            values.append(_script(influx, url, f"value{number}", "value", rows // 5))
        end([path])
    figure("sink", median(ours), UNIT, "influxdb-client, a Point per unit and slot", median(scans))
    figure("sink", median(ours), UNIT, "influxdb-client, a Point per value", median(values))


def _ours(influx: InfluxDB, url: str, database: str, rows: int) -> float:
    influx.create(database)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        _sink_rows.write(data, rows)
        told = _run("bench._sink_upload", str(data), url, database)
    _assert_there(influx, database, rows * _sink_rows.TAGS)
    return told["cpu_s"] / told["values"] * 1e6


def _script(influx: InfluxDB, url: str, database: str, how: str, rows: int) -> float:
    influx.create(database)
    told = _run("bench._sink_script", how, str(rows), url, database)
    _assert_there(influx, database, rows * _sink_rows.TAGS)
    return told["cpu_s"] / told["values"] * 1e6


def _run(module: str, *arguments: str) -> dict[str, float]:
    process = child(module, *arguments)
    told = {key: float(value) for key, value in first_line(process).items()}
    end([process])
    return told


def _assert_there(influx: InfluxDB, database: str, wanted: int) -> None:
    (series,) = influx.query("SELECT count(*) FROM process", database)
    (row,) = series.rows()
    found = sum(int(str(number)) for name, number in row.items() if name != "time")
    if found != wanted:
        raise RuntimeError(f"{database} has {found} values, not {wanted}")


if __name__ == "__main__":
    main()
