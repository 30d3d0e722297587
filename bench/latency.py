"""From a register that changed to the transition on the daemon's event channel, beyond the wait for the slot: p50 and p99.

    register changes          read is due                          transition
    ──────┼───────────────────────┼─────── beyond the period ──────────┼──
          └── up to a period ─────┘  server, wire, decode, context, judge

2,000 tags: 4 devices × 500, polled each 0.5 s, 40 of them change; the whole daemon, once on a disk that is fine and once on one
whose every sync takes 1.5 s. The servers are a process of their own on the same machine, and their time is in it.

    python -m bench.latency [--quick]
"""

from __future__ import annotations

import argparse
import json

import numpy as np

from bench._figures import child, end, figure, first_line
from bench._latency_plant import PERIOD_S


def measure(protocol: str, span_s: float) -> None:
    """Both disks, one after the other."""
    stage = child("bench._latency_plant", protocol)
    urls = str(first_line(stage)["urls"])
    for disk in ("fine", "stalling"):
        daemon = child("bench._latency_daemon", protocol, urls, str(span_s), disk)
        assert daemon.stdout
        told = json.loads(daemon.stdout.readline())
        end([daemon])
        beyond_ms = np.array(told["beyond_ns"]) / 1e6
        title = f"{protocol}, disk {disk}, {len(beyond_ms)} transitions"
        for percent in (50, 99):
            figure(f"{title}: p{percent} beyond the wait for the slot", float(np.percentile(beyond_ms, percent)), "ms")
        figure(f"{title}: longest", float(beyond_ms.max()), "ms")
        whole_ms = np.array(told["whole_ns"]) / 1e6
        figure(f"{title}: p50 with the wait, at a period of {PERIOD_S:g} s", float(np.percentile(whole_ms, 50)), "ms")
        figure(f"{title}: read and not on the disk in the end", told["waiting"], "samples")
        if told["lost_scans"]:
            figure(f"{title}: lost scans", told["lost_scans"], "scans")
    end([stage])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="end within 50 s")
    span_s = 2.5 if parser.parse_args().quick else 60.0
    for protocol in ("modbus", "opcua"):
        measure(protocol, span_s)


if __name__ == "__main__":
    main()
