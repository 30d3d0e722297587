"""Limits over several tags, as they are written, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.load import examine

PLANT = """\
site: Works
endpoints:
  plc:
    url: opc.tcp://h
    devices:
      D:
        unit: R-201
        groups: {main: {period_s: 1}, slow: {period_s: 10}}
        tags:
          T1: {address: s=1, role: contents, group: main, range: [0, 100]}
          T2: {address: s=2, role: jacket, group: slow}
          T3: {address: s=3, role: sp, group: main}
          T4: {address: s=4, role: grade, kind: text, group: main}
          T7: {address: s=7, role: pump, kind: boolean, group: main}
      E: {unit: R-202, tags: {T5: {address: s=5, role: contents}, T6: {address: s=6, role: level}}}
units: {R-201: {}, R-202: {}}
limits:
"""


def faults(tmp_path: Path, *rows: str) -> list[str]:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT + "".join(f"  - {{{row}}}\n" for row in rows), "utf-8")
    examination = examine(path)
    return [str(fault).removeprefix(f"{path}:") for fault in examination.faults]


@pytest.mark.parametrize(
    "row",
    [
        "name: lead, expression: jacket - contents, nor: [null, 50], par: [null, 60]",
        "name: lead, expression: jacket - contents <= 60",
        "name: apart, unit: R-201, expression: 'contents - [R-202].contents', alarm: {h: 5}",
        "name: calm, expression: 'abs(slope(contents, 120)) <= 0.1 and mean(jacket, 30) > 5', spans_phases: true, max_age_s: 60",
        "name: dry, expression: pump == 0 or contents > 5",
        "role: contents, par: [0, 1], suppressed_when: pump == 0",
        "role: contents, sp_role: sp, par: [-500, 500], max_age_s: 5",
        "role: contents, sp_role: sp, statistic: std, window_s: 60, nor: [null, 2]",
    ],
)
def test_what_is_right(tmp_path: Path, row: str) -> None:
    assert faults(tmp_path, row) == []


LEAD = "name: lead, expression: jacket - contents"


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "name: lead, expression: jackett - contents, par: [0, 1]",
            "18: limits[1].expression: no tag of any unit has role 'jackett'; did you mean 'jacket'?",
        ),
        (
            "name: lead, unit: R-202, expression: jacket - contents, par: [0, 1]",
            "18: limits[1].expression: no tag of unit R-202 has role 'jacket'",
        ),
        (
            "name: lead, expression: 'contents - [R-203].contents', par: [0, 1]",
            "18: limits[1].expression: no unit 'R-203'; did you mean 'R-202'?; units of this plant: R-201, R-202",
        ),
        (
            "name: lead, expression: level - jacket, par: [0, 1]",
            "18: limits[1].expression: no unit has all of level, jacket: name the other unit, [R-202].role",
        ),
        (
            "name: lead, expression: grade > 5",
            "18: limits[1].expression: grade is text (T4 of device D): an expression is made of numbers and booleans",
        ),
        (
            "name: lead, expression: 'slope(jacket, 15) > 5'",
            "18: limits[1].expression: slope over 15 s holds fewer than 2 samples of T2 of device D, read every 10 s",
        ),
        ("name: lead, expression: 1 < 2", "18: limits[1].expression: names no role, so it never changes: limit what is measured"),
        (
            "name: lead, expression: jacket -, par: [0, 1]",
            "18: limits[1].expression: the end: a number, a role or a bracket was expected",
        ),
        (
            "name: jacket, expression: jacket - contents, par: [0, 1]",
            "18: limits[1].name: 'jacket' is the role of T2 of device D: give another name",
        ),
        ("name: lead, role: jacket, expression: jacket > 1", "18: limits[1]: role and expression: limit one of them in a row"),
        (
            "expression: jacket > 1",
            "18: limits[1]: an expression has a name, by which its alarms are called: write name: jacket_lead",
        ),
        ("role: jacket, name: lead, par: [0, 1]", "18: limits[1]: name is that of an expression: a tag is limited by its role"),
        (LEAD, "18: limits[1]: a number needs nor, par or alarm, or compare it in the expression"),
        (
            "name: lead, expression: jacket > 1, par: [0, 1]",
            "18: limits[1]: a condition holds or not: leave nor, par and alarm out",
        ),
        (
            f"{LEAD}, par: [0, 1], statistic: mean, window_s: 60",
            "18: limits[1]: statistic and expression: write it into the expression, as slope(product_temperature, 120)",
        ),
        (
            "role: contents, par: [0, 1], max_age_s: 5",
            "18: limits[1]: max_age_s goes with sp_role, expression or suppressed_when: a tag's own value is of this slot",
        ),
        (
            "role: contents, sp_role: spp, unit: R-201, par: [-1, 1]",
            "18: limits[1].sp_role: no tag of unit R-201 has role 'spp'; did you mean 'sp'?",
        ),
        (
            "role: contents, sp_role: pump, unit: R-201, par: [-1, 1]",
            "18: limits[1].sp_role: pump is boolean (T7 of device D): a setpoint is a number",
        ),
        (
            "role: contents, sp_role: sp, sp: 0, par: [-1, 1]",
            "18: limits[1]: sp and sp_role: the setpoint is a number or a role",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, row: str, told: str) -> None:
    assert faults(tmp_path, row) == [told]


def test_rows_of_one_name_are_made_of_the_same(tmp_path: Path) -> None:
    rows = [f"{LEAD}, phase: A, par: [0, 1]", "name: lead, expression: contents - jacket, phase: B, par: [0, 1]"]
    assert faults(tmp_path, *rows) == [
        "19: limits[2].expression: 'lead' has another expression in limits[1]: give the rows one, or the expression another name"
    ]


def test_a_value_and_its_deviation_are_two_rows(tmp_path: Path) -> None:
    assert faults(tmp_path, "role: contents, par: [0, 1]", "role: contents, sp_role: sp, par: [-1, 1]") == []
