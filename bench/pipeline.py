"""What does a value cost, from an OPC UA server to a real InfluxDB? CPU seconds per 1,000,000 values.

Ours is the whole daemon: read, judged, journalled with a full sync each second, sent. The rival is the script that an
engineer would write today (`bench._script`), once with a Point per value and once, kinder, with a Point per scan. All
read the same simulated server, 500 tags at 5 Hz, and write through the same v2 write path to the same database
(`bench._stage`). Only CPU of the measured process counts, from the end of its warm-up until it is asked to stop.
"""

from __future__ import annotations

import argparse
from statistics import median

from bench._course import course
from bench._figures import figure
from bench._shape import Shape

UNIT = "CPU s per 1,000,000 values"


def main() -> None:
    """Every one in turn, several times; medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    rounds, span_s = (1, 6.0) if parser.parse_args().quick else (5, 12.0)
    told = course(Shape("opcua", 1, 500, 0.2), span_s, rounds)
    ours, *rivals = [median(run["cpu_s"] / run["values"] * 1e6 for run in runs) for runs in told.values()]
    for name, theirs in zip(list(told)[1:], rivals, strict=True):
        figure("pipeline", ours, UNIT, name, theirs)


if __name__ == "__main__":
    main()
