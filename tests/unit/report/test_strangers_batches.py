"""`judge` on recorded batches as plants that nobody here knows export them: the counts are those of pandas, or what is wrong is
told with its line and what to do. Nothing is taken for something without being told."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.unit.report.strangers import BEGIN, PAR, PERIOD_S, TAGS, assert_right, course, judge

Write = Callable[[pd.DataFrame], str | bytes]
WHOLE = course()


def rows(frame: pd.DataFrame, time: Callable[[pd.Timestamp], str], header: str, separator: str = ",", decimal: str = ".") -> str:
    lines = [header]
    for at, row in frame.iterrows():
        assert isinstance(at, pd.Timestamp)
        cells = ["" if np.isnan(value) else f"{value:.2f}".replace(".", decimal) for value in row]
        lines.append(separator.join([time(at), *cells]))
    return "\n".join(lines) + "\n"


def seconds(at: pd.Timestamp) -> float:
    return float((at - BEGIN).total_seconds())


FORMS: dict[str, tuple[Write, list[str], str]] = {
    "ISO with a zone": (
        lambda f: rows(f, lambda t: t.tz_convert("Europe/Zurich").isoformat(), "time,TT-101,PT-101,ST-101"),
        [],
        "dates",
    ),
    "ISO without a zone": (
        lambda f: rows(f, lambda t: f"{t:%Y-%m-%d %H:%M:%S}", "Timestamp,TT-101,PT-101,ST-101"),
        [],
        "without a zone: taken as UTC",
    ),
    "German local time, semicolon, decimal comma, mark, CRLF": (
        lambda f: (
            "\ufeff"
            + rows(f, lambda t: f"{t:%d.%m.%Y %H:%M:%S}", "Zeitstempel;TT-101;PT-101;ST-101", ";", ",").replace("\n", "\r\n")
        ),
        [],
        "time from column Zeitstempel",
    ),
    "American local time with AM and PM": (
        lambda f: rows(f, lambda t: f"{t.month}/{t.day}/{t.year} {t:%I:%M:%S %p}", "Date/Time,TT-101,PT-101,ST-101"),
        [],
        "month/day",
    ),
    "date and time apart": (
        lambda f: rows(f, lambda t: f"{t:%d.%m.%y};{t:%H:%M:%S}", "Datum;Uhrzeit;TT-101;PT-101;ST-101", ";", ","),
        [],
        "date from column Datum",
    ),
    "historian's months": (lambda f: rows(f, lambda t: f"{t:%d-%b-%y %H:%M:%S}.000", "Time,TT-101,PT-101,ST-101"), [], "dates"),
    "epoch seconds": (lambda f: rows(f, lambda t: f"{t.timestamp():.1f}", "ts,TT-101,PT-101,ST-101"), [], "s since 1970"),
    "epoch milliseconds": (
        lambda f: rows(f, lambda t: f"{t.timestamp() * 1e3:.0f}", "epoch_ms,TT-101,PT-101,ST-101"),
        [],
        "ms since 1970",
    ),
    "seconds since begin": (lambda f: rows(f, lambda t: f"{seconds(t):g}", "time,TT-101,PT-101,ST-101"), [], "taken as seconds"),
    "minutes since begin": (
        lambda f: rows(f, lambda t: f"{seconds(t) / 60:.3f}", "Elapsed (min),TT-101,PT-101,ST-101"),
        [],
        "min since the beginning, their digits taken as multiples of 10 s",
    ),
    "hours since begin, decimal comma": (
        lambda f: rows(f, lambda t: f"{seconds(t) / 3600:.4f}".replace(".", ","), "time_h;TT-101;PT-101;ST-101", ";", ","),
        [],
        "h since the beginning, their digits taken as multiples of 10 s",
    ),
    "hours:minutes:seconds": (
        lambda f: rows(
            f,
            lambda t: f"{int(seconds(t)) // 3600}:{int(seconds(t)) // 60 % 60:02}:{int(seconds(t)) % 60:02}",
            "Laufzeit\tTT-101\tPT-101\tST-101",
            "\t",
        ),
        [],
        "hours:minutes:seconds",
    ),
    "Excel's days": (
        lambda f: rows(f, lambda t: f"{t.timestamp() / 86400 + 25569:.9f}", "Time,TT-101,PT-101,ST-101"),
        ["--time-unit", "excel"],
        "days as Excel counts them",
    ),
    "Excel's days in a column that is called a date": (
        lambda f: rows(f, lambda t: f"{t.timestamp() / 86400 + 25569:.9f}", "Date,TT-101,PT-101,ST-101"),
        [],
        "days as Excel counts them",
    ),
    "fourteen digits": (
        lambda f: rows(f, lambda t: f"{t:%Y%m%d%H%M%S}", "TimeStamp,TT-101,PT-101,ST-101"),
        [],
        "times are dates",
    ),
    "days of the week": (
        lambda f: rows(f, lambda t: f"{t:%a %b %d %H:%M:%S %Y}", "time,TT-101,PT-101,ST-101"),
        [],
        "times are dates",
    ),
    "seconds since begin, latest first": (
        lambda f: rows(f[::-1], lambda t: f"{seconds(t):g}", "time,TT-101,PT-101,ST-101"),
        [],
        "turned round",
    ),
    "a row of units, quoted names with units": (
        lambda f: rows(f, lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}", '"Time stamp","TT-101 [°C]","PT 101 (bar)","st_101"\n,°C,bar,rpm'),
        [],
        "TT-101 from column 'TT-101 [°C]'",
    ),
    "lines before the header, names of a historian": (
        lambda f: (
            "Trend export;Line 3\nPrinted:;26.11.2026\n\n"
            + rows(
                f, lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}", r"Time;\\HIST\A1|TT-101.PV;\\HIST\A1|PT-101.PV;\\HIST\A1|ST-101.PV", ";"
            )
        ),
        [],
        "2 lines before the header on line 4 passed over",
    ),
    "an index of pandas": (lambda f: f.to_csv(), [], "time from column 1"),
    "latest first": (
        lambda f: rows(f[::-1], lambda t: f"{t:%Y-%m-%dT%H:%M:%SZ}", "time,TT-101,PT-101,ST-101"),
        [],
        "turned round",
    ),
    "packed": (lambda f: gzip.compress(rows(f, lambda t: t.isoformat(), "time,TT-101,PT-101,ST-101").encode()), [], "dates"),
    "UTF-16 of a spreadsheet": (
        lambda f: rows(f, lambda t: t.isoformat(), "time\tTT-101\tPT-101\tST-101", "\t").encode("utf-16"),
        [],
        "dates",
    ),
    "an old code page": (
        lambda f: rows(f, lambda t: t.isoformat(), "time;TT-101 °C;PT-101;ST-101", ";", ",").encode("cp1252"),
        ["--encoding", "cp1252"],
        "TT-101 from column 'TT-101 °C'",
    ),
    "other columns": (
        lambda f: rows(f.assign(x=1.0, y=2.0), lambda t: t.isoformat(), "time,TT-101,PT-101,ST-101,TT-102,comment"),
        [],
        "columns passed over, no limit names them: TT-102, comment",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_wide_exports(tmp_path: Path, form: str) -> None:
    write, words, told = FORMS[form]
    content = write(WHOLE)
    record = tmp_path / ("course.csv.gz" if form == "packed" else "course.csv")
    record.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = judge(record, *words)
    assert_right(result, {"course": WHOLE})
    assert told in result.stderr


BAD_WORDS = ["", "NaN", "Bad", "#N/A", "---", "No Data", "I/O Timeout", "n/a", "1.#QNAN", "null"]


def test_bad_values_are_no_samples_and_every_word_for_them_is_told(tmp_path: Path) -> None:
    frame, dice = WHOLE.copy(), np.random.default_rng(3)
    lines = ["time;TT-101;PT-101;ST-101"]
    for at, row in WHOLE.iterrows():
        cells = []
        for tag in TAGS:
            bad = dice.random() < 0.15
            cells.append(str(dice.choice(BAD_WORDS)) if bad else f"{row[tag]:.2f}".replace(".", ","))
            if bad:
                frame.loc[at, tag] = np.nan
        lines.append(f"{at};" + ";".join(cells))
    (tmp_path / "course.csv").write_text("\n".join(lines), "utf-8")
    result = judge(tmp_path / "course.csv")
    told = assert_right(result, {"course": frame})
    assert [each["good"] for each in told["verdicts"]] == [int(frame[tag].count()) for tag in TAGS]
    assert all(f"'{word}'" in result.stderr for word in ("Bad", "#N/A", "---", "No Data", "I/O Timeout"))
    assert "cells are empty, the first on line" in result.stderr


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ("Good", "Bad", []),
        ("Good, Non-Specific", "Bad, Comm Failure", []),
        ("192", "24", []),
        ("0x00000000", "0x80310000", []),
        ("0", "2150694912", []),
        ("", "Comm Fail", []),
        ("0", "1", ["--good", "0"]),
    ],
)
def test_a_status_beside_each_tag_is_heeded(tmp_path: Path, good: str, bad: str, words: list[str]) -> None:
    frame, dice = WHOLE.copy(), np.random.default_rng(4)
    lines = ["time;TT-101;TT-101 Status;PT-101;PT-101_Quality;ST-101;ST-101.Q"]
    for at, row in WHOLE.iterrows():
        cells = []
        for tag in TAGS:
            is_bad = dice.random() < 0.1
            cells += [f"{row[tag]:.2f}", bad if is_bad else good]
            if is_bad:
                frame.loc[at, tag] = np.nan
        lines.append(f"{at};" + ";".join(cells))
    (tmp_path / "course.csv").write_text("\n".join(lines), "utf-8")
    result = judge(tmp_path / "course.csv", *words)
    assert_right(result, {"course": frame})
    assert "samples have a status that is not good" in result.stderr


def test_a_status_that_may_be_either_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text("time,TT-101,TT-101 Status\n0,65,0\n1,70,1\n", "utf-8")
    result = judge(tmp_path / "course.csv")
    assert result.exit_code == 2
    assert (
        "course.csv:2: column TT-101 Status: is status '0' good or bad? say which are good, e.g. --good 0; found: 0, 1"
        in result.stderr
    )


def tidy(frame: pd.DataFrame, *, apart: bool) -> pd.DataFrame:
    """A row per sample; with `apart` each tag has times of its own."""
    parts = []
    for n, tag in enumerate(TAGS):
        index = frame.index + pd.Timedelta(seconds=n if apart else 0)
        parts.append(
            pd.DataFrame({"timestamp": index, "tag": tag, "value": frame[tag].to_numpy(), "quality": "Good", "unit": "bar"})
        )
    return pd.concat(parts).sort_values("timestamp", kind="stable")


@pytest.mark.parametrize("apart", [False, True])
def test_a_row_per_sample(tmp_path: Path, apart: bool) -> None:
    table = tidy(WHOLE, apart=apart)
    frame = WHOLE.copy()
    lost = table.index[(table["tag"] == "TT-101") & (np.arange(len(table)) % 5 == 0)]
    assert len(lost)
    bad = (table["tag"] == "TT-101") & (np.arange(len(table)) % 5 == 0)
    frame.loc[frame["TT-101"].isin(table.loc[bad, "value"]), "TT-101"] = np.nan
    table.loc[(table["tag"] == "TT-101") & table["value"].isin(table.loc[bad, "value"]), "quality"] = "Bad"
    extra = pd.DataFrame({"timestamp": [BEGIN], "tag": ["FT-999"], "value": [1.0], "quality": ["Good"], "unit": ["bar"]})
    pd.concat([table, extra]).to_csv(tmp_path / "course.csv", index=False)
    result = judge(tmp_path / "course.csv")
    told = assert_right(result, {"course": frame})
    assert "tag from column tag" in result.stderr and "value from column value" in result.stderr
    assert "tags passed over, no limit names them: FT-999" in result.stderr
    assert [each["samples"] for each in told["verdicts"]] == [len(WHOLE)] * 3
    assert {each["unit"] for each in told["verdicts"]} == {""}, "a column of engineering units names no unit of the plant"


def test_batches_beside_each_other_and_one_after_another(tmp_path: Path) -> None:
    frames = {f"B-{n}": course(120, seed=n) for n in range(3)}
    for name, frame in frames.items():
        frame.insert(0, "Lot No.", name)
    after = pd.concat(frames.values())
    beside = after.sort_index(kind="stable")
    for table in (after, beside):
        table.to_csv(tmp_path / "course.csv", index_label="time")
        result = judge(tmp_path / "course.csv")
        assert_right(result, frames)
        assert "batch from column Lot No." in result.stderr


def test_time_since_begin_that_begins_anew_is_another_batch(tmp_path: Path) -> None:
    frames = {f"course-{n + 1}": course(100, seed=n) for n in range(3)}
    text = "".join(
        rows(frame, lambda t: f"{seconds(t):g}", "t_s,TT-101,PT-101,ST-101" if n == 0 else "#")
        for n, frame in enumerate(frames.values())
    )
    (tmp_path / "course.csv").write_text(text, "utf-8")
    result = judge(tmp_path / "course.csv")
    assert_right(result, frames)
    assert "time begins anew on lines 103, 204: taken as 3 batches" in result.stderr
    (tmp_path / "course.csv").write_text("batch,t_s,TT-101\n1,0,60\n1,1,60\n1,2,60\n1,0,65\n1,1,60\n", "utf-8")
    result = judge(tmp_path / "course.csv")
    assert (result.exit_code, "course.csv:5: the time of batch 1 begins anew here" in result.stderr) == (2, True)


def test_tenths_of_an_hour_are_no_round_minutes(tmp_path: Path) -> None:
    """As the simulated penicillin batches that everybody has: 0.2 h is 720 s, though 600 s would have the same digit."""
    frames = {}
    for n in range(2):
        frame = course(200, seed=n)
        frame.index = BEGIN + pd.to_timedelta(720 * np.arange(1, 201), unit="s")
        frames[f"course-{n + 1}"] = frame
    text = "".join(
        rows(frame, lambda t: f"{seconds(t) / 3600:.1f}", "Time (h),TT-101,PT-101,ST-101" if n == 0 else "#")
        for n, frame in enumerate(frames.values())
    )
    (tmp_path / "course.csv").write_text(text, "utf-8")
    result = judge(tmp_path / "course.csv")
    told = assert_right(result, frames, period_s=720)
    assert all(each["coverage"] == 1 for each in told["verdicts"])
    assert all(each["duration_s"] % 720 == 0 for each in told["verdicts"])


def test_irregular_late_and_double_rows_and_gaps(tmp_path: Path) -> None:
    dice = np.random.default_rng(5)
    kept = WHOLE[(np.arange(len(WHOLE)) < 60) | (np.arange(len(WHOLE)) > 90)]
    kept = kept[dice.random(len(kept)) > 0.1]
    mixed = list(range(len(kept)))
    for at in range(5, len(kept) - 5, 17):
        mixed[at], mixed[at + 2] = mixed[at + 2], mixed[at]
    table = kept.iloc[[*mixed[:50], 48, 49, *mixed[50:]]]
    (tmp_path / "course.csv").write_text(rows(table, lambda t: t.isoformat(), "time,TT-101,PT-101,ST-101"), "utf-8")
    result = judge(tmp_path / "course.csv")
    told = assert_right(result, {"course": kept})
    assert "rows later than one after it: put in the order of time, the first is line" in result.stderr
    assert "2 rows of a moment that another row had: taken as one with it" in result.stderr
    assert all(each["good"] == len(kept) and each["samples"] == len(WHOLE) for each in told["verdicts"])


def test_the_hour_that_comes_twice_needs_a_zone(tmp_path: Path) -> None:
    frame = course(1000)
    frame.index = pd.date_range("2026-10-25T00:30:00Z", periods=1000, freq="10s").tz_convert("Europe/Zurich")
    text = rows(frame, lambda t: f"{t:%d.%m.%Y %H:%M:%S}", "Zeit,TT-101,PT-101,ST-101")
    for order in (1, -1):
        header, *lines = text.splitlines()
        (tmp_path / "course.csv").write_text("\n".join([header, *lines[::order]]), "utf-8")
        refused = judge(tmp_path / "course.csv")
        assert refused.exit_code == 2
        assert "the end of daylight saving time? say --zone" in refused.stderr
        told = assert_right(judge(tmp_path / "course.csv", "--zone", "Europe/Zurich"), {"course": frame})
        assert told["verdicts"][0]["from"].startswith("2026-10-25T00:30:00")
        assert told["verdicts"][0]["coverage"] == 1.0


def test_phases_matter_where_a_limit_is_about_one(tmp_path: Path) -> None:
    frame = WHOLE.assign(step=["Heat" if n // 7 % 2 else "Hold" for n in range(len(WHOLE))])
    frame.to_csv(tmp_path / "course.csv", index_label="time")
    result = judge(tmp_path / "course.csv")
    assert_right(result, {"course": WHOLE})
    assert "column 'step' is not used, for no limit is about a phase" in result.stderr
    split = judge(tmp_path / "course.csv", "--phase-column", "step")
    assert "phase from column step" in split.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("time,TT-101\n0,65.1 °C\n", "course.csv:2: column TT-101: '65.1 °C' is no number: a cell holds a number alone"),
        ("TT-101 Time,TT-101,PT-101 Time,PT-101\n0,65,1,2\n", "course.csv:1: each tag has a time of its own (TT-101 Time,"),
        ("Timestamp,TT-101,Timestamp,PT-101\n0,65,1,2\n", "course.csv:1: each tag has a time of its own (Timestamp, Timestamp)"),
        (
            "time,TT-101\n" + "".join(f"26.11.2026 17:{n // 4:02},{n}\n" for n in range(40)),
            "course.csv:3: batch course: 30 of",
        ),
        ("time,TT-101\n0,65,1\n", "course.csv:2: has 3 cells, the header on line 1 has 2"),
        ('time,TT-101\n0,"65,125"\n', "course.csv:1: '65,125' may be with a decimal comma or with thousands"),
        ("time,TT 101,TT_101\n0,1,2\n", "course.csv:1: 'TT 101' and 'TT_101' may both be 'TT-101': keep one"),
        ("time,TT101A\n0,1\n", "did you mean 'TT101A'?; found: time, TT101A"),
        ("time,TT-101\n26.11.2026 25:00:00,65\n", "course.csv:2: '26.11.2026 25:00:00' is no time"),
        ("time,TT-101\n31/11/2026 05:00,65\n", "course.csv:2: '31/11/2026 05:00' is no date"),
        ("time,TT-101\n46352.5,65\n46352.6,65\n", "course.csv:2: '46352.5' may be days as Excel counts them, or seconds"),
        ("time,TT-101\n23:59:59,65\n00:00:00,65\n", "course.csv:3: '00:00:00' is after midnight, and there is no date"),
        (
            "timestamp,tag,value\n0,TT-999,65\n",
            "no tag is named as a role that has limits (PT-101, ST-101, TT-101); found: TT-999",
        ),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "course.csv").write_text(text, "utf-8")
    result = judge(tmp_path / "course.csv")
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


def test_a_limit_whose_column_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text("ClockTime,TT-101,PT-1O1,x\n0,60,1,1\n1,65,1,1\n", "utf-8")
    result = judge(tmp_path / "course.csv", "--batch-column", "none")
    assert "nothing is called PT-101: its limits are not judged; did you mean 'PT-1O1'?" in result.stderr
    assert "column 'ClockTime' may hold times: if so, say --time-column 'ClockTime'" in result.stderr


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "course.csv.gz").write_bytes(gzip.compress(b"time,TT-101\n" + b"0,65\n" * 9999)[:-40])
    result = judge(tmp_path / "course.csv.gz")
    assert (result.exit_code, "can't be unpacked" in result.stderr) == (2, True)


def test_numbers_that_mark_bad_samples_can_be_named(tmp_path: Path) -> None:
    table = WHOLE.copy()
    table.iloc[20:30, 0] = -9999.0
    (tmp_path / "course.csv").write_text(rows(table, lambda t: t.isoformat(), "time,TT-101,PT-101,ST-101"), "utf-8")
    frame = WHOLE.copy()
    frame.iloc[20:30, 0] = np.nan
    assert_right(judge(tmp_path / "course.csv", "--bad", "-9999"), {"course": frame})


def test_time_and_worst_value_of_each_limit(tmp_path: Path) -> None:
    (tmp_path / "course.csv").write_text(rows(WHOLE, lambda t: t.isoformat(), "time,TT-101,PT-101,ST-101"), "utf-8")
    told = assert_right(judge(tmp_path / "course.csv"), {"course": WHOLE})
    of = {(each["role"], each["rule"]): each for each in told["violations"]}
    for tag, (low, high) in PAR.items():
        for rule, outside in (("PAR low", WHOLE[tag] < low if low else None), ("PAR high", WHOLE[tag] > high if high else None)):
            if outside is not None:
                time_s = sum(PERIOD_S for is_outside in outside.iloc[:-1] if is_outside)
                worst = WHOLE[tag][outside].min() if rule == "PAR low" else WHOLE[tag][outside].max()
                assert (of[tag, rule]["duration_s"], of[tag, rule]["worst"]) == (pytest.approx(time_s), worst)
    in_total = {(each["role"], each["limit"]): each for each in told["totals"]}
    of_role = {each["role"]: each["excursions"] for each in told["verdicts"]}
    assert {tag: in_total[tag, "excursions"]["runs"] for tag in TAGS} == of_role
    assert {key for key in in_total if key[1] != "excursions"} == {
        ("TT-101", "PAR low 62"),
        ("TT-101", "PAR high 68"),
        ("PT-101", "PAR high 2.4"),
        ("ST-101", "PAR low 40"),
    }
