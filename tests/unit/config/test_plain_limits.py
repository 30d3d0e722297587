"""Limit tables on their own that say no more than a tag, a low and a high."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.faults import ConfigError
from config.limit_file import load_limits


def rows(path: Path, text: str) -> list[tuple[str, float | None, float | None]]:
    path.write_text(text, "utf-8")
    return [(limit.role, limit.par.low, limit.par.high) for limit in load_limits(path).rows if limit.par]


WANTED = [("TT-101", 10.0, 70.5), ("Jacket temp. (°C)", None, 95.0)]


@pytest.mark.parametrize(
    "text",
    [
        "tag,low,high\nTT-101,10,70.5\nJacket temp. (°C),,95\n",
        "Tag Name;Description;Unit;Lower limit;Upper limit\nTT-101;product;°C;10;70,5\nJacket temp. (°C);;degC;;95\n",
        "variable\tmin\tmax\nTT-101\t10\t70.5\nJacket temp. (°C)\t\t95\n",
        "role,PAR low,PAR high,EU\nTT-101,10,70.5,°C\nJacket temp. (°C),,95,°C\n",
    ],
)
def test_a_table_as_anybody_writes_it(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path / "limits.csv", text) == WANTED


def test_yaml(tmp_path: Path) -> None:
    text = "- {tag: TT-101, low: 10, high: 70.5}\n- {tag: Jacket temp. (°C), high: 95}\n"
    assert rows(tmp_path / "limits.yaml", text) == WANTED
    assert (
        rows(tmp_path / "limits.json", '[{"tag": "TT-101", "par": [10, 70.5]}, {"role": "Jacket temp. (°C)", "high": 95}]')
        == WANTED
    )


def test_a_tag_may_be_the_key(tmp_path: Path) -> None:
    text = "TT-101: {low: 10, high: 70.5}\nJacket temp. (°C): {par: [null, 95]}\n"
    assert rows(tmp_path / "limits.yaml", text) == WANTED
    assert rows(tmp_path / "limits.json", '{"TT-101": [10, 70.5], "Jacket temp. (°C)": [null, 95]}') == WANTED


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limits.csv", "channel,step,LSL,USL\nTT-101,all,10,70.5\nJacket temp. (°C),*,-inf,95\n"),
        ("limits.csv", "name,min value,max value\nTT-101,10,70.5\nJacket temp. (°C),NA,95\n"),
        (
            "limits.yaml",
            "- {variable: TT-101, min: 10, max: 70.5}\n- {name: Jacket temp. (°C), min: -.inf, max: 95, phase: '*'}\n",
        ),
        ("limits.yaml", "tags:\n  TT-101: {min: 10, max: 70.5}\n  Jacket temp. (°C): {upper_limit: 95}\n"),
        ("limits.json", '{"limits": {"TT-101": [10, 70.5], "Jacket temp. (°C)": {"par_high": 95}}}'),
    ],
)
def test_other_words_for_the_same(tmp_path: Path, name: str, text: str) -> None:
    assert rows(tmp_path / name, text) == WANTED
    assert not any(limit.phase for limit in load_limits(tmp_path / name).rows)


@pytest.mark.parametrize(
    ("units", "are_of_the_plant"),
    [("°C mg O2/L - pH", False), ("-", False), ("bar rpm R-1", False), ("R-1 R-2", True), ("A B C", True), ("1 2 3", True)],
)
def test_a_column_of_units_is_of_engineering_units_or_of_the_plant(tmp_path: Path, units: str, are_of_the_plant: bool) -> None:
    cells = [unit.replace("mgO2", "mg O2") for unit in units.replace("mg O2", "mgO2").split()]
    text = "tag,unit,low,high\n" + "".join(f"T{n},{unit},1,2\n" for n, unit in enumerate(cells))
    (tmp_path / "limits.csv").write_text(text, "utf-8")
    found = [limit.unit for limit in load_limits(tmp_path / "limits.csv").rows]
    assert found == (cells if are_of_the_plant else [None] * len(cells))


def test_what_was_left_open_is_told(tmp_path: Path) -> None:
    rows(tmp_path / "limits.csv", "tag,phase,low,high\nTT-101,*,NA,70\n")
    assert load_limits(tmp_path / "limits.csv").told[-1].endswith("limits.csv: '*', 'NA' taken as left open")


def test_alarm_levels_in_yaml_are_keys_as_columns_are(tmp_path: Path) -> None:
    (tmp_path / "limits.yaml").write_text("- {tag: TT-101, low_low: 50, low: 60, high: 70, hihi: 75}\n", "utf-8")
    (limit,) = load_limits(tmp_path / "limits.yaml").rows
    assert limit.alarm and not limit.par
    assert (limit.alarm.ll, limit.alarm.l, limit.alarm.h, limit.alarm.hh) == (50, 60, 70, 75)


def test_an_older_code_page_is_told(tmp_path: Path) -> None:
    (tmp_path / "limits.csv").write_bytes("tag;low;high\nJacket temp. (°C);;95\n".encode("cp1252"))
    found = load_limits(tmp_path / "limits.csv")
    assert found.rows[0].role == "Jacket temp. (°C)"
    assert "limits.csv: is not UTF-8: letters beyond ASCII read as cp1252 has them" in found.told[0]


def test_low_and_high_beside_other_levels_are_alarm_limits(tmp_path: Path) -> None:
    (tmp_path / "limits.csv").write_text("tag,NOR low,NOR high,PAR low,PAR high,low,high\nTT-101,20,60,10,70,15,65\n", "utf-8")
    (limit,) = load_limits(tmp_path / "limits.csv").rows
    assert limit.par and limit.nor and limit.alarm
    assert (limit.par.low, limit.nor.high, limit.alarm.l, limit.alarm.h) == (10, 60, 15, 65)


def test_what_was_taken_for_what_is_told(tmp_path: Path) -> None:
    (tmp_path / "limits.csv").write_text("tag,unit,low,high,remark\nTT-101,°C,10,70,x\n", "utf-8")
    (told,) = load_limits(tmp_path / "limits.csv").told
    assert told.endswith(
        "limits.csv: tag taken as role, unit passed over, low taken as par_low, high taken as par_high, remark passed over"
    )
    (tmp_path / "limits.csv").write_text("tag,unit,low\nTT-101,R-201,10\n", "utf-8")
    assert load_limits(tmp_path / "limits.csv").rows[0].unit == "R-201"


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("limits.csv", "tag,low,high\nTT-101,10,70\nPT-101,5,1\n", 3, "low 5 is not below high 1"),
        ("limits.csv", "tag,low,hihg\nTT-101,10,70\n", 1, "unknown column 'hihg'"),
        ("limits.csv", "tag,low,high\nTT-101,,\n", 2, "limits nothing"),
        ("limits.xlsx", "PK", 1, "is a workbook"),
        ("limits.yaml", "TT-101: [1, 2]\nPT-101: [5, 1]\n", 2, "low 5 is not below high 1"),
        ("limits.yaml", "TT-101: {low: 1}\nPT-101:\n  low: 5\n  high: 1\n", 3, "low 5 is not below high 1"),
        ("limits.yaml", "- {tag: TT-101, low: 1, high: 2}\n- tag: PT-101\n  low: soon\n", 3, "number"),
        ("limits.yaml", "- tag: TT-101\n  high: 2\n  phase: [Heat, Hold]\n", 3, "expected a text"),
        ("limits.yaml", "- tag: TT-101\n  low: 10\n  min: 20\n", 3, "unknown key"),
        ("limits.yaml", "- tag: TT-101\n  point: PT-101\n  low: 10\n", 2, "unknown key"),
        ("limits.yaml", "- tag: TT-101\n  low: 10\n  step: Heat\n  operation: Hold\n", 4, "unknown key"),
        ("limits.yaml", "TT-101:\n  min: 10\n  minimum: 20\n", 3, "unknown key"),
    ],
)
def test_faults_keep_their_lines(tmp_path: Path, name: str, text: str, line: int, words: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(ConfigError) as refused:
        load_limits(tmp_path / name)
    (fault,) = refused.value.faults
    assert (fault.line, words in fault.what) == (line, True), str(fault)


@pytest.mark.parametrize("every", ["all", "All", "ANY", "'*'"])
def test_a_phase_that_is_every_phase_is_left_open(tmp_path: Path, every: str) -> None:
    (tmp_path / "limits.yaml").write_text(f"- {{tag: TT-101, phase: {every}, low: 10}}\n", "utf-8")
    (tmp_path / "limits.csv").write_text(f"tag,phase,low\nTT-101,{every.strip(chr(39))},10\n", "utf-8")
    assert [load_limits(tmp_path / f"limits.{kind}").rows[0].phase for kind in ("yaml", "csv")] == [None, None]
