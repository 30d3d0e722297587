"""Only the answers that were asked for are taken, however they are cut, in either framing."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerRTU

from drivers.base import Status
from drivers.modbus.answer import Answer, Answers, NotAsked, Refusal
from drivers.modbus.framing import Rtu, Tcp, checksum
from drivers.modbus.plan import Read

READ = Read("input", 100, 2, ())
DATA = b"\x11\x22\x33\x44"


def with_crc(frame: bytes) -> bytes:
    """By pymodbus, which shares no code with the driver."""
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


class Asked:
    """One request in one framing, with its right answer and refusal."""

    def __init__(self, framing: str, read: Read = READ) -> None:
        self.answers = Answers(Rtu() if framing == "rtu" else Tcp())
        self.request, self.key = self.answers.asked(3, read)
        if framing == "rtu":
            self.answer, self.refusal = with_crc(b"\x03\x04\x04" + DATA), with_crc(b"\x03\x84\x02")
        else:
            number = self.request[:2]
            self.answer = number + struct.pack(">HHBBB", 0, 7, 3, 4, 4) + DATA
            self.refusal = number + struct.pack(">HHBBB", 0, 3, 3, 0x84, 2)

    def take(self, *pieces: bytes) -> list[Answer | None]:
        return [answer for piece in pieces for _, answer in self.answers.received(piece)]


both = pytest.mark.parametrize("framing", ["tcp", "rtu"])


@both
def test_the_right_answer_passes_however_it_is_cut(framing: str) -> None:
    for pick, right in (("answer", DATA), ("refusal", Refusal(2))):
        for size in range(1, 14):
            asked = Asked(framing)
            frame: bytes = getattr(asked, pick)
            assert asked.take(*(frame[at : at + size] for at in range(0, len(frame), size))) == [right]
            with pytest.raises(NotAsked, match="1 bytes that nobody asked for: 00"):
                asked.take(b"\0")


@both
@settings(deadline=None)
@given(st.booleans(), st.data())
def test_a_changed_byte_never_gives_another_value(framing: str, refused: bool, data: st.DataObject) -> None:
    """In TCP of the head: its data have no checksum of their own."""
    asked = Asked(framing)
    frame = asked.refusal if refused else asked.answer
    last = len(frame) - 1 if framing == "rtu" else 7 if refused else 8
    at = data.draw(st.integers(0, last))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != frame[at]))
    with suppress(NotAsked):
        assert asked.take(frame[:at] + bytes([byte]) + frame[at + 1 :]) == []


@both
@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_random_bytes_are_no_answer(framing: str, received: bytes) -> None:
    asked = Asked(framing)
    try:
        taken = asked.take(received)
    except NotAsked:
        return
    assert taken == [] or received in (asked.answer, asked.refusal) or isinstance(taken[0], Refusal) or framing == "tcp"
    assert len(received) <= len(asked.answer)


@both
@settings(deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.binary(max_size=4))
def test_an_answer_shifted_doubled_or_in_garbage_is_a_fault(framing: str, shift: int, cut: int, garbage: bytes) -> None:
    asked = Asked(framing)
    damaged = garbage + asked.answer[shift:] + asked.answer[: len(asked.answer) - cut]
    try:
        assert asked.take(damaged) in ([], [DATA]) and damaged[: len(asked.answer)] == asked.answer[: len(damaged)]
    except NotAsked:
        assert damaged != asked.answer


def test_a_fault_says_what_came() -> None:
    def fault(framing: str, received: bytes) -> str:
        asked = Asked(framing)
        frames = {"N": asked.request[:2], "A": asked.answer, "R": asked.refusal}
        with pytest.raises(NotAsked) as caught:
            asked.take(b"".join(frames.get(part, part.encode("latin-1")) for part in received.decode("latin-1").split("|")))
        return str(caught.value).partition(":")[0]

    assert fault("tcp", b"N|\0\0\0\x07\x09") == "unit id 9 instead of 3"
    assert fault("tcp", b"N|\0\0\0\x07\x03\x03") == "function code 3 instead of 4"
    assert fault("tcp", b"N|\0\0\0\x05\x03\x04\x02") == "length 5 instead of 7"
    assert fault("tcp", b"N|\0\0\0\x04\x03\x84") == "length 4 instead of 3"
    assert fault("tcp", b"N|\0\0\0\x07\x03\x04\x02") == "byte count 2 instead of 4"
    assert fault("tcp", b"A|\xff") == "1 bytes more than asked for"
    assert fault("tcp", b"R|A") == "13 bytes more than asked for"
    assert fault("tcp", b"A|A") == "13 bytes more than asked for"
    assert fault("rtu", b"\x04") == "unit id 4 instead of 3"
    assert fault("rtu", b"\x03\x03") == "function code 3 instead of 4"
    assert fault("rtu", b"\x03\x04\x06") == "byte count 6 instead of 4"
    assert fault("rtu", b"\x03\x04\x04\x11\x22\x33\x44\0\0") == "wrong checksum"
    assert fault("rtu", b"A|A") == "9 bytes more than asked for"


def test_a_late_answer_is_dropped_and_the_next_one_taken() -> None:
    asked = Asked("rtu")
    asked.answers.forsake(asked.key)
    _, other = asked.answers.asked(4, READ)
    right = with_crc(b"\x04\x04\x04abcd")
    assert asked.answers.received(asked.answer + right) == [(asked.key, None), (other, b"abcd")]


@settings(deadline=None)
@given(st.permutations(range(4)), st.integers(1, 60))
def test_several_answers_are_told_apart_by_their_numbers(order: list[int], size: int) -> None:
    answers = Answers(Tcp())
    asked = [answers.asked(3, READ) for _ in range(4)]
    frames = [request[:2] + struct.pack(">HHBBB", 0, 7, 3, 4, 4) + bytes(4 * [n]) for n, (request, _) in enumerate(asked)]
    stream = b"".join(frames[n] for n in order)
    came = [item for at in range(0, len(stream), size) for item in answers.received(stream[at : at + size])]
    assert came == [(asked[n][1], bytes(4 * [n])) for n in order]


@pytest.mark.parametrize(("table", "count", "size"), [("coil", 9, 2), ("discrete", 2000, 250), ("holding", 125, 250)])
def test_the_size_follows_from_the_request(table: str, count: int, size: int) -> None:
    asked = Asked("tcp", Read(table, 0, count, ()))
    head = asked.request[:2] + struct.pack(">HHBBB", 0, size + 3, 3, asked.request[7], size)
    assert asked.take(head + bytes(size - 1)) == []
    assert asked.take(b"\0") == [bytes(size)]


@given(st.binary(max_size=256))
def test_the_checksum_is_pymodbus_checksum(frame: bytes) -> None:
    assert checksum(frame) == FramerRTU.compute_CRC(frame).to_bytes(2, "big")


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
