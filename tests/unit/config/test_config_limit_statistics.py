"""Limits whose statistic is no window's: how they are written, what is wrong with them, and how a change of them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.difference import differences
from config.limits import Limit
from config.load import examine, load

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
          T1: {address: s=1, role: contents, group: main, range: [0, 100], engineering_unit: °C}
          T2: {address: s=2, role: jacket, group: slow}
          T3: {address: s=3, role: sp, group: main}
          T4: {address: s=4, role: phase, kind: text, group: main}
          T5: {address: s=5, role: batch_id, kind: text, group: main}
      E: {unit: R-202, tags: {T6: {address: s=6, role: level}}}
units: {R-201: {}, R-202: {}}
limits:
"""
LINE = PLANT.count("\n") + 1


def written(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT + "".join(f"  - {{{row}}}\n" for row in rows), "utf-8")
    return path


def told(tmp_path: Path, *rows: str) -> list[str]:
    path = written(tmp_path, *rows)
    examination = examine(path)
    return [str(fault).removeprefix(f"{path}:") for fault in (*examination.faults, *examination.warnings)]


LEAD = "name: lead, expression: contents - jacket"
CUSUM = "role: contents, statistic: cusum_high"
OUTSIDE = "role: contents, statistic: time_outside"


@pytest.mark.parametrize(
    "row",
    [
        f"{OUTSIDE}, within: phase, phase: Hold, par: [60, 70], allowed_outside_s: 300",
        f"{OUTSIDE}, within: batch, nor: [60, null], allowed_outside_s: 0",
        f"{OUTSIDE}, window_s: 3600, par: [60, 70], allowed_outside_s: 60, spans_phases: true, deadband: 10, cpp: true",
        "role: contents, sp_role: sp, statistic: time_outside, within: batch, par: [-1, 1], allowed_outside_s: 5",
        "role: contents, statistic: ewma, time_constant_s: 600, nor: [60, 70], alarm: {h: 75}, spans_phases: true",
        f"{CUSUM}, sp: 65, slack: 0.25, decision_interval: 20",
        "statistic: duration, phase: Hold, par: [1800, 3600], nor: [2000, 3000], alarm: {h: 2900, hh: 4000}, unit: R-201",
        "statistic: duration, par: [null, 3600]",
        f"{LEAD}, statistic: time_outside, within: phase, par: [null, 60], allowed_outside_s: 300",
        f"{LEAD}, statistic: ewma, time_constant_s: 60, par: [null, 60]",
        f"{LEAD}, statistic: cusum_low, sp: 20, slack: 1, decision_interval: 60",
        "role: contents, nor: [60, 70], suppressed_when: 'jacket < 5 or mean(sp, 60) == 0', max_age_s: 30, cpp: true",
        "role: contents, par: [60, 70], suppressed_when: jacket < 5",
        "statistic: duration, par: [null, 3600], suppressed_when: '[R-202].level > 5'",
        "role: contents, sp_role: sp, statistic: cusum_low, slack: 0, decision_interval: 20, deadband: 20",
    ],
)
def test_what_is_right(tmp_path: Path, row: str) -> None:
    assert told(tmp_path, row) == []


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ("role: contents, par: [0, 1], within: phase", ": within goes with statistic time_outside, not with value"),
        (
            "role: contents, par: [0, 1], statistic: mean, window_s: 60, allowed_outside_s: 5",
            ": allowed_outside_s goes with statistic time_outside, not with mean",
        ),
        (
            f"{OUTSIDE}, within: phase, par: [60, 70]",
            ": statistic time_outside needs allowed_outside_s: how many seconds outside are allowed, e.g. 300",
        ),
        (
            f"{OUTSIDE}, par: [60, 70], allowed_outside_s: 300",
            ": statistic time_outside is of a window or since something began: give window_s, or within: phase or batch",
        ),
        (
            f"{OUTSIDE}, par: [60, 70], allowed_outside_s: 300, window_s: 60, within: batch",
            ": statistic time_outside is of a window or since something began: give window_s, or within: phase or batch",
        ),
        (
            f"{OUTSIDE}, par: [60, 70], nor: [61, 69], allowed_outside_s: 300, within: batch",
            ": statistic time_outside is about one range: give nor or par, and the other in a row of its own",
        ),
        (
            f"{OUTSIDE}, par: [60, 70], alarm: {{h: 65}}, allowed_outside_s: 300, within: batch",
            ": statistic time_outside has one level, allowed_outside_s: leave alarm out",
        ),
        (
            f"{OUTSIDE}, par: [60, 70], allowed_outside_s: 300, within: phase, spans_phases: true",
            ": within says since when time counts: leave spans_phases out",
        ),
        (
            f"{OUTSIDE}, par: [60, 70], allowed_outside_s: 300, within: phase, deadband: 301",
            ": deadband 301 s is more than allowed_outside_s, so it would never be inside again: lessen it",
        ),
        (
            "role: jacket, statistic: time_outside, window_s: 15, par: [60, 70], allowed_outside_s: 3",
            ".window_s: window_s 15 holds fewer than 2 samples of T2 of device D, read every 10 s: lengthen it",
        ),
        (
            "role: level, statistic: time_outside, within: batch, par: [60, 70], allowed_outside_s: 3",
            ".within: no tag tells the batch of R-202, so this is never judged: add a tag with role batch_id",
        ),
        (
            "role: level, statistic: time_outside, within: phase, par: [60, 70], allowed_outside_s: 3",
            ".within: no tag tells the phase of R-202, so this is never judged: add a tag with role phase",
        ),
        (
            "role: contents, statistic: ewma, par: [60, 70]",
            ": statistic ewma needs time_constant_s: after so long a step shows by 63 %, e.g. 600",
        ),
        (
            "role: contents, statistic: ewma, par: [60, 70], time_constant_s: 600, window_s: 60",
            ": window_s goes with a rolling statistic (mean, min, max, std, slope), not with ewma",
        ),
        ("role: contents, statistic: ewma, time_constant_s: 600", ": limits nothing: give nor, par or alarm"),
        (
            "role: jacket, statistic: ewma, par: [60, 70], time_constant_s: 9",
            ".time_constant_s: time_constant_s 9 is shorter than the period of T2 of device D, 10 s: lengthen it",
        ),
        (
            "role: contents, par: [60, 70], time_constant_s: 9",
            ": time_constant_s goes with statistic ewma, not with value",
        ),
        (
            "role: contents, par: [60, 70], slack: 9",
            ": slack goes with statistic cusum_high or cusum_low, not with value",
        ),
        (CUSUM, ": statistic cusum_high needs sp or sp_role, slack, decision_interval, in engineering units"),
        (
            f"{CUSUM}, sp: 65, slack: 1, decision_interval: 5, par: [60, 70]",
            ": statistic cusum_high has one level, decision_interval: leave nor, par and alarm out",
        ),
        (
            f"{CUSUM}, sp: 65, slack: 1, decision_interval: 5, deadband: 6",
            ": deadband 6 is more than decision_interval, so it would never be inside again: lessen it",
        ),
        ("statistic: duration, phase: Hold", ": limits nothing: give nor, par or alarm"),
        (
            "role: contents, statistic: duration, par: [1, 2]",
            ": statistic duration is that of a phase, not of a tag: leave role out, and name the phase",
        ),
        (
            "statistic: duration, par: [1, 2], on_delay_s: 5",
            ": on_delay_s says nothing of a phase's duration: leave it out",
        ),
        (
            "statistic: duration, unit: R-202, par: [1, 2]",
            ".statistic: no tag tells the phase of unit R-202, so none has a duration: add a tag with role phase",
        ),
        (
            "statistic: duration, par: [1, 2], window_s: 5",
            ": window_s goes with a rolling statistic (mean, min, max, std, slope), not with duration",
        ),
        (
            "role: contents, par: [60, 70], suppressed_when: jacket - 5",
            ".suppressed_when: is a number, and must hold or not: compare it, as pressure < 0.1",
        ),
        (
            "role: contents, par: [60, 70], suppressed_when: jackett < 5",
            ".suppressed_when: no tag of any unit has role 'jackett'; did you mean 'jacket'?",
        ),
        (
            "role: contents, par: [60, 70], suppressed_when: 4 < 5",
            ".suppressed_when: names no role, so it never changes: limit what is measured",
        ),
        (
            "role: contents, par: [60, 70], suppressed_when: 'mean(jacket, 15) < 5'",
            ".suppressed_when: mean over 15 s holds fewer than 2 samples of T2 of device D, read every 10 s",
        ),
        (
            "name: lead, expression: contents > jacket, statistic: ewma, time_constant_s: 60, par: [0, 1]",
            ": a condition holds or not: leave nor, par and alarm out",
        ),
        (
            "name: lead, expression: contents > jacket, statistic: ewma, time_constant_s: 60",
            ": statistic ewma is of a number, and the expression is a condition",
        ),
        (
            f"{OUTSIDE}, within: day, par: [60, 70], allowed_outside_s: 300",
            ".within: found the text 'day', expected one of phase, batch",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, row: str, what: str) -> None:
    assert told(tmp_path, row) == [f"{LINE}: limits[1]{what}"]


@pytest.mark.parametrize(
    ("row", "is_wrong"),
    [
        ("role: contents, par: [60, 70], cpp: true", True),
        ("role: contents, par: [60, 70]", False),
        ("role: contents, nor: [60, 70], cpp: true", False),
        ("role: level, par: [60, 70], cpp: true", False),
        ("name: lead, expression: contents - jacket, par: [60, 70], cpp: true, unit: R-201", True),
        ("statistic: duration, par: [null, 70], cpp: true, phase: Hold", True),
    ],
)
def test_par_of_a_cpp_is_never_suppressed_in_gmp(tmp_path: Path, row: str, is_wrong: bool) -> None:
    path = written(tmp_path, f"{row}, suppressed_when: '[R-201].jacket < 5'")
    path.write_text(path.read_text("utf-8").replace("R-201: {}", "R-201: {mode: gmp}"), "utf-8")
    wrong = [str(fault) for fault in examine(path).faults if "suppressed_when" in str(fault)]
    what = "PAR of a critical process parameter of R-201, which runs in gmp, can't be suppressed: leave it out"
    assert wrong == ([f"{path}:{LINE}: limits[1].suppressed_when: {what}"] if is_wrong else [])


def test_two_rows_of_the_same_are_one_too_many(tmp_path: Path) -> None:
    row = f"{OUTSIDE}, within: phase, par: [60, 70], allowed_outside_s: 300"
    assert len(told(tmp_path, row, row)) == 1
    assert told(tmp_path, row, f"{OUTSIDE}, within: batch, par: [60, 70], allowed_outside_s: 300") == []


def test_a_change_is_told_in_words(tmp_path: Path) -> None:
    row = f"{OUTSIDE}, within: phase, phase: Hold, par: [60, 70], allowed_outside_s: %d"
    old = load(written(tmp_path, row % 300))
    (line,) = (str(change) for change in differences(old, load(written(tmp_path, row % 600))))
    assert "limit contents (time outside PAR in phase) in Hold" in line
    assert "allowed_outside_s 300 → 600 (later: needs approval in gmp)" in line
    row = f"{CUSUM}, sp: 65, slack: 1, decision_interval: %d"
    old = load(written(tmp_path, row % 20))
    (line,) = (str(change) for change in differences(old, load(written(tmp_path, row % 15))))
    assert "limit contents (cusum high): decision_interval 20 → 15 °C (sooner)" in line
    (line,) = (str(change) for change in differences(old, load(written(tmp_path, f"{row % 20}, suppressed_when: jacket < 5"))))
    assert "suppressed_when none → jacket < 5 (hides alarms: needs approval in gmp)" in line


def test_a_copy_of_a_row_is_a_row_of_its_own() -> None:
    row = Limit.model_validate({"role": "contents", "par": [1, 2]})
    same, copy = row.model_copy(), row.model_copy(update={"statistic": "mean", "window_s": 60.0})
    assert (row.measure, hash(row) == hash(same), row == same) == ("value", True, True)
    copies = {row: 1, copy: 2}
    again = row.model_copy(update={"statistic": "mean", "window_s": 60.0})
    assert (copy.measure, copies[again], row == copy) == ("mean", 2, False)
