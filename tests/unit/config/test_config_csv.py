"""Tag lists and limit tables as spreadsheets save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.common import Bounds
from config.limits import Limit
from config.model import Plant
from config.tags import ModbusTag, OpcUaTag
from tests.unit.config.plant_files import plant_of, told

PLANT = """\
site: Works
endpoints:
  skid:
    url: modbus://10.0.0.6
    devices: {SK: {unit: R-201, groups: {fast: , slow: {period_s: 5}}, tags: tags.csv}}
units: {R-201: }
limits: limits.csv
"""
TAGS = """\
tag;address;type;role;engineering_unit;low;high;group;scale;offset;states;word_order;length
TT-1;holding:10;int16;temperature;°C;-30;200,5;fast;0,1;-0,5;;CDAB;
0101;holding:11;uint16;state;;;;slow;;;0=Idle|1=Charge;;
ID;holding:20;text;batch_id;;;;slow;;;;;8
"""
LIMITS = """\
role;recipe_version;par_low;par_high;nor_low;nor_high;ll;h;hh;cpp;rationale;statistic;window_s
temperature;1.10;10;90,5;20;80;5;85;90;ja;"Above 90,5 °C; see
the report";mean;60
"""
TT_1 = ModbusTag(
    name="TT-1",
    address="holding:10",
    type="int16",
    role="temperature",
    engineering_unit="°C",
    range=Bounds(low=-30, high=200.5),
    group="fast",
    scale=0.1,
    offset=-0.5,
    word_order="CDAB",
)
STATE = ModbusTag(name="0101", address="holding:11", type="uint16", role="state", group="slow", states={0: "Idle", 1: "Charge"})
ID = ModbusTag(name="ID", address="holding:20", type="text", role="batch_id", group="slow", length=8)
LIMIT = Limit.model_validate(
    {
        "role": "temperature",
        "recipe_version": "1.10",
        "par": [10.0, 90.5],
        "nor": [20.0, 80.0],
        "alarm": {"ll": 5, "h": 85, "hh": 90},
        "cpp": True,
        "rationale": "Above 90,5 °C; see\nthe report",
        "statistic": "mean",
        "window_s": 60,
    }
)


def files(tags: str | bytes = TAGS, limits: str | bytes = LIMITS, plant: str = PLANT) -> dict[str, str | bytes]:
    return {"plant.yaml": plant, "tags.csv": tags, "limits.csv": limits}


def is_that_of_the_tables(plant: Plant) -> bool:
    return plant.endpoints[0].devices[0].tags == (TT_1, STATE, ID) and plant.limits == (LIMIT,)


def with_commas(text: str, separator: str = ",") -> str:
    """Every cell in quotes, so that decimal commas survive."""
    return "\n".join(separator.join(f'"{cell}"' for cell in line.split(";")) for line in text.splitlines()) + "\n"


AS_SAVED = {
    "semicolons": TAGS.encode(),
    "a mark": b"\xef\xbb\xbf" + TAGS.encode(),
    "UTF-16 of Excel": TAGS.replace(";", "\t").encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + TAGS.encode("utf-16-be"),
    "tabs": TAGS.replace(";", "\t").encode(),
    "commas and decimal commas in quotes": with_commas(TAGS).encode(),
    "commas and decimal points": TAGS.replace(",", ".").replace(";", ",").encode(),
    "line ends of Windows": TAGS.replace("\n", "\r\n").encode(),
    "line ends of an old Mac": TAGS.replace("\n", "\r").encode(),
    "the separator told": b"sep=;\r\n" + TAGS.encode(),
    "the separator told, with a mark": b"\xef\xbb\xbf\"sep=;\"\n" + TAGS.encode(),
    "blank lines and comments": ("\n# from the P&ID; \"as built\n;;;;\n" + TAGS.replace("\n", "\n\n  # more\n")).encode(),
    "empty columns at the end": TAGS.replace("\n", ";;;\n").encode(),
    "spaces around cells": TAGS.replace(";", " ; ").encode(),
    "no line end at the end": TAGS.rstrip().encode(),
    "other names": TAGS.replace("tag;", "Tag No.;").replace("engineering_unit;low;high", "Eng. Unit;Range low;EU-high").encode(),
}  # fmt: skip


@pytest.mark.parametrize("content", AS_SAVED.values(), ids=AS_SAVED)
def test_a_table_is_read_as_it_was_saved(tmp_path: Path, content: bytes) -> None:
    assert is_that_of_the_tables(plant_of(tmp_path, files(tags=content)))


def test_tag_lists_and_tags_follow_each_other(tmp_path: Path) -> None:
    plant = PLANT.replace("tags: tags.csv", "tags: [tags.csv, {X: {address: 'coil:1', group: fast}}, more.csv]").replace(
        "limits: limits.csv", "limits: [limits.csv, {role: temperature, par: [0, 1]}]"
    )
    more: dict[str, str | bytes] = {"more.csv": "tag,address,group\nY,coil:2,slow\n"}
    loaded = plant_of(tmp_path, files(plant=plant) | more)
    assert [tag.name for _, tag in loaded.tags()] == ["TT-1", "0101", "ID", "X", "Y"]
    assert [limit.recipe_version for limit in loaded.limits] == ["1.10", None]


def test_texts_are_kept_as_they_are_written(tmp_path: Path) -> None:
    plant = "site: W\nendpoints: {e: {url: opc.tcp://h, devices: {D: {unit: U, tags: tags.csv}}}}\nunits: {U: }\n"
    loaded = plant_of(tmp_path, {"plant.yaml": plant, "tags.csv": "tag,address,role,engineering_unit\n0101,i=1,true_,1.10\n"})
    ((_, tag),) = loaded.tags()
    assert tag == OpcUaTag(name="0101", address="i=1", role="true_", engineering_unit="1.10")


@pytest.mark.parametrize(("cell", "value"), [("x", True), ("JA", True), ("1", True), ("nein", False), ("No", False), ("", False)])
def test_yes_and_no(tmp_path: Path, cell: str, value: bool) -> None:
    loaded = plant_of(tmp_path, files(limits=f"role,par_low,cpp\ntemperature,1,{cell}\n"))
    assert loaded.limits[0].cpp is value


def test_a_column_for_people_is_not_read(tmp_path: Path) -> None:
    noted = TAGS.replace("tag;address;", "tag;# Remarks;address;").replace("TT-1;", "TT-1;0,5 K too high (log #4);")
    noted = noted.replace("0101;", "0101;;").replace("ID;", "ID;;")
    assert plant_of(tmp_path, files(tags=noted)) == plant_of(tmp_path, files())


_FIRST = "tag, address, role, engineering_unit, low, high, unit, group, scale, offset, states, deadband"
_PLAUSIBLE = "spike, spike_samples, rate_per_min, flat_s, flat_band, agrees_with, within, for_s, max_age_s"
KNOWN = f"{_FIRST}, kind, type, word_order, length, plausible_low, plausible_high, {_PLAUSIBLE}"
FAULTS = [
    ("tag;address", "tag;adress", [
        f"tags.csv:1: unknown column 'adress'; did you mean 'address'?; known here: {KNOWN}",
    ]),
    ("tag;address", "what;address", [
        f"tags.csv:1: unknown column 'what'; a column of your own begins with #: '# what'; known here: {KNOWN}",
    ]),
    ("engineering_unit;low", "EU;engineering unit", [
        "tags.csv:1: columns 'EU' and 'engineering unit' both are engineering_unit: keep one",
    ]),
    ("engineering_unit;low", "engineering_unit;", [
        "tags.csv:1: column 6 has no name: name it or take it out",
    ]),
    ("0101;holding:11", "0101;holding:11;;;;;;;", [
        "tags.csv:3: has 18 cells, the header on line 1 has 13: put a text or number that holds a semicolon in quotes",
    ]),
    ("ID;holding:20;text;batch_id;;;;slow;;;;;8", "ID;holding:20;text", [
        "tags.csv:4: has 3 cells, the header on line 1 has 13: keep empty cells",
    ]),
    ("200,5", "200,5 °C", [
        "tags.csv:2: TT-1.high: found '200,5 °C', expected a number alone: write 200,5; a unit has its own column, "
        "engineering_unit",
    ]),
    ("200,5", "20 %", [
        "tags.csv:2: TT-1.high: found '20 %', expected a number alone: write 20, or 20 divided by 100 where a share is asked for",
    ]),
    ("200,5", "1.200,5", ["tags.csv:2: TT-1.high: found '1.200,5': write numbers without separators of thousands"]),
    ("200,5", "1 200", ["tags.csv:2: TT-1.high: found '1 200': write numbers without separators of thousands"]),
    ("200,5", "1.200", [
        "tags.csv:2: TT-1.high: 1.200 may mean 1.2 or 1200: write 1.2 or 1200",
    ]),
    ("200,5", "−1", ["tags.csv:2: TT-1.high: found '−1', expected a number: write the minus as -"]),
    ("200,5", "hot", ["tags.csv:2: TT-1.high: found 'hot', expected a number such as 65.5 or 65,5"]),
    ("200,5", "-40", ["tags.csv:2: TT-1.range: low -30 is not below high -40: swap them?"]),
    ("0=Idle|1=Charge", "Idle", ["tags.csv:3: 0101.states: found 'Idle', expected states such as 0=Idle|1=Charge"]),
    ("0=Idle|1=Charge", "0=Idle|0=Charge", ["tags.csv:3: 0101.states: names the number 0 twice: keep one"]),
    ("uint16", "uint8", [
        "tags.csv:3: 0101.type: found the text 'uint8', expected one of bit, int16, uint16, int32, uint32, int64, uint64, "
        "float16, float32, float64, bcd16, bcd32, text; did you mean 'uint64'?",
    ]),
    ("ID;", "0101;", ["tags.csv:4: 0101: tag '0101' stands at tags.csv:3 already: keep one"]),
    ("ID;", ";", ["tags.csv:4: names no tag: fill the column tag, or put # before the row to skip it"]),
    ("holding:20;text", ";text", ["tags.csv:4: ID.address: missing: it must be given"]),
    ("°C", '"°C', ['tags.csv:2: a quote (") opened in this row is never closed']),
    ("°C", '"°"C', ['tags.csv:2: a quote (") ends before its cell does: write a quote inside a cell twice (""), and a semicolon '
                    'between cells']),
    ("°C", "\0C", ["tags.csv:2: character 0x00 can't be shown: leave it out"]),
    ("ID;holding:20", "ID;holding:20.1", [
        "tags.csv:4: ID: holding:20.1 is a bit, so type text does not fit: leave it out",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), FAULTS)
def test_what_is_wrong_in_a_table(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in TAGS
    lines = told(tmp_path, files(tags=TAGS.replace(old, new, 1)))
    assert lines == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (b"", ["tags.csv:1: holds no header: write the names of the columns into the first line"]),
        ("tag;name\n", ["tags.csv:1: columns 'tag' and 'name' both are tag: keep one"]),
        ("role;unit\n", ["tags.csv:1: no column 'tag', which a tag list needs; found: role, unit"]),
        (
            TAGS.encode("cp1252"),
            [
                'tags.csv:2: byte 0xB0 is not UTF-8: save the table as "CSV UTF-8", in LibreOffice with character set '
                "Unicode (UTF-8)"
            ],
        ),
        (b"\xff\xfea", ["tags.csv:1: is no whole UTF-16 text: save it as CSV UTF-8"]),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, tags: str | bytes, expected: list[str]) -> None:
    lines = told(tmp_path, files(tags=tags, limits="role,par_low\n"))
    assert [line for line in lines if line.startswith("tags.csv")] == expected


def test_a_comma_before_three_digits_is_never_guessed_at(tmp_path: Path) -> None:
    limits = 'role,par_low,par_high\ntemperature,0,"1,500"\n'
    assert told(tmp_path, files(limits=limits)) == ["limits.csv:2: par_high: 1,500 may mean 1.5 or 1500: write 1.5 or 1500"]
    loaded = plant_of(tmp_path, files(limits=limits.replace(",0,", ',"0,5",')))
    assert loaded.limits[0].par == Bounds(low=0.5, high=1.5)


@pytest.mark.parametrize(
    ("separator", "other", "written", "told_of_it"),
    [
        (";", "0", "1.500", "1.500 may mean 1.5 or 1500: write 1.5 or 1500"),
        (";", "0", "1.125", "1.125 may mean 1.125 or 1125: write 1.1250 or 1125"),
        (";", "0", "2.000", "2.000 may mean 2 or 2000: write 2 or 2000"),
        (";", "0,5", "1.500", "1.500 may mean 1.5 or 1500: write 1.5 or 1500"),
        ("\t", "0", "1,500", "1,500 may mean 1.5 or 1500: write 1.5 or 1500"),
        ("\t", "0", "1.500", "1.500 may mean 1.5 or 1500: write 1.5 or 1500"),
        (";", "0", "1,500", None),
        (";", "0.5", "1.500", None),
        ("\t", "0.5", "1.500", None),
        ("\t", "0,5", "1,500", None),
        (",", "0", "1.500", None),
        (";", "0", "1.1250", None),
    ],
)
def test_a_sign_before_three_digits_counts_where_the_file_tells_what_it_is(
    tmp_path: Path, separator: str, other: str, written: str, told_of_it: str | None
) -> None:
    limits = "role,par_low,par_high\n".replace(",", separator) + separator.join(("temperature", other, written))
    if told_of_it:
        assert told(tmp_path, files(limits=limits)) == [f"limits.csv:2: par_high: {told_of_it}"]
    else:
        par = plant_of(tmp_path, files(limits=limits)).limits[0].par
        assert par and par.high == float(written.replace(",", "."))


def test_line_breaks_around_a_cell_are_none_of_it(tmp_path: Path) -> None:
    limits = 'role;phase;par_low;par_high;rationale\n"temperature\n";;1;"\n2";"one\ntwo\n"\n'
    limit = plant_of(tmp_path, files(limits=limits)).limits[0]
    assert (limit.role, limit.par, limit.rationale) == ("temperature", Bounds(low=1, high=2), "one\ntwo")


@pytest.mark.parametrize("minus", "\u2010\u2011\u2012\u2013\u2014\u2212")
def test_a_minus_of_a_typesetter_is_told_as_one(tmp_path: Path, minus: str) -> None:
    limits = f"role;par_low\ntemperature;{minus}30\n"
    assert told(tmp_path, files(limits=limits)) == [
        f"limits.csv:2: par_low: found '{minus}30', expected a number: write the minus as -"
    ]


@pytest.mark.parametrize(("written", "meant"), [("VRAI", True), ("oui", True), ("FAUX", False), ("Non", False)])
def test_yes_and_no_in_french(tmp_path: Path, written: str, meant: bool) -> None:
    limits = f"role;par_low;cpp\ntemperature;1;{written}\n"
    assert plant_of(tmp_path, files(limits=limits)).limits[0].cpp is meant


@pytest.mark.parametrize("begin", [b"PK\x03\x04\x14", b"\xd0\xcf\x11\xe0\xa1"])
def test_a_workbook_is_told_as_one(tmp_path: Path, begin: bytes) -> None:
    assert told(tmp_path, files(limits=begin)) == [
        'limits.csv:1: is a workbook, no text: save the table as "CSV UTF-8" and name that file'
    ]


def test_a_file_that_is_not_there_is_told_where_it_is_named(tmp_path: Path) -> None:
    lines = told(tmp_path, files(plant=PLANT.replace("tags.csv", "tgs.csv").replace("limits.csv", "sub/limits.csv")))
    assert lines[0] == "plant.yaml:5: endpoints.skid.devices.SK.tags: no file 'tgs.csv'; did you mean 'tags.csv'?"
    assert "plant.yaml:7: limits: no file 'sub/limits.csv': the name counts from the folder of this file" in lines


def test_checks_between_items_name_the_row(tmp_path: Path) -> None:
    tags = TAGS.replace("state;;;;slow", "temperature;;;;slow")
    assert told(tmp_path, files(tags=tags)) == [
        "tags.csv:3: 0101.role: role temperature of unit R-201 is taken by TT-1 of device SK: give one of them another role"
    ]
