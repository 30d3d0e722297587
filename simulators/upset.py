"""Upsets: everything that can be made to go wrong in a simulated plant, as one catalogue.

    unit       the process itself, and what an operator asks of the recipe      simulators.unit
    tag        the instrument between the process and the controller            simulators.instruments
    device     one Modbus unit id                                               the Modbus server
    endpoint   the connection (simulators.wire.wire) or the protocol (the servers)

An upset has a beginning and an end, and several may be active at once: ending one leaves the others as they are.
Tag upsets reach a server as a `Reading`: `dropout` and `uncertain` are its status, `node_gone` is the status
BAD_NODE_ID_UNKNOWN, which a Modbus server answers as an illegal data address.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol


class Level(StrEnum):
    """What an upset is aimed at."""

    UNIT = "unit"
    TAG = "tag"
    DEVICE = "device"
    ENDPOINT = "endpoint"


Value = Literal["none", "number", "whole number", "text"]
OPC_UA, MODBUS = "opcua", "modbus"
_BOTH = frozenset({OPC_UA, MODBUS})


@dataclass(frozen=True, slots=True)
class Upset:
    """One upset as it is begun: `value` None means the kind's default, `duration_s` None until it is ended."""

    kind: str
    target: str
    value: float | str | None = None
    duration_s: float | None = None
    """Plant seconds."""

    def __str__(self) -> str:
        value = "" if self.value is None else f" {self.value:g}" if isinstance(self.value, float) else f" {self.value}"
        return f"{self.kind} of {self.target}{value}"


End = Callable[[], None]
"""Ends what was begun; a second call does nothing."""


class Disturbable(Protocol):
    """What upsets can be done to."""

    def disturb(self, upset: Upset) -> End:
        """Begin at once. Raises SimulationError for what it cannot do."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of upset, for people and for checks."""

    name: str
    levels: tuple[Level, ...]
    help: str
    """One line."""
    protocols: frozenset[str] = _BOTH
    value: Value = "none"
    meaning: str = ""
    """What `value` says."""
    unit: str = ""
    """Engineering unit of `value`; `EU` is the tag's own."""
    default: float | str | None = None
    needs_value: bool = False
    """There is no default: it must be given."""
    low: float | None = None
    high: float | None = None
    """Inclusive bounds of a number."""
    default_s: float | None = None
    """Plant seconds that it lasts where nobody says; None: until it is ended."""
    once: tuple[Level, ...] = ()
    """Where it happens once and is over: there it takes no duration."""

    def value_of(self, upset: Upset) -> float | str | None:
        """The upset's value, or the default."""
        return self.default if upset.value is None else upset.value

    def number_of(self, upset: Upset) -> float:
        """The upset's value where the kind takes a number. Raises ValueError."""
        value = self.value_of(upset)
        if value is None:
            raise ValueError(f"{self.name} has no value")
        return float(value)


MOST_EU = 1e9
"""What a reading can be put off by, either way."""
_UNIT, _TAG, _ENDPOINT = (Level.UNIT,), (Level.TAG,), (Level.ENDPOINT,)
_MODBUS_SIDE, _MODBUS_ONLY, _OPC_UA_ONLY = (Level.DEVICE, Level.ENDPOINT), frozenset({MODBUS}), frozenset({OPC_UA})

_PROCESS = (
    Kind("cooling_failure", _UNIT, "The heating unit cools no more, or less.", value="number",
         meaning="share of the cooling that is left", unit="1", default=0.0, low=0.0, high=1.0),
    Kind("heating_failure", _UNIT, "The heating unit heats no more, or less.", value="number",
         meaning="share of the heating that is left", unit="1", default=0.0, low=0.0, high=1.0),
    Kind("stirrer_trip", _UNIT, "The stirrer stops."),
    Kind("dosing_too_fast", _UNIT, "The dosing valve passes more than is asked for.", value="number",
         meaning="what it passes, as a multiple of what is asked", unit="1", default=2.85, low=0.0, high=20.0),
    Kind("runaway", _UNIT, "The exothermic side reaction goes faster.", value="number",
         meaning="factor on its rate", unit="1", default=100_000.0, low=1.0, high=1e9),
    Kind("jacket_leak", _UNIT, "Heat transfer fluid leaks into the contents.", value="number",
         meaning="how much", unit="kg/h", default=60.0, low=0.0, high=10_000.0),
)  # fmt: skip
_OPERATOR = (
    Kind("hold", _UNIT, "The operator holds the recipe.", once=_UNIT),
    Kind("restart", (Level.UNIT, Level.ENDPOINT), "Of a unit: the operator lets a held recipe go on. "
         "Of an endpoint: the server is gone with its sessions, and back afterwards.", once=_UNIT),
    Kind("pause", _UNIT, "The operator pauses the recipe at the end of its phase.", once=_UNIT),
    Kind("resume", _UNIT, "The operator lets a paused recipe go on.", once=_UNIT),
    Kind("stop", _UNIT, "The operator stops the batch in an orderly way.", once=_UNIT),
    Kind("abort", _UNIT, "The operator aborts the batch.", once=_UNIT),
    Kind("reset", (Level.UNIT, Level.ENDPOINT), "Of a unit: the operator resets a batch that is complete, stopped or aborted. "
         "Of an endpoint: existing connections are reset, once.", once=(Level.UNIT, Level.ENDPOINT)),
    Kind("start", _UNIT, "The operator starts the next batch.", once=_UNIT),
)  # fmt: skip
_INSTRUMENT = (
    Kind("flat_line", _TAG, "The reading stands still, its stamp goes on.", value="number",
         meaning="where it stands; else where it was", unit="EU"),
    Kind("spike", _TAG, "The reading jumps by this much, for a second where nobody says.", value="number",
         meaning="height", unit="EU", needs_value=True, low=-MOST_EU, high=MOST_EU, default_s=1.0),
    Kind("drift", _TAG, "The reading runs away steadily, and is right again afterwards.", value="number",
         meaning="speed", unit="EU/h", needs_value=True, low=-MOST_EU, high=MOST_EU),
    Kind("offset", _TAG, "The reading is off by this much: two probes disagree.", value="number",
         meaning="how far", unit="EU", needs_value=True, low=-MOST_EU, high=MOST_EU),
    Kind("noise", _TAG, "The noise of the instrument grows.", value="number", meaning="factor on its noise",
         unit="1", default=10.0, low=0.0, high=1e6),
    Kind("lag", _TAG, "The reading follows more slowly.", value="number", meaning="time constant", unit="s",
         default=60.0, low=0.0, high=86_400.0),
    Kind("dropout", _TAG, "No reading: a bad status on OPC UA, a device failure (or the vendor's NaN) on Modbus.",
         value="text", meaning="name of the OPC UA status", default="BadSensorFailure"),
    Kind("uncertain", _TAG, "The reading comes with an uncertain status.", _OPC_UA_ONLY, "text",
         "name of the OPC UA status", default="UncertainSensorNotAccurate"),
    Kind("node_gone", _TAG, "The tag is no longer there: BadNodeIdUnknown, or an illegal data address."),
)  # fmt: skip
_WIRE = (
    Kind("refuse", _ENDPOINT, "New connections are refused."),
    Kind("freeze", _ENDPOINT, "Connections are accepted, nothing is answered."),
    Kind("half_open", _ENDPOINT, "Existing connections are dead and nobody says so."),
    Kind("delay", _ENDPOINT, "Every answer comes later.", value="number", meaning="how much later", unit="s", default=2.0,
         low=0.0, high=3600.0),
    Kind("slow", _ENDPOINT, "Answers come byte by byte.", value="number", meaning="time per byte", unit="s", default=0.1,
         low=0.0, high=60.0),
    Kind("cut", _ENDPOINT, "An answer stops in the middle and the connection is closed."),
    Kind("garbage", _ENDPOINT, "The bytes of answers are replaced by others."),
)  # fmt: skip
_MODBUS = (
    Kind("exception", _MODBUS_SIDE, "Every request is answered with an exception.", _MODBUS_ONLY, "whole number",
         "its code", default=4.0, low=1.0, high=255.0),
    Kind("silent", _MODBUS_SIDE, "Requests are not answered.", _MODBUS_ONLY),
    Kind("wrong_transaction", _MODBUS_SIDE, "Answers carry another transaction's number.", _MODBUS_ONLY),
    Kind("foreign_unit", _MODBUS_SIDE, "Answers carry another unit id.", _MODBUS_ONLY),
    Kind("short", _MODBUS_SIDE, "Answers have fewer bytes than were asked for.", _MODBUS_ONLY),
    Kind("oversized", _MODBUS_SIDE, "Answers have more bytes than were asked for.", _MODBUS_ONLY),
)  # fmt: skip
_OPC_UA = (
    Kind("too_many_operations", _ENDPOINT, "Requests for more nodes than this fail as BadTooManyOperations.", _OPC_UA_ONLY,
         "whole number", "most nodes per request", default=10.0, low=1.0, high=1e6),
    Kind("service_fault", _ENDPOINT, "Every Read is answered with a ServiceFault.", _OPC_UA_ONLY, "text",
         "name of its OPC UA status", default="BadServiceUnsupported"),
    Kind("drop_sessions", _ENDPOINT, "All sessions are forgotten, once; the connections stay.", _OPC_UA_ONLY, once=_ENDPOINT),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.name: kind for kind in (*_PROCESS, *_OPERATOR, *_INSTRUMENT, *_WIRE, *_MODBUS, *_OPC_UA)}
"""The catalogue, by name."""
