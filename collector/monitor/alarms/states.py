"""The states of an alarm (ISA-18.2), and the one table of what leads from which to which.

                    occurs              acknowledged
        A normal ─────────────> B ──────────────────────> C acknowledged
          ^  ^                  │ ^                        │  │
          │  │          returns │ │ occurs                 │  │ re-alarms: back to B
          │  │                  v │                        │
          │  └── acknowledged ── D returned                │
          └────────────────────────────────── returns ─────┘

    latching    B ── latches ──> E ── acknowledged ──> F ── reset ──> A        C ── latches ──> F
                E, F ── occurs ──> B

    hidden      A … F, H ── shelved ──> G      A … F ── suppressed ──> H      A … H ── taken out of service ──> I
                G, H, I ── unshelved, shelf over, suppression over, put back ──> A, and then what is underneath happens

`latches` is the return of a latching alarm. In G, H and I the condition goes on to be followed: what happens there
changes no state. What is underneath when such a state ends happens at once, by the same table: suppression by design that
lasts (A → H), a condition that is outside (A → B), or one that was and latches (A → B → E).

An alarm that is out of service is not shelved: a shelf ends by itself, and a service must not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Of an alarm; the names are ISA-18.2's letters."""

    A = "normal"
    B = "unacknowledged"
    C = "acknowledged"
    D = "returned, unacknowledged"
    E = "latched, unacknowledged"
    F = "latched, acknowledged"
    G = "shelved"
    H = "suppressed by design"
    I = "out of service"  # noqa: E741  the standard's letter


class Happening(StrEnum):
    """What an alarm meets."""

    OCCURS = "occurs"
    """The condition goes outside."""
    RETURNS = "returns"
    """It comes back inside, or its limit holds no more."""
    LATCHES = "latches"
    """The same, of an alarm that latches."""
    REALARMS = "re-alarms"
    """It was acknowledged, and stands for too long."""
    ACKNOWLEDGED = "acknowledged"
    RESET = "reset"
    SHELVED = "shelved"
    UNSHELVED = "unshelved"
    SHELF_OVER = "shelf over"
    """Its time is over."""
    SUPPRESSED = "suppressed"
    SUPPRESSION_OVER = "suppression over"
    TAKEN_OUT = "taken out of service"
    PUT_BACK = "put back in service"


_HIDDEN: Final = (State.G, State.H, State.I)
_SHOWN: Final = tuple(state for state in State if state not in _HIDDEN)

TRANSITIONS: Final[Mapping[tuple[State, Happening], State]] = {
    (State.A, Happening.OCCURS): State.B,
    (State.B, Happening.ACKNOWLEDGED): State.C,
    (State.B, Happening.RETURNS): State.D,
    (State.B, Happening.LATCHES): State.E,
    (State.C, Happening.REALARMS): State.B,
    (State.C, Happening.RETURNS): State.A,
    (State.C, Happening.LATCHES): State.F,
    (State.D, Happening.ACKNOWLEDGED): State.A,
    (State.D, Happening.OCCURS): State.B,
    (State.E, Happening.ACKNOWLEDGED): State.F,
    (State.E, Happening.OCCURS): State.B,
    (State.F, Happening.RESET): State.A,
    (State.F, Happening.OCCURS): State.B,
    **{(state, Happening.SHELVED): State.G for state in (*_SHOWN, State.G, State.H)},
    **{(state, Happening.SUPPRESSED): State.H for state in _SHOWN},
    **{(state, Happening.TAKEN_OUT): State.I for state in (*_SHOWN, State.G, State.H)},
    (State.G, Happening.UNSHELVED): State.A,
    (State.G, Happening.SHELF_OVER): State.A,
    (State.H, Happening.SUPPRESSION_OVER): State.A,
    (State.I, Happening.PUT_BACK): State.A,
    # what is only followed there
    **{(state, followed): state for state in _HIDDEN for followed in (Happening.OCCURS, Happening.RETURNS, Happening.LATCHES)},
    **{
        (state, followed): state
        for state in (State.G, State.I)
        for followed in (Happening.SUPPRESSED, Happening.SUPPRESSION_OVER)
    },
}
"""What is not here is not possible."""

HIDDEN: Final = frozenset(_HIDDEN)
"""Nobody is called."""
TO_ACKNOWLEDGE: Final = frozenset(state for state, happening in TRANSITIONS if happening is Happening.ACKNOWLEDGED)
STANDING: Final = frozenset({State.B, State.C})
"""The condition is outside, and people are called or were."""
