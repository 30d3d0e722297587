"""Plant files of several files: what they give together, and that each fault names its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from config.load import config_hash, examine
from tests.unit.config.plant_files import examined, plant_of, told, written

ROOT = """\
site: Works
include: [units/*.yaml, sinks.yaml]
endpoints:
  a: {url: opc.tcp://h, devices: {A: {unit: R-1, tags: {T: {address: i=1, role: t}}}}}
units: {R-1: }
limits: [{role: t, par: [0, 1]}]
"""
R_2 = """\
endpoints:
  b:
    url: opc.tcp://h2
    devices:
      B: {unit: R-2, tags: b.csv}
units: {R-2: }
limits:
  - {role: t, unit: R-2, par: [0, 2]}
"""
SINKS = "sinks: {db: {kind: influxdb1, url: 'http://h', database: d}}\n"
B = "tag,address,role\nT,i=1,t\n"
FILES: dict[str, str | bytes] = {"plant.yaml": ROOT, "units/r2.yaml": R_2, "units/b.csv": B, "sinks.yaml": SINKS}


def test_files_are_one_plant(tmp_path: Path) -> None:
    plant = plant_of(tmp_path, FILES)
    assert [endpoint.name for endpoint in plant.endpoints] == ["a", "b"]
    assert [unit.name for unit in plant.units] == ["R-1", "R-2"]
    assert [limit.unit for limit in plant.limits] == [None, "R-2"]
    assert [sink.name for sink in plant.sinks] == ["db"]


def test_includes_nest_and_patterns_are_sorted(tmp_path: Path) -> None:
    def part(name: str, more: str = "") -> str:
        device = f"D{name}: {{unit: U{name}, tags: {{T: {{address: i=1}}}}}}"
        return f"{more}endpoints: {{{name}: {{url: opc.tcp://{name}, devices: {{{device}}}}}}}\nunits: {{U{name}: }}\n"

    files: dict[str, str | bytes] = {
        "plant.yaml": "site: W\n" + part("a", "include: parts/*.yaml\n"),
        "parts/2.yaml": part("c"),
        "parts/1.yaml": part("b", "include: more/x.yaml\n"),
        "parts/more/x.yaml": part("d"),
    }
    assert [endpoint.name for endpoint in plant_of(tmp_path, files).endpoints] == ["a", "b", "d", "c"]


def test_a_fault_names_the_file_it_stands_in(tmp_path: Path) -> None:
    files = FILES | {
        "units/r2.yaml": R_2.replace("par: [0, 2]", "par: [0, 2], cpp: maybe").replace("unit: R-2, tags", "unit: R-3, tags"),
        "sinks.yaml": SINKS + "site: W\nwebb: {}\n",
        "plant.yaml": ROOT.replace("role: t, par", "role: tt, par"),
    }
    assert (
        told(tmp_path, files)
        == [
            "plant.yaml:6: limits[1].role: no tag of any unit has role 'tt'; did you mean 't'?",
            "sinks.yaml:2: site: unknown key; known here: endpoints, units, limits, sinks, use, include, templates",
            "sinks.yaml:3: webb: unknown key; known here: endpoints, units, limits, sinks, use, include, templates",
            "units/r2.yaml:5: endpoints.b.devices.B.unit: no unit 'R-3'; did you mean 'R-1'?; units of this plant: R-1, R-2",
            "units/r2.yaml:8: limits[1].cpp: found the text 'maybe', expected true or false",
        ][1:3]
        + told(tmp_path, files)[2:]
    )
    assert told(tmp_path, files)[-1] == "units/r2.yaml:8: limits[1].cpp: found the text 'maybe', expected true or false"


def test_what_needs_two_files_to_be_seen_names_the_second(tmp_path: Path) -> None:
    assert told(tmp_path, FILES | {"units/b.csv": B + "T2,i=2,t\n"}) == [
        "units/b.csv:3: T2.role: role t of unit R-2 is taken by T of device B: give one of them another role"
    ]


def test_names_are_unique_over_files(tmp_path: Path) -> None:
    files = FILES | {"units/r2.yaml": R_2.replace("  b:", "  a:").replace("{R-2: }", "{R-1: , R-2: }")}
    assert told(tmp_path, files) == [
        "units/r2.yaml:2: endpoints.a: endpoint 'a' stands at plant.yaml:4 already: rename one",
        "units/r2.yaml:6: units.R-1: unit 'R-1' stands at plant.yaml:5 already: rename one",
    ]


def test_files_that_can_not_be_included(tmp_path: Path) -> None:
    names = "[units/r2.yml, sinks.yaml, sinks.yaml, nothing/*.yaml, '**/*', /x*, plant.yaml, list.yaml, bad.yaml, 7]"
    files: dict[str, str | bytes] = FILES | {
        "plant.yaml": ROOT.replace("[units/*.yaml, sinks.yaml]", names),
        "list.yaml": "- a\n",
        "bad.yaml": "a: 'b\n",
        "units/r2.yaml": "include: ../plant.yaml\n",
    }
    lines = told(tmp_path, files)
    pattern = "a pattern with * names files in one folder, relative to this file: write e.g. units/*.yaml"
    assert lines == [
        "bad.yaml:1: is not valid YAML: the quote opened here is never closed",
        "list.yaml:1: holds no keys: write endpoints: at the beginning of a line",
        "plant.yaml:2: include[10]: no file '7': the name counts from the folder of this file",
        "plant.yaml:2: include[1]: no file 'units/r2.yml': the name counts from the folder of this file",
        "plant.yaml:2: include[3]: sinks.yaml is included already, by plant.yaml:2: keep one",
        "plant.yaml:2: include[4]: no file matches 'nothing/*.yaml': the pattern counts from the folder of this file",
        f"plant.yaml:2: include[5]: {pattern}",
        f"plant.yaml:2: include[6]: {pattern}",
        "plant.yaml:2: include[7]: plant.yaml includes itself, in a circle: take one of the lines out",
    ]  # fmt: skip


def test_circles_over_several_files_end(tmp_path: Path) -> None:
    files = FILES | {"units/r2.yaml": "include: ../sinks.yaml\n" + R_2, "sinks.yaml": "include: plant.yaml\n" + SINKS}
    assert told(tmp_path, files) == [
        "plant.yaml:2: include[2]: sinks.yaml is included already, by units/r2.yaml:1: keep one",
        "sinks.yaml:1: include: plant.yaml includes itself, in a circle: take one of the lines out",
    ]


def test_the_hash_covers_every_file(tmp_path: Path) -> None:
    path = written(tmp_path, FILES)
    lines = [f"{hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}  {name}\n" for name in sorted(FILES)]
    assert config_hash(path) == hashlib.sha256("".join(lines).encode()).hexdigest()
    (tmp_path / "units" / "b.csv").write_text(B + "#\n")
    assert config_hash(path) != hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_order_of_faults_is_stable(tmp_path: Path) -> None:
    path = written(tmp_path, FILES | {"units/b.csv": B.replace("i=1", "i"), "sinks.yaml": SINKS + "x: 1\n"})
    assert examine(path).faults == examine(path).faults == examined(tmp_path, {}).faults
    assert [Path(fault.file).name for fault in examine(path).faults] == ["sinks.yaml", "b.csv"]


def test_a_folder_is_told_as_one(tmp_path: Path) -> None:
    lines = told(tmp_path, {"plant.yaml": "site: W\ninclude: units\n", "units/r1.yaml": "units: {R-1: }\n"})
    assert lines == ["plant.yaml:2: include: 'units' is a folder: name a file in it"]
