"""Tag upsets that put something else in a reading's place: a value that stands still, a status.

Of several on one tag the gravest is seen: the tag is gone, then no reading, then an uncertain one; of equals the last
that began.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from asyncua.ua.status_codes import StatusCodes

from config.faults import did_you_mean
from config.tags import Kind, Tag
from simulators.source import BAD_NODE_ID_UNKNOWN, GOOD, SimulationError, Value
from simulators.upset import KINDS, End, Upset

OVERRIDES = frozenset({"flat_line", "dropout", "uncertain", "node_gone"})
_GRAVITY = {"flat_line": 0, "uncertain": 1, "dropout": 2, "node_gone": 3}
_SEVERITIES = {"dropout": (2, "Bad"), "uncertain": (1, "Uncertain")}


@dataclass(frozen=True, slots=True, eq=False)
class _Override:
    gravity: int
    status: int
    held: Value | None


class Overrides:
    """The active overrides of one unit, by channel."""

    def __init__(self) -> None:
        self._active: dict[str, list[_Override]] = {}

    def begin(self, upset: Upset, channel: str, stands: Value) -> End:
        """`stands` is where a flat line stands. Raises SimulationError."""
        status = status_of(upset)
        override = _Override(_GRAVITY[upset.kind], status, stands if upset.kind == "flat_line" else None)
        self._active.setdefault(channel, []).append(override)

        def end() -> None:
            active = self._active.get(channel, [])
            if override in active:
                active.remove(override)
            if not active:
                self._active.pop(channel, None)

        return end

    def __bool__(self) -> bool:
        return bool(self._active)

    def held(self) -> dict[str, Value]:
        """What stands still, by channel."""
        last = {channel: [each.held for each in active if each.held is not None] for channel, active in self._active.items()}
        return {channel: values[-1] for channel, values in last.items() if values}

    def status(self, channel: str) -> int:
        """The OPC UA status of the channel's reading."""
        active = self._active.get(channel)
        return max(reversed(active), key=lambda override: override.gravity).status if active else GOOD


def stands_at(value: float | str, tag: Tag) -> Value:
    """Where a flat line of `tag` stands: a text, or a number; of an enumeration its number. Raises SimulationError."""
    if tag.value_kind is Kind.TEXT:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if isinstance(value, float | int):
        if tag.value_kind is not Kind.REAL and value != int(value):
            raise SimulationError(f"{value:g} is no whole number, and {tag.name} is {tag.value_kind}")
        return value
    number = next((number for number, text in tag.states.items() if text == value), None)
    if number is None and tag.states:
        names = ", ".join(tag.states.values())
        close = did_you_mean(value, tag.states.values())
        raise SimulationError(f"{value!r} is no state of {tag.name}{close}; its states: {names}")
    if number is None:
        raise SimulationError(f"{value!r} is no number, and {tag.name} is {tag.value_kind}")
    return number


def status_of(upset: Upset) -> int:
    """The OPC UA status that an upset puts on a reading. Raises SimulationError."""
    if upset.kind == "node_gone":
        return BAD_NODE_ID_UNKNOWN
    if upset.kind not in _SEVERITIES:
        return GOOD
    name = str(KINDS[upset.kind].value_of(upset))
    severity, word = _SEVERITIES[upset.kind]
    code = _status_codes().get(name)
    if code is None or code >> 30 != severity:
        close = get_close_matches(name, [each for each, value in _status_codes().items() if value >> 30 == severity], 1)
        raise SimulationError(f"{name!r} is no {word} status of OPC UA: " + (f"did you mean {close[0]!r}?" if close else
                              f"write e.g. {KINDS[upset.kind].default!r}"))  # fmt: skip
    return code


@cache
def _status_codes() -> dict[str, int]:
    return {name: int(value) for name, value in vars(StatusCodes).items() if isinstance(value, int)}
