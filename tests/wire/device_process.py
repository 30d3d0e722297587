"""A process of simulated devices, each behind a relay of its own: a line of JSON is asked on stdin, a line answered on stdout.

    {"do": "serve", "name", "endpoint", "port": 41234, "secured": {...}}   -> {"port": 41234}
    {"do": "begin", "name", "kind", "target", "value"}                  -> {"id": 7}       an upset, or `partial`
    {"do": "end", "id": 7}                                              -> {}
    {"do": "again", "name", "secured": {...}}                           -> {}              its server starts anew
    {"do": "counts"}                                                    -> {"NAME": {"sessions", "most_sessions", ...}}
    {"do": "lateness"}                      -> {"worst_second_s": 0.1, "sum_s": 0.3}      since it was asked last

It ends with its stdin. It is a process of its own so that it can be stopped and killed, and so that the daemon's figures are
the daemon's alone.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.ua_binary import struct_from_binary, struct_to_binary
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.model import ModbusEndpoint, OpcUaEndpoint
from simulators.modbus.rtu import Rtu
from simulators.modbus.server import ModbusServer
from simulators.opcua.certificates import Identity
from simulators.opcua.server import OpcUaServer
from simulators.upset import End, Upset
from simulators.wire.wire import KINDS_OF_WIRE, Wire
from tests.wire.lateness import Lateness, lateness
from tests.wire.lines import endpoint
from tests.wire.marks import Marks
from tests.wire.sockets import held_sockets

LOOK_S = 0.02
"""How often the kernel is asked for the connections of every relay."""


class WatchedServer(OpcUaServer):
    """Counts sessions, and can leave results out of its answers."""

    most_sessions = created = 0
    partial = False

    def admit(self, service: int, parameters: bytes) -> None:
        super().admit(service, parameters)
        if service == ObjectIds.CreateSessionRequest_Encoding_DefaultBinary:
            self.created += 1
            self.most_sessions = max(self.most_sessions, self.sessions + 1)

    def read(self, parameters: bytes, request_handle: int) -> bytes | None:
        answer = super().read(parameters, request_handle)
        if answer is None or not self.partial:
            return answer
        response = struct_from_binary(ua.ReadResponse, Buffer(answer))
        response.Results = response.Results[:-1]
        return bytes(struct_to_binary(response))


class WatchedDevice(ModbusServer):
    """Counts what it is asked, by unit id."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.asked: dict[int, int] = {}

    def answer(self, request: Any) -> Any:
        self.asked[request.unit_id] = self.asked.get(request.unit_id, 0) + 1
        return super().answer(request)


@dataclass
class Served:
    """One endpoint: a server, which can be started anew, behind a wire, which stays."""

    fields: dict[str, Any]
    wire: Wire
    server: WatchedServer | WatchedDevice
    running: AsyncExitStack = field(default_factory=AsyncExitStack)
    most_connections: int = 0
    earlier_most_sessions: int = 0
    earlier_created: int = 0

    async def start(self, secured: dict[str, str] | None) -> None:
        """Serve, shown and let in as `secured` says: `server_key`, `server_certificate`, `trusts`."""
        await self.running.aclose()
        if isinstance(self.server, WatchedServer):
            self.earlier_most_sessions = max(self.earlier_most_sessions, self.server.most_sessions)
            self.earlier_created += self.server.created
        with ExitStack() as stack:
            if secured:
                shown = _identity(Path(secured["server_key"]), Path(secured["server_certificate"]))
                stack.enter_context(patch("simulators.opcua.server.identity", lambda *_: shown))
            self.server = _server(self.fields, secured)
            await self.running.enter_async_context(self.server)
        self.wire.target = ("127.0.0.1", int(self.server.url.rpartition(":")[2].partition("/")[0]))

    def counts(self) -> dict[str, Any]:
        """Now, and the most there ever were."""
        told: dict[str, Any] = {"most_connections": self.most_connections}
        if isinstance(self.server, WatchedDevice):
            return told | {"asked": self.server.asked}
        most = max(self.earlier_most_sessions, self.server.most_sessions)
        created = self.earlier_created + self.server.created
        return told | {"sessions": self.server.sessions, "most_sessions": most, "created": created}


def _server(fields: dict[str, Any], secured: dict[str, str] | None) -> WatchedServer | WatchedDevice:
    made = endpoint(fields)
    if isinstance(made, OpcUaEndpoint):
        if not secured:
            return WatchedServer(made, Marks(), lean=True)
        return WatchedServer(made, Marks(), lean=True, security="all", trusted=Path(secured["trusts"]))
    assert isinstance(made, ModbusEndpoint)
    return WatchedDevice(made, Marks(), framing=Rtu() if made.transport == "rtu" else None)


def _identity(key: Path, certificate: Path) -> Identity:
    return Identity(
        cast(Any, load_pem_private_key(key.read_bytes(), None)), x509.load_der_x509_certificate(certificate.read_bytes())
    )


class Devices:
    """All of this process."""

    def __init__(self, late: Lateness) -> None:
        self._late = late
        self._served: dict[str, Served] = {}
        self._ends: dict[int, End] = {}
        self._ids = itertools.count(1)
        self._stack = AsyncExitStack()

    async def do(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What one line asks for."""
        name = asked.get("name", "")
        match asked["do"]:
            case "serve":
                return await self._serve(name, asked)
            case "begin":
                self._ends[number := next(self._ids)] = self._begin(name, asked)
                return {"id": number}
            case "end":
                self._ends.pop(asked["id"])()
                return {}
            case "again":
                await self._served[name].start(asked.get("secured"))
                return {}
            case "counts":
                return {name: served.counts() for name, served in self._served.items()}
            case "lateness":
                told = {"worst_second_s": self._late.worst_second_s, "sum_s": self._late.sum_s}
                self._late.worst_second_s = self._late.sum_s = 0.0
                return told
        raise ValueError(asked)

    async def _serve(self, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        wire = await self._stack.enter_async_context(Wire(name, port=asked["port"]))
        served = self._served[name] = Served(asked["endpoint"], wire, _server(asked["endpoint"], asked.get("secured")))
        await served.start(asked.get("secured"))
        self._stack.push_async_callback(served.running.aclose)
        return {"port": wire.port}

    def _begin(self, name: str, asked: dict[str, Any]) -> End:
        served = self._served[name]
        if asked["kind"] == "partial":
            server = served.server
            assert isinstance(server, WatchedServer)
            server.partial = True
            return lambda: setattr(server, "partial", False)
        upset = Upset(asked["kind"], asked.get("target") or name, asked.get("value"))
        disturbed = served.wire if upset.kind in KINDS_OF_WIRE else served.server
        return disturbed.disturb(upset)

    async def look(self) -> None:
        """For ever: how many sockets clients hold to each relay, from one look to the next."""
        before: dict[int, set[str]] = {}
        while True:
            held = held_sockets()
            for served in self._served.values():
                both = held.get(served.wire.port, set()) & before.get(served.wire.port, set())
                served.most_connections = max(served.most_connections, len(both))
            before = held
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        await self._stack.aclose()


async def main() -> None:
    """Until stdin ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    gc.freeze()
    async with lateness() as late:
        devices = Devices(late)
        looking = asyncio.create_task(devices.look())
        while line := await reader.readline():
            sys.stdout.write(json.dumps(await devices.do(json.loads(line))) + "\n")
            sys.stdout.flush()
        looking.cancel()
        await devices.close()


if __name__ == "__main__":
    asyncio.run(main())
