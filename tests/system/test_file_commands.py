"""Commands that make and compare plant files, as a person types them: exit codes, what is said and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from config.schema import json_schema
from tests.command_line import typed

EXAMPLES = Path(__file__).parents[2] / "config" / "examples"


def edited(folder: Path, *replacements: tuple[str, str]) -> Path:
    """A copy of the pilot plant in which the first place of each text is another."""
    text = (EXAMPLES / "pilot-plant.yaml").read_text("utf-8")
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new, 1)
    file = folder / "new.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def diff(file: Path, *options: str) -> tuple[int, str, str]:
    result = typed("diff", str(EXAMPLES / "pilot-plant.yaml"), str(file), *options)
    return result.returncode, result.stdout, result.stderr


def test_files_that_are_the_same_do_not_differ(tmp_path: Path) -> None:
    assert diff(edited(tmp_path)) == (0, "no differences\n", "")
    assert diff(edited(tmp_path, ("# the name on the P&ID", "# TT")))[0] == 0


def test_differences_in_the_words_of_the_plant(tmp_path: Path) -> None:
    file = edited(
        tmp_path,
        ("range: [-30, 200]", "range: [-30, 250]"),
        ("par: [60, 70]", "par: [58, 70]"),
        ("R201_OPCUA_PASSWORD", "R201_OTHER_PASSWORD"),
    )
    code, out, err = diff(file)
    assert (code, err) == (1, "")
    assert "unit R-201\n  ~ TT-201A: range −30…200 → −30…250 °C\n" in out
    assert "  ~ limit product_temperature in Dose, R-201: PAR 60…70 → 58…70 °C (wider: needs approval in gmp)\n" in out
    assert "endpoint r201\n  ~ password: its reference changed\n" in out
    assert "R201_" not in out
    assert out.endswith("new layout, which the journal keeps apart from the old one: r201/R-201-DCS/fast\n")


def test_an_order_that_does_not_matter_is_said_and_is_exit_0(tmp_path: Path) -> None:
    mode = "    mode: pilot                                        # pilot or gmp\n"
    unit = "  R-201:\n    description: 1.6 m³ glass-lined, jacketed\n" + mode
    last = "    context: {phase: phase_number}\n"
    file = edited(tmp_path, (unit, ""), (last, last + unit))
    code, out, _ = diff(file)
    assert (code, out) == (0, "plant\n  ↕ the order of units changed: it does not matter\n")


def test_secrets_beside_the_plant_file_are_the_same_in_another_folder(tmp_path: Path) -> None:
    token = ("token: {env: INFLUX_TOKEN}", "token: {file: secrets/influx-token}")
    files = []
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        files.append(str(edited(tmp_path / name, token)))
    result = typed("diff", *files)
    assert (result.returncode, result.stdout) == (0, "no differences\n")
    other = edited(tmp_path / "new", (token[0], "token: {file: secrets/other}"))
    result = typed("diff", files[0], str(other))
    assert (result.returncode, result.stdout) == (1, "sink historian\n  ~ token: its reference changed\n")


def test_differences_for_machines(tmp_path: Path) -> None:
    code, out, _ = diff(edited(tmp_path, ("mode: pilot", "mode: gmp")), "--json")
    facts = json.loads(out)
    assert code == 1
    assert facts == {
        "changes": [{"where": "unit R-201", "name": "", "kind": "changed", "text": "mode pilot → gmp"}],
        "new_layouts": [],
    }


@pytest.mark.parametrize("which", ["old", "new"])
def test_a_faulty_file_is_exit_2(tmp_path: Path, which: str) -> None:
    good, faulty = EXAMPLES / "pilot-plant.yaml", edited(tmp_path, ("site: Pilot plant", "sitte: Pilot plant"))
    files = (faulty, good) if which == "old" else (good, faulty)
    result = typed("diff", *map(str, files))
    assert (result.returncode, result.stdout) == (2, "")
    assert "did you mean 'site'?" in result.stderr


def test_a_plant_file_to_begin_with_passes_check(tmp_path: Path) -> None:
    file = tmp_path / "first.yaml"
    result = typed("init", str(file), "--modbus", "modbus://10.1.2.3:1502", "--site", "Werk: 7", "--unit", "SK-301")
    assert (result.returncode, result.stderr) == (0, "")
    text = file.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=plant.schema.json\n")
    assert '\nsite: "Werk: 7" ' in text
    assert "    url: modbus://10.1.2.3:1502\n" in text
    assert "  SK-301:\n" in text
    assert [path.name for path in tmp_path.iterdir()] == ["first.yaml"]
    check = typed("check", str(file))
    assert (check.returncode, check.stderr) == (0, "")


def test_the_next_commands_are_told_and_are_commands_that_there_are(tmp_path: Path) -> None:
    result = typed("init", str(tmp_path / "first.yaml"))
    commands = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("  reactorwatch ")]
    assert commands[-3:] == ["check", "check", "run"]
    for command in set(commands):
        assert typed(command, "--help").returncode == 0


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text("mine\n", encoding="utf-8")
    result = typed("init", str(file))
    assert result.returncode == 2
    assert "is there already: give another name, or --force" in result.stderr
    assert file.read_text("utf-8") == "mine\n"
    assert typed("init", str(file), "--force").returncode == 0
    assert "endpoints:" in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--opcua", "http://plc"), "expected opc.tcp://host:4840 (OPC UA) or modbus://host:502 (Modbus)"),
        (("--opcua", "opc.tcp://user:secret@plc"), "no user or password in a url"),
        (("--opcua", "opc.tcp://a", "--modbus", "modbus://b"), "give one of --opcua and --modbus"),
        (("--site", "a\nb"), "visible characters"),
    ],
)
def test_what_can_not_be_a_plant_is_told_and_nothing_is_written(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    result = typed("init", str(tmp_path / "plant.yaml"), *options)
    assert result.returncode == 2
    assert said in result.stderr
    assert "secret@" not in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    result = typed("init", str(tmp_path / "absent" / "plant.yaml"))
    assert result.returncode == 1
    assert "can't be written: No such file or directory" in result.stderr


def test_the_schema_is_written_where_the_plant_file_looks_for_it(tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    told = typed("init", str(file)).stdout
    (line,) = [line.partition("#")[0].split() for line in told.splitlines() if "reactorwatch schema" in line]
    assert typed(*line[1:]).returncode == 0
    name = file.read_text("utf-8").splitlines()[0].partition("$schema=")[2]
    assert json.loads((tmp_path / name).read_text("utf-8")) == json_schema()
    assert {path.name for path in tmp_path.iterdir()} == {"plant.yaml", name}


def test_the_schema_on_standard_output() -> None:
    result = typed("schema")
    assert (result.returncode, result.stderr) == (0, "")
    facts = json.loads(result.stdout)
    assert facts == json_schema()
    assert facts["required"] == ["site"]
    part = typed("schema", "--part", "--output", "-")
    assert json.loads(part.stdout) == json_schema(part=True)


def test_a_schema_that_can_not_be_written(tmp_path: Path) -> None:
    result = typed("schema", "-o", str(tmp_path / "absent" / "s.json"))
    assert result.returncode == 1
    assert "can't be written: No such file or directory" in result.stderr
