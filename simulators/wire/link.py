"""One connection through a wire: the client's half and the server's, and what goes from one to the other.

    client ══ Side ──────────── requests, as they come ───────────► Side ══ server
                   ◄── Line: delayed, slow, cut, garbage ──────────

A side reads while nobody holds it. It is held while the other cannot write as fast, while the line is full, and while
the wire is frozen: then the kernel's buffers fill, and the peer sees a closed window. So memory stays bounded.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast

from simulators.wire.line import Line, Trouble

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reset_on_close(connection: socket.socket) -> None:
    """Closing it sends RST, where it would send FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)


class Side(asyncio.Protocol):
    """One half of a link. `received`, `ended` and `lost` are called with what its peer does."""

    def __init__(self, received: Callable[[bytes], None], ended: Callable[[], bool], lost: Callable[[bool], None]) -> None:
        self.other: Side = self
        self._received, self._ended, self._lost = received, ended, lost
        self._held_for: set[str] = set()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._held_for:
            self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        self._received(data)

    def eof_received(self) -> bool:
        return self._ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._lost(exc is not None)

    def pause_writing(self) -> None:
        self.other.hold("the other side is slower")

    def resume_writing(self) -> None:
        self.other.release("the other side is slower")

    @property
    def open(self) -> bool:
        return self._transport is not None

    def hold(self, reason: str) -> None:
        """Read nothing until every reason is gone."""
        self._held_for.add(reason)
        if self._transport:
            self._transport.pause_reading()

    def release(self, reason: str) -> None:
        self._held_for.discard(reason)
        if self._transport and not self._held_for:
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        if self._transport:
            self._transport.write(data)

    def write_eof(self) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        """Once all is written."""
        if self._transport:
            self._transport.close()

    def drop(self, *, reset: bool = False) -> None:
        """At once, as the system does for a process that died; with RST in any case if `reset`."""
        if self._transport:
            if reset and not self._transport.is_closing():
                reset_on_close(self._transport.get_extra_info("socket"))
            self._transport.abort()


class Link:
    """Both sides. `finished` is done when neither is left."""

    def __init__(self, seed: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._line = Line(seed)
        self._timer: asyncio.TimerHandle | None = None
        self._frozen = self._swallowing = self._last_answer = self._dropped = self._begun = False
        self.finished: asyncio.Future[None] = self._loop.create_future()
        self.client = Side(self._asked, self._client_ended, self._client_lost)
        self.server = Side(self._answered, self._server_ended, self._server_lost)
        self.client.other, self.server.other = self.server, self.client
        self.client.hold("the server is not reached yet")

    def begin(self) -> None:
        """Both sides are connected, unless one could not be or is gone again."""
        self._begun = True
        if self._swallowing:
            self.server.drop()
        elif self._dropped or not (self.client.open and self.server.open):
            self.drop(reset=True)
        self.client.release("the server is not reached yet")
        self._finish()

    def suffer(self, trouble: Trouble, *, frozen: bool) -> None:
        """From now on."""
        self._line.trouble = trouble
        self._frozen = frozen
        for side in (self.client, self.server):
            (side.hold if frozen else side.release)("the wire is frozen")
        self._pump()

    def swallow(self) -> None:
        """Be dead for the client, and say nothing: whatever it sends disappears."""
        self._swallowing = True
        self.server.drop()
        self.client.release("the other side is slower")

    def drop(self, *, reset: bool = False) -> None:
        """Both sides, at once."""
        self._dropped = True
        self.server.drop(reset=reset)
        self.client.drop(reset=reset)

    def _asked(self, data: bytes) -> None:
        self.server.write(data)

    def _answered(self, data: bytes) -> None:
        if self._line.idle and not self._frozen:
            self.client.write(data)
            return
        if not self._line.put(data, self._loop.time()):
            self._last_answer = True
            self.server.drop()
        self._pump()

    def _pump(self) -> None:
        """Send what is due, and come back when more is."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._frozen or self._swallowing:
            return
        if due := self._line.take(self._loop.time()):
            self.client.write(due)
        (self.server.hold if self._line.full else self.server.release)("the line is full")
        if (due_s := self._line.due_s()) is not None:
            self._timer = self._loop.call_at(due_s, self._pump)
        elif self._last_answer:
            self.client.close()

    def _client_ended(self) -> bool:
        self.server.write_eof()
        return not self._swallowing

    def _server_ended(self) -> bool:
        return False

    def _client_lost(self, was_reset: bool) -> None:
        if self._timer:
            self._timer.cancel()
        self.server.drop(reset=was_reset)
        self._finish()

    def _server_lost(self, was_reset: bool) -> None:
        self._last_answer = True
        if was_reset and not self._swallowing:
            self.client.drop(reset=True)
        self._pump()
        self._finish()

    def _finish(self) -> None:
        if self._begun and not (self.client.open or self.server.open or self.finished.done()):
            self.finished.set_result(None)
