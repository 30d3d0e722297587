"""What does a value cost, from an OPC UA server to a real InfluxDB? CPU seconds per 1,000,000 values.

Ours is the whole daemon: read, judged, journalled with a full sync each second, sent. The rival is the script that an
engineer would write today (`bench._script`), once with a Point per value and once, kinder, with a Point per scan. All
read the same simulated server, 500 tags at 5 Hz, and write through the same v2 write path to the same database
(`bench._stage`). Only CPU of the measured process counts, from the end of its warm-up to the end of its last write.
"""

from __future__ import annotations

import argparse
import os
import statistics

from bench._figures import child, end, figure, first_line
from bench._stage import TOKEN_VARIABLE
from tests.servers import running_influxdb

UNIT = "CPU s per 1,000,000 values"


def cost(module: str, *arguments: str) -> float:
    """CPU seconds per 1,000,000 values of one run."""
    process = child(module, *arguments)
    told = first_line(process)
    end([process])
    return float(told["cpu_s"]) / float(told["values"]) * 1e6


def main() -> None:
    """Every one in turn, several times; medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    quick = parser.parse_args().quick
    rounds, span_s = (1, "6") if quick else (5, "12")
    os.environ.setdefault(TOKEN_VARIABLE, "bench")
    ours, per_value, per_scan = [], [], []
    with running_influxdb() as influx:
        influx.create("bench")
        stage = child("bench._stage", influx.url)
        urls = first_line(stage)
        where = (str(urls["server"]), str(urls["sink"]), span_s)
        for _ in range(rounds):
            ours.append(cost("bench._daemon", *where))
            per_value.append(cost("bench._script", "value", *where))
            per_scan.append(cost("bench._script", "scan", *where))
        end([stage])
    figure("pipeline", statistics.median(ours), UNIT, "script, a Point per value", statistics.median(per_value))
    figure("pipeline", statistics.median(ours), UNIT, "script, a Point per scan", statistics.median(per_scan))


if __name__ == "__main__":
    main()
