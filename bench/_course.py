"""Runs daemon and script in turn on one stage, several times, for `bench.pipeline` and `bench.gateway`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from bench._figures import child, end, first_line
from bench._shape import TOKEN_VARIABLE, Shape
from tests.servers import running_influxdb

Told = dict[str, float]
RUNS: Mapping[str, tuple[str, ...]] = {
    "daemon": ("bench._daemon",),
    "script, a Point per value": ("bench._script", "value"),
    "script, a Point per scan": ("bench._script", "scan"),
}


def course(
    shape: Shape, span_s: float, rounds: int, who: Sequence[str] = tuple(RUNS), *, whole: bool = True
) -> dict[str, list[Told]]:
    """What each of `who` told in each round, all reading the same servers and writing to the same database. Raises RuntimeError
    where that has not taken everything and `whole` asks for it."""
    os.environ.setdefault(TOKEN_VARIABLE, "bench")
    told: dict[str, list[Told]] = {name: [] for name in who}
    with running_influxdb() as influx:
        influx.create("bench")
        stage = child("bench._stage", influx.url, *shape.words())
        urls = first_line(stage)
        for _ in range(rounds):
            for name in who:
                module, *how = RUNS[name]
                process = child(module, *how, *shape.words(), str(urls["servers"]), str(urls["sink"]), str(span_s))
                told[name].append({key: float(value) for key, value in first_line(process).items()})
                end([process])
                if whole and told[name][-1].get("queued"):
                    raise RuntimeError(f"{name}: not everything arrived: {told[name][-1]}")
        end([stage])
    return told
