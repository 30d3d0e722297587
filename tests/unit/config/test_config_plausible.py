"""What tags may plausibly read, as it is written, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.common import Bounds
from config.load import examine, load
from config.plausible import Plausible, plausible_bounds

PLANT = """\
site: Works
endpoints:
  plc:
    url: opc.tcp://h
    devices:
      D:
        unit: R-201
        groups: {{main: {{period_s: 1}}, slow: {{period_s: 10}}}}
        tags:
          T1: {{address: s=1, role: contents, engineering_unit: °C, group: main, range: [0, 100], plausible: {{{of_t1}}}}}
          T2: {{address: s=2, role: jacket, engineering_unit: °C, group: slow, plausible: {{{of_t2}}}}}
          T3: {{address: s=3, role: pressure, engineering_unit: bar, group: main}}
          T4: {{address: s=4, role: grade, kind: text, group: main{of_t4}}}
          T5: {{address: s=5, role: mode, kind: integer, states: {{1: auto}}, group: main{of_t5}}}
      E: {{unit: R-202, tags: {{T6: {{address: s=6, role: contents}}}}}}
units: {{R-201: {{}}, R-202: {{}}}}
limits:
  - {{role: contents, par: [10, 90]}}
  - {{role: contents, unit: R-201, statistic: slope, window_s: 60, par: [null, 5]}}
"""


def told(tmp_path: Path, of_t1: str = "low: 1", of_t2: str = "high: 5", of_t4: str = "", of_t5: str = "") -> list[str]:
    """Faults and warnings, without the file's name."""
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT.format(of_t1=of_t1, of_t2=of_t2, of_t4=of_t4, of_t5=of_t5), "utf-8")
    examination = examine(path)
    return [str(each).removeprefix(f"{path}:") for each in (*examination.faults, *examination.warnings)]


@pytest.mark.parametrize(
    "written",
    [
        "low: -5, high: 120",
        "spike: 5, spike_samples: 3, rate_per_min: 60, flat_s: 2, flat_band: 0.1",
        "agrees_with: jacket, within: 1.5, for_s: 0, max_age_s: 30",
        "agrees_with: T2, within: 1.5",
    ],
)
def test_what_is_right(tmp_path: Path, written: str) -> None:
    assert told(tmp_path, written) == []


T1, T2 = "10: endpoints.plc.devices.D.tags.T1.plausible", "11: endpoints.plc.devices.D.tags.T2.plausible"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", f"{T1}: checks nothing: give low, high, spike, rate_per_min, flat_s or agrees_with, or leave plausible out"),
        ("low: 5, high: 5", f"{T1}: low 5 is not below high 5: swap them?"),
        ("low: 104", f"{T1}.low: 104 lies beyond the range [0, 100], so nothing is plausible: mend one of them"),
        ("spike: 0", f"{T1}.spike: found the number 0, expected more than 0"),
        ("low: 1, spike_samples: 2", f"{T1}: spike_samples goes with spike: give that, too, or leave spike_samples out"),
        ("low: 1, within: 2", f"{T1}: within goes with agrees_with: give that, too, or leave within out"),
        ("agrees_with: jacket", f"{T1}: agrees_with needs within, how far the two may be apart, e.g. 1.5"),
        ("flat_s: 1.5", f"{T1}.flat_s: 1.5 is shorter than 2 periods of its group, read every 1 s: every value that comes twice"),
        ("agrees_with: jackett, within: 1", f"{T1}.agrees_with: no tag of unit R-201 has the role or name 'jackett'; did you"),
        ("agrees_with: T6, within: 1", f"{T1}.agrees_with: no tag of unit R-201 has the role or name 'T6'"),
        ("agrees_with: T1, within: 1", f"{T1}.agrees_with: is the tag itself, which always agrees: name the other probe"),
        ("agrees_with: grade, within: 1", f"{T1}.agrees_with: T4 of device D is no measured number: name the other probe"),
        ("agrees_with: pressure, within: 1", f"{T1}.agrees_with: T3 of device D is in bar, this tag in °C: they can't be"),
        ("high: 90", "18: limits[1].par: 90 lies beyond what is plausible of T1 of device D (90): what leaves it is doubted"),
        (
            "rate_per_min: 5",
            "19: limits[2].par: 5 lies beyond what is plausible of T1 of device D (5): what leaves it is doubted",
        ),
    ],
)
def test_what_is_wrong(tmp_path: Path, written: str, expected: str) -> None:
    found = told(tmp_path, written)
    assert found and found[0].startswith(expected), found


def test_only_what_is_measured_can_be_implausible(tmp_path: Path) -> None:
    text, enumeration = told(tmp_path, of_t4=", plausible: {low: 1}", of_t5=", plausible: {high: 3}")
    assert "T4.plausible: the tag is text, and only a measured number can be implausible: leave it out" in text
    assert "T5.plausible: the tag is an enumeration" in enumeration


def test_a_pair_is_written_once(tmp_path: Path) -> None:
    (found,) = told(tmp_path, "agrees_with: T2, within: 1", "agrees_with: contents, within: 2")
    assert found.startswith(f"{T2}.agrees_with: endpoints.plc.devices.D.tags.T1.plausible.agrees_with compares the same two tags")


def test_what_the_server_keeps_to_itself_is_not_flat(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(
        "site: S\nunits: {R: {}}\nendpoints: {p: {url: opc.tcp://h, devices: {D: {unit: R, "
        "groups: {m: {mode: subscribe}}, tags: {T: {address: s=1, deadband: 0.5, plausible: {flat_s: 60}}}}}}}\n",
        "utf-8",
    )
    examination = examine(path)
    assert [warning.what.partition(",")[0] for warning in examination.warnings] == [
        "the server keeps changes up to deadband to itself"
    ]


def test_a_tag_list_has_a_column_for_each(tmp_path: Path) -> None:
    (tmp_path / "tags.csv").write_text(
        "tag,address,low,high,plausible_low,plausible max,spike,spike_samples,max rate,flat_s,flat_band,"
        "other probe,within,for_s,max_age_s\n"
        "T1,s=1,0,100,-1,101,5,2,60,600,0.1,T2,1.5,20,30\n"
        "T2,s=2,,,,,,,,,,,,,\n",
        "utf-8",
    )
    path = tmp_path / "plant.yaml"
    path.write_text(
        "site: S\nunits: {R: {}}\nendpoints: {p: {url: opc.tcp://h, devices: {D: {unit: R, tags: tags.csv}}}}\n", "utf-8"
    )
    first, second = (tag for _, tag in load(path).tags())
    assert first.plausible == Plausible(
        low=-1, high=101, spike=5, spike_samples=2, rate_per_min=60, flat_s=600, flat_band=0.1,
        agrees_with="T2", within=1.5, for_s=20, max_age_s=30,
    )  # fmt: skip
    assert second.plausible is None


def test_a_template_fills_it(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(
        "site: S\ntemplates: {r: {units: {'{u}': {}}, endpoints: {'{u}': {url: 'opc.tcp://{u}', devices: {'{u}': {unit: '{u}', "
        "tags: {'T-{u}': {address: s=1, role: t, plausible: {spike: '{spike}'}}}}}}}}}\n"
        "use: [{template: r, rows: [{u: A, spike: 5}, {u: B, spike: 0.5}]}]\n",
        "utf-8",
    )
    assert [tag.plausible and tag.plausible.spike for _, tag in load(path).tags()] == [5, 0.5]


@pytest.mark.parametrize(
    ("plausible", "measured", "bounds"),
    [
        (None, Bounds(low=0, high=80), (-1, 82.5)),
        (None, Bounds(low=0), (None, None)),
        (None, None, (None, None)),
        (Plausible(low=2), Bounds(low=0, high=80), (2, 82.5)),
        (Plausible(spike=2), Bounds(low=-30, high=130), (-32, 135)),
        (Plausible(low=-500, high=500), Bounds(low=0, high=80), (-500, 500)),
    ],
)
def test_what_is_not_written_comes_of_the_range(
    plausible: Plausible | None, measured: Bounds | None, bounds: tuple[float | None, float | None]
) -> None:
    assert plausible_bounds(plausible, measured) == bounds
