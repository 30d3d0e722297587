"""Units that are alike: one template, filled row by row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.plant_files import examined, plant_of, told

PLANT = """\
site: Works
templates:
  reactor:
    units: {"{unit}": {description: "{volume} reactor {{no {n}}}"}}
    endpoints:
      "{unit}-opcua":
        url: "opc.tcp://{host}:{port}"
        timeout_s: "{timeout}"
        devices:
          "{unit}-controller": {unit: "{unit}", tags: tags.csv}
    limits: limits.csv
use:
  - {template: reactor, table: reactors.csv}
  - template: reactor
    rows:
      - {unit: R-220, host: 10.0.0.20, port: 4841, n: 220, volume: 1.6 m³, timeout: 2, high: 150}
"""
TAGS = "tag;address;role;engineering_unit;high\nTT-{n};ns=2;temperature;°C;{high}\n".replace("ns=2;", '"ns=2;s={unit}.TT";')
LIMITS = "role;unit;par_low;par_high;phase\ntemperature;{unit};10;{high};\n"
REACTORS = """\
unit;host;port;n;volume;timeout;high
R-201;10.0.0.1;4840;0201;1,6 m³;2,5;200
R-202;10.0.0.2;4840;0202;1,6 m³;3;200
"""
FILES: dict[str, str | bytes] = {"plant.yaml": PLANT, "tags.csv": TAGS, "limits.csv": LIMITS, "reactors.csv": REACTORS}


def changed(name: str, old: str, new: str) -> dict[str, str | bytes]:
    text = FILES[name]
    assert isinstance(text, str)
    assert old in text
    return FILES | {name: text.replace(old, new)}


def test_a_template_is_filled_by_a_table_and_by_rows(tmp_path: Path) -> None:
    plant = plant_of(tmp_path, FILES)
    assert [(unit.name, unit.description) for unit in plant.units] == [
        ("R-201", "1,6 m³ reactor {no 0201}"),
        ("R-202", "1,6 m³ reactor {no 0202}"),
        ("R-220", "1.6 m³ reactor {no 220}"),
    ]
    assert [(endpoint.name, endpoint.url, endpoint.timeout_s) for endpoint in plant.endpoints] == [
        ("R-201-opcua", "opc.tcp://10.0.0.1:4840", 2.5),
        ("R-202-opcua", "opc.tcp://10.0.0.2:4840", 3),
        ("R-220-opcua", "opc.tcp://10.0.0.20:4841", 2),
    ]
    tags = [(device.name, tag.name, tag.address, tag.range.high if tag.range else None) for device, tag in plant.tags()]
    assert tags == [
        ("R-201-controller", "TT-0201", "ns=2;s=R-201.TT", 200),
        ("R-202-controller", "TT-0202", "ns=2;s=R-202.TT", 200),
        ("R-220-controller", "TT-220", "ns=2;s=R-220.TT", 150),
    ]
    assert [(limit.unit, limit.par.high if limit.par else None) for limit in plant.limits] == [
        ("R-201", 200),
        ("R-202", 200),
        ("R-220", 150),
    ]


def test_a_template_equals_the_file_that_is_written_out(tmp_path: Path) -> None:
    def unit(name: str, host: str, port: int, n: str, volume: str, timeout: float, high: int) -> tuple[str, str, str]:
        tag = f"{{address: 'ns=2;s={name}.TT', role: temperature, engineering_unit: °C, range: [null, {high}]}}"
        return (
            f"  {name}-opcua: {{url: 'opc.tcp://{host}:{port}', timeout_s: {timeout}, "
            f"devices: {{{name}-controller: {{unit: {name}, tags: {{TT-{n}: {tag}}}}}}}}}\n",
            f"  {name}: {{description: '{volume} reactor {{no {n}}}'}}\n",
            f"  - {{role: temperature, unit: {name}, par: [10, {high}]}}\n",
        )

    rows = [
        unit("R-201", "10.0.0.1", 4840, "0201", "1,6 m³", 2.5, 200),
        unit("R-202", "10.0.0.2", 4840, "0202", "1,6 m³", 3, 200),
        unit("R-220", "10.0.0.20", 4841, "220", "1.6 m³", 2, 150),
    ]
    endpoints, units, limits = ("".join(parts) for parts in zip(*rows, strict=True))
    out = f"site: Works\nendpoints:\n{endpoints}units:\n{units}limits:\n{limits}"
    assert plant_of(tmp_path / "a", FILES) == plant_of(tmp_path / "b", {"plant.yaml": out})


def test_a_template_may_use_another_and_stand_in_another_file(tmp_path: Path) -> None:
    rows = '          - {unit: "{a}", n: 1}\n          - {unit: "{b}", n: 2}\n'
    outer = f"  pair:\n    use:\n      - template: reactor\n        rows:\n{rows}"
    inner = (
        "templates:\n  reactor:\n    units: {'{unit}': }\n    endpoints: {'{unit}': {url: 'opc.tcp://{unit}', devices: "
        "{'{unit}-{n}': {unit: '{unit}', tags: {T: {address: 'i={n}'}}}}}}\n"
    )
    files: dict[str, str | bytes] = {
        "plant.yaml": "site: W\ninclude: lib/templates.yaml\ntemplates:\n"
        + outer
        + "use: [{template: pair, rows: [{a: R1, b: R2}]}]\n",
        "lib/templates.yaml": inner,
    }
    plant = plant_of(tmp_path, files)
    assert [(device.name, tag.address) for device, tag in plant.tags()] == [("R1-1", "i=1"), ("R2-2", "i=2")]
    broken = files | {"lib/templates.yaml": inner.replace("address", "adress")}
    assert [line.partition(": ")[2].partition(" [")[2] for line in told(tmp_path, broken)] == [
        "row plant.yaml:8, row plant.yaml:10, and 1 more]"
    ] * 2


FAULTS = [
    ("plant.yaml", "{volume} reactor", "{volum} reactor", [
        "plant.yaml:4: units.R-201.description: no parameter 'volum'; did you mean 'volume'?; parameters of the row: unit, host, "
        "port, n, volume, timeout, high [row reactors.csv:2, and 2 more]",
    ]),
    ("plant.yaml", "timeout_s:", "timeot_s:", [
        "plant.yaml:8: endpoints.R-201-opcua.timeot_s: unknown key; did you mean 'timeout_s'?; known here: url, timeout_s, "
        "backoff_s, backoff_limit_s, clock_skew_s, user_name, password, user_certificate, user_key, security, devices "
        "[row reactors.csv:2, and 2 more]",
    ]),
    ("plant.yaml", "{volume} reactor {{no {n}}}", "reactor", [
        "plant.yaml:16: use[2].rows[1].volume: no placeholder of the template takes this parameter: take it out, or write {...} "
        "where it belongs",
        "reactors.csv:1: volume: no placeholder of the template takes this parameter: take it out, or write {...} where it "
        "belongs",
    ]),
    ("plant.yaml", "{{no {n}}}", "{no} {n", [
        "plant.yaml:4: units.R-201.description: no parameter 'no'; did you mean 'n'?; parameters of the row: unit, host, port, "
        "n, volume, timeout, high [row reactors.csv:2, and 2 more]",
    ]),
    ("plant.yaml", "{{no {n}}}", "{n} }", [
        "plant.yaml:4: units.R-201.description: a brace begins or ends no placeholder: write {name}, or {{ and }} for braces "
        "[row reactors.csv:2, and 2 more]",
    ]),
    ("plant.yaml", '"{timeout}"', "{timeout}", [
        'plant.yaml:8: endpoints.R-201-opcua.timeout_s: found a mapping, meant as a placeholder? put it in quotes: "{timeout}" '
        "[row reactors.csv:2, and 2 more]",
    ]),
    ("plant.yaml", "table: reactors.csv", "table: reactor.csv", [
        "plant.yaml:13: use[1].table: no file 'reactor.csv'; did you mean 'reactors.csv'?",
    ]),
    ("plant.yaml", "{template: reactor, table", "{template: reaktor, table", [
        "plant.yaml:13: use[1].template: no template 'reaktor'; did you mean 'reactor'?; templates: reactor",
    ]),
    ("plant.yaml", "{template: reactor, table: reactors.csv}", "{template: reactor}", [
        "plant.yaml:13: use[1]: give one of table: FILE.csv and rows: [...]",
    ]),
    ("plant.yaml", "    limits: limits.csv", "    limit: limits.csv", [
        "plant.yaml:11: templates.reactor.limit: unknown key; did you mean 'limits'?; known here: endpoints, units, limits, "
        "sinks, use",
    ]),
    ("plant.yaml", "    limits: limits.csv", "    use: [{template: reactor, rows: [{a: 1}]}]", [
        "plant.yaml:11: use[1].template: template reactor uses itself, by way of reactor > reactor: it would never end "
        "[row reactors.csv:2, and 2 more]",
    ]),
    ("plant.yaml", "unit: R-220", "unit: R-202", [
        "limits.csv:2: limits.csv:2 [row reactors.csv:3] has the same product, recipe_version, unit, phase, role, statistic and "
        "window_s: join them [row plant.yaml:16]",
        "plant.yaml:4: units.R-202: unit 'R-202' stands at plant.yaml:4 [row reactors.csv:3] already: rename one "
        "[row plant.yaml:16]",
        "plant.yaml:6: endpoints.R-202-opcua: endpoint 'R-202-opcua' stands at plant.yaml:6 [row reactors.csv:3] already: "
        "rename one [row plant.yaml:16]",
    ]),
    ("plant.yaml", "timeout: 2,", "timeout: 2, more: 3,", [
        "plant.yaml:16: use[2].rows[1].more: no placeholder of the template takes this parameter: take it out, or write {...} "
        "where it belongs",
    ]),
    ("plant.yaml", "timeout: 2,", "timeout: 2, Unit: 3,", [
        "plant.yaml:16: use[2].rows[1].Unit: this parameter is given above with other capitals or spaces: keep one",
    ]),
    ("plant.yaml", "timeout: 2,", "timeout: soon,", [
        "plant.yaml:8: endpoints.R-220-opcua.timeout_s: found the text 'soon', expected a number [row plant.yaml:16]",
    ]),
    ("plant.yaml", "high: 150", "high: 5", [
        "limits.csv:2: par: low 10 is not below high 5: swap them? [row plant.yaml:16]",
    ]),
    ("reactors.csv", "0202;1,6 m³", "0202;", [
        "plant.yaml:4: units.R-202.description: parameter 'volume' is empty in this row: give it a value [row reactors.csv:3]",
    ]),
    ("reactors.csv", ";high", ";high;more", [
        "reactors.csv:2: has 7 cells, the header on line 1 has 8: keep empty cells",
        "reactors.csv:3: has 7 cells, the header on line 1 has 8: keep empty cells",
    ]),
    ("reactors.csv", "volume", "the volume?", [
        "reactors.csv:1: column 5 has no name that a placeholder can have: give it one of letters, digits and _",
    ]),
    ("reactors.csv", "volume", "Unit", ["reactors.csv:1: columns 'unit' and 'Unit' are one parameter: keep one"]),
    ("tags.csv", "TT-{n}", "TT-{m}", [
        "tags.csv:2: no parameter 'm'; parameters of the row: unit, host, port, n, volume, timeout, high "
        "[row reactors.csv:2, and 2 more]",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "old", "new", "expected"), FAULTS)
def test_what_is_wrong_with_a_template(tmp_path: Path, name: str, old: str, new: str, expected: list[str]) -> None:
    assert told(tmp_path, changed(name, old, new)) == expected


def test_a_table_without_rows_is_told(tmp_path: Path) -> None:
    lines = told(tmp_path, FILES | {"reactors.csv": REACTORS.splitlines()[0] + "\n"})
    assert lines == ["reactors.csv:1: holds no rows below its header: write one for each filling"]


def test_a_template_that_nobody_uses_is_a_warning(tmp_path: Path) -> None:
    examination = examined(tmp_path, changed("plant.yaml", "use:", "  spare: {units: {'{x}': }}\nuse:"))
    assert examination.plant is not None
    (warning,) = examination.warnings
    assert warning.what == "this template is never used: name it in use, or take it out"
    assert (warning.line, warning.path) == (12, "templates.spare")


def test_twenty_reactors(tmp_path: Path) -> None:
    rows = "".join(f"R-{n};10.0.0.{n};4840;{n};1,6 m³;2,5;200\n" for n in range(230, 250))
    plant = plant_of(tmp_path, FILES | {"reactors.csv": REACTORS.splitlines()[0] + "\n" + rows})
    assert len(plant.units) == len(plant.endpoints) == len(plant.limits) == 21


def test_a_number_that_may_mean_two_is_no_number_of_a_template(tmp_path: Path) -> None:
    """In a text it is what was written; the separators and other numbers of the table tell, not those of the list it fills."""
    unclear = "1.500 may mean 1.5 or 1500: write 1.5 or 1500"
    table = REACTORS.replace("R-201;10.0.0.1;4840;0201;1,6 m³;2,5;200", "R-201;10.0.0.1;4840;0201;1.500;1.500;1.500")
    lists = {"tags.csv": TAGS.replace("high\n", "high;scale\n").replace("{high}", "{high};0.5")}
    assert told(tmp_path, FILES | lists | {"reactors.csv": table}) == [
        f"limits.csv:2: par_high: {unclear} [row reactors.csv:2]",
        f"plant.yaml:8: endpoints.R-201-opcua.timeout_s: found the text '1.500', expected a number: {unclear} "
        "[row reactors.csv:2]",
        f"tags.csv:2: TT-0201.high: {unclear} [row reactors.csv:2]",
    ]
    table = table.replace("1.500;1.500;1.500", "1.500;2;100")
    assert plant_of(tmp_path, FILES | {"reactors.csv": table}).units[0].description == "1.500 reactor {no 0201}"


def test_a_template_that_is_not_filled_is_not_told_as_endpoints_that_are_missing(tmp_path: Path) -> None:
    plant = PLANT.partition("use:")[0] + "use:\n  - {template: reactr, table: reactors.csv}\n"
    assert told(tmp_path, FILES | {"plant.yaml": plant}) == [
        "plant.yaml:13: use[1].template: no template 'reactr'; did you mean 'reactor'?; templates: reactor"
    ]
