"""The table of a survey keeps to its width, loses no tag, and repeats no sentence."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from collector.survey.judgement import remarks
from collector.survey.reading import Reading, Visit
from collector.survey.table import Judged, age_text, show, value_text
from config.model import OpcUaEndpoint
from drivers.base import Quality
from tests.unit.survey.readings import reading

ENDPOINT = OpcUaEndpoint.model_validate(
    {"name": "south", "url": "opc.tcp://plc:4840", "devices": {"plc": {"unit": "R-201", "tags": {"T": {"address": "i=1"}}}}}
)
LONG = "nsu=urn:reactorwatch:a:long:namespace:of:a:plant;s=Site.Area.Cell.R201."
READINGS = [
    reading(64.93, name="TT-201A", address=LONG + "TT201A", engineering_unit="°C", range=[-30, 200]),
    reading(148.0, name="TT-201B", address=LONG + "TT201B", unit="°F", engineering_unit="°C", range=[-30, 200], age_s=9000.0),
    reading(None, name="PT-201", address=LONG + "PT201", quality=Quality.BAD, status=0x80050000, engineering_unit="bar(a)"),
    reading(None, name="PT-202", address=LONG + "PT202", quality=Quality.BAD, status=0x80050000, engineering_unit="bar(a)"),
    reading("B-26-001 \x1b[31mred", name="BATCH_ID", address=LONG + "BATCH", kind="text", data_type="String", age_s=None),
    reading(3, name="PHASE_NO", address=LONG + "PHASE_NO", kind="integer", states={3: "Heat"}),
]


def shown(width: int | None, readings: list[Reading] = READINGS, **visit: object) -> list[str]:
    text = io.StringIO()
    facts: dict[str, object] = {"lost": (("skid", "connecting: refused"),), "untold": "", "took_s": 0.25} | visit
    told = Visit(ENDPOINT, tuple(readings), **facts)  # type: ignore[arg-type]
    console = Console(file=text, width=width or 10_000, force_terminal=width is not None, color_system=None)
    show(console, [(told, [Judged(each, remarks(each)) for each in readings])], width)
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(cell_len(line) for line in shown(width)) <= width


@pytest.mark.parametrize("width", [100, 160])
def test_every_tag_is_on_one_line_with_the_end_of_its_address(width: int) -> None:
    lines = shown(width)
    for tag, address in (("TT-201A", "TT201A"), ("TT-201B", "TT201B"), ("PT-201", "PT201"), ("BATCH_ID", "BATCH")):
        assert any(tag in line and f"{address} " in line for line in lines), (tag, lines)


def test_a_narrow_terminal_goes_without_addresses() -> None:
    lines = shown(70)
    assert not any("TT201A" in line for line in lines)
    assert any("TT-201A" in line and "64.93" in line for line in lines)


def test_without_a_terminal_a_tag_is_a_line_with_all_of_it() -> None:
    lines = shown(None)
    (line,) = [line for line in lines if "TT-201B" in line and "°F" in line and LONG in line]
    assert line.split() == [
        "✗",
        "R-201",
        "TT-201B",
        LONG + "TT201B",
        "148",
        "°C",
        "good",
        "2",
        "h",
        "30",
        "min",
        "unit",
        "°F,",
        "old",
    ]
    assert max(map(len, lines)) < 300, "nothing is filled up with spaces"


def test_a_sentence_that_holds_for_several_tags_stands_once() -> None:
    (line,) = [line for line in shown(None) if "no good value" in line]
    assert line == "✗ R-201 PT-201, PT-202: no good value, BadCommunicationError"


def test_faults_come_before_warnings_and_lost_devices_first() -> None:
    lines = shown(None)
    marks = [line[0] for line in lines[lines.index("") :] if line]
    assert marks == sorted(marks, key="✗!·".index)
    assert next(line for line in lines if line.startswith("✗ s")) == "✗ skid: nothing could be read: connecting: refused"


def test_what_a_controller_sends_cannot_steer_the_terminal() -> None:
    assert not any("\x1b" in line for width in (None, 160) for line in shown(width))


def test_a_server_that_can_not_be_asked_is_told() -> None:
    assert any(
        "could not be asked for: reading: BadUserAccessDenied" in line
        for line in shown(None, untold="reading: BadUserAccessDenied")
    )


@pytest.mark.parametrize(
    ("age_s", "text"), [(None, "–"), (0.41, "0.4 s"), (0.0, "0 s"), (-0.01, "0 s"), (-28.2, "−28 s"), (7800.0, "2 h 10 min")]
)
def test_ages_in_words(age_s: float | None, text: str) -> None:
    assert age_text(age_s) == text


def test_values_in_words() -> None:
    assert value_text(reading(3, kind="integer", states={3: "Heat"})) == "3 Heat"
    assert value_text(reading(2**62, kind="integer")) == str(2**62)
    assert value_text(reading(1 / 3)) == "0.333333"
    assert value_text(reading("", kind="text")) == "(empty)"
    assert value_text(reading(True, kind="boolean")) == "true"
