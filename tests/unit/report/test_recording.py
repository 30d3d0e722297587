"""CSV files as other plants write them: what is read, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from collector.report.recorded.file import load_recording
from collector.report.recording import Recording, Said, Wanted
from config.faults import ConfigError

SECOND_NS = 1_000_000_000


def read(folder: Path, content: str | bytes, *, period_s: float | None = None, unit: str = "", **named: str | None) -> Recording:
    file = folder / "run-7.csv"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    said = Said({key: name for key, name in named.items() if name}, period_s)
    return load_recording(file, Wanted({"TT": "TT", "PT": "PT"}, said, unit))


def told(recording: Recording) -> dict[str, list[list[float | None]]]:
    """Values by batch, None for a bad sample."""
    return {
        batch.name: [[None if np.isnan(value) else value for value in row] for row in batch.values.tolist()]
        for batch in recording.batches
    }


PLAIN = {"1": [[19.6, 1.0], [20.5, 2.0]], "2": [[30.0, 3.0]]}


@pytest.mark.parametrize(
    "content",
    [
        "batch_id,TT,PT\n1,19.6,1\n1,20.5,2\n2,30,3\n",
        "\ufeffbatch_id;TT;PT\r\n1;19,6;1\r\n1;20,5;2\r\n2;30;3\r\n",
        "sep=;\nLot;TT;PT\n1;19.6;1\n\n# a remark\n1;20.5;2\n2;30;3;;\n",
        'Batch No\tnote\tTT\tPT\n1\t"a, b"\t19.6\t1\n2\t\t30\t3\n1\t\t20.5\t2\n',
        "charge,TT,PT\n1,19.6,1\n1,20.5,2\n2,30,3\n",
        "batch_id;TT;PT\n1;19,6;1\n1;20,5;2\n2;30;3\n".encode("utf-16"),
    ],
)
def test_files_as_spreadsheets_save_them(tmp_path: Path, content: str | bytes) -> None:
    recording = read(tmp_path, content)
    assert told(recording) == PLAIN
    assert recording.roles == ("TT", "PT")
    assert [batch.slots_ns.tolist() for batch in recording.batches] == [[0, SECOND_NS], [0]]
    assert not recording.remarks


def test_a_file_of_samples_alone_is_one_batch_of_its_name(tmp_path: Path) -> None:
    assert told(read(tmp_path, "TT\n19.6\n20.5\n")) == {"run-7": [[19.6], [20.5]]}


def test_the_batch_column_can_be_said(tmp_path: Path) -> None:
    recording = read(tmp_path, "TT,PT,charge\n19.6,1,1\n20.5,2,1\n30,3,2\n", batch="charge")
    assert told(recording) == PLAIN


def test_what_is_no_number_is_a_bad_sample_and_told_with_its_line(tmp_path: Path) -> None:
    recording = read(tmp_path, "batch_id,TT,PT\n1,,1\n1,Bad,2\n1,nan,inf\n1,Bad,4\n1,I/O Timeout,5\n")
    assert told(recording) == {"1": [[None, 1.0], [None, 2.0], [None, None], [None, 4.0], [None, 5.0]]}
    assert recording.remarks == (
        "column TT: 4 cells are no number ('Bad' 2x, 'nan' 1x, 'I/O Timeout' 1x), the first on line 3: bad samples",
        "column TT: 1 cell is empty, the first on line 2: bad samples",
        "column PT: 1 cell is no number ('inf' 1x), the first on line 4: bad samples",
    )


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (("1.234,5", "1234,5", "1.234"), (1234.5, 1234.5, 1234.0)),
        (("1,234.5", "1234.5", "1,234"), (1234.5, 1234.5, 1234.0)),
        (("1'234.5", "-1234.5", "\u22122.5"), (1234.5, -1234.5, -2.5)),
        (("2,5", "-1e3", "1 234,5"), (2.5, -1000.0, 1234.5)),
    ],
)
def test_thousands_are_no_decimals(tmp_path: Path, cells: tuple[str, ...], values: tuple[float, ...]) -> None:
    recording = read(tmp_path, "batch_id;TT\n" + "".join(f"1;{cell}\n" for cell in cells))
    assert told(recording) == {"1": [[value] for value in values]}


@pytest.mark.parametrize(
    ("cells", "slots_s", "has_dates"),
    [
        (("0", "0.5", "1.0"), (0.0, 0.5, 1.0), False),
        (
            ("2026-11-23T14:00:00Z", "2026-11-23T15:00:02+01:00", "2026-11-23 14:00:04.5"),
            (1795442400, 1795442402, 1795442404.5),
            True,
        ),
        (("20261123140000", "20261123140002.5"), (1795442400, 1795442402.5), True),
        (("Mon Nov 23 14:00:00 2026", "Mon Nov 23 14:00:02 2026"), (1795442400, 1795442402), True),
        (("Mon Nov 23 14:00:00 UTC 2026", "Mon Nov 23 14:00:02 UTC 2026"), (1795442400, 1795442402), True),
        (("Mon, 23 Nov 2026 15:00:00 +0100", "Mon, 23 Nov 2026 15:00:02 +0100"), (1795442400, 1795442402), True),
        (("Mo 23.11.2026 14:00", "Mo. 23.11.2026 14:01"), (1795442400, 1795442460), True),
        (("3", "2", "1"), (1, 2, 3), False),
        (("\u22121", "\u22120.5", "0"), (-1, -0.5, 0), False),
    ],
)
def test_times(tmp_path: Path, cells: tuple[str, ...], slots_s: tuple[float, ...], has_dates: bool) -> None:
    recording = read(tmp_path, "time,TT\n" + "".join(f'"{cell}",20\n' for cell in cells))
    (batch,) = recording.batches
    assert batch.name == "run-7"
    assert [slot_ns / 1e9 for slot_ns in batch.slots_ns.tolist()] == list(slots_s)
    assert recording.has_dates is has_dates


def test_seconds_are_read_wherever_they_stand(tmp_path: Path) -> None:
    """Rows of one minute share what is known of it, and nothing else."""
    cells = [
        "2026-11-23T14:00:00Z",
        "2026-11-23T14:00:59.5Z",
        "2026-11-23T15:01:07,25+01:00",
        "23.11.2026 14:01:30 UTC",
        "Nov 23 14:01:45 UTC 2026",
        "11/23/2026 02:02:03 PM",
        "20261123140204",
        "2026-11-23 14:03",
        "2026-11-23 14:03:60",
    ]
    recording = read(tmp_path, "time,TT\n" + "".join(f'"{cell}",20\n' for cell in cells))
    found = (recording.batches[0].slots_ns - 1795442400 * SECOND_NS) / 1e9
    assert found.tolist() == [0, 59.5, 67.25, 90, 105, 123, 124, 180, 240]


def test_the_period_is_the_most_frequent_step(tmp_path: Path) -> None:
    seconds = "batch_id,time,TT\n1,0,20\n1,10,20\n1,20,20\n1,25,20\n2,500,20\n2,510,20\n"
    assert read(tmp_path, seconds).period_ns == 10 * SECOND_NS
    assert read(tmp_path, seconds, period_s=5.0).period_ns == 5 * SECOND_NS
    assert read(tmp_path, "batch_id,TT\n1,20\n1,20\n", period_s=60.0).batches[0].slots_ns.tolist() == [0, 60 * SECOND_NS]


def test_the_context_is_stamped_on_its_rows(tmp_path: Path) -> None:
    text = "unit,batch_id,phase,product,TT\nR-1,1,Heat,X,20\nR-2,1,Heat,X,21\nR-1,1,Cool,X,22\n"
    recording = read(tmp_path, text)
    assert [(batch.unit, batch.name, [stamp.phase for stamp in batch.stamps]) for batch in recording.batches] == [
        ("R-1", "1", ["Heat", "Cool"]),
        ("R-2", "1", ["Heat"]),
    ]
    assert recording.batches[0].stamps[0].product == "X"
    assert [batch.unit for batch in read(tmp_path, text, unit="R-2").batches] == ["R-2"]


def test_rows_are_put_in_the_order_of_time_and_that_is_told(tmp_path: Path) -> None:
    recording = read(tmp_path, "batch_id,time,TT,PT\n1,0,20,9\n1,2,21,1\n1,1,22,\n1,2,25,3\n1,3,23,4\n1,1,22,5\n")
    (batch,) = recording.batches
    assert [slot_ns // SECOND_NS for slot_ns in batch.slots_ns.tolist()] == [0, 1, 2, 3]
    assert batch.values.tolist() == [[20.0, 9.0], [22.0, 5.0], [21.0, 1.0], [23.0, 4.0]]
    assert recording.remarks == (
        "column PT: 1 cell is empty, the first on line 4: bad samples",
        "batch 1: 2 rows later than one after it: put in the order of time, the first is line 4",
        "batch 1: 2 rows of a moment that another row had: taken as one with it, of each column the first good sample, "
        "the first is line 5",
        "batch 1: 1 row of a moment that another row had say otherwise of a sample: the first one counts, the first is line 5",
    )


def test_of_dates_the_order_of_day_and_month_is_that_of_all_rows(tmp_path: Path) -> None:
    def days(*cells: str) -> list[str]:
        recording = read(tmp_path, "time;TT\n" + "".join(f"{cell};1\n" for cell in cells))
        return [str(np.datetime64(slot_ns, "ns"))[:16] for slot_ns in recording.batches[0].slots_ns.tolist()]

    assert days("03/04/2026 23:50", "04/04/2026 00:10") == ["2026-04-03T23:50", "2026-04-04T00:10"]
    assert days("04/03/2026 23:50", "04/04/2026 00:10") == ["2026-04-03T23:50", "2026-04-04T00:10"]
    assert days("03/13/2026 23:50", "3/14/2026 0:10") == ["2026-03-13T23:50", "2026-03-14T00:10"]
    assert days("Nov 26, 2026 11:05:00 PM", "Nov 27, 2026 12:05:00 AM") == ["2026-11-26T23:05", "2026-11-27T00:05"]
    assert days("20261126T170500+0100", "2026-11-26 17:06:00 CET") == ["2026-11-26T16:05", "2026-11-26T16:06"]


def test_the_last_digit_of_nanoseconds_is_kept(tmp_path: Path) -> None:
    recording = read(tmp_path, "time,TT\n2026-11-23T14:00:00.250000001Z,1\n2026-11-23T14:00:01.250000002Z,2\n")
    assert [slot_ns % SECOND_NS for slot_ns in recording.batches[0].slots_ns.tolist()] == [250000001, 250000002]


def test_irregular_rows_have_the_median_as_period(tmp_path: Path) -> None:
    recording = read(tmp_path, "time,TT\n" + "".join(f"{at},1\n" for at in (0, 9.9, 20.1, 30.2, 40.5, 50.5)))
    assert recording.period_ns == 10_100_000_000
    assert "the median, for rows are 9.9 to 10.3 s apart" in " ".join(recording.read_as)


@pytest.mark.parametrize(
    ("content", "named", "line", "words"),
    [
        ("batch_id,TX\n1,2\n", {}, 1, "no column is named as a role that has limits (PT, TT); found: batch_id, TX"),
        ("batch_id,TT\n1,2\n1,2,3\n", {}, 3, "has 3 cells"),
        ("batch_id,TT\n", {}, 1, "holds no samples"),
        ("", {}, 1, "holds no header"),
        ("batch_id,TT,TT\n1,2,3\n", {}, 1, "two columns are 'TT'"),
        ("batch_id,time,TT\n1,0,2\n1,soon,2\n", {}, 3, "'soon' is no time"),
        ("batch_id,time,TT\n1,0,2\n1,2026-11-23,2\n", {}, 3, "'2026-11-23' is no time"),
        ("batch_id,time,TT\n1,,2\n", {}, 2, "'' is no time"),
        ("batch_id,TT\n1,2\n", {"time": "clock"}, 1, "no column 'clock'"),
        ("time,TT\n0,2\n1e19,3\n", {}, 3, "is beyond all times"),
        ("Time (d),TT\n0,2\n1e19,3\n", {}, 3, "is beyond all times"),
        ("time,TT\n20261123140000,2\n20261123146000,3\n", {}, 3, "is beyond all times"),
        ('batch_id,TT,PT\n1,"2,5",3.5\n', {}, 1, "a decimal point and numbers with a decimal comma"),
        ("batch_id,TT\n1,20\n1,1_0\n", {}, 3, "'1_0' is no number"),
        ('batch_id,TT\n1,"2,500"\n', {}, 1, "'2,500' may be with a decimal comma or with thousands"),
    ],
)
def test_faults_have_their_lines(tmp_path: Path, content: str, named: dict[str, str], line: int, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, content, time=named.get("time"))
    (fault,) = refused.value.faults
    assert fault.line == line
    assert words in fault.what
