"""Checks of what the plant speaks to: endpoints, Modbus tables, sinks, the page. Pure; see `checks`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

from config.findings import Finding, Loc, placed_devices, placed_tags
from config.model import ModbusDevice, ModbusEndpoint, OpcUaDevice, Plant, forbidden_range
from config.sinks import InfluxDB1Sink, InfluxDB2Sink, Sink
from config.tags import REGISTER_TABLES, ModbusTag, OpcUaTag, Tag

_LONG_TIMEOUT = 10
"""Periods."""
_SINK_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


def unit_ids_are_unique(plant: Plant) -> Iterator[Finding]:
    """Two devices with one `unit_id` would be one device, read twice."""
    for e, endpoint in enumerate(plant.endpoints):
        first: dict[int, str] = {}
        for d, device in enumerate(endpoint.devices if isinstance(endpoint, ModbusEndpoint) else ()):
            other = first.setdefault(device.unit_id, device.name)
            if other != device.name:
                loc: Loc = ("endpoints", e, "devices", d, "unit_id")
                yield loc, f"device {other} has unit_id {device.unit_id} on this endpoint: give each device its own"


def nobody_is_everybody(plant: Plant) -> Iterator[Finding]:
    """In RTU frames unit id 0 is a broadcast, which nobody answers."""
    for e, endpoint in enumerate(plant.endpoints):
        if isinstance(endpoint, ModbusEndpoint) and endpoint.transport in ("rtu", "serial"):
            for d, device in enumerate(endpoint.devices):
                if device.unit_id == 0:
                    what = "unit_id 0 speaks to all devices of a serial line, and none answers: give the device's own, 1 to 247"
                    yield ("endpoints", e, "devices", d, "unit_id"), what


def tags_can_be_read(plant: Plant) -> Iterator[Finding]:
    """A Modbus tag fits into one read, and touches nothing forbidden."""
    for placed in placed_tags(plant):
        if not (isinstance(placed.device, ModbusDevice) and isinstance(placed.tag, ModbusTag)):
            continue
        device, tag = placed.device, placed.tag
        if tag.table in REGISTER_TABLES and tag.register_count > device.max_registers:
            what = f"takes {tag.register_count} registers, the device answers {device.max_registers} in one read (max_registers)"
            yield placed.loc, what
        for text in device.forbidden:
            table, low, high = forbidden_range(text)
            if table == tag.table and tag.offset_in_table <= high and low < tag.offset_in_table + tag.register_count:
                yield (
                    (*placed.loc, "address"),
                    f"{tag.address} lies in {text}, which is forbidden for this device: take one of them out",
                )


def deadbands_are_used(plant: Plant) -> Iterator[Finding]:
    """A deadband needs a subscription to be applied by the server."""
    for placed in placed_tags(plant):
        if isinstance(placed.device, OpcUaDevice) and isinstance(placed.tag, OpcUaTag) and placed.tag.deadband is not None:
            group = next((group for group in placed.device.groups if group.name == placed.device.group_of(placed.tag)), None)
            if group is not None and group.mode != "subscribe":
                what = (
                    f"deadband does nothing in group {group.name}, which is polled: write mode: subscribe there, or leave it out"
                )
                yield (*placed.loc, "deadband"), what


def backoff_grows(plant: Plant) -> Iterator[Finding]:
    """The wait between attempts begins below its limit."""
    for e, endpoint in enumerate(plant.endpoints):
        if endpoint.backoff_limit_s < endpoint.backoff_s:
            what = (
                f"backoff_limit_s {endpoint.backoff_limit_s:g} is below backoff_s {endpoint.backoff_s:g}: make it the greater one"
            )
            key = "backoff_limit_s" if "backoff_limit_s" in endpoint.model_fields_set else "backoff_s"
            yield ("endpoints", e, key), what


def sink_names_are_safe(plant: Plant) -> Iterator[Finding]:
    """A sink's name is that of its cursor, in files and in the record."""
    for s, sink in enumerate(plant.sinks):
        if not _SINK_NAME.fullmatch(sink.name):
            yield (
                ("sinks", s),
                "a sink's name has letters, digits, - and _ only, begins with a letter or _, and is at most 64 long",
            )


def endpoints_differ(plant: Plant) -> Iterator[Finding]:
    """Two endpoints with one address are two connections to one server."""
    first: dict[tuple[str, int], str] = {}
    for e, endpoint in enumerate(plant.endpoints):
        serial_port = endpoint.serial_port if isinstance(endpoint, ModbusEndpoint) else ""
        other = first.setdefault((serial_port or endpoint.host.lower(), endpoint.port), endpoint.name)
        if other != endpoint.name:
            yield (
                ("endpoints", e, "url"),
                f"endpoint {other} has the same address: a second connection is made; put the devices under one",
            )


def values_are_whole(plant: Plant) -> Iterator[Finding]:
    """A part of one value that is part of another makes sense of neither."""
    for loc, tag, others in _sharing(plant):
        if torn := [other for other in others if _are_torn(tag, other)]:
            yield loc, _same_place(tag, torn)


def tags_differ(plant: Plant) -> Iterator[Finding]:
    """Tags of a device that read the same place: one of the addresses or types is often a slip."""
    for loc, tag, others in _sharing(plant):
        if not any(_are_torn(tag, other) for other in others):
            yield loc, _same_place(tag, others)


def _sharing(plant: Plant) -> Iterator[tuple[Loc, Tag, list[Tag]]]:
    """Each tag of a device that reads what earlier ones read, with these, and the place of its address."""
    for placed in placed_devices(plant):
        first: dict[tuple[str, int], Tag] = {}
        for t, tag in enumerate(placed.device.tags):
            others = {other.name: other for cell in _cells(tag) if (other := first.setdefault(cell, tag)) is not tag}
            if others:
                yield (*placed.loc, "tags", t, "address"), tag, list(others.values())


def _are_torn(tag: Tag, other: Tag) -> bool:
    """True where registers overlap, unless one value lies in a whole number: its halves may be values of their own."""
    less, more = sorted((tag, other), key=lambda each: len(list(_cells(each))))
    cells, around = set(_cells(less)), set(_cells(more))
    whole_number = isinstance(more, ModbusTag) and "int" in more.wire_type
    return cells != around and not (cells < around and whole_number)


def _same_place(tag: Tag, others: list[Tag]) -> str:
    names = ", ".join(sorted(other.name for other in others))
    if isinstance(tag, ModbusTag) and any(list(_cells(tag)) != list(_cells(other)) for other in others):
        return f"{_registers(tag)} overlaps {names}, which takes {_registers(others[0])}: is an address or a type wrong?"
    return f"{tag.address} is also read by {names}: is it copied?"


def _registers(tag: Tag) -> str:
    """`holding:10-11`"""
    if not isinstance(tag, ModbusTag) or tag.bit is not None or tag.register_count == 1:
        return tag.address
    return f"{tag.address}-{tag.offset_in_table + tag.register_count - 1}"


def _cells(tag: Tag) -> Iterator[tuple[str, int]]:
    """The smallest parts of a device that a tag reads; a bit is another part than the register it is in."""
    if not isinstance(tag, ModbusTag):
        yield tag.address, 0
    elif tag.bit is not None:
        yield f"{tag.table} bit {tag.bit}", tag.offset_in_table
    else:
        yield from ((tag.table, tag.offset_in_table + n) for n in range(tag.register_count))


def _destination(sink: Sink) -> tuple[str, ...]:
    match sink:
        case InfluxDB2Sink():
            return sink.kind, sink.url, sink.org, sink.bucket
        case InfluxDB1Sink():
            return sink.kind, sink.url, sink.database, sink.retention_policy or ""
    return sink.kind, sink.url


def timeouts_fit_periods(plant: Plant) -> Iterator[Finding]:
    """An answer that comes after the next slot is lost; waiting for it much longer only delays the next attempt."""
    for e, endpoint in enumerate(plant.endpoints):
        slowest = max(group.period_s for device in endpoint.devices for group in device.groups)
        if "timeout_s" in endpoint.model_fields_set and endpoint.timeout_s > _LONG_TIMEOUT * slowest:
            what = (
                f"{endpoint.timeout_s:g} s is more than {_LONG_TIMEOUT} periods of its slowest group ({slowest:g} s): "
                f"an answer after the next slot is lost anyway; give a few seconds"
            )
            yield ("endpoints", e, "timeout_s"), what


def sinks_differ(plant: Plant) -> Iterator[Finding]:
    """Two sinks with one destination send everything twice."""
    first: dict[tuple[str, ...], str] = {}
    for s, sink in enumerate(plant.sinks):
        other = first.setdefault(_destination(sink), sink.name)
        if other != sink.name:
            yield ("sinks", s), f"sink {other} goes to the same place: everything is sent there twice"


def page_stays_here(plant: Plant) -> Iterator[Finding]:
    """The page asks nobody who they are."""
    if plant.web and not _is_loopback(plant.web.host):
        yield (
            ("web", "host"),
            f"{plant.web.host} can be reached from other machines, and the page asks for no password: 127.0.0.1 keeps it here",
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


Check = Callable[[Plant], Iterator[Finding]]
FAULTS: tuple[Check, ...] = (
    unit_ids_are_unique,
    nobody_is_everybody,
    tags_can_be_read,
    deadbands_are_used,
    values_are_whole,
    backoff_grows,
    sink_names_are_safe,
)
WARNINGS: tuple[Check, ...] = (endpoints_differ, tags_differ, timeouts_fit_periods, sinks_differ, page_stays_here)
