"""Plants as data, and single edits of them with the one change that is to be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from config.difference import Kind

Written = dict[str, Any]
"""A plant file as data."""
PHASES = ("Charge", "Heat", "Dose", "Hold")


@st.composite
def written(draw: st.DrawFn) -> Written:
    """Two or three reactors, each behind an endpoint of its own, with limits and a sink."""
    units = [f"R-{number}" for number in range(201, 201 + draw(st.integers(2, 3)))]
    limits = [
        {"role": "product_temperature", "unit": unit, "phase": phase, "nor": [20.0, 30.0], "par": [10.0, 40.0]}
        for unit in units
        for phase in draw(st.lists(st.sampled_from(PHASES), unique=True, min_size=1))
    ]
    return {
        "site": "T",
        "endpoints": {f"{unit}-line": draw(_endpoint(unit)) for unit in units},
        "units": {unit: {"description": f"the {unit}"} for unit in units},
        "limits": limits,
        "sinks": {"influx": {"kind": "influxdb2", "url": "http://h:8086", "bucket": "b", "token": {"env": "A_TOKEN"}}},
    }


@st.composite
def _endpoint(draw: st.DrawFn, unit: str) -> Written:
    tags: Written = {
        "TT-1": {"address": "ns=2;s=TT1", "role": "product_temperature", "engineering_unit": "°C", "range": [0.0, 100.0]}
    }
    for number in range(2, 2 + draw(st.integers(1, 4))):
        tags[f"TT-{number}"] = {"address": f"ns=2;s=TT{number}", "group": draw(st.sampled_from(["fast", "slow"]))}
        if draw(st.booleans()):
            tags[f"TT-{number}"]["role"] = f"probe_{number}"
    tags["TT-1"]["group"] = "fast"
    groups = {"fast": {"period_s": 1.0}, "slow": {"period_s": 5.0}}
    return {"url": "opc.tcp://h:4840", "devices": {f"{unit}-plc": {"unit": unit, "groups": groups, "tags": tags}}}


def device_of(data: Written, unit: str) -> Written:
    device: Written = data["endpoints"][f"{unit}-line"]["devices"][f"{unit}-plc"]
    return device


def renamed_key(items: Written, old: str, new: str) -> None:
    """Under another name, in the same place."""
    pairs = [(new if name == old else name, item) for name, item in items.items()]
    items.clear()
    items.update(pairs)


def _set(path: Callable[[Written, str], Written], key: str, value: object) -> Callable[[Written, str], None]:
    def edit(data: Written, unit: str) -> None:
        path(data, unit)[key] = value

    return edit


def _tag(data: Written, unit: str) -> Written:
    tag: Written = device_of(data, unit)["tags"]["TT-1"]
    return tag


def limit_of(data: Written, unit: str) -> Written:
    limit: Written = next(limit for limit in data["limits"] if limit["unit"] == unit)
    return limit


def _rename_unit(data: Written, unit: str) -> None:
    renamed_key(data["units"], unit, "R-999")
    device_of(data, unit)["unit"] = "R-999"
    for limit in data["limits"]:
        if limit["unit"] == unit:
            limit["unit"] = "R-999"


def _add_limit(data: Written, unit: str) -> None:
    data["limits"].append({"role": "product_temperature", "unit": unit, "phase": "Cool", "par": [0, 5]})


EDITS: dict[str, tuple[Callable[[Written, str], None], str, str, Kind, str]] = {
    "site": (_set(lambda data, _: data, "site", "U"), "site", "", Kind.CHANGED, "site T → U"),
    "no page": (_set(lambda data, _: data, "web", None), "page", "", Kind.REMOVED, "none is served"),
    "page": (_set(lambda data, _: data, "web", {"port": 1}), "page", "", Kind.CHANGED, "port 8480 → 1"),
    "mode": (_set(lambda data, unit: data["units"][unit], "mode", "gmp"), "unit {u}", "", Kind.CHANGED, "mode pilot → gmp"),
    "context": (
        _set(lambda data, unit: data["units"][unit], "context", {"phase": "step"}),
        "unit {u}",
        "",
        Kind.CHANGED,
        "context.phase phase → step",
    ),
    "url": (
        _set(lambda data, unit: data["endpoints"][f"{unit}-line"], "url", "opc.tcp://h:4841"),
        "endpoint {u}-line",
        "",
        Kind.CHANGED,
        "url opc.tcp://h:4840 → opc.tcp://h:4841",
    ),
    "timeout": (
        _set(lambda data, unit: data["endpoints"][f"{unit}-line"], "timeout_s", 9.5),
        "endpoint {u}-line",
        "",
        Kind.CHANGED,
        "timeout_s 4 → 9.5",
    ),
    "period": (
        _set(lambda data, unit: device_of(data, unit)["groups"]["slow"], "period_s", 10.0),
        "device {u}-plc",
        "group slow",
        Kind.CHANGED,
        "period_s 5 → 10",
    ),
    "range": (_set(_tag, "range", [-30.0, 250.0]), "unit {u}", "TT-1", Kind.CHANGED, "range 0…100 → −30…250 °C"),
    "open range": (_set(_tag, "range", [None, 250.0]), "unit {u}", "TT-1", Kind.CHANGED, "range 0…100 → ≤ 250 °C"),
    "no range": (lambda data, unit: _tag(data, unit).pop("range"), "unit {u}", "TT-1", Kind.CHANGED, "range 0…100 → none °C"),
    "engineering unit": (_set(_tag, "engineering_unit", "K"), "unit {u}", "TT-1", Kind.CHANGED, "engineering_unit °C → K"),
    "address": (_set(_tag, "address", "ns=3;s=X"), "unit {u}", "TT-1", Kind.CHANGED, "address ns=2;s=TT1 → ns=3;s=X"),
    "role": (_set(_tag, "role", "other"), "unit {u}", "TT-1", Kind.CHANGED, "role product_temperature → other"),
    "scale": (_set(_tag, "scale", 0.1), "unit {u}", "TT-1", Kind.CHANGED, "scale 1 → 0.1"),
    "states": (
        lambda data, unit: _tag(data, unit).update(states={1: "Charge"}),
        "unit {u}",
        "TT-1",
        Kind.CHANGED,
        "states 1: none → Charge",
    ),
    "group": (_set(_tag, "group", "slow"), "unit {u}", "TT-1", Kind.CHANGED, "group fast → slow"),
    "tag renamed": (
        lambda data, unit: renamed_key(device_of(data, unit)["tags"], "TT-1", "TT-100"),
        "unit {u}",
        "TT-100",
        Kind.RENAMED,
        "renamed from TT-1 (product_temperature at ns=2;s=TT1)",
    ),
    "tag without a role renamed": (
        lambda data, unit: renamed_key(device_of(data, unit)["tags"], "TT-2", "TT-200"),
        "unit {u}",
        "TT-200",
        Kind.RENAMED,
        "renamed from TT-2",
    ),
    "tag removed": (lambda data, unit: device_of(data, unit)["tags"].pop("TT-1"), "unit {u}", "TT-1", Kind.REMOVED, "removed"),
    "tag added": (
        lambda data, unit: device_of(data, unit)["tags"].update({"PT-1": {"address": "i=9", "group": "slow"}}),
        "unit {u}",
        "PT-1",
        Kind.ADDED,
        "added (PT_1 at i=9)",
    ),
    "unit renamed": (_rename_unit, "unit R-999", "", Kind.RENAMED, "renamed from {u}"),
    "device renamed": (
        lambda data, unit: renamed_key(data["endpoints"][f"{unit}-line"]["devices"], f"{unit}-plc", "dcs"),
        "device dcs",
        "",
        Kind.RENAMED,
        "renamed from {u}-plc",
    ),
    "endpoint renamed": (
        lambda data, unit: renamed_key(data["endpoints"], f"{unit}-line", "line"),
        "endpoint line",
        "",
        Kind.RENAMED,
        "renamed from {u}-line",
    ),
    "unit added": (lambda data, _: data["units"].update({"R-900": {}}), "unit R-900", "", Kind.ADDED, "added"),
    "endpoint removed": (
        lambda data, unit: data["endpoints"].pop(f"{unit}-line"),
        "endpoint {u}-line",
        "",
        Kind.REMOVED,
        "removed, with ",
    ),
    "par": (
        _set(limit_of, "par", [5.0, 40.0]),
        "limits",
        "limit product_temperature in {p}, {u}",
        Kind.CHANGED,
        "PAR 10…40 → 5…40 °C (wider: needs approval in gmp)",
    ),
    "nor": (
        _set(limit_of, "nor", [22.0, 30.0]),
        "limits",
        "limit product_temperature in {p}, {u}",
        Kind.CHANGED,
        "NOR 20…30 → 22…30 °C (narrower)",
    ),
    "nor shifted": (
        _set(limit_of, "nor", [22.0, 32.0]),
        "limits",
        "limit product_temperature in {p}, {u}",
        Kind.CHANGED,
        "NOR 20…30 → 22…32 °C (shifted: needs approval in gmp)",
    ),
    "cpp": (_set(limit_of, "cpp", True), "limits", "limit product_temperature in {p}, {u}", Kind.CHANGED, "CPP no → yes"),
    "alarm": (
        _set(limit_of, "alarm", {"hh": 42}),
        "limits",
        "limit product_temperature in {p}, {u}",
        Kind.CHANGED,
        "alarm none → HH 42",
    ),
    "phase": (
        _set(limit_of, "phase", "Distil"),
        "limits",
        "limit product_temperature in Distil, {u}",
        Kind.CHANGED,
        "phase {p} → Distil",
    ),
    "limit added": (
        _add_limit,
        "limits",
        "limit product_temperature in Cool, {u}",
        Kind.ADDED,
        "added (PAR 0…5 °C)",
    ),
    "limit removed": (
        lambda data, unit: data["limits"].remove(limit_of(data, unit)),
        "limits",
        "limit product_temperature in {p}, {u}",
        Kind.REMOVED,
        "removed",
    ),
    "secret": (
        _set(lambda data, _: data["sinks"]["influx"], "token", {"env": "B_TOKEN"}),
        "sink influx",
        "",
        Kind.CHANGED,
        "token: its reference changed",
    ),
    "sink removed": (lambda data, _: data["sinks"].clear(), "sink influx", "", Kind.REMOVED, "removed"),
}
"""What is done to a plant, and the one change that is to be told: where, name, kind, and how its text begins."""
