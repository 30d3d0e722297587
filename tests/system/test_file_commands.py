"""Commands that make and compare plant files, as a person uses them: real processes, exit codes, what is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.system.test_commands import reactorwatch

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
    result = reactorwatch("diff", str(EXAMPLES / "pilot-plant.yaml"), str(file), *options)
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
    result = reactorwatch("diff", *map(str, files))
    assert (result.returncode, result.stdout) == (2, "")
    assert "did you mean 'site'?" in result.stderr
