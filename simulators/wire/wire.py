"""A TCP relay before a server of any protocol: what a network, or a dying server, does to its clients.

    refuse      nobody new gets in (RST); who is in stays
    reset       every connection ends with RST, once
    restart     every connection ends as a dying process leaves it, nobody gets in; afterwards the server listens again
    freeze      a hanging server: the system accepts connections, nothing is read, nothing answered; nothing gets lost,
                so afterwards late answers come
    half_open   a peer that vanished: the connections there are swallow what is sent, without FIN or RST, for ever; new
                ones work. Afterwards the dead ones are reset, as a peer does that knows nothing of a connection
    delay       every answer comes this much later                    several: their sum
    slow        answers come byte by byte, with this time between     several: their sum
    cut         half of an answer comes, then FIN
    garbage     as many bytes as the answer had, but others: from `seed`, the wire's name and the connection's number

`cut` and `garbage` go by what the server sends at once, which is an answer as a rule. Requests pass unharmed, and
where nothing is wrong answers pass in the same turn of the loop. The wire has no task that waits for time.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Self

import structlog

from simulators.listening import listening, numeric_address
from simulators.source import SimulationError
from simulators.upset import KINDS, End, Upset
from simulators.wire.line import NO_TROUBLE, Trouble
from simulators.wire.link import Link

_log = structlog.get_logger()

AT_MOST_LINKS = 256
"""More clients wait in the system's queue, as before a server that is busy."""
_TRY_AGAIN_S = 0.5

KINDS_OF_WIRE = ("refuse", "reset", "restart", "freeze", "half_open", "delay", "slow", "cut", "garbage")
"""What `disturb` can do."""


class Wire:
    """Listens on `host`, `port` while its context is open, and relays to `target` once that is set."""

    def __init__(self, name: str, host: str = "127.0.0.1", port: int = 0, *, seed: int = 1) -> None:
        self.name, self.port = name, port
        self._host, self._seed = host, seed
        self._target: tuple[str, int] | None = None
        self._listener: socket.socket | None = None
        self._accepting = self._locked_out = False
        self._accepted = 0
        self._links: dict[Link, asyncio.Task[None]] = {}
        self._active: dict[object, Upset] = {}
        self._again: asyncio.TimerHandle | None = None
        self._open = False

    async def __aenter__(self) -> Self:
        self._host = numeric_address(self.name, self._host, self.port)
        self._listen()
        self._open = True
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._open = False
        self._close()
        if self._again:
            self._again.cancel()
        for link in self._links:
            link.drop()
        if self._links:
            await asyncio.wait(self._links.values())

    @property
    def target(self) -> tuple[str, int] | None:
        """Host and port of the server behind; clients wait until there is one."""
        return self._target

    @target.setter
    def target(self, target: tuple[str, int]) -> None:
        self._target = target
        self._settle()

    @property
    def connections(self) -> int:
        """How many clients are connected now."""
        return len(self._links)

    def disturb(self, upset: Upset) -> End:
        """Begin at once. Raises SimulationError for what no wire does, or a value that is none."""
        if upset.kind not in KINDS_OF_WIRE:
            raise SimulationError(f"{self.name}: {upset.kind} is nothing a wire does: {', '.join(KINDS_OF_WIRE)}")
        _number(upset)
        key, links = object(), tuple(self._links)
        for link in links:
            self._begin(upset.kind, link)
        if upset.kind != "reset":
            self._active[key] = upset
        self._settle()
        return lambda: self._end(key, links)

    @staticmethod
    def _begin(kind: str, link: Link) -> None:
        if kind == "half_open":
            link.swallow()
        elif kind in ("reset", "restart"):
            link.drop(reset=kind == "reset")

    def _end(self, key: object, links: tuple[Link, ...]) -> None:
        upset = self._active.pop(key, None)
        if upset and upset.kind == "half_open":
            for link in links:
                link.drop(reset=True)
        self._settle()

    def _settle(self) -> None:
        """Make everything as the active upsets want it."""
        if not self._open:
            return
        kinds = {upset.kind for upset in self._active.values()}
        if kinds & {"refuse", "restart"}:
            self._close()
        elif self._listener is None:
            self._listen_again()
        self._accept_if(self._target is not None and "freeze" not in kinds and len(self._links) < AT_MOST_LINKS)
        for link in self._links:
            link.suffer(self._trouble(), frozen="freeze" in kinds)

    def _settle_later(self) -> None:
        if self._again:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(_TRY_AGAIN_S, self._settle)

    def _trouble(self) -> Trouble:
        active = self._active.values()
        kinds = {upset.kind for upset in active}
        delay_s, byte_s = (sum(_number(upset) for upset in active if upset.kind == kind) for kind in ("delay", "slow"))
        trouble = Trouble(delay_s, byte_s, "cut" in kinds, "garbage" in kinds)
        return NO_TROUBLE if trouble == NO_TROUBLE else trouble

    def _listen(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        with listening(self.name, self._host, self.port):
            self._listener = socket.create_server((self._host, self.port), family=family, backlog=AT_MOST_LINKS)
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]

    def _listen_again(self) -> None:
        """Somebody else may have taken the port meanwhile: said once, tried until it is free."""
        try:
            self._listen()
        except SimulationError as exc:
            if not self._locked_out:
                _log.warning("the wire cannot come back", endpoint=self.name, reason=str(exc))
            self._locked_out = True
            self._settle_later()
        else:
            self._locked_out = False

    def _close(self) -> None:
        self._accept_if(False)
        if self._listener:
            self._listener.close()
            self._listener = None

    def _accept_if(self, wanted: bool) -> None:
        if self._listener and wanted != self._accepting:
            loop = asyncio.get_running_loop()
            self._accepting = wanted
            if wanted:
                loop.add_reader(self._listener, self._accept)
            else:
                loop.remove_reader(self._listener)

    def _accept(self) -> None:
        assert self._listener
        try:
            accepted, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no file handle is left: asking again at once would only take the time of those who have one
            self._accept_if(False)
            self._settle_later()
            return
        self._accepted += 1
        link = Link(f"{self._seed}/{self.name}/{self._accepted}")
        self._links[link] = asyncio.create_task(self._carry(link, accepted), name=f"wire {self.name}")
        self._settle()

    async def _carry(self, link: Link, accepted: socket.socket) -> None:
        """The life of one connection."""
        assert self._target
        loop = asyncio.get_running_loop()
        try:
            accepted.setblocking(False)
            await loop.connect_accepted_socket(lambda: link.client, accepted)
            with suppress(OSError):  # then there is no server behind, and the client is reset
                await loop.create_connection(lambda: link.server, *self._target)
            link.begin()
            await link.finished
        finally:
            del self._links[link]
            self._settle()


def _number(upset: Upset) -> float:
    """Seconds of those that have some, else 0. Raises SimulationError."""
    kind = KINDS[upset.kind]
    if kind.value != "number":
        return 0.0
    with suppress(ValueError):
        if (kind.low or 0.0) <= (number := kind.number_of(upset)) <= (kind.high or 3600.0):
            return number
    raise SimulationError(f"{upset}: {upset.value!r} is no {kind.meaning}: give {kind.low:g} to {kind.high:g} {kind.unit}")
