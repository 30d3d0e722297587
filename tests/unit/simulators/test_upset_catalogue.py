"""The catalogue of upsets agrees with itself."""

from __future__ import annotations

import pytest

from simulators.recipe.recipe import Command
from simulators.upset import KINDS, Kind, Level, Upset


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_says_all_that_is_needed_to_use_it(kind: Kind) -> None:
    assert kind.help.endswith(".")
    assert kind.levels
    assert set(kind.once) <= set(kind.levels)
    assert (kind.value == "none") == (kind.meaning == "")
    if kind.needs_value:
        assert kind.value != "none"
        assert kind.default is None
    if kind.value == "text":
        assert isinstance(kind.default, str)
    if isinstance(kind.default, float):
        assert (kind.low is None or kind.low <= kind.default) and (kind.high is None or kind.default <= kind.high)


def test_a_value_that_was_given_goes_before_the_default() -> None:
    kind = KINDS["delay"]
    assert kind.number_of(Upset("delay", "r201-opcua")) == 2.0
    assert kind.number_of(Upset("delay", "r201-opcua", 0.25)) == 0.25


def test_a_kind_without_value_has_no_number() -> None:
    with pytest.raises(ValueError, match="freeze has no value"):
        KINDS["freeze"].number_of(Upset("freeze", "r201-opcua"))


def test_the_same_name_is_one_kind_at_both_levels() -> None:
    assert KINDS["restart"].levels == KINDS["reset"].levels == (Level.UNIT, Level.ENDPOINT)


def test_there_is_a_kind_for_every_command_of_a_recipe() -> None:
    assert all(Level.UNIT in KINDS[command.value.lower()].levels for command in Command)
