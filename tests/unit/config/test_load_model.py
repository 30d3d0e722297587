"""A file of any kind: recipes, scenarios and others are read as strictly as the plant file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationInfo, field_validator

from config.common import Interval, Model, Named, NamedItems, Seconds
from config.load import ConfigError, load_model
from config.text import Name


class Ramp(Model):
    do: Literal["ramp"]
    rate_k_per_min: Annotated[float, Field(gt=0, strict=True)]


class Wait(Model):
    do: Literal["wait"]
    duration_s: Seconds


class Phase(Named):
    steps: tuple[Annotated[Ramp | Wait, Field(discriminator="do")], ...]
    window: Interval | None = None


class Procedure(Model):
    product: Name
    version: Name = "1"
    phases: Annotated[tuple[Phase, ...], NamedItems, Field(min_length=1)]


SOUND = """\
product: DEMO
version: 1.10
phases:
  Heat:
    window: [1, 2]
    steps:
      - {do: ramp, rate_k_per_min: 1}
      - {do: wait, duration_s: 60}
"""


STEPS = "phases.Heat.steps"


def load(tmp_path: Path, text: str) -> Procedure:
    file = tmp_path / "procedure.yaml"
    file.write_text(text)
    return load_model(file, Procedure)


def test_a_file_becomes_the_model(tmp_path: Path) -> None:
    procedure = load(tmp_path, SOUND)
    (phase,) = procedure.phases
    assert (procedure.version, phase.name) == ("1.10", "Heat")
    assert phase.steps == (Ramp(do="ramp", rate_k_per_min=1), Wait(do="wait", duration_s=60))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("version:", "verson:", ["2: verson: unknown key; did you mean 'version'?; known here: product, version, phases"]),
        ("rate_k_per_min: 1", "rate_k_per_min: 0", [f"7: {STEPS}[1].rate_k_per_min: found the number 0, expected more than 0"]),
        (
            "duration_s: 60",
            "duration: 60",
            [
                f"8: {STEPS}[2].duration: unknown key; did you mean 'duration_s'?; known here: do, duration_s",
                f"8: {STEPS}[2].duration_s: missing: it must be given",
            ],
        ),
        (
            "do: ramp",
            "do: rampe",
            [f"7: {STEPS}[1].do: found the text 'rampe', expected one of ramp, wait; did you mean 'ramp'?"],
        ),
        ("do: ramp", "due: ramp", [f"7: {STEPS}[1].do: missing: write ramp or wait"]),
        (
            "- {do: wait, duration_s: 60}",
            "- wait",
            [f"8: {STEPS}[2]: found a text, expected a mapping: lines of `key: value`, indented below"],
        ),
        ("[1, 2]", "[2, 1]", ["5: phases.Heat.window: low 2 is not below high 1: swap them?"]),
        (SOUND, "[a]", ["1: holds no keys: write product: and phases: at the beginning of a line"]),
        (SOUND, "", ["1: is empty: is it the right file?"]),
    ],
)
def test_faults_are_told_in_the_words_of_the_model(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    assert old in SOUND
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, SOUND.replace(old, new))
    assert [line.partition(":")[2] for line in str(caught.value).splitlines()] == expected


class Wish(Model):
    """A model whose keys are words that Python keeps for itself, and whose checks need to know more."""

    lasts: Seconds = Field(alias="for")
    among: Name = Field(alias="in")

    @field_validator("among")
    @classmethod
    def _is_known(cls, among: str, info: ValidationInfo) -> str:
        if info.context is not None and among not in info.context["known"]:
            raise ValueError("not among what is known")
        return among


class Wishes(Model):
    wishes: tuple[Wish, ...]


def test_keys_are_told_as_they_are_written_and_validators_know_what_the_caller_knows(tmp_path: Path) -> None:
    file = tmp_path / "wishes.yaml"
    file.write_text("wishes:\n  - {for: 5, in: here}\n  - {for: -1, in: there}\n  - {fro: 1, in: here}\n")
    with pytest.raises(ConfigError) as caught:
        load_model(file, Wishes, {"known": ["here"]})
    told = [str(fault).partition("wishes.yaml:")[2] for fault in caught.value.faults]
    assert told == [
        "3: wishes[2].for: found the number -1, expected more than 0",
        "3: wishes[2].in: not among what is known",
        "4: wishes[3].for: missing: it must be given",
        "4: wishes[3].fro: unknown key; did you mean 'for'?; known here: for, in",
    ]
