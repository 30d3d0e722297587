"""A sink takes a body of lines, or says why not: three outcomes, and what an HTTP answer means. Pure.

    204                taken                     400, 422           refused: find the poisoned line, go on
    413                refused as too large      401, 403, 404      busy, with an alarm: somebody must act
    429, 503           busy until Retry-After    5xx, no answer     busy

Data is given up only when the server itself says that it can't be kept: a 400 or 422 counts as a refusal only in the
server's own words, for a proxy's 400 would dead-letter the whole journal. For the same reason a 200 with a page in it,
a redirect, or any 4xx not named here is nothing taken and nothing lost: busy, with an alarm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import Protocol

import orjson

REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Taken:
    """Every line is safe with the sink."""


@dataclass(frozen=True, slots=True)
class Busy:
    """Nothing is known to be taken; the same body again later."""

    reason: str
    retry_after_s: float | None = None
    alarm: bool = False
    """It will not go away by itself."""
    unanswered: bool = False
    """No whole answer came: the server may have died, and taken with it what it had accepted."""


@dataclass(frozen=True, slots=True)
class Refused:
    """This body will never be taken as it is; others may."""

    reason: str
    too_large: bool = False


Outcome = Taken | Busy | Refused


class Sink(Protocol):
    """Where lines go. Replaying a body is harmless."""

    async def write(self, body: bytes) -> Outcome:
        """Offer lines, separated by line feeds. Raises nothing for what a server or a network does."""

    async def incarnation(self) -> str | None:
        """What changes when the server is started anew; "" where it does not tell, None when it did not answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What of an HTTP answer matters."""

    status: int
    body: bytes = b""
    retry_after: str | None = None
    """Header: seconds or a date."""
    date: str | None = None
    """Header: the server's own clock, by which a date in `retry_after` is read."""


class _Verdict(Enum):
    TAKEN = auto()
    REFUSED = auto()
    TOO_LARGE = auto()
    BUSY = auto()
    ALARM = auto()


_VERDICTS = {
    200: _Verdict.TAKEN,
    204: _Verdict.TAKEN,
    400: _Verdict.REFUSED,
    408: _Verdict.BUSY,
    413: _Verdict.TOO_LARGE,
    422: _Verdict.REFUSED,
    425: _Verdict.BUSY,
    429: _Verdict.BUSY,
}

_OF_A_PROXY = frozenset({502, 504})
"""What a proxy says for a server that is not there."""


def in_influx_words(body: bytes) -> bool:
    """InfluxDB 1, 2 and 3 explain themselves in JSON."""
    return _message(body) is not None


def in_victoria_words(body: bytes) -> bool:
    """VictoriaMetrics repeats the request it complains about."""
    return b"requestURI:" in body


def judge(answer: Answer, in_own_words: Callable[[bytes], bool] = in_influx_words) -> Outcome:
    """The outcome that an answer stands for; `in_own_words` tells the server's explanations from a proxy's."""
    verdict = _VERDICTS.get(answer.status, _Verdict.BUSY if answer.status >= 500 else _Verdict.ALARM)
    reason = explain(answer)
    if verdict is _Verdict.TAKEN:
        return Busy(f"{reason}: not a database's answer", alarm=True) if answer.body.strip() else Taken()
    if verdict is _Verdict.TOO_LARGE:
        return Refused(reason, too_large=True)
    if verdict is _Verdict.REFUSED and in_own_words(answer.body):
        return Refused(reason)
    alarm = verdict in (_Verdict.ALARM, _Verdict.REFUSED)
    return Busy(reason, retry_after_s(answer.retry_after, answer.date), alarm, answer.status in _OF_A_PROXY)


def explain(answer: Answer) -> str:
    """`HTTP 404: database not found: "plant"`."""
    words = _message(answer.body) or answer.body.decode("utf-8", "replace").strip()
    return f"HTTP {answer.status}: {words[:REASON_CHARACTERS]}" if words else f"HTTP {answer.status}"


def _message(body: bytes) -> str | None:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    message = (fields.get("message") or fields.get("error")) if isinstance(fields, dict) else None
    return str(message) if message else None


def retry_after_s(retry_after: str | None, date: str | None) -> float | None:
    """Seconds to wait, never negative; a date counts from the server's own. None when there is nothing sensible."""
    if retry_after is None:
        return None
    if retry_after.strip().isascii() and retry_after.strip().isdigit():
        return float(retry_after)
    until, now = _moment(retry_after), _moment(date or "")
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
