"""Readings for tests of what is said of them."""

from __future__ import annotations

from typing import Any

from collector.survey.reading import Reading, Value
from config.tags import OpcUaTag
from drivers.base import Quality
from drivers.opcua.properties import Description, ToldUnit

NOW_NS = 1_795_342_831_000_000_000


def tag(**keys: Any) -> OpcUaTag:
    return OpcUaTag.model_validate({"name": "TT-201", "address": "ns=2;s=R201.TT201.PV", **keys})


def reading(
    value: Value | None = 20.0,
    *,
    quality: Quality = Quality.GOOD,
    status: int = 0,
    age_s: float | None = 1.0,
    advice: str = "",
    unit: str | None = None,
    code: str | None = None,
    description: str = "",
    range_: tuple[float, float] | None = None,
    data_type: str | None = "Double",
    is_array: bool = False,
    **keys: Any,
) -> Reading:
    """`unit`, `code`, `description`, `range_`, `data_type`: what the server tells; `keys` are those of the file's tag."""
    told = ToldUnit(unit or "", description, code) if unit or code else None
    source_ns = 0 if age_s is None else NOW_NS - round(age_s * 1e9)
    described = Description(data_type, is_array, told, range_)
    given = None if quality >= Quality.BAD else value
    return Reading("plc", "R-201", tag(**keys), given, quality, status, source_ns, NOW_NS, described, advice)
