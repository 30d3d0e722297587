"""What `bench.pipeline` and `bench.gateway` measure with: the plant, of a shape. Loads no more than a plant's owner would,
for the memory of whoever imports it is a figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from config.model import Plant

TOKEN_VARIABLE = "BENCH_TOKEN"  # noqa: S105  its name


MOST_SIMULATED = 20_000
"""So many tags the simulated plant gives each second; of more its first answers are varied (`bench._moving_answers`)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How many tags behind how many servers, read how often; all real, a fifth of them with limits."""

    protocol: Literal["opcua", "modbus"]
    endpoints: int
    tags: int
    """Of each endpoint."""
    period_s: float

    @classmethod
    def of(cls, words: Sequence[str]) -> Self:
        """What `words` wrote."""
        protocol, endpoints, tags, period_s = words
        assert protocol in ("opcua", "modbus")
        return cls("opcua" if protocol == "opcua" else "modbus", int(endpoints), int(tags), float(period_s))

    def words(self) -> tuple[str, ...]:
        """For a command line."""
        return self.protocol, str(self.endpoints), str(self.tags), str(self.period_s)

    @property
    def warm_up_s(self) -> float:
        """Until all is connected, learned and caught up."""
        return 4.0 if self.endpoints * self.tags <= MOST_SIMULATED else 20.0

    def tag(self, number: int) -> dict[str, Any]:
        """A tag of any endpoint, by its number."""
        name = tag_name(number)
        if self.protocol == "opcua":
            return {"address": f"nsu=urn:bench;s={name}", "range": [0.0, 100.0]}
        return {"address": f"holding:{2 * number}", "type": "float32", "range": [0.0, 100.0]}


def tag_name(number: int) -> str:
    """As in plant file and server."""
    return f"AI_{number:04d}"


def plant_of(shape: Shape, urls: Sequence[str], sink_url: str) -> Plant:
    """`shape` behind the servers at `urls`."""
    endpoints: dict[str, Any] = {}
    for number, url in enumerate(urls, 1):
        tags = {tag_name(tag): shape.tag(tag) for tag in range(shape.tags)}
        device = {"unit": f"R-{number}", "groups": {"main": {"period_s": shape.period_s}}, "tags": tags}
        endpoints[f"server-{number}"] = {"url": url, "devices": {f"R-{number}": device}}
    sink = {"kind": "influxdb2", "url": sink_url, "bucket": "bench", "token": {"env": TOKEN_VARIABLE}}
    return Plant.model_validate(
        {
            "site": "bench",
            "endpoints": endpoints,
            "units": {f"R-{number}": None for number in range(1, len(urls) + 1)},
            "limits": [{"role": tag_name(tag), "nor": [10.0, 90.0], "par": [5.0, 95.0]} for tag in range(0, shape.tags, 5)],
            "sinks": {"influx": sink},
            "web": None,
        }
    )
