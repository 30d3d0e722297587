"""What does a gateway of 10,000 tags at 1 Hz cost? Share of one core, and memory.

20 endpoints of 500 tags each, once behind OPC UA and once behind Modbus TCP. Ours is the whole daemon with monitor,
journal and a real InfluxDB, beside the script that an engineer would write today (`bench._script`, the kinder one with
a Point per scan; the other with --all), in the same run. `--large`: 100,000 tags, ours alone.
"""

from __future__ import annotations

import argparse
from statistics import median
from typing import Literal

from bench._course import RUNS, Told, course
from bench._figures import figure
from bench._shape import Shape


def _share(run: Told) -> float:
    """% of one core."""
    return 100 * run["cpu_s"] / run["wall_s"]


def _measure(protocol: Literal["opcua", "modbus"], tags: int, span_s: float, rounds: int, who: tuple[str, ...]) -> None:
    told = course(Shape(protocol, 20, tags, 1.0), span_s, rounds, who, whole=len(who) > 1)
    ours, name = told["daemon"], f"gateway_{protocol}_{20 * tags}_tags"
    for rival in who[1:] or ("",):
        theirs = median(_share(run) for run in told[rival]) if rival else None
        figure(name, median(_share(run) for run in ours), "% of one core", rival or None, theirs)
    figure(f"{name}_value", median(run["cpu_s"] / run["values"] * 1e6 for run in ours), "us per value")
    rival_mb = median(run["resident_mb"] for run in told[who[1]]) if who[1:] else None
    figure(f"{name}_memory", median(run["resident_mb"] for run in ours), "MB resident", (*who, None)[1], rival_mb)
    figure(f"{name}_ending", median(run["ending_s"] for run in ours), "CPU s, once, to close all")
    if queued := sum(run["queued"] for run in ours):
        figure(f"{name}_queued", queued, "values that the database had not taken at the end")
    if lost := sum(run["lost_scans"] for run in ours):
        figure(f"{name}_lost", lost, "scans lost")


def main() -> None:
    """Both protocols."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    parser.add_argument("--all", action="store_true", help="the script with a Point per value, too")
    parser.add_argument("--large", action="store_true", help="100,000 tags, ours alone")
    chosen = parser.parse_args()
    daemon, per_value, per_scan = RUNS
    who = (daemon, per_scan, per_value) if chosen.all else (daemon, per_scan)
    rounds, span_s = (1, 3.0) if chosen.quick else (3, 15.0)
    for protocol in ("opcua", "modbus"):
        kind: Literal["opcua", "modbus"] = "opcua" if protocol == "opcua" else "modbus"
        _measure(kind, 5000 if chosen.large else 500, span_s, rounds, (daemon,) if chosen.large else who)


if __name__ == "__main__":
    main()
