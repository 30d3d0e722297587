"""The short way to pack and unpack plain messages against asyncua's own: whatever comes, the same state and the same answers."""

from __future__ import annotations

import asyncio
import logging
import struct
from itertools import pairwise
from typing import Any

import pytest
from asyncua import ua
from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.connection import TransportLimits
from asyncua.crypto.security_policies import SecurityPolicyAes128Sha256RsaOaep, SecurityPolicyNone
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.wire_plain import Shortcut, packed

CHANNEL, TOKEN, NEXT_TOKEN = 7, 13, 14


def plain() -> SecurityPolicyNone:
    return SecurityPolicyNone()  # type: ignore[no-untyped-call]


class Socket:
    """A transport that remembers what is done to it."""

    def __init__(self) -> None:
        self.closed = 0
        self.protocol: asyncio.BaseProtocol | None = None

    def close(self) -> None:
        self.closed += 1

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


class Client:
    """asyncua's protocol with an open channel and requests 1 to 4 unanswered."""

    def __init__(self, loop: asyncio.AbstractEventLoop, policy: Any = None) -> None:
        self.protocol = UASocketProtocol(1, policy or plain(), TransportLimits(65535, 65535, 0, 0))
        self.socket = Socket()
        self.protocol.transport = self.socket  # type: ignore[assignment]
        self.connection = self.protocol._connection
        self.connection.security_token.ChannelId = ua.UInt32(CHANNEL)
        self.connection.security_token.TokenId = ua.UInt32(TOKEN)
        self.connection.next_security_token.ChannelId = ua.UInt32(CHANNEL)
        self.connection.next_security_token.TokenId = ua.UInt32(NEXT_TOKEN)
        self.connection._open = True
        self.connection._peer_sequence_number = 50
        self.waiting = [loop.create_future() for _ in range(4)]
        self.protocol._callbackmap = dict(enumerate(self.waiting, 1))
        self.short: Shortcut | None = None

    def shortened(self) -> Shortcut:
        """The shortcut that is put before it."""
        Shortcut.into(self.protocol)
        assert isinstance(self.socket.protocol, Shortcut)
        self.short = self.socket.protocol
        return self.short

    @property
    def begun(self) -> bytes:
        """Of a message whose rest has not come."""
        return bytes(self.short.begun if self.short else b"") + (self.protocol.receive_buffer or b"")

    @property
    def state(self) -> tuple[object, ...]:
        """All that a message can change."""
        answered = [
            (future.done(), future.done() and (repr(future.exception()) if future.exception() else bytes(future.result())))
            for future in self.waiting
        ]
        connection = self.connection
        return (
            answered,
            sorted(self.protocol._callbackmap),
            self.begun,
            connection._peer_sequence_number,
            connection._sequence_number,
            connection.security_token.TokenId,
            [(chunk.SequenceHeader.RequestId, bytes(chunk.Body)) for chunk in connection._incoming_parts],
            self.socket.closed,
        )


def message(kind: bytes, channel: int, token: int, sequence: int, request: int, body: bytes) -> bytes:
    return struct.pack("<4sIIIII", kind, 24 + len(body), channel, token, sequence, request) + body


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """What a socket may give: messages as they should be, mostly; cut and joined in any way."""
    whole = b""
    cuts = [0]
    for step in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from([b"MSGF"] * 8 + [b"MSGC", b"MSGA", b"ERRF", b"OPNF", b"XXXF"]))
        channel = draw(st.sampled_from([CHANNEL] * 12 + [8]))
        token = draw(st.sampled_from([TOKEN] * 9 + [NEXT_TOKEN, 99]))
        sequence = 51 + step + draw(st.sampled_from([0] * 12 + [1, -1]))
        request = draw(st.sampled_from([step % 4 + 1] * 6 + [1, 9]))
        whole += message(kind, channel, token, sequence, request, draw(st.binary(max_size=30)))
        cuts.append(len(whole))
    if draw(st.integers(0, 3)) == 0:
        cuts = sorted({0, len(whole), *draw(st.lists(st.integers(0, len(whole)), max_size=4))})
    if draw(st.integers(0, 5)) == 0:
        at = draw(st.integers(0, len(whole) - 1))
        whole = whole[:at] + bytes([whole[at] ^ draw(st.integers(1, 255))]) + whole[at + 1 :]
    return [whole[start:end] for start, end in pairwise(cuts)]


@given(streams())
def test_whatever_comes_the_state_is_the_same_as_without_the_shortcut(pieces: list[bytes]) -> None:
    logging.disable(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    try:
        stock, ours = Client(loop), Client(loop)
        short = ours.shortened()
        for piece in pieces:
            stock.protocol.data_received(piece)
            short.data_received(piece)
            assert ours.state == stock.state
    finally:
        loop.close()
        logging.disable(logging.NOTSET)


def test_a_plain_whole_message_in_turn_does_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.new_event_loop()
    client = Client(loop)
    loop.close()
    short = client.shortened()

    def long_way(_self: UASocketProtocol, _data: bytes) -> None:
        raise AssertionError

    monkeypatch.setattr(UASocketProtocol, "data_received", long_way)
    for number in (1, 2):
        whole = message(b"MSGF", CHANNEL, TOKEN, 50 + number, number, b"body")
        for piece in (whole,) if number == 1 else (whole[:24], whole[24:25], whole[25:]):
            short.data_received(piece)
    assert [future.done() for future in client.waiting] == [True, True, False, False]


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), st.data())
def test_messages_in_pieces_arrive_whole_wherever_the_network_cuts_them(bodies: list[bytes], data: st.DataObject) -> None:
    loop = asyncio.new_event_loop()
    client = Client(loop)
    loop.close()
    short = client.shortened()
    for number, body in enumerate(bodies, 1):
        whole = message(b"MSGF", CHANNEL, TOKEN, 50 + number, number, body)
        cuts = sorted({0, len(whole), *data.draw(st.lists(st.integers(0, len(whole)), max_size=4))})
        for start, end in pairwise(cuts):
            assert not client.waiting[number - 1].done()
            short.data_received(whole[start:end])
        assert bytes(client.waiting[number - 1].result()) == body
    assert client.begun == b""


def test_a_secured_channel_never_takes_it() -> None:
    policy = object.__new__(SecurityPolicyAes128Sha256RsaOaep)
    loop = asyncio.new_event_loop()
    client = Client(loop, policy)
    loop.close()
    seen: list[bytes] = []
    client.protocol.data_received = seen.append  # type: ignore[method-assign,assignment]
    pieces = message(b"MSGF", CHANNEL, TOKEN, 51, 1, b"body"), message(b"MSGF", CHANNEL, TOKEN, 51, 1, b"body")[:26]
    for piece in pieces:
        Shortcut(client.protocol).data_received(piece)
    assert (*seen,) == pieces


@given(
    st.binary(min_size=1, max_size=300),
    st.integers(1, 2**32 - 1),
    st.sampled_from([0, 1, 77, 2**32 - 3, 2**32 - 2, 2**32 - 1]),
    st.sampled_from([64, 200, 65535]),
)
def test_messages_are_packed_as_asyncua_packs_them(body: bytes, request: int, sequence: int, send_buffer: int) -> None:
    loop = asyncio.new_event_loop()
    stock, ours = Client(loop), Client(loop)
    loop.close()
    for client in (stock, ours):
        client.connection._sequence_number = sequence
        client.connection._limits.max_send_buffer = send_buffer
    for _ in range(2):
        assert packed(ours.connection, body, request) == stock.connection.message_to_binary(body, request_id=request)
        assert ours.connection._sequence_number == stock.connection._sequence_number


def test_what_else_a_socket_tells_is_passed_on() -> None:
    loop = asyncio.new_event_loop()
    client = Client(loop)
    loop.close()
    short = client.shortened()
    short.pause_writing()
    short.resume_writing()
    assert not short.eof_received()
    short.connection_lost(None)
    assert client.protocol.transport is None
    assert all(isinstance(future.exception(), ConnectionError) for future in client.waiting)
