"""What `simulate` prints: where to connect, what is served, what to type next, and the map of every address."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from collector.commands.aligned import aligned
from config.model import ModbusEndpoint, OpcUaEndpoint, Plant
from simulators.modbus import register_map
from simulators.opcua import node_map
from simulators.plant import SimulatedPlant
from simulators.spans import span_text

_ENDPOINTS_SHOWN = 12
_MOST_LINES = 8


def served(simulated: SimulatedPlant) -> Iterator[str]:
    """Endpoints, units and namespaces as tables."""
    plant = simulated.plant
    rows = (_endpoint(endpoint, simulated) for endpoint in plant.endpoints)
    yield from _cut(
        aligned(("endpoint", "url", "security, unit ids", "devices", "tags"), rows), len(plant.endpoints), "endpoints"
    )
    yield ""
    units = ((name, *_unit(name, simulated)) for name in simulated.units)
    headings = ("unit", "vessel", "recipe", "batch", "phase", "tags")
    yield from _cut(aligned(headings, units), len(simulated.units), "units")
    yield ""
    opcua = [endpoint for endpoint in plant.endpoints if isinstance(endpoint, OpcUaEndpoint)]
    for endpoint in opcua[:1]:
        uris = enumerate(node_map.namespace_uris(endpoint))
        yield f"namespaces of {endpoint.name}: " + ", ".join(f"{index} {uri}" for index, uri in uris)
        yield ""


def next_commands(file: str, targets: Iterable[tuple[str, str]]) -> Iterator[str]:
    """What to type in another terminal, exactly. `targets` are kind and target of upsets that fit."""
    yield "in another terminal:"
    lines = [] if file else [("simulate --write plant.yaml", "the plant file that fits, then start this again with it")]
    shown = file or "plant.yaml"
    lines += [(f"check {shown} --live", "read every tag once"), (f"run {shown} --data data", "collect, and serve the page")]
    lines += [(f"upset {kind} {target} --for 10min", "let something go wrong") for kind, target in targets]
    lines += [("upset --list", "all that can go wrong, and what is active now")]
    width = max(len(command) for command, _ in lines)
    for command, what in lines:
        yield f"  reactorwatch {command.ljust(width)}  # {what}"


def address_map(plant: Plant) -> Iterator[str]:
    """Every node and every register of a plant, endpoint by endpoint."""
    for endpoint in plant.endpoints:
        yield f"{endpoint.name}  {endpoint.url}"
        if isinstance(endpoint, OpcUaEndpoint):
            for index, uri in enumerate(node_map.namespace_uris(endpoint)):
                yield f"  namespace {index}: {uri}"
            yield from _table(node_map.HEADINGS, node_map.node_map(endpoint))
        else:
            yield from _table(register_map.HEADINGS, (row.cells() for row in register_map.register_map(endpoint)))
        yield ""


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """States, which are long, come last."""
    order = sorted(range(len(headings)), key=lambda place: headings[place] == "states")
    lines = aligned([headings[place] for place in order], ([row[place] for place in order] for row in rows))
    yield from (f"  {line}" for line in lines)


def _endpoint(endpoint: OpcUaEndpoint | ModbusEndpoint, simulated: SimulatedPlant) -> tuple[str, ...]:
    if isinstance(endpoint, OpcUaEndpoint):
        policies = "None" if simulated.security == "none" else "None, and three policies signed or encrypted"
        how = f"{policies}; {f'user {endpoint.user_name}' if endpoint.user_name else 'anonymous'}"
        devices = [device.name for device in endpoint.devices]
    else:
        how = "unit ids " + ", ".join(str(device.unit_id) for device in endpoint.devices)
        devices = [f"{device.name} ({device.unit_id})" for device in endpoint.devices]
    tags = sum(len(device.tags) for device in endpoint.devices)
    return endpoint.name, simulated.urls[endpoint.name], how, ", ".join(devices), str(tags)


def _unit(name: str, simulated: SimulatedPlant) -> tuple[str, ...]:
    unit = simulated.units[name]
    shown = unit.readings()
    tags = sum(device.unit_of(tag) == name for device, tag in simulated.plant.tags()) if len(simulated.units) < 20 else 0
    recipe = f"{unit.plan.recipe.product} {unit.plan.recipe.version}"
    phase = f"{shown['phase']} for {span_text(unit.phase_s)}" if unit.phase_s else str(shown["phase"])
    return unit.plan.recipe.vessel, recipe, str(shown["batch_id"] or "none"), phase, str(tags or "")


def _cut(lines: list[str], count: int, what: str) -> Iterator[str]:
    if count <= _ENDPOINTS_SHOWN:
        yield from lines
    else:
        yield from islice(lines, _MOST_LINES + 1)
        yield f"... and {count - _MOST_LINES} more {what}"
