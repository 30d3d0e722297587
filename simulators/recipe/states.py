"""The states of a batch after ISA-88, and what leads from one to the next. Nothing else changes a state.

    Idle ──START──► Running ──done──► Complete ──RESET──► Idle
                    │    ▲  └─PAUSE─► Pausing ──done──► Paused ──RESUME──► Running
                  HOLD  done
                    ▼    │
                Holding  Restarting ◄──RESTART── Held ◄──done── Holding
    STOP  from any of them but Idle, Complete: Stopping ──done──► Stopped ──RESET──► Idle
    ABORT the same, and from Stopping:         Aborting ──done──► Aborted ──RESET──► Idle

A condition of the recipe acts like the command of its name: what is too hot gives HOLD as an operator would.
"""

from __future__ import annotations

from enum import Enum, IntEnum


class BatchState(IntEnum):
    """What the controller's batch state tag counts."""

    IDLE = 0
    RUNNING = 1
    COMPLETE = 2
    PAUSING = 3
    """Running until the phase is over."""
    PAUSED = 4
    HOLDING = 5
    HELD = 6
    RESTARTING = 7
    STOPPING = 8
    STOPPED = 9
    ABORTING = 10
    ABORTED = 11

    @property
    def word(self) -> str:
        """`Running`: as people and tags write it."""
        return self.name.capitalize()


class Command(Enum):
    """What an operator, or a condition of the recipe, may ask of a batch."""

    START = "START"
    HOLD = "HOLD"
    RESTART = "RESTART"
    PAUSE = "PAUSE"
    RESUME = "RESUME"
    STOP = "STOP"
    ABORT = "ABORT"
    RESET = "RESET"


class Event(Enum):
    """What happens without being asked for."""

    DONE = "done"
    """What the state is for is reached: the last phase is over, the unit is safe, ..."""


STATE_NAMES = {int(state): state.word for state in BatchState}
"""For the `states` of a batch state tag."""

_S, _C, _DONE = BatchState, Command, Event.DONE
_BATCH_GOES_ON = (_S.RUNNING, _S.PAUSING, _S.PAUSED, _S.HOLDING, _S.HELD, _S.RESTARTING)

TRANSITIONS: dict[tuple[BatchState, Command | Event], BatchState] = {
    (_S.IDLE, _C.START): _S.RUNNING,
    (_S.RUNNING, _DONE): _S.COMPLETE,
    (_S.COMPLETE, _C.RESET): _S.IDLE,
    (_S.RUNNING, _C.PAUSE): _S.PAUSING,
    (_S.PAUSING, _DONE): _S.PAUSED,
    (_S.PAUSED, _C.RESUME): _S.RUNNING,
    **{(state, _C.HOLD): _S.HOLDING for state in (_S.RUNNING, _S.PAUSING, _S.PAUSED, _S.RESTARTING)},
    (_S.HOLDING, _DONE): _S.HELD,
    (_S.HELD, _C.RESTART): _S.RESTARTING,
    (_S.RESTARTING, _DONE): _S.RUNNING,
    **{(state, _C.STOP): _S.STOPPING for state in _BATCH_GOES_ON},
    (_S.STOPPING, _DONE): _S.STOPPED,
    (_S.STOPPED, _C.RESET): _S.IDLE,
    **{(state, _C.ABORT): _S.ABORTING for state in (*_BATCH_GOES_ON, _S.STOPPING)},
    (_S.ABORTING, _DONE): _S.ABORTED,
    (_S.ABORTED, _C.RESET): _S.IDLE,
}


def commands_in(state: BatchState) -> tuple[Command, ...]:
    """The commands that are taken in a state."""
    return tuple(command for command in Command if (state, command) in TRANSITIONS)
