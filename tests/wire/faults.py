"""Every fault of the wire that the whole daemon is tested with: one row each, on an endpoint of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.wire.lines import Line, Pace, Protocol

PACE = Pace(period_s=0.5, timeout_s=1.5, backoff_s=0.4)
JITTER = 1.2
"""Of a backoff, at the most."""

Effect = Literal["lost", "lost for a while", "bad", "none"]


@dataclass(frozen=True)
class Row:
    """One fault of one endpoint."""

    protocol: Protocol
    fault: str
    """A kind of upset, or what `_Faults` does by this name."""
    effect: Effect
    cause: str = ""
    """A pattern that the cause of its gap matches."""
    value: float | None = None
    timeouts: int = 0
    """So many timeouts, besides, until it is back: a request that was spoiled before the end, a line that must fall silent."""
    more_s: float = 0.0

    @property
    def name(self) -> str:
        """Of its endpoint."""
        return f"{self.protocol}-{self.fault}" + (f"-{self.value:g}" if self.value is not None else "")

    @property
    def line(self) -> Line:
        return Line(self.name, self.protocol)

    @property
    def slots(self) -> float:
        """Within which it must be read again."""
        quiet = 1 if self.protocol == "rtu" and self.effect.startswith("lost") else 0
        wait_s = JITTER * PACE.backoff_s + (self.timeouts + quiet) * PACE.timeout_s + self.more_s
        return wait_s / PACE.period_s + 1


CLOSED = "closed|reset|refused"
SILENCE = "no answer within"
ROWS = [
    Row("opcua", "restart", "lost", CLOSED, more_s=0.3),
    Row("opcua", "stopped", "lost", SILENCE),
    Row("opcua", "half_open", "lost for a while", SILENCE),
    Row("opcua", "renewed", "none"),
    Row("opcua", "distrusted", "lost", "BadCertificateUntrusted|BadSecurityChecksFailed|closed", more_s=1.0),
    Row("opcua", "expired", "lost", "it was valid until|closed", more_s=1.0),
    Row("opcua", "too_many_operations", "none", value=2),
    Row("opcua", "partial", "lost", "5 results for 6 nodes"),
    Row("opcua", "delay", "lost", "^late: ", value=0.7),
    Row("opcua", "delay", "lost", SILENCE, value=3, timeouts=1),
    Row("opcua", "garbage", "lost", "not understood|closed|no answer", timeouts=1),
    Row("opcua", "slow", "lost", SILENCE, value=0.03),
    Row("opcua", "cut", "lost", CLOSED + "|no answer"),
    Row("opcua", "reset", "lost for a while", CLOSED),
    Row("opcua", "service_fault", "lost", "BadServiceUnsupported"),
    Row("opcua", "drop_sessions", "lost for a while", "BadSessionIdInvalid|BadSessionClosed"),
    Row("opcua", "nothing", "none"),
    Row("modbus", "restart", "lost", CLOSED),
    Row("modbus", "stopped", "lost", SILENCE),
    Row("modbus", "half_open", "lost for a while", SILENCE),
    Row("modbus", "delay", "lost", "^late: ", value=0.6),
    Row("modbus", "delay", "lost", SILENCE, value=3, timeouts=1),
    Row("modbus", "exception", "bad", value=2, more_s=0.5),
    Row("modbus", "exception", "bad", value=4),
    Row("modbus", "exception", "bad", value=6),
    Row("modbus", "exception", "lost", "exception 11", value=11),
    Row("modbus", "wrong_transaction", "lost", "transaction id"),
    Row("modbus", "foreign_unit", "lost", "unit id"),
    Row("modbus", "short", "lost", "length|byte count"),
    Row("modbus", "oversized", "lost", "length|byte count"),
    Row("modbus", "silent", "lost", SILENCE, timeouts=1),
    Row("modbus", "garbage", "lost", "not the one asked for"),
    Row("modbus", "slow", "lost", SILENCE, value=0.1),
    Row("modbus", "cut", "lost", CLOSED),
    Row("modbus", "reset", "lost for a while", CLOSED),
    Row("modbus", "nothing", "none"),
    Row("rtu", "restart", "lost", CLOSED),
    Row("rtu", "stopped", "lost", SILENCE),
    Row("rtu", "half_open", "lost for a while", SILENCE),
    Row("rtu", "delay", "lost", "^late: ", value=0.6),
    Row("rtu", "delay", "lost", SILENCE, value=2.2, timeouts=2),  # so that a late answer meets the next request
    Row("rtu", "exception", "bad", value=2, more_s=0.5),
    Row("rtu", "exception", "bad", value=6),
    Row("rtu", "exception", "lost", "exception 11", value=11),
    Row("rtu", "foreign_unit", "lost", "unit id"),
    Row("rtu", "short", "lost", "byte count|checksum"),
    Row("rtu", "oversized", "lost", "byte count|checksum"),
    Row("rtu", "silent", "lost", SILENCE, timeouts=1),
    Row("rtu", "garbage", "lost", "not the one asked for|nobody asked for", timeouts=1),
    Row("rtu", "slow", "lost", SILENCE, value=0.1, timeouts=1),
    Row("rtu", "cut", "lost", CLOSED + "|no answer", timeouts=1),
    Row("rtu", "reset", "lost for a while", CLOSED),
    Row("rtu", "nothing", "none"),
]
