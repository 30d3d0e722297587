"""The node map of a simulated OPC UA endpoint: a row per tag, in the order of the plant file. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from config.model import OpcUaEndpoint
from simulators.opcua.nodes import namespaces
from simulators.opcua.values import wire_type

HEADINGS = ("device", "NodeId", "type", "EU", "range", "states", "role", "tag")


def application_uri(endpoint: OpcUaEndpoint) -> str:
    """Namespace 1 of its server."""
    return f"urn:reactorwatch:simulator:server:{endpoint.name}"


def namespace_uris(endpoint: OpcUaEndpoint) -> tuple[str, ...]:
    """The namespaces that its server has; their indices are their places."""
    return namespaces(endpoint, application_uri(endpoint)).uris


def node_map(endpoint: OpcUaEndpoint) -> Iterator[tuple[str, ...]]:
    """Cells under HEADINGS. A NodeId has the index that its namespace has here."""
    spaces = namespaces(endpoint, application_uri(endpoint))
    for device in endpoint.devices:
        for tag in device.tags:
            low, high = (tag.range.low, tag.range.high) if tag.range else (None, None)
            bounds = "" if tag.range is None else "…".join("" if bound is None else f"{bound:g}" for bound in (low, high))
            states = ", ".join(f"{number}={name}" for number, name in sorted(tag.states.items()))
            node_id, type_name = spaces.node_id(tag.address).to_string(), wire_type(tag).name
            yield device.name, node_id, type_name, tag.engineering_unit or "", bounds, states, tag.role, tag.name
