"""Browsing servers as they are: thousands of children, arrays, methods, names that occur twice, types of their own."""

from __future__ import annotations

from typing import Any

import pytest
from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.status_codes import StatusCodes

from collector.survey.tag_list import Row, rows
from config.common import identifier
from drivers.opcua.browse import Browser, Found, start_of, walk
from drivers.opcua.browse_facts import facts
from drivers.opcua.session import connect
from tests.system.opcua_peers import CLOCK, PLANT, PlantServer, endpoint_of

MANY = 1300


@pytest.fixture(scope="module")
def server() -> Any:
    with PlantServer() as made:
        made.call(_furnish(made))
        yield made


async def _furnish(made: PlantServer) -> None:
    objects, index = made.server.nodes.objects, made.index
    plant = await objects.add_folder(index, "Plant")
    for name in ("R-1", "R-2"):
        reactor = await plant.add_object(index, name)
        await reactor.add_variable(ua.NodeId(ua.String(f"{name}.TT"), ua.Int16(index)), "TT", 1.5)
    await plant.add_variable(index, "profile", [1.0, 2.0])
    await plant.add_variable(index, "when", ua.DateTime(2026, 1, 1))
    await plant.add_method(index, "start", lambda _parent: [])
    secret = await plant.add_variable(index, "secret", 1.0)
    await secret.write_attribute(AttributeIds.UserAccessLevel, ua.DataValue(ua.Variant(0, ua.VariantType.Byte)))
    mode = await made.server.nodes.enum_data_type.add_data_type(index, "Mode")
    names = [ua.LocalizedText("Off"), ua.LocalizedText("Auto=1|2")]
    await mode.add_property(0, "EnumStrings", ua.Variant(names, ua.VariantType.LocalizedText))
    chosen = await plant.add_variable(index, "mode", 1, ua.VariantType.Int32, mode.nodeid)
    assert chosen
    untold = await objects.add_folder(index, "Untold")
    values = {
        "temperature": 1.5,
        "count": 3,
        "open": True,
        "name": "x",
        "profile": [1.0],
        "range": ua.Range(0, 1),
        "nothing": None,
    }
    for number, (name, value) in enumerate(values.items()):
        type_ = ua.VariantType.Null if value is None else None
        variable = await untold.add_variable(index, name, value, type_, ua.NodeId(ua.Int32(24)))
        for attribute in (AttributeIds.ValueRank, AttributeIds.DataType) if number % 2 else ():
            unknown = ua.NodeId(ua.Int32(267))
            told = (
                ua.Variant([unknown] if name == "name" else unknown, ua.VariantType.NodeId)
                if attribute is AttributeIds.DataType
                else ua.Variant()
            )
            await made.server.iserver.aspace.write_attribute_value(variable.nodeid, attribute, ua.DataValue(told))
    crowd = await objects.add_folder(index, "Crowd")
    for number in range(MANY):
        await crowd.add_variable(ua.NodeId(ua.Int32(10_000 + number), ua.Int16(index)), f"V {number}", number)


async def browsed(server: PlantServer, path: str, **bounds: int) -> tuple[Found, list[Row], dict[str, int]]:
    endpoint = endpoint_of(server.url, {"T": {"address": "i=2258"}}, timeout_s=60.0)
    async with connect(endpoint, [], CLOCK) as session:
        browser = Browser(session.connection)
        await browser.learn_limits()
        depth, most = bounds.get("depth", 20), bounds.get("most", 100_000)
        found = await walk(browser, await start_of(browser, path), depth, most, lambda *_: None)
        told = await facts(session.connection, browser, found.variables, session.nodes_per_read)
        tags, left_out = rows(told, session.namespaces)
        return found, tags, dict(left_out)


async def test_what_can_be_no_tag_is_told_and_names_are_unique(server: PlantServer) -> None:
    found, tags, left_out = await browsed(server, "Plant")
    assert found.methods == 1 and not found.cut_short and not found.faults
    assert left_out == {"an array": 1, "a DateTime": 1, "not readable": 1}
    named = {tag["tag"]: tag for tag in tags}
    assert set(named) == {"R-1.TT", "R-2.TT", "mode"}
    assert named["R-1.TT"]["address"] == f"nsu={PLANT};s=R-1.TT" and named["R-1.TT"]["role"] == identifier("R-1.TT")
    assert named["mode"]["kind"] == "integer" and named["mode"]["states"] == "0=Off|1=Auto:1/2"


async def test_what_has_no_type_is_known_by_its_value(server: PlantServer) -> None:
    """Some servers give every variable BaseDataType, or a data type that they don't have (gopcua: i=267), or one that is none."""
    _, tags, left_out = await browsed(server, "Untold")
    assert {tag["tag"]: tag["kind"] for tag in tags} == {
        "temperature": "real",
        "count": "integer",
        "open": "boolean",
        "name": "text",
    }
    assert left_out == {"an array": 1, "a structure, or a type that is not told": 2}


async def test_thousands_of_children_are_each_there_once(server: PlantServer) -> None:
    _, tags, _ = await browsed(server, "Crowd")
    assert len({tag["address"] for tag in tags}) == len({tag["role"] for tag in tags}) == len(tags) == MANY


async def test_a_server_without_views_is_asked_for_none(server: PlantServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in Rust take a view's time for a view, and refuse it."""
    service = server.server.iserver.view_service
    stock = service.browse

    def browse(parameters: ua.BrowseParameters) -> list[ua.BrowseResult]:
        if not parameters.View.ViewId.is_null() or parameters.View.Timestamp != ua.get_win_epoch():
            raise ServiceError(StatusCodes.BadViewIdUnknown)
        return stock(parameters)

    monkeypatch.setattr(service, "browse", browse)
    _, tags, _ = await browsed(server, "Plant")
    assert {tag["tag"] for tag in tags} == {"R-1.TT", "R-2.TT", "mode"}


async def test_bounds_are_kept_and_told(server: PlantServer) -> None:
    found, _, _ = await browsed(server, "Crowd", most=100)
    assert "more than 100 nodes" in found.cut_short and len(found.variables) < MANY + 200
