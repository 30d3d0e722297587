"""Simulated Modbus devices, asked with frames that are written here, so that the answers are seen as they are."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from config.model import Device, ModbusEndpoint
from config.tags import Tag
from simulators.modbus.register_map import register_map
from simulators.modbus.server import ModbusServer
from simulators.source import BAD_NODE_ID_UNKNOWN, BAD_NOT_CONNECTED, BAD_SENSOR_FAILURE, Point, Reading, SimulationError, Value
from simulators.upset import End, Upset
from tests.servers import free_port

SOON_S = 30.0
NOTHING_S = 0.04

MIXED: dict[str, dict[str, object]] = {
    "TT": {"address": "input:0", "type": "float32", "word_order": "CDAB"},
    "PT": {"address": "input:2", "type": "int16", "scale": 0.1, "offset": -40},
    "FAR": {"address": "input:40", "type": "uint16"},
    "XV": {"address": "coil:3"},
    "SP": {"address": "holding:10", "type": "uint16"},
}
VALUES: dict[str, Value] = {"TT": 1.5, "PT": 20.0, "FAR": 4, "XV": True, "SP": 3, "WT": 0x01020304}
NARROW: dict[str, dict[str, object]] = {"WT": {"address": "holding:10", "type": "uint32", "word_order": "DCBA"}}
BUS = {"skid": {"unit_id": 1, "tags": MIXED}, "scale": {"unit_id": 7, "tags": NARROW, "max_registers": 2}}


@dataclass
class Shown:
    """A source of values and statuses by tag name, that may be changed."""

    values: dict[str, Value] = field(
        default_factory=lambda: {"TT": 1.5, "PT": 20.0, "FAR": 4, "XV": True, "SP": 3, "WT": 0x01020304}
    )
    status: dict[str, int] = field(default_factory=dict)
    version: int = 0

    def refresh(self) -> int:
        self.version += 1
        return self.version

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: Reading(self.values[tag.name], self.status.get(tag.name, 0))


@dataclass
class Client:
    """A raw client: hexadecimal in, hexadecimal out."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    transaction: int = 0

    def send(self, unit_id: int, pdu: str) -> None:
        self.transaction += 1
        data = bytes.fromhex(pdu)
        self.writer.write(struct.pack(">HHHB", self.transaction, 0, len(data) + 1, unit_id) + data)

    async def frame(self) -> str:
        """The next, whole, as it came."""
        async with asyncio.timeout(SOON_S):
            header = await self.reader.readexactly(6)
            return (header + await self.reader.readexactly(int.from_bytes(header[4:], "big"))).hex()

    async def ask(self, unit_id: int, pdu: str) -> str:
        """The PDU of the answer, whose frame is right."""
        self.send(unit_id, pdu)
        frame = await self.frame()
        answer = bytes.fromhex(frame)
        assert struct.unpack_from(">HHHB", answer) == (self.transaction, 0, len(answer) - 6, unit_id)
        return answer[7:].hex()

    async def hears_nothing(self) -> bool:
        try:
            async with asyncio.timeout(NOTHING_S):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False


@dataclass
class Bus:
    server: ModbusServer
    shown: Shown
    opened: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    async def client(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.opened.append(writer)
        return Client(reader, writer)

    def begin(self, kind: str, target: str, value: float | str | None = None) -> End:
        return self.server.disturb(Upset(kind, target, value))


def endpoint(devices: object = BUS) -> ModbusEndpoint:
    return ModbusEndpoint.model_validate({"name": "bus", "url": "modbus://h", "devices": devices})


@asynccontextmanager
async def bus(port: int = 0) -> AsyncIterator[Bus]:
    shown = Shown()
    async with ModbusServer(endpoint(), shown, port=port) as server:
        made = Bus(server, shown)
        try:
            yield made
        finally:
            for writer in made.opened:
                writer.close()


SKID, SKID_SHOWN = "04 0000 0003", "0406" + "00003fc0" + "0258"
SCALE, SCALE_SHOWN = "03 000A 0002", "0304" + "04030201"


async def test_unit_ids_answer_each_for_itself_and_strangers_are_the_gateways() -> None:
    async with bus() as b:
        client = await b.client()
        assert await client.ask(1, SKID) == SKID_SHOWN
        assert await client.ask(7, SCALE) == SCALE_SHOWN
        assert await client.ask(1, "03 000A 0001") == "03020003"
        assert await client.ask(1, "01 0003 0001") == "010101"
        assert await client.ask(2, SKID) == "840b"
        assert await client.ask(255, "06 0000 0001") == "860b"


@pytest.mark.parametrize(
    ("unit_id", "pdu", "answer"),
    [
        (1, "04 0003 0001", "8402"),  # beyond
        (1, "04 0002 0002", "8402"),  # partly beyond
        (1, "04 0000 0029", "8402"),  # across what is not there
        (1, "04 FFFF 0001", "8402"),
        (1, "04 FFFF 0002", "8402"),
        (1, "04 0000 0000", "8403"),
        (1, "04 0000 007E", "8403"),
        (7, "03 000A 0003", "8303"),  # more than this device answers
        (1, "04 0000", "8403"),
        (1, "01 0002 0001", "8102"),
        (1, "02 0000 0001", "8202"),
        (1, "05 0003 FF00", "8501"),
        (1, "06 000A 0001", "8601"),
        (1, "0F 0000 0001 01 01", "8f01"),
        (1, "10 000A 0001 02 0001", "9001"),
        (1, "16 000A 0000 0000", "9601"),
        (1, "17 000A 0001 000A 0001 02 0001", "9701"),
        (1, "2B 0E 01 00", "ab01"),
        (1, "64", "e401"),
    ],
)
async def test_what_a_device_refuses(unit_id: int, pdu: str, answer: str) -> None:
    async with bus() as b:
        client = await b.client()
        assert await client.ask(unit_id, pdu) == answer
        assert await client.ask(1, "03 000A 0001") == "03020003", "and nothing was written"


async def test_a_broadcast_has_no_answer_and_a_device_that_has_unit_id_0_has() -> None:
    async with bus() as b:
        client = await b.client()
        for pdu in (SKID, "06 000A 0007"):
            client.send(0, pdu)
        assert await client.ask(1, "03 000A 0001") == "03020003", "the first frame that comes is that of the third request"
    async with ModbusServer(endpoint({"plc": {"unit_id": 0, "tags": NARROW}}), Shown()) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        assert await Client(reader, writer).ask(0, SCALE) == SCALE_SHOWN
        writer.close()


async def test_every_row_of_the_map_is_served_as_it_is_documented() -> None:
    async with bus() as b:
        client = await b.client()
        for row in register_map(endpoint()):
            function = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}[row.table]
            first = await client.ask(row.unit_id, f"{function:02X} {row.first:04X} {row.count if row.tag else 1:04X}")
            last = await client.ask(row.unit_id, f"{function:02X} {row.last:04X} 0001")
            refused = f"{function | 0x80:02x}02"
            assert (first == refused, last == refused) == (row.meaning != "tag", row.meaning != "tag"), row


async def test_requests_sent_together_are_answered_together_and_in_order() -> None:
    async with bus() as b:
        client = await b.client()
        for _ in range(100):
            client.send(1, SKID)
            client.send(7, SCALE)
        frames = [await client.frame() for _ in range(200)]
        assert [int(frame[:4], 16) for frame in frames] == list(range(1, 201))
        assert {frame[14:] for frame in frames[::2]} == {SKID_SHOWN}
        assert {frame[14:] for frame in frames[1::2]} == {SCALE_SHOWN}


async def test_a_request_that_comes_byte_by_byte_is_answered_once_it_is_whole() -> None:
    async with bus() as b:
        client = await b.client()
        for byte in bytes.fromhex("0009 0000 0006 07 03 000A 0002"):
            client.writer.write(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0.001)
        assert await client.frame() == "000900000007" + "07" + SCALE_SHOWN


async def test_many_clients_at_once_get_their_own() -> None:
    async with bus() as b:
        clients = [await b.client() for _ in range(20)]

        async def poll(client: Client, unit_id: int, pdu: str) -> set[str]:
            return {await client.ask(unit_id, pdu) for _ in range(20)}

        asked = [(1, SKID, SKID_SHOWN), (7, SCALE, SCALE_SHOWN)] * 10
        answers = await asyncio.gather(*(poll(c, unit_id, pdu) for c, (unit_id, pdu, _) in zip(clients, asked, strict=True)))
        assert answers == [{shown} for _, _, shown in asked]


@pytest.mark.parametrize("garbage", ["47455420", "0001 0000 FFFF 01 03", "0001 0000 0000 01 03 00", "0001 0000 0001 01 03"])
async def test_what_is_no_modbus_ends_its_own_connection_only(garbage: str) -> None:
    async with bus() as b:
        other, client = await b.client(), await b.client()
        client.send(1, SKID)
        client.writer.write(bytes.fromhex(garbage) + b"/ HTTP/1.1\r\n\r\n")
        assert (await client.frame())[14:] == SKID_SHOWN, "what came before is answered"
        async with asyncio.timeout(SOON_S):
            assert await client.reader.read() == b""
        assert await other.ask(1, SKID) == SKID_SHOWN
        assert await (await b.client()).ask(1, SKID) == SKID_SHOWN


async def test_another_protocols_frame_is_passed_over_and_half_a_request_harms_nobody() -> None:
    async with bus() as b:
        half, client = await b.client(), await b.client()
        half.writer.write(bytes.fromhex("0001 0000 0006 01"))
        client.writer.write(bytes.fromhex("0009 0001 0006 07 03 000A 0002"))
        assert await client.ask(7, SCALE) == SCALE_SHOWN
        half.writer.close()
        assert await client.ask(7, SCALE) == SCALE_SHOWN


async def test_a_client_that_does_not_read_is_not_read_from() -> None:
    async with bus() as b:
        greedy, client = await b.client(), await b.client()
        raw: socket.socket = greedy.writer.get_extra_info("socket")
        greedy.writer.transport.pause_reading()  # type: ignore[attr-defined]
        request, rounds_without = bytes.fromhex("0001 0000 0006 01 04 0000 0003") * 1000, 0
        sent = 0
        with socket.socket(fileno=socket.dup(raw.fileno())) as own:
            own.setblocking(False)
            for _ in range(100):
                rounds_without += 1
                with suppress(BlockingIOError):
                    while True:
                        sent += own.send(request[sent % 12 :])
                        rounds_without = 0
                assert await client.ask(1, SKID) == SKID_SHOWN, "the others are answered meanwhile"
                if rounds_without == 5:
                    return
        pytest.fail("it takes requests for ever, so it keeps the answers")


async def test_a_value_that_is_not_there_a_tag_that_is_gone_and_back() -> None:
    async with bus() as b:
        client = await b.client()
        b.shown.status["PT"] = BAD_SENSOR_FAILURE
        assert await client.ask(1, SKID) == "8404"
        assert await client.ask(1, "04 0000 0002") == "040400003fc0"
        b.shown.status["TT"] = BAD_NOT_CONNECTED
        assert await client.ask(1, "04 0000 0002") == "040400007fc0", "an open sensor"
        b.shown.status["PT"] = BAD_NODE_ID_UNKNOWN
        assert await client.ask(1, SKID) == "8402"
        b.shown.status.clear()
        assert await client.ask(1, SKID) == SKID_SHOWN


@pytest.mark.parametrize(
    ("kind", "value", "frame"),
    [
        ("exception", None, "0001 0000 0003 01 84 04"),
        ("exception", 6.0, "0001 0000 0003 01 84 06"),
        ("wrong_transaction", None, "0000 0000 0009 01 04 06 0000 3FC0 0258"),
        ("foreign_unit", None, "0001 0000 0009 02 04 06 0000 3FC0 0258"),
        ("short", None, "0001 0000 0007 01 04 04 0000 3FC0"),
        ("oversized", None, "0001 0000 000B 01 04 08 0000 3FC0 0258 0000"),
    ],
)
async def test_a_device_misbehaves_to_the_byte_alone_and_until_it_ends(kind: str, value: float | None, frame: str) -> None:
    async with bus() as b:
        client = await b.client()
        end = b.begin(kind, "skid", value)
        client.send(1, SKID)
        assert await client.frame() == bytes.fromhex(frame).hex()
        assert await client.ask(7, SCALE) == SCALE_SHOWN
        end()
        assert await client.ask(1, SKID) == SKID_SHOWN


async def test_a_silent_unit_is_silent_and_the_others_on_its_gateway_go_on() -> None:
    async with bus() as b:
        client = await b.client()
        end = b.begin("silent", "scale")
        client.send(7, SCALE)
        assert await client.ask(1, SKID) == SKID_SHOWN
        assert await client.hears_nothing()
    async with bus() as b:
        client = await b.client()
        end = b.begin("silent", "bus")
        for unit_id in (1, 7, 99):
            client.send(unit_id, SKID)
        assert await client.hears_nothing()
        end()
        assert await client.ask(99, SKID) == "840b"


async def test_upsets_together_and_each_ends_alone() -> None:
    async with bus() as b:
        client = await b.client()
        right, full, alone = b.begin("wrong_transaction", "bus"), b.begin("short", "skid"), b.begin("exception", "skid", 5.0)
        client.send(1, SKID)
        assert await client.frame() == "0000000000030184" + "05"
        alone()
        client.send(1, SKID)
        client.send(7, SCALE)
        assert await client.frame() == "00010000000701" + "040400003fc0"
        assert await client.frame() == "00020000000707" + SCALE_SHOWN, "the endpoint's upset is every device's"
        right()
        right()
        assert await client.ask(1, SKID) == "040400003fc0"
        full()
        assert await client.ask(1, SKID) == SKID_SHOWN


async def test_upsets_that_cannot_be_done_are_refused_in_a_sentence() -> None:
    async with bus() as b:
        for kind, target, value, text in (
            ("cooling_failure", "bus", None, "no Modbus server does that, it does exception, silent"),
            ("silent", "plc", None, "silent of plc: endpoint bus has no such device, it has skid, scale"),
            ("exception", "skid", 0.0, "0.0 is no exception's code: give 1 to 255"),
            ("exception", "skid", "busy", "'busy' is no exception's code"),
            ("exception", "skid", 4.5, "4.5 is no exception's code"),
        ):
            with pytest.raises(SimulationError, match=text):
                b.begin(kind, target, value)
        assert await (await b.client()).ask(1, SKID) == SKID_SHOWN


async def test_a_server_that_is_closed_ends_its_connections_and_frees_its_port() -> None:
    port = free_port()
    async with bus(port) as b:
        clients = [await b.client() for _ in range(3)]
        await clients[0].ask(1, SKID)
    for client in clients:
        async with asyncio.timeout(SOON_S):
            assert await client.reader.read() == b""
    with socket.create_server(("127.0.0.1", port)):
        pass
