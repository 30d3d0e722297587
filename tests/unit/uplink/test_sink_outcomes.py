"""What an HTTP answer means for the data that was offered."""

from __future__ import annotations

import pytest

from collector.uplink.delivery import Backoff
from collector.uplink.sink import Answer, Busy, Outcome, Refused, Taken, in_victoria_words, judge, retry_after_s

JSON_1 = b'{"error":"partial write: field type conflict dropped=1"}'
JSON_2 = b'{"code":"invalid","message":"unable to parse"}'
PAGE = b"<html><h1>400 The plain HTTP request was sent to HTTPS port</h1></html>"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(204), Taken()),
        (Answer(200), Taken()),
        (Answer(200, b"\n"), Taken()),
        (Answer(400, JSON_1), Refused("HTTP 400: partial write: field type conflict dropped=1")),
        (Answer(400, JSON_2), Refused("HTTP 400: unable to parse")),
        (Answer(422, JSON_2), Refused("HTTP 422: unable to parse")),
        (Answer(413), Refused("HTTP 413", too_large=True)),
        (Answer(413, PAGE), Refused(f"HTTP 413: {PAGE.decode()}", too_large=True)),
        (Answer(401, b'{"message":"unauthorized access"}'), Busy("HTTP 401: unauthorized access", alarm=True)),
        (Answer(403), Busy("HTTP 403", alarm=True)),
        (Answer(404, b'{"error":"database not found: \\"x\\""}'), Busy('HTTP 404: database not found: "x"', alarm=True)),
        (Answer(429, retry_after="7"), Busy("HTTP 429", 7.0)),
        (Answer(503, b"{}", retry_after="0"), Busy("HTTP 503: {}", 0.0)),
        (Answer(408), Busy("HTTP 408")),
        (Answer(500, b'{"error":"timeout"}'), Busy("HTTP 500: timeout")),
        (Answer(502, b"bad gateway"), Busy("HTTP 502: bad gateway", unanswered=True)),
        (Answer(599), Busy("HTTP 599")),
    ],
)
def test_the_table(answer: Answer, outcome: Outcome) -> None:
    assert judge(answer) == outcome


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>please log in</html>"),
        Answer(400, PAGE),
        Answer(400, b""),
        Answer(400, b"[]"),
        Answer(400, b'"text"'),
        Answer(422, b"\xff\xfe"),
        *(Answer(status, JSON_1) for status in (100, 201, 202, 206, 301, 302, 307, 308, 402, 405, 407, 409, 411, 421, 431, 451)),
    ],
)
def test_a_proxy_never_takes_nor_loses_data(answer: Answer) -> None:
    outcome = judge(answer)
    assert isinstance(outcome, Busy)
    assert outcome.alarm


def test_victoriametrics_has_words_of_its_own() -> None:
    said = b'remoteAddr: "127.0.0.1:1"; requestURI: /api/v2/write; cannot read\n'
    assert isinstance(judge(Answer(400, said), in_victoria_words), Refused)
    assert isinstance(judge(Answer(400, PAGE), in_victoria_words), Busy)


def test_long_words_are_cut() -> None:
    assert len(judge(Answer(500, b"x" * 10_000)).reason) < 600  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        (None, None, None),
        ("120", None, 120.0),
        (" 3 ", None, 3.0),
        ("Mon, 23 Nov 2026 08:02:00 GMT", "Mon, 23 Nov 2026 08:01:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 08:00:00 GMT", "Mon, 23 Nov 2026 08:01:30 GMT", 0.0),
        ("Mon, 23 Nov 2026 08:02:00 GMT", None, None),
        ("Mon, 23 Nov 2026 08:02:00 -0000", "Mon, 23 Nov 2026 08:01:30 GMT", 30.0),
        ("soon", "Mon, 23 Nov 2026 08:01:30 GMT", None),
        ("-5", None, None),
        ("1.5", None, None),
        ("²", None, None),
    ],
)
def test_retry_after(header: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, date) == seconds


def test_backoff_doubles_within_bounds_and_honours_the_server() -> None:
    backoff, busy = Backoff(), Busy("x")
    assert [backoff.wait_s(n, busy, 1.0) for n in (0, 1, 2, 6, 5000)] == [0.5, 1.0, 2.0, 10.0, 10.0]
    assert backoff.wait_s(0, busy, 0.0) == 0.25
    assert backoff.wait_s(0, Busy("x", retry_after_s=12.0), 1.0) == 12.0
    assert backoff.wait_s(0, Busy("x", retry_after_s=1e9), 1.0) == 300.0
    assert backoff.wait_s(0, Busy("x", alarm=True), 1.0) == 5.0
    assert backoff.wait_s(99, Busy("x", alarm=True), 1.0) == 60.0
