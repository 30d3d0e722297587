"""Requests out of a stream, and answers as a device that misbehaves would give them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import Device, ModbusDevice
from config.tags import Tag
from simulators.modbus.device import SimulatedDevice
from simulators.modbus.faults import Misbehaviour
from simulators.modbus.frames import Frame, StreamLost, take_requests
from simulators.source import Point, Reading
from simulators.upset import Upset

FRAMES = st.builds(Frame, st.integers(0, 0xFFFF), st.integers(0, 0xFF), st.binary(min_size=1, max_size=253))


@given(st.lists(FRAMES, max_size=5), st.data())
def test_requests_come_out_as_they_went_in_however_the_stream_is_cut(frames: list[Frame], data: st.DataObject) -> None:
    stream, buffer = b"".join(frame.encoded() for frame in frames), bytearray()
    taken: list[Frame] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        buffer += stream[:size]
        stream = stream[size:]
        taken += take_requests(buffer)
        assert len(buffer) < 260
    assert taken == frames and not buffer


def test_a_frame_by_hand() -> None:
    assert Frame(0x1234, 7, bytes.fromhex("03006B0003")).encoded() == bytes.fromhex("1234 0000 0006 07 03 006B 0003")


@given(st.binary(max_size=600))
def test_garbage_is_passed_over_or_loses_the_stream_and_never_more(garbage: bytes) -> None:
    buffer = bytearray(garbage)
    try:
        taken = list(take_requests(buffer))
    except StreamLost:
        return
    assert sum(7 + len(frame.pdu) for frame in taken) + len(buffer) <= len(garbage)
    assert len(buffer) < 260


def test_another_protocol_is_passed_over_and_an_impossible_length_loses_the_stream_after_what_came_before() -> None:
    right = Frame(1, 2, b"\3\0\0\0\1").encoded()
    other = right[:2] + b"\0\1" + right[4:]
    buffer = bytearray(other + right)
    assert [frame.transaction for frame in take_requests(buffer)] == [1]
    for length in (b"\0\0", b"\0\1", b"\0\xff", b"\xff\xff"):
        requests = take_requests(bytearray(right + right[:4] + length + right[6:]))
        assert next(requests).unit_id == 2
        with pytest.raises(StreamLost, match=f"a frame of {int.from_bytes(length, 'big')} bytes: 2 to 254"):
            next(requests)


REQUEST = Frame(0x2A, 7, bytes.fromhex("03 0000 0004"))
RIGHT = Frame(0x2A, 7, bytes.fromhex("03 08 0001 0002 0003 0004"))


@pytest.mark.parametrize(
    ("kinds", "sent"),
    [
        ("exception", "002A 0000 0003 07 83 04"),
        ("wrong_transaction", "0029 0000 000B 07 03 08 0001 0002 0003 0004"),
        ("foreign_unit", "002A 0000 000B 08 03 08 0001 0002 0003 0004"),
        ("short", "002A 0000 0009 07 03 06 0001 0002 0003"),
        ("oversized", "002A 0000 000D 07 03 0A 0001 0002 0003 0004 0000"),
        ("short oversized", "002A 0000 000D 07 03 0A 0001 0002 0003 0004 0000"),
        ("exception short wrong_transaction foreign_unit", "0029 0000 0003 08 83 04"),
    ],
)
def test_misbehaviour_to_the_byte(kinds: str, sent: str) -> None:
    answer = Misbehaviour(Upset(kind, "plc") for kind in kinds.split()).answer(REQUEST, RIGHT)
    assert answer and answer.encoded() == bytes.fromhex(sent)


def test_misbehaviour_at_the_edges() -> None:
    assert Misbehaviour([Upset("silent", "plc"), Upset("exception", "plc")]).answer(REQUEST, RIGHT) is None
    assert not Misbehaviour(()) and Misbehaviour(()).answer(REQUEST, RIGHT) == RIGHT
    wrapped = Misbehaviour([Upset("wrong_transaction", "plc"), Upset("foreign_unit", "plc")])
    assert wrapped.answer(Frame(0, 255, b"\3"), Frame(0, 255, b"\x83\2")) == Frame(0xFFFF, 0, b"\x83\2")
    bits, most = Frame(1, 1, bytes([1, 2, 0xFF, 0x01])), Frame(1, 1, bytes([3, 250]) + bytes(250))
    for kind, size, longest in (("short", 1, 248), ("oversized", 3, 252)):
        answer = Misbehaviour([Upset(kind, "plc")]).answer(REQUEST, bits)
        assert answer and answer.pdu[1] == size == len(answer.pdu) - 2
        answer = Misbehaviour([Upset(kind, "plc")]).answer(REQUEST, most)
        assert answer and answer.pdu[1] == longest == len(answer.pdu) - 2
    latest = Misbehaviour([Upset("exception", "plc", 2.0), Upset("exception", "plc", 6.0)]).answer(REQUEST, RIGHT)
    assert latest and latest.pdu == b"\x83\6"


class Numbers:
    """A source of 7 that counts how often it was moved."""

    moved = 0

    def refresh(self) -> int:
        self.moved += 1
        return self.moved

    def point(self, _device: Device, _tag: Tag) -> Point:
        return lambda: Reading(7)


TAGS = {"A": {"address": "holding:10", "type": "uint16"}, "C": {"address": "coil:0"}}


@given(st.binary(min_size=1, max_size=253))
def test_every_request_has_an_answer_of_its_function(request: bytes) -> None:
    device = SimulatedDevice(ModbusDevice.model_validate({"name": "plc", "tags": TAGS}), Numbers())
    answer = device.answer(request)
    assert len(answer) <= 253
    assert answer[0] | 0x80 == request[0] | 0x80
    if answer[0] == request[0] < 0x80:
        assert answer[1] == len(answer) - 2
    else:
        assert len(answer) == 2 and answer[1] in (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("request_pdu", "answer"),
    [
        ("03 000A 0001", "03 02 0007"),
        ("03 000A 0002", "83 02"),
        ("03 FFFF 0002", "83 02"),
        ("03 000A 0000", "83 03"),
        ("03 000A 007E", "83 03"),
        ("03 000A", "83 03"),
        ("03 000A 0001 00", "83 03"),
        ("04 000A 0001", "84 02"),
        ("01 0000 0001", "01 01 01"),
        ("01 0000 07D1", "81 03"),
        ("06 000A 0001", "86 01"),
        ("2B 0E 01 00", "AB 01"),
        ("00", "80 01"),
        ("83 02", "83 01"),
    ],
)
def test_answers_by_hand(request_pdu: str, answer: str) -> None:
    device = SimulatedDevice(ModbusDevice.model_validate({"name": "plc", "tags": TAGS}), Numbers())
    assert device.answer(bytes.fromhex(request_pdu)) == bytes.fromhex(answer)
