"""Only the one answer that was asked for passes the guard, however it is cut."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Status
from drivers.modbus.answer import AnswerGuard, Refusal

ASKED = struct.pack(">HHHBBHH", 7, 0, 6, 3, 4, 100, 2)
RIGHT = struct.pack(">HHHBBB", 7, 0, 7, 3, 4, 4) + b"\x11\x22\x33\x44"
REFUSED = struct.pack(">HHHBBB", 7, 0, 3, 3, 0x84, 2)


def guard(request: bytes = ASKED) -> AnswerGuard:
    asked = AnswerGuard()
    asked.asked(request)
    return asked


@pytest.mark.parametrize("answer", [RIGHT, REFUSED])
def test_the_right_answer_passes_however_it_is_cut(answer: bytes) -> None:
    watching = guard()
    assert [watching.fault(answer[:n]) for n in range(1, len(answer) + 1)] == [None] * len(answer)
    assert watching.fault(b"\x00") == "1 bytes that nobody asked for: 00"


@settings(deadline=None)
@given(st.sampled_from([RIGHT, REFUSED]), st.data())
def test_any_other_head_is_a_fault(answer: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, 8 if answer == RIGHT else 7))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != answer[at]))
    wrong = answer[:at] + bytes([byte]) + answer[at + 1 :]
    beginning = wrong[: at + 1]
    if not (RIGHT.startswith(beginning) or REFUSED.startswith(beginning)):  # else it is the other one's beginning
        assert guard().fault(beginning), "as soon as its wrong byte is there"
    assert guard().fault(wrong)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_random_bytes_never_pass_as_a_whole_answer(received: bytes) -> None:
    watching = guard()
    if watching.fault(received) is None:
        assert RIGHT[:9].startswith(received[:9]) or REFUSED[:8].startswith(received[:8])
        assert len(received) <= len(RIGHT)


@pytest.mark.parametrize(
    ("received", "text"),
    [
        (struct.pack(">H", 6) + RIGHT[2:], "transaction id 6 instead of 7"),
        (struct.pack(">H", 0) + RIGHT[2:], "transaction id 0 instead of 7"),
        (b"HTTP/1.1 400 Bad Request", "transaction id 18516 instead of 7"),
        (RIGHT[:6] + b"\x09" + RIGHT[7:], "unit id 9 instead of 3"),
        (RIGHT[:7] + b"\x03" + RIGHT[8:], "function code 3 instead of 4"),
        (RIGHT[:4] + b"\x00\x05" + RIGHT[6:8] + b"\x02\x11\x22", "length 5 instead of 7"),
        (RIGHT[:8] + b"\x02" + RIGHT[9:], "byte count 2 instead of 4"),
        (RIGHT + b"\xff", "1 bytes more than asked for: ff"),
        (REFUSED + RIGHT, "13 bytes more than asked for: 00 07"),
        (RIGHT + RIGHT, "13 bytes more than asked for: 00 07"),
        (REFUSED[:4] + b"\x00\x04" + REFUSED[6:], "length 4 instead of 3"),
    ],
)
def test_a_fault_says_what_came(received: bytes, text: str) -> None:
    assert (guard().fault(received) or "").startswith(text)


@pytest.mark.parametrize(("function", "count", "size"), [(1, 9, 2), (2, 2000, 250), (3, 125, 250), (4, 1, 2)])
def test_the_size_follows_from_the_request(function: int, count: int, size: int) -> None:
    watching = guard(struct.pack(">HHHBBHH", 1, 0, 6, 0, function, 0, count))
    head = struct.pack(">HHHBBB", 1, 0, size + 3, 0, function, size)
    assert watching.fault(head + bytes(size - 1)) is None
    assert watching.fault(head + bytes(size + 1)) == "1 bytes more than asked for: 00"


@pytest.mark.parametrize(
    ("code", "status", "address_refused"),
    [
        (1, Status.BAD_DEVICE_FAILURE, False),
        (2, Status.BAD_NODE_ID_UNKNOWN, True),
        (3, Status.BAD_NODE_ID_UNKNOWN, True),
        (6, Status.BAD_DEVICE_FAILURE, False),
        (10, Status.BAD_NO_COMMUNICATION, False),
        (11, Status.BAD_NO_COMMUNICATION, False),
        (200, Status.BAD_DEVICE_FAILURE, False),
    ],
)
def test_what_a_refusal_means(code: int, status: int, address_refused: bool) -> None:
    assert (Refusal(code).status, Refusal(code).address_refused) == (status, address_refused)
    assert str(Refusal(11)) == "exception 11 (gateway target device failed to respond)"
