"""A recipe file with faults: each is a sentence with its line, whatever was written, and never a traceback."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.faults import ConfigError
from simulators.recipe.recipe import Recipe, library, load_recipe
from tests.unit.simulators.recipe_texts import SMALL, recipe_of

LINES = SMALL.splitlines()
LIBRARY = Path(__file__).parents[3] / "simulators" / "recipes"


def faults(folder: Path, text: str) -> list[str]:
    """What is told, each without the folder."""
    with pytest.raises(ConfigError) as told:
        recipe_of(folder, text)
    return str(told.value).replace(f"{folder}/", "").splitlines()


def line_of(text: str) -> int:
    """Of the line in SMALL that holds it."""
    (found,) = [number for number, line in enumerate(LINES, 1) if text in line]
    return found


BAD = [
    ("mass, low: 800", "mas, low: 800", "no instrument shows 'contents_mas'; did you mean 'contents_mass'"),
    ("role: oxygen, low: 8", "role: phase, low: 8", "no instrument shows 'phase'"),
    ("role: oxygen, low: 8", "role: oxygen, low: 8, above: 3", "unknown key; known here: role, low, high, equals, for_s"),
    ("role: oxygen, low: 8", "role: oxygen", "oxygen is a number: write low, high or both, and no equals"),
    ("role: oxygen, low: 8", "role: oxygen, equals: true", "oxygen is a number: write low, high or both, and no equals"),
    ("role: oxygen, low: 8", "role: oxygen, low: 8, high: 7", "low 8 is above high 7, so it is never met: swap them?"),
    ("role: oxygen, low: 8", "role: oxygen, low: 8 %", "expected a number: without quotes or unit"),
    ("low: 20.5, high: 21.5, for_s: 5", "low: 20.5, for_s: -5", "found the number -5, expected at least 0"),
    ("equals: false", "low: 1", "stirrer_running is true or false: write equals: true, or equals: false"),
    ("ramp_k_per_min: 3", "ramp_k_per_min: 0", "found the number 0, expected more than 0"),
    ("ramp_k_per_min: 3", "ramp_k_min: 3", "unknown key; did you mean 'ramp_k_per_min'?"),
    ("setpoint_c: 21, ramp_k_per_min: 3", "mode: jacket", "mode jacket needs a setpoint_c: give one, or write mode: off"),
    ('mode: "off"', 'mode: "off", setpoint_c: 3', "mode off follows no setpoint"),
    ("mode: jacket", "mode: jaket", "expected one of product, jacket, off; did you mean 'jacket'?"),
    ("minimum_s: 20", "minimum_s: 200", "maximum_s 100 is below minimum_s 200: the phase could never end in time"),
    ("at_maximum: go on", "at_maximum: skip", "expected one of hold, go on"),
    ("number: 3", "number: 1", "number 1 is phase Charge already: give another"),
    ("number: 3", "number: 0", "found the number 0, expected at least 1"),
    ("      Heat:", "      Charge:", "written twice"),
    ("      Heat:", "      Idle:", "Idle is the name of the unit between batches already"),
    ("kg_per_h: 9000", "kg_per_h: 0", "found the number 0, expected more than 0"),
    ("discharge: {kg_per_h: 9000}", "discharge: 9000", "found a number, expected a mapping"),
    ("stirrer_speed_rpm: 80", "stirrer_speed_rpm: -80", "found the number -80, expected at least 0"),
    ("chemistry: demo_17", "chemistry: demo_71", "'demo_71' is no chemistry; did you mean 'demo_17'?"),
    ("vessel: production_1600l", "vessel: production", "'production' is no vessel"),
    ("batch_id: T-##", "batch_id: T-", "'T-' has not one row of # for the batch's number: write e.g. B-26-###"),
    ("batch_id: T-##", "batch_id: '#-#'", "'#-#' has not one row of #"),
    ("batch_id: T-##", "mode: gpm", "expected one of pilot, gmp"),
    ("purge_nm3_per_h: 4", "purge_nm3_h: 4", "unknown key; did you mean 'purge_nm3_per_h'?"),
]  # fmt: skip


@pytest.mark.parametrize(("right", "wrong", "told"), BAD, ids=[wrong for _, wrong, _ in BAD])
def test_a_fault_is_told_with_its_line(tmp_path: Path, right: str, wrong: str, told: str) -> None:
    assert SMALL.count(right) == 1
    (fault,) = faults(tmp_path, SMALL.replace(right, wrong))
    line = line_of(right) + (1 if "maximum_s" in told and "minimum_s" in told else 0)
    assert fault.startswith(f"small.yaml:{line}: ")
    assert told in fault


@pytest.mark.parametrize("key", ["product", "version", "procedure", "idle", "hold", "stop", "abort"])
def test_what_a_recipe_must_have_is_missed(tmp_path: Path, key: str) -> None:
    text = re.sub(rf"^{key}:.*\n(?: .*\n)*", "", SMALL, flags=re.MULTILINE)
    assert faults(tmp_path, text) == [f"small.yaml:1: {key}: missing: it must be given"]


def test_all_faults_are_told_at_once_in_their_order(tmp_path: Path) -> None:
    text = (
        SMALL.replace("ramp_k_per_min: 3", "ramp_k_per_min: 0")
        .replace("role: oxygen", "role: oxigen")
        .replace("low: 75", "lo: 75")
    )
    lines = [int(fault.split(":")[1]) for fault in faults(tmp_path, text)]
    assert lines == [line_of("ramp_k_per_min"), line_of("oxygen"), line_of("low: 75")]


def test_a_phase_or_idling_without_an_end_is_a_fault(tmp_path: Path) -> None:
    endless = re.sub(r"        until:\n          - .*for_s: 5}\n", "", SMALL)
    (fault,) = faults(tmp_path, endless)
    assert fault.startswith(
        f"small.yaml:{line_of('      Heat:')}: procedure.Make P-1.React.Heat: nothing tells how long it lasts"
    )
    idling = SMALL.replace("  until: [{role: contents_mass, high: 0.5}]\n  minimum_s: 30\n", "")
    (fault,) = faults(tmp_path, idling)
    assert fault.startswith(f"small.yaml:{line_of('idle:')}: idle: nothing tells when the next batch may begin")


def test_two_operations_may_not_have_phases_of_one_name(tmp_path: Path) -> None:
    twice = SMALL.replace("      Heat:\n", "    Again:\n      Charge:\n")
    assert faults(tmp_path, twice) == [
        f"small.yaml:{line_of('      Heat:') + 1}: procedure.Make P-1.Again.Charge: "
        "Charge is the name of a phase of React already: limits go by it, give another"
    ]


def test_a_gmp_recipe_has_an_approval_maxima_that_hold_and_no_restart_of_its_own(tmp_path: Path) -> None:
    text = SMALL.replace("batch_id: T-##", "mode: gmp").replace("        maximum_s: 100\n", "")
    text = text.replace("restart:\n", "restart:\n  when: [{role: product_temperature, high: 70}]\n")
    told = [fault.partition(": ")[2] for fault in faults(tmp_path, text)]
    assert [fault.split(": ")[0] for fault in told] == [
        "approval", "procedure.Make P-1.React.Charge", "procedure.Make P-1.React.Heat.at_maximum", "restart.when",
    ]  # fmt: skip


def test_a_name_that_is_none_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is no recipe of the library; did you mean 'exothermic-dosing'\?; there are .*distillation"
    ):
        load_recipe("exotermic-dosing")
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        load_recipe(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        load_recipe("folder/none")


def sound_or_told(folder: Path, text: str) -> Recipe | None:
    """The recipe, or None when every fault has a line of the file."""
    try:
        return recipe_of(folder, text)
    except ConfigError as exc:
        last = text.count("\n") + 1
        assert exc.faults and all(1 <= fault.line <= last and fault.what for fault in exc.faults)
        assert all("\n" not in str(fault) for fault in exc.faults)
        return None


SCRAPS = st.sampled_from(
    [
        "",
        "0",
        "-1",
        "1e400",
        ".nan",
        ".inf",
        "null",
        "true",
        "[]",
        "{}",
        "- 1",
        "x",
        "Idle",
        "20 °C",
        "!!map x",
        "&a",
        "*a",
        "'#'",
    ]
)


@settings(deadline=None)
@given(st.data())
def test_no_mutation_gives_anything_but_a_recipe_or_sentences(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp()
    lines = list(LINES)
    for _ in range(data.draw(st.integers(1, 3))):
        number = data.draw(st.integers(0, len(lines) - 1))
        line = lines[number]
        words = re.split(r"(\W+)", line)
        word = data.draw(st.integers(0, len(words) - 1))
        scrap = data.draw(SCRAPS | st.text(max_size=6))
        lines[number] = data.draw(
            st.sampled_from(
                ["", line + "\n" + line, "  " + line, line.strip(), "".join([*words[:word], scrap, *words[word + 1 :]])]
            )
        )
    sound_or_told(folder, "\n".join(lines) + "\n")


@pytest.mark.parametrize("name", library())
def test_the_library_is_sound(tmp_path: Path, name: str) -> None:
    text = (LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")
    assert sound_or_told(tmp_path, text) == load_recipe(name)
