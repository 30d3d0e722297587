"""Messages on a channel without security, each in one chunk: by a shorter way than asyncua's, to the same effect.

    MSGF  size  channel  token | sequence  request | body          six numbers, 24 bytes, then the body

For a group of twenty tags, packing and unpacking that head by asyncua costs more than all the rest. What begins so but comes in
pieces, as a network cuts it, is put together here. Whatever is not exactly so (a secured channel, several chunks, a new token, a
number out of turn, more than one message) takes asyncua's way, with nothing touched beforehand. What this touches of asyncua's
inside is pinned in tests/unit/drivers/test_opcua_wire_plain.py:

- of the SecureConnection: `_limits`, `_sequence_number`, `_peer_sequence_number`, `_incoming_parts`, its tokens;
- of the UASocketProtocol: `_connection`, `_callbackmap`, `_call_callback`.
"""

from __future__ import annotations

import asyncio
import struct

from asyncua.client.ua_client import UASocketProtocol
from asyncua.common.connection import SecureConnection
from asyncua.common.utils import Buffer
from asyncua.crypto.security_policies import SecurityPolicyNone

_HEAD = struct.Struct("<4sIIIII")
_WHOLE_MESSAGE = b"MSGF"
_LAST_SEQUENCE_NUMBER = 2**32 - 1


def packed(connection: SecureConnection, body: bytes, request_id: int) -> bytes:
    """The message with this body, as `connection.message_to_binary` makes it."""
    size = _HEAD.size + len(body)
    sequence = connection._sequence_number + 1
    if not _is_plain(connection) or size > connection._limits.max_send_buffer or sequence > _LAST_SEQUENCE_NUMBER:
        return connection.message_to_binary(body, request_id=request_id)
    token = connection.security_token
    connection._sequence_number = sequence
    return _HEAD.pack(_WHOLE_MESSAGE, size, token.ChannelId, token.TokenId, sequence, request_id) + body


class Shortcut(asyncio.Protocol):
    """Stands between a socket and asyncua's protocol, and hands it the answers that come plain and whole."""

    def __init__(self, protocol: UASocketProtocol) -> None:
        self._protocol = protocol
        self.begun = bytearray()
        """Of a message whose rest has not come."""
        self._size_bytes = 0
        """The whole message's."""

    @classmethod
    def into(cls, protocol: UASocketProtocol) -> None:
        """Put one before `protocol`, which must be connected."""
        assert protocol.transport is not None
        protocol.transport.set_protocol(cls(protocol))

    def data_received(self, data: bytes) -> None:
        if self.begun:
            self.begun += data
            if len(self.begun) < self._size_bytes:
                return
            data, self.begun = bytes(self.begun), bytearray()
        if not self._taken(data):
            self._protocol.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def eof_received(self) -> bool | None:
        return self._protocol.eof_received()

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _taken(self, data: bytes) -> bool:
        """Hand over a message that is plain and in turn, or keep the beginning of one; whether it was such a one."""
        connection = self._protocol._connection
        if self._protocol.receive_buffer or connection._incoming_parts or len(data) < _HEAD.size or not _is_plain(connection):
            return False
        kind, size_bytes, channel, token, sequence, request = _HEAD.unpack_from(data)
        limits, expected = connection._limits, connection.security_token
        in_turn = (
            kind == _WHOLE_MESSAGE
            and len(data) <= size_bytes <= limits.max_recv_buffer
            and limits.max_message_size == limits.max_chunk_count == 0
            and (channel, token) == (expected.ChannelId, expected.TokenId)
            and connection._peer_sequence_number is not None
            and sequence == connection._peer_sequence_number + 1
            and request in self._protocol._callbackmap
        )
        if in_turn and len(data) < size_bytes:
            self.begun += data
            self._size_bytes = size_bytes
        elif in_turn:
            connection._peer_sequence_number = sequence
            self._protocol._call_callback(request, Buffer(data[_HEAD.size :]))
        return in_turn


def _is_plain(connection: SecureConnection) -> bool:
    return type(connection.security_policy) is SecurityPolicyNone
