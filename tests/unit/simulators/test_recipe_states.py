"""The table of a batch's states, held against the list of the trade."""

import pytest

from simulators.recipe.recipe import STATE_NAMES, TRANSITIONS, BatchState, Command, Event, commands_in

STATES = [
    "Idle",
    "Running",
    "Complete",
    "Pausing",
    "Paused",
    "Holding",
    "Held",
    "Restarting",
    "Stopping",
    "Stopped",
    "Aborting",
    "Aborted",
]
MOVES = """
    Idle: START Running
    Running: done Complete, PAUSE Pausing, HOLD Holding, STOP Stopping, ABORT Aborting
    Complete: RESET Idle
    Pausing: done Paused, HOLD Holding, STOP Stopping, ABORT Aborting
    Paused: RESUME Running, HOLD Holding, STOP Stopping, ABORT Aborting
    Holding: done Held, STOP Stopping, ABORT Aborting
    Held: RESTART Restarting, STOP Stopping, ABORT Aborting
    Restarting: done Running, HOLD Holding, STOP Stopping, ABORT Aborting
    Stopping: done Stopped, ABORT Aborting
    Stopped: RESET Idle
    Aborting: done Aborted
    Aborted: RESET Idle
"""


def test_the_states_are_those_of_isa_88_and_their_numbers_stay() -> None:
    assert dict(enumerate(STATES)) == STATE_NAMES
    assert [state.word for state in BatchState] == STATES


def test_the_table_has_these_moves_and_no_others() -> None:
    told = {
        (state, trigger): target
        for state, moves in (line.split(":") for line in MOVES.strip().splitlines())
        for trigger, target in (move.split() for move in moves.split(","))
    }
    assert {(state.word, trigger.value): target.word for (state, trigger), target in TRANSITIONS.items()} == {
        (state.strip(), trigger): target for (state, trigger), target in told.items()
    }


@pytest.mark.parametrize("state", BatchState)
def test_every_state_can_be_left_and_reached(state: BatchState) -> None:
    assert any(origin is state for origin, _ in TRANSITIONS)
    assert state in TRANSITIONS.values()


def test_the_commands_of_a_state_are_those_of_the_table() -> None:
    assert commands_in(BatchState.HELD) == (Command.RESTART, Command.STOP, Command.ABORT)
    taken = {(state, command) for state in BatchState for command in commands_in(state)}
    assert taken == {key for key in TRANSITIONS if key[1] is not Event.DONE}
