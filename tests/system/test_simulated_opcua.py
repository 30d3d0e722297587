"""A simulated OPC UA server as a client finds it: its tree, its properties, its statuses, its limits, its upsets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.common.node import Node
from asyncua.common.subscription import DataChangeNotif, Subscription
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadNoSubscription, UaError, UaStatusCodeError
from structlog.testing import capture_logs

from config.model import Plant
from simulators.opcua.answers import Plan
from simulators.opcua.identity import OperationLimits
from simulators.opcua.server import OpcUaServer
from simulators.plant import SimulatedPlant
from simulators.source import SimulationError
from simulators.upset import Upset
from tests.servers import free_port
from tests.simulated_source import STAMP_NS, Changeable, opcua_endpoint
from tests.system.opcua_peers import stock_client

CELSIUS = {"engineering_unit": "°C"}
TAGS: dict[str, dict[str, object]] = {
    "TT-201": {"address": "nsu=urn:plant;s=R201.TT201", "role": "product_temperature", "range": [-30, 200], **CELSIUS},
    "TIC-201.SP": {"address": "nsu=urn:plant;i=5", "role": "temperature_setpoint", "engineering_unit": "°C", "range": [-30, 200]},
    "PT-201": {"address": "ns=3;b=AQI=", "role": "headspace_pressure", "engineering_unit": "bar(a)", "range": [0, 7]},
    "FT-9": {"address": "ns=3;g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "role": "jacket_flow", "engineering_unit": "m³/h"},
    "TT-F": {"address": "ns=3;s=F", "engineering_unit": "°C", "range": [0, 100], "scale": 5 / 9, "offset": -160 / 9},
    "N": {"address": "ns=3;s=N", "role": "n"},
    "XV-205": {"address": "ns=3;s=XV", "role": "dosing_valve_open", "kind": "boolean"},
    "PHASE_NO": {"address": "ns=3;s=P", "role": "phase_number", "kind": "integer", "states": {0: "Idle", 1: "Charge"}},
    "MODE": {"address": "ns=3;s=M", "role": "mode", "kind": "integer", "states": {-1: "Local", 4: "Remote"}},
    "BATCH": {"address": "ns=3;s=B", "role": "batch_id", "kind": "text"},
}  # fmt: skip


@asynccontextmanager
async def served(source: Changeable | None = None, **options: object) -> AsyncIterator[tuple[OpcUaServer, Client]]:
    server = OpcUaServer(opcua_endpoint(TAGS), source or Changeable(), **options)  # type: ignore[arg-type]
    async with server, stock_client(server.url) as client:
        yield server, client


async def node(client: Client, name: str) -> Node:
    address = str(TAGS[name]["address"])
    return client.get_node(address.replace("nsu=urn:plant", f"ns={await client.get_namespace_index('urn:plant')}"))


async def read(
    client: Client, *nodes: Node, attribute: int = AttributeIds.Value, stamps: ua.TimestampsToReturn = ua.TimestampsToReturn.Both
) -> list[ua.DataValue]:
    """One Read, with the timestamps that are asked for; asyncua's own client asks for the source's alone."""
    asked = [ua.ReadValueId(NodeId=one.nodeid, AttributeId=ua.UInt32(attribute)) for one in nodes]
    return await client.uaclient.read(ua.ReadParameters(TimestampsToReturn=stamps, NodesToRead=asked))


async def value(client: Client, name: str, attribute: int = AttributeIds.Value) -> ua.DataValue:
    return (await read(client, await node(client, name), attribute=attribute))[0]


async def property_of(client: Client, name: str, property_name: str) -> object:
    return await (await (await node(client, name)).get_child(f"0:{property_name}")).read_value()


async def test_a_client_that_browses_finds_controllers_units_and_control_loops() -> None:
    async with served() as (_, client):
        spaces = await client.get_namespace_array()
        assert spaces[:2] == ["http://opcfoundation.org/UA/", "urn:reactorwatch:simulator:server:opc"]
        assert spaces[4:] == ["urn:plant", "http://opcfoundation.org/UA/DI/", "urn:reactorwatch:simulator:structure"]
        di, own = 5, 6
        controller = await client.nodes.objects.get_child([f"{di}:DeviceSet", f"{own}:plc"])
        assert await controller.read_type_definition() == ua.NodeId(ua.Int32(1002), ua.Int16(di))
        assert (await (await controller.get_child(f"{di}:Manufacturer")).read_value()).Text == "Reactorwatch"
        assert (await (await controller.get_child(f"{di}:SerialNumber")).read_value()).startswith("SIM-")
        unit = await controller.get_child(f"{own}:R-201")
        groups = {str((await group.read_browse_name()).Name): group for group in await unit.get_children()}
        assert list(groups) == ["Temperature", "Pressure", "Other", "Dosing", "BatchContext"]
        found = {(await tag.read_browse_name()).Name for group in groups.values() for tag in await group.get_children()}
        parameters = await (await controller.get_child(f"{di}:ParameterSet")).get_children()
        assert found == set(TAGS) == {(await tag.read_browse_name()).Name for tag in parameters}
        temperatures = await groups["Temperature"].get_children(refs=ObjectIds.Organizes)
        assert (await node(client, "TT-201")) in temperatures
        assert (await (await node(client, "TT-201")).read_description()).Text == "Product temperature of R-201"
        parent = await (await node(client, "TT-201")).get_parent()
        assert parent is not None and (await parent.read_browse_name()).Name == "ParameterSet"


@pytest.mark.parametrize(
    ("name", "type_definition", "data_type"),
    [
        ("TT-201", "AnalogItemType", ObjectIds.Double),
        ("FT-9", "AnalogUnitType", ObjectIds.Double),
        ("N", "BaseAnalogType", ObjectIds.Double),
        ("XV-205", "TwoStateDiscreteType", ObjectIds.Boolean),
        ("PHASE_NO", "MultiStateDiscreteType", ObjectIds.UInt32),
        ("MODE", "MultiStateValueDiscreteType", ObjectIds.Int64),
        ("BATCH", "DataItemType", ObjectIds.String),
    ],
)
async def test_a_tag_is_of_the_data_access_type_for_it(
    client_of_all: Client, name: str, type_definition: str, data_type: int
) -> None:
    tag = await node(client_of_all, name)
    type_id = await tag.read_type_definition()
    assert type_id is not None
    kind = client_of_all.get_node(type_id)
    assert (await kind.read_browse_name()).Name == type_definition
    assert (await tag.read_data_type()).Identifier == data_type
    assert await tag.get_access_level() == {ua.AccessLevel.CurrentRead} == await tag.get_user_access_level()
    shown = [
        (await value(client_of_all, name, at)).Value for at in (AttributeIds.MinimumSamplingInterval, AttributeIds.Historizing)
    ]
    assert [variant.Value for variant in shown if variant] == [100.0, False]


@pytest.fixture
async def client_of_all() -> AsyncIterator[Client]:
    async with served() as (_, client):
        yield client


async def test_ranges_and_units_are_those_of_what_is_sent(client_of_all: Client) -> None:
    async def unit(name: str) -> tuple[int, str | None]:
        told = await property_of(client_of_all, name, "EngineeringUnits")
        assert isinstance(told, ua.EUInformation)
        return told.UnitId, told.DisplayName.Text

    assert await property_of(client_of_all, "TT-201", "EURange") == ua.Range(-30.0, 200.0)
    assert await property_of(client_of_all, "TT-201", "InstrumentRange") == ua.Range(-32.875, 207.1875)
    assert await unit("TT-201") == (4408652, "°C")
    assert await unit("PT-201") == (4342098, "bar(a)")
    assert await unit("TT-F") == (4604232, "°F"), "its scale makes °C of it"
    told = await property_of(client_of_all, "TT-F", "EURange")
    assert isinstance(told, ua.Range) and (round(told.Low), round(told.High)) == (32, 212)
    with pytest.raises(UaStatusCodeError):
        await property_of(client_of_all, "TIC-201.SP", "InstrumentRange")
    with pytest.raises(UaStatusCodeError):
        await property_of(client_of_all, "FT-9", "EURange")


async def test_states_are_named(client_of_all: Client) -> None:
    strings = await property_of(client_of_all, "PHASE_NO", "EnumStrings")
    assert isinstance(strings, list) and [text.Text for text in strings] == ["Idle", "Charge"]
    values = await property_of(client_of_all, "MODE", "EnumValues")
    assert isinstance(values, list) and [(one.Value, one.DisplayName.Text) for one in values] == [(-1, "Local"), (4, "Remote")]
    true, false = [await property_of(client_of_all, "XV-205", name) for name in ("TrueState", "FalseState")]
    assert isinstance(true, ua.LocalizedText) and isinstance(false, ua.LocalizedText)
    assert (true.Text, false.Text) == ("Open", "Closed")


async def test_a_state_is_told_as_a_text_too() -> None:
    source = Changeable()
    async with served(source) as (_, client):
        shown = await (await node(client, "MODE")).get_child("0:ValueAsText")
        for number, name in ((4, "Remote"), (-1, "Local"), (7, None)):
            source.set("MODE", number)
            assert ((await shown.read_value()).Text or None) == name


async def test_lean_leaves_the_properties_out_and_keeps_the_tags() -> None:
    source = Changeable()
    source.set("TT-201", 21.5)
    async with served(source, lean=True) as (_, client):
        assert await (await node(client, "TT-201")).read_value() == 21.5
        assert not await (await node(client, "TT-201")).get_properties()


async def test_a_status_goes_through_with_its_value_where_it_has_one() -> None:
    source = Changeable()
    source.set("TT-201", 21.5, 0x4094_0000)
    source.set("PT-201", 1.0, StatusCodes.BadSensorFailure)
    source.set("PHASE_NO", 1)
    source.set("MODE", -1)
    source.set("N", None, StatusCodes.BadNodeIdUnknown)
    async with served(source) as (_, client):
        uncertain, bad, phase, mode, gone = [await value(client, name) for name in ("TT-201", "PT-201", "PHASE_NO", "MODE", "N")]
    shown = [
        (v.Value.Value, v.Value.VariantType.name, v.StatusCode.value)
        for v in (uncertain, bad, phase, mode, gone)
        if v.Value and v.StatusCode
    ]
    assert shown == [
        (21.5, "Double", 0x4094_0000),
        (None, "Null", StatusCodes.BadSensorFailure),
        (1, "UInt32", 0),
        (-1, "Int64", 0),
        (None, "Null", StatusCodes.BadNodeIdUnknown),
    ]
    assert uncertain.SourceTimestamp == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=STAMP_NS // 1000)
    assert uncertain.ServerTimestamp and abs(datetime.now(UTC) - uncertain.ServerTimestamp) < timedelta(seconds=30)
    assert gone.SourceTimestamp is None


async def test_an_answer_has_the_timestamps_that_were_asked_for() -> None:
    source = Changeable()
    source.set("TT-201", 21.5)
    async with served(source) as (_, client):
        tag, clock = await node(client, "TT-201"), client.get_node(ua.NodeId(ua.Int32(2258)))
        for nodes in ((tag,), (tag, clock)):
            for stamps, source_too, server_too in (("Source", 1, 0), ("Server", 0, 1), ("Both", 1, 1), ("Neither", 0, 0)):
                for answer in await read(client, *nodes, stamps=ua.TimestampsToReturn[stamps]):
                    assert (answer.SourceTimestamp is not None, answer.ServerTimestamp is not None) == (source_too, server_too)
        with pytest.raises(UaStatusCodeError, match="BadTimestampsToReturnInvalid"):
            await read(client, tag, stamps=ua.TimestampsToReturn.Invalid)
        with pytest.raises(UaStatusCodeError, match="BadNothingToDo"):
            await read(client)


async def test_the_server_tells_its_state_its_build_and_its_limits() -> None:
    limits = OperationLimits(nodes_per_read=7, monitored_items_per_call=3)
    async with served(limits=limits) as (_, client):
        status = await client.get_node(ua.NodeId(ua.Int32(2256))).read_value()
        assert status.State == ua.ServerState.Running and status.BuildInfo.ManufacturerName == "Reactorwatch"
        first = await client.get_node(ua.NodeId(ua.Int32(2258))).read_value()
        assert first <= await client.get_node(ua.NodeId(ua.Int32(2258))).read_value() <= datetime.now(UTC)
        most = ua.NodeId(ua.Int32(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead))
        assert await client.get_node(most).read_value() == 7
        tag = await node(client, "TT-201")
        assert len(await read(client, *[tag] * 7)) == 7
        with pytest.raises(UaStatusCodeError, match="BadTooManyOperations"):
            await read(client, *[tag] * 8)
        subscription = await client.create_subscription(1000, Heard())
        with pytest.raises(UaStatusCodeError, match="BadTooManyOperations"):
            await subscription.subscribe_data_change([tag] * 4)


class Heard:
    """A subscription's handler that keeps what it hears."""

    def __init__(self) -> None:
        self.values: list[tuple[object, object, int]] = []
        self._more = asyncio.Event()

    def datachange_notification(self, node: Node, val: Any, data: DataChangeNotif) -> None:
        status = data.monitored_item.Value.StatusCode
        self.values.append((node.nodeid.Identifier, val, status.value if status else -1))
        self._more.set()

    async def until(self, count: int) -> None:
        """So many notifications have come."""
        async with asyncio.timeout(60):
            while len(self.values) < count:
                self._more.clear()
                await self._more.wait()


async def test_a_subscription_hears_of_changes_and_of_nothing_else() -> None:
    source = Changeable()
    source.set("TT-201", 1.0)
    source.set("BATCH", "B-1")
    async with served(source) as (_, client):
        heard = Heard()
        subscription = await client.create_subscription(50, heard)
        nodes = [await node(client, name) for name in ("TT-201", "BATCH")]
        await subscription.subscribe_data_change(nodes)
        await heard.until(2)
        source.set("TT-201", 2.0)
        await heard.until(3)
        source.set("TT-201", None, StatusCodes.BadSensorFailure)
        await heard.until(4)
        source.set("BATCH", "B-2")
        await heard.until(5)
        await subscription.delete()
    assert heard.values == [
        ("R201.TT201", 1.0, 0),
        ("B", "B-1", 0),
        ("R201.TT201", 2.0, 0),
        ("R201.TT201", None, StatusCodes.BadSensorFailure),
        ("B", "B-2", 0),
    ]


async def test_the_clock_can_be_subscribed_to() -> None:
    async with served() as (_, client):
        heard = Heard()
        subscription = await client.create_subscription(50, heard)
        await subscription.subscribe_data_change(client.get_node(ua.NodeId(ua.Int32(2258))))
        await heard.until(2)
        await subscription.delete()


async def test_too_many_operations_begins_and_ends_and_the_strictest_counts() -> None:
    async with served() as (server, client):
        tag = await node(client, "TT-201")

        end_ten = server.disturb(Upset("too_many_operations", "opc"))
        end_two = server.disturb(Upset("too_many_operations", "opc", 2.0))
        assert len(await read(client, *[tag] * 2)) == 2
        with pytest.raises(UaStatusCodeError, match="BadTooManyOperations"):
            await read(client, *[tag] * 3)
        end_two()
        end_two()
        assert len(await read(client, *[tag] * 10)) == 10
        with pytest.raises(UaStatusCodeError, match="BadTooManyOperations"):
            await read(client, *[tag] * 11)
        end_ten()
        assert len(await read(client, *[tag] * 11)) == 11


async def test_a_service_fault_is_reads_alone_and_ends() -> None:
    source = Changeable()
    source.set("TT-201", 3.0)
    async with served(source) as (server, client):
        tag = await node(client, "TT-201")
        end = server.disturb(Upset("service_fault", "opc", "BadInternalError"))
        with pytest.raises(UaStatusCodeError, match="BadInternalError"):
            await tag.read_value()
        assert await client.nodes.objects.get_children()
        end()
        assert await tag.read_value() == 3.0
        with pytest.raises(SimulationError, match="Sensible is no bad status"):
            server.disturb(Upset("service_fault", "opc", "Sensible"))
        with pytest.raises(SimulationError, match="freeze is nothing that an OPC UA server can do"):
            server.disturb(Upset("freeze", "opc"))


async def test_dropped_sessions_are_unknown_and_a_new_one_reads_again() -> None:
    source = Changeable()
    source.set("TT-201", 3.0)
    async with served(source) as (server, client):
        tag = await node(client, "TT-201")
        subscription: Subscription = await client.create_subscription(50, Heard())
        await subscription.subscribe_data_change(tag)
        server.disturb(Upset("drop_sessions", "opc"))()
        with pytest.raises(UaStatusCodeError, match="BadSessionIdInvalid"):
            for _ in range(3000):
                await tag.read_value()
                await asyncio.sleep(0.01)
        async with stock_client(server.url) as second:
            assert await (await node(second, "TT-201")).read_value() == 3.0
            with pytest.raises(BadNoSubscription):
                await second.uaclient.publish([])
        with pytest.raises(UaStatusCodeError, match="BadSessionIdInvalid"):
            await tag.read_value()


async def left_behind(url: str) -> int:
    """A subscription whose client has gone without a word."""
    client = stock_client(url)
    await client.connect()
    subscription: Subscription = await client.create_subscription(50, Heard())
    assert client.uaclient.protocol and client.uaclient.protocol.transport and subscription.subscription_id
    client.uaclient.protocol.transport.abort()
    with suppress(UaError, ConnectionError, TimeoutError):
        await client.disconnect()
    return subscription.subscription_id


async def taken_over(client: Client, subscription_id: int) -> int:
    """The status of transferring it to another client."""
    asked = ua.TransferSubscriptionsParameters([ua.IntegerId(subscription_id)])
    status: int = (await client.uaclient.transfer_subscriptions(asked))[0].StatusCode.value
    return status


async def test_a_session_that_waits_for_its_client_is_dropped_too() -> None:
    async with OpcUaServer(opcua_endpoint(TAGS), Changeable()) as server, stock_client(server.url) as client:
        assert await taken_over(client, await left_behind(server.url)) == StatusCodes.Good
        lost = await left_behind(server.url)
        server.disturb(Upset("drop_sessions", "opc"))
        with pytest.raises(UaStatusCodeError, match="BadSessionIdInvalid"):
            for _ in range(3000):
                await client.nodes.server_state.read_value()
                await asyncio.sleep(0.01)
        await client.create_session()
        await client.activate_session()
        assert await taken_over(client, lost) == StatusCodes.BadSubscriptionIdInvalid


async def test_a_restarted_server_has_forgotten_its_sessions() -> None:
    endpoint = opcua_endpoint(TAGS).model_copy(update={"url": f"opc.tcp://127.0.0.1:{free_port()}"})
    plant = Plant.model_validate({"site": "s", "units": {"R-201": {}}, "endpoints": {"opc": endpoint}})
    async with SimulatedPlant(plant, speed=60, security="none") as simulated:
        url = simulated.urls["opc"]
        lost = await left_behind(url)
        simulated.board.begin(Upset("restart", "opc", None, 6.0))
        async with asyncio.timeout(60):
            while True:
                with suppress(OSError, TimeoutError):
                    async with stock_client(url) as client:
                        assert await taken_over(client, lost) == StatusCodes.BadSubscriptionIdInvalid
                    break
                await asyncio.sleep(0.02)


async def test_a_read_as_large_as_the_limit_is_answered_in_many_chunks_and_from_prepared_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, answered = Changeable(), Counter[int]()
    source.set("TT-201", 21.5)
    stock = Plan.answer

    def counted(plan: Plan, request_handle: int) -> bytes:
        answered[id(plan)] += 1
        return stock(plan, request_handle)

    monkeypatch.setattr(Plan, "answer", counted)
    async with served(source, limits=OperationLimits(nodes_per_read=3000)) as (_, client):
        tag = await node(client, "TT-201")
        for number in (21.5, 22.5):
            source.set("TT-201", number)
            answers = await read(client, *[tag] * 3000)
            assert len(answers) == 3000 and {answer.Value.Value for answer in answers if answer.Value} == {number}
        with pytest.raises(UaStatusCodeError, match="BadTooManyOperations"):
            await read(client, *[tag] * 3001)
    assert list(answered.values()) == [2], "one plan, used twice"


async def test_clients_are_told_the_advertised_address() -> None:
    async with OpcUaServer(opcua_endpoint(TAGS), Changeable(), advertised=("plc.example", 4840)) as server:
        endpoints = await stock_client(server.url).connect_and_get_server_endpoints()
        servers = await stock_client(server.url).connect_and_find_servers()
    assert {endpoint.EndpointUrl for endpoint in endpoints} == {"opc.tcp://plc.example:4840/path"}
    assert servers[0].DiscoveryUrls == ["opc.tcp://plc.example:4840/path"]
    assert server.port and str(server.port) in server.url


async def test_a_node_of_the_servers_own_cannot_be_a_tag() -> None:
    endpoint = opcua_endpoint({"T": {"address": "nsu=http://opcfoundation.org/UA/DI/;i=5001"}})
    with pytest.raises(SimulationError, match="the server has a node of its own at ns=2;i=5001, where T should be"):
        async with OpcUaServer(endpoint, Changeable()):
            pass


async def test_a_source_that_fails_is_logged_and_the_client_is_told_at_once() -> None:
    source = Changeable()
    source.set("PHASE_NO", "no number")
    async with served(source) as (_, client):
        with capture_logs() as logs, pytest.raises(UaStatusCodeError) as caught:
            await value(client, "PHASE_NO")
        assert caught.value.code == StatusCodes.BadInternalError
        assert [log["event"] for log in logs if log["log_level"] == "error"] == ["simulated OPC UA server cannot answer"]
        source.set("PHASE_NO", 1)
        assert (await value(client, "PHASE_NO")).Value == ua.Variant(1, ua.VariantType.UInt32)
