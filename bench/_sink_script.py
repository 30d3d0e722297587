"""Values to InfluxDB as a script does it with influxdb-client: Points, its serializer, its gzip, its synchronous write.

A process of its own, so that its CPU is its own. The values are in memory beforehand, which costs ours a journal. Prints CPU
seconds and values.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence

from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS

from bench._sink_rows import BEGIN_NS, BODY_VALUES, SECOND_NS, UNIT, roles, values_of


def points_per_value(number: int, names: Sequence[str], values: Sequence[float]) -> list[Point]:
    """The usual way."""
    time_ns = BEGIN_NS + number * SECOND_NS
    return [
        Point("process").tag("unit", UNIT).tag("tagname", name).field("value", value).time(time_ns)  # type: ignore[no-untyped-call]
        for name, value in zip(names, values, strict=True)
    ]


def point_per_scan(number: int, names: Sequence[str], values: Sequence[float]) -> list[Point]:
    """The kinder way: one Point per unit and slot, a field per value."""
    point = Point("process").tag("unit", UNIT).time(BEGIN_NS + number * SECOND_NS)  # type: ignore[no-untyped-call]
    for name, value in zip(names, values, strict=True):
        point.field(name, value)
    return [point]


def main() -> None:
    """Arguments: how (value | scan), rows, url, bucket."""
    how, rows, url, bucket = sys.argv[1:]
    points, names = points_per_value if how == "value" else point_per_scan, roles()
    scans = [values_of(number).tolist() for number in range(int(rows))]

    def bodies() -> Iterator[list[Point]]:
        step = BODY_VALUES // len(names)
        for first in range(0, len(scans), step):
            some = enumerate(scans[first : first + step], first)
            yield [point for number, values in some for point in points(number, names, values)]

    with InfluxDBClient(url, token="bench", org="-", enable_gzip=True) as client:  # noqa: S106  of a proxy that asks for none
        writer = client.write_api(write_options=SYNCHRONOUS)
        writer.write(bucket, "-", "warm,unit=up value=1 1")
        began_s = time.process_time()
        for body in bodies():
            writer.write(bucket, "-", body)
        print(json.dumps({"cpu_s": time.process_time() - began_s, "values": len(scans) * len(names)}), flush=True)


if __name__ == "__main__":
    main()
