"""Differences of two plants: none of equal ones, and of one change exactly one entry that names it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.difference import Change, Kind, differences
from config.load import load
from config.model import Plant
from tests.unit.config.plant_edits import EDITS, Written, limit_of, written

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"


def plant(data: Written) -> Plant:
    return Plant.model_validate(copy.deepcopy(data))


def told(old: Written, new: Written) -> list[Change]:
    return list(differences(plant(old), plant(new)))


@given(written())
def test_equal_plants_do_not_differ(data: Written) -> None:
    assert told(data, data) == []


@pytest.mark.parametrize("file", ["minimal.yaml", "pilot-plant.yaml", "demo.yaml"])
def test_an_example_does_not_differ_from_itself(file: str) -> None:
    assert differences(load(EXAMPLES / file), load(EXAMPLES / file)) == ()


@pytest.mark.parametrize("edit", EDITS)
@settings(max_examples=15)
@given(data=st.data(), old=written())
def test_one_change_is_told_once_and_named(edit: str, data: st.DataObject, old: Written) -> None:
    work, where, name, kind, text = EDITS[edit]
    unit = data.draw(st.sampled_from(sorted(old["units"])))
    names = {"u": unit, "p": limit_of(old, unit)["phase"]}
    new = copy.deepcopy(old)
    work(new, unit)
    (change,) = told(old, new)
    assert (change.where, change.name, change.kind) == (where.format(**names), name.format(**names), kind)
    assert change.text.startswith(text.format(**names))
    assert "TOKEN" not in str(change)


@given(st.data(), written())
def test_there_and_back_are_the_same_changes_turned_around(data: st.DataObject, old: Written) -> None:
    new = copy.deepcopy(old)
    for edit in data.draw(st.lists(st.sampled_from(["url", "range", "par", "mode", "secret", "period"]), unique=True)):
        EDITS[edit][0](new, min(old["units"]))
    there, back = told(old, new), told(new, old)
    assert [(one.where, one.name, one.kind) for one in there] == [(one.where, one.name, one.kind) for one in back]


@given(st.data(), written())
def test_the_order_in_the_file_is_told_apart(data: st.DataObject, old: Written) -> None:
    new = copy.deepcopy(old)
    for key in ("endpoints", "units"):
        new[key] = {name: new[key][name] for name in data.draw(st.permutations(list(new[key])))}
    new["limits"] = data.draw(st.permutations(new["limits"]))
    assert all(change.kind is Kind.ORDER and "does not matter" in change.text for change in told(old, new))
    assert bool(told(old, new)) == (plant(new) != plant(old))


def test_another_order_of_tags_is_a_new_layout() -> None:
    tags = {f"TT-{n}": {"address": f"i={n}"} for n in (1, 2, 3)}
    data: Written = {
        "site": "T",
        "units": {"R": {}},
        "endpoints": {"e": {"url": "opc.tcp://h", "devices": {"d": {"unit": "R", "tags": tags}}}},
    }
    new = copy.deepcopy(data)
    new["endpoints"]["e"]["devices"]["d"]["tags"] = dict(reversed(tags.items()))
    (change,) = told(data, new)
    assert (change.where, change.kind) == ("device d", Kind.ORDER)
    assert "new layout" in change.text


def test_a_unit_said_by_the_tags_instead_of_the_device_is_no_change() -> None:
    tags: Written = {"TT-1": {"address": "i=1"}, "TT-2": {"address": "i=2"}}
    by_device: Written = {
        "site": "T",
        "units": {"R": {}},
        "endpoints": {"e": {"url": "opc.tcp://h", "devices": {"d": {"unit": "R", "tags": tags}}}},
    }
    by_tags = copy.deepcopy(by_device)
    device = by_tags["endpoints"]["e"]["devices"]["d"]
    del device["unit"]
    for tag in device["tags"].values():
        tag["unit"] = "R"
    assert told(by_device, by_tags) == []


def test_a_device_that_goes_to_another_unit_takes_its_tags_along() -> None:
    old: Written = {
        "site": "T",
        "units": {"R-1": {}, "R-2": {"mode": "gmp"}},
        "endpoints": {
            "e": {
                "url": "opc.tcp://h",
                "devices": {"d": {"unit": "R-1", "tags": {"A": {"address": "i=1"}, "B": {"address": "i=2"}}}},
            }
        },
    }
    new = copy.deepcopy(old)
    new["endpoints"]["e"]["devices"]["d"]["unit"] = "R-2"
    (change,) = told(old, new)
    assert (change.where, change.text) == ("device d", "unit R-1 → R-2, with its tags")


def test_a_tag_that_moves_to_another_device_moves() -> None:
    devices: Written = {name: {"unit": "R", "tags": {f"{name}-T": {"address": f"s={name}"}}} for name in ("a", "b")}
    devices["a"]["tags"]["PT-1"] = {"address": "s=PT1"}
    old: Written = {"site": "T", "units": {"R": {}}, "endpoints": {"e": {"url": "opc.tcp://h", "devices": devices}}}
    new = copy.deepcopy(old)
    there = new["endpoints"]["e"]["devices"]
    there["b"]["tags"]["PT-1"] = there["a"]["tags"].pop("PT-1")
    (change,) = told(old, new)
    assert (change.where, change.name, change.text) == ("unit R", "PT-1", "moved from device a to b")


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ({"hh": 75}, {"hh": 80}, "HH 75 → 80 °C (later: needs approval in gmp)"),
        ({"hh": 75}, {"hh": 70}, "HH 75 → 70 °C (sooner)"),
        ({"ll": 5, "h": 70}, {"ll": 6, "h": 70}, "LL 5 → 6 °C (sooner)"),
        ({"h": 70, "hh": 75}, {"hh": 75}, "H 70 → none °C (later: needs approval in gmp)"),
    ],
)
def test_alarm_levels(old: Written, new: Written, text: str) -> None:
    tags = {"TT-1": {"address": "i=1", "role": "t", "engineering_unit": "°C"}}
    base: Written = {
        "site": "T",
        "units": {"R": {}},
        "endpoints": {"e": {"url": "opc.tcp://h", "devices": {"d": {"unit": "R", "tags": tags}}}},
    }
    before, after = ({**base, "limits": [{"role": "t", "alarm": levels}]} for levels in (old, new))
    (change,) = told(before, after)
    assert change.text == text


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (None, {"spike": 5, "flat_s": 60}, "plausible none → flat_s 60, spike 5"),
        ({"spike": 5}, {"spike": 7.5}, "plausible.spike 5 → 7.5 °C"),
        ({"spike": 5, "flat_s": 60}, {"spike": 5, "flat_s": 90}, "plausible.flat_s 60 → 90"),
    ],
)
def test_what_is_plausible(old: Written | None, new: Written, text: str) -> None:
    def with_tag(plausible: Written | None) -> Written:
        tag = {"address": "i=1", "role": "t", "engineering_unit": "°C", "plausible": plausible}
        devices = {"d": {"unit": "R", "tags": {"TT-1": tag}}}
        return {"site": "T", "units": {"R": {}}, "endpoints": {"e": {"url": "opc.tcp://h", "devices": devices}}}

    (change,) = told(with_tag(old), with_tag(new))
    assert change.text == text
