"""A farm: many reactors for load, each an endpoint of its own with fifty tags, as a plant file of templates and tables.

    farm.yaml ──use──► farm-opcua.csv    one reactor a row ──► farm-opcua-tags.csv     fifty tags
              └──────► farm-modbus.csv                    ──► farm-modbus-tags.csv

What is served is read from these very texts, so the files that are written always fit.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from config.load import load
from config.model import Plant
from simulators.source import SimulationError

Protocol = Literal["both", "opcua", "modbus"]
LARGEST = 400
_OPC_UA_PORT, _MODBUS_PORT = 14000, 15100
"""Of the first reactor; below 32768, where Linux takes the near ends of outgoing connections from."""
_FIRST = 1001
"""Number of the first reactor."""


@dataclass(frozen=True, slots=True)
class _FarmTag:
    name: str
    role: str
    kind: str = "real"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    group: str = "fast"
    modbus: str = "float32"
    """Type of its registers; a bit for a boolean."""
    length: int | None = None


_TAGS = (
    _FarmTag("TT-{n}A", "product_temperature", "real", "°C", -30, 200),
    _FarmTag("TT-{n}B", "product_temperature_b", "real", "°C", -30, 200),
    _FarmTag("TT-{n}-2", "jacket_inlet_temperature", "real", "°C", -40, 220),
    _FarmTag("TT-{n}-3", "jacket_outlet_temperature", "real", "°C", -40, 220),
    _FarmTag("TIC-{n}.SP", "temperature_setpoint", "real", "°C", -30, 200),
    _FarmTag("TIC-{n}.OP", "jacket_valve_output", "real", "%", 0, 100),
    _FarmTag("TIC-{n}.MODE", "temperature_mode", "integer", modbus="uint16"),
    _FarmTag("PT-{n}-1", "headspace_pressure", "real", "bar(a)", 0, 7),
    _FarmTag("PT-{n}-2", "jacket_pressure", "real", "bar(g)", 0, 6),
    _FarmTag("ST-{n}", "stirrer_speed", "real", "rpm", 0, 150),
    _FarmTag("JT-{n}", "stirrer_power", "real", "kW", 0, 11),
    _FarmTag("WT-{n}-1", "contents_mass", "real", "kg", 0, 2500),
    _FarmTag("LT-{n}", "level", "real", "%", 0, 100),
    _FarmTag("FT-{n}-5", "dosing_rate", "real", "kg/h", 0, 300),
    _FarmTag("WT-{n}-5", "dosed_mass", "real", "kg", 0, 500, modbus="float64"),
    _FarmTag("FT-{n}-2", "jacket_flow", "real", "m³/h", 0, 40),
    _FarmTag("AT-{n}-1", "ph", "real", "", 0, 14),
    _FarmTag("AT-{n}-2", "oxygen", "real", "%", 0, 25),
    _FarmTag("TT-{n}-4", "vapour_temperature", "real", "°C", -30, 200),
    _FarmTag("FT-{n}-6", "nitrogen_flow", "real", "Nm³/h", 0, 40),
    _FarmTag("FT-{n}-7", "distillate_rate", "real", "kg/h", 0, 300),
    _FarmTag("WT-{n}-7", "distillate_mass", "real", "kg", 0, 1500, modbus="float64"),
    _FarmTag("XV-{n}-1", "charge_valve_open", "boolean"),
    _FarmTag("XV-{n}-2", "discharge_valve_open", "boolean"),
    _FarmTag("XV-{n}-5", "dosing_valve_open", "boolean"),
    _FarmTag("XV-{n}-6", "nitrogen_valve_open", "boolean"),
    _FarmTag("XV-{n}-7", "vacuum_valve_open", "boolean"),
    _FarmTag("XS-{n}", "stirrer_running", "boolean"),
    _FarmTag("TSHH-{n}", "interlock_temperature", "boolean"),
    _FarmTag("PSHH-{n}", "interlock_pressure", "boolean"),
    _FarmTag("SSLL-{n}", "interlock_stirrer", "boolean"),
    _FarmTag("BATCH_ID", "batch_id", "text", modbus="text", length=10),
    _FarmTag("PHASE", "phase", "text", modbus="text", length=8),
    _FarmTag("PHASE_NO", "phase_number", "integer", modbus="uint16"),
    _FarmTag("STATE", "batch_state", "integer", modbus="uint16"),
    _FarmTag("RECIPE_ID", "product", "text", modbus="text", length=8),
    _FarmTag("RECIPE_VER", "recipe_version", "text", modbus="text", length=4),
    _FarmTag("UNIT_PROC", "unit_procedure", "text", modbus="text", length=12),
    _FarmTag("OPERATION", "operation", "text", modbus="text", length=8),
    _FarmTag("STEP_NO", "step_number", "integer", modbus="uint16"),
    *(_FarmTag(f"TT-{{n}}-{number}", f"skin_temperature_{number}", "real", "°C", 0, 150) for number in range(11, 21)),
)
TAGS_PER_REACTOR = len(_TAGS)


def farm_files(count: int, protocol: Protocol, name: str) -> dict[str, str]:
    """File name -> text; the first is the plant file, `name`. Raises SimulationError for a number that is none."""
    if not 1 <= count <= LARGEST:
        raise SimulationError(f"a farm of {count} reactors cannot be served: give 1 to {LARGEST}")
    stem = Path(name).stem
    protocols = ("opcua", "modbus") if protocol == "both" and count > 1 else ("opcua" if protocol == "both" else protocol,)
    files = {name: "".join(_plant_lines(stem, count, protocols))}
    for place, each in enumerate(protocols):
        files[f"{stem}-{each}.csv"] = "".join(_reactors(each, range(place, count, len(protocols))))
        files[f"{stem}-{each}-tags.csv"] = "".join(_opcua_tags() if each == "opcua" else _modbus_tags())
    return files


def farm(count: int, protocol: Protocol = "both") -> Plant:
    """The plant of these files. Raises SimulationError."""
    with tempfile.TemporaryDirectory(prefix="reactorwatch-farm-") as folder:
        for name, text in farm_files(count, protocol, "farm.yaml").items():
            Path(folder, name).write_text(text, encoding="utf-8")
        return load(Path(folder, "farm.yaml"))


def write_files(files: dict[str, str], folder: Path) -> None:
    """Write all or nothing. Raises SimulationError where one of them exists or none can be written."""
    for name in files:
        if (folder / name).exists():
            raise SimulationError(f"{folder / name} is there already, and nothing is overwritten: give another --write FILE")
    for name, text in files.items():
        try:
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as exc:
            raise SimulationError(f"{folder / name}: cannot be written ({exc.strerror})") from exc


def _plant_lines(stem: str, count: int, protocols: tuple[str, ...]) -> Iterator[str]:
    yield f"# {count} simulated reactors with {TAGS_PER_REACTOR} tags each, for load: reactorwatch simulate --farm {count}\n\n"
    yield "site: farm\n\ntemplates:\n"
    for each in protocols:
        scheme, unit_id = ("opc.tcp", "") if each == "opcua" else ("modbus", "unit_id: 1, ")
        yield f"  reactor-{each}:\n"
        yield '    units: {"{unit}": {description: Jacketed reactor 1.6 m³}}\n'
        yield f'    endpoints:\n      "{{unit}}-{each}":\n        url: "{scheme}://127.0.0.1:{{port}}"\n'
        yield f'        devices: {{"{{unit}}-controller": {{unit: "{{unit}}", {unit_id}tags: {stem}-{each}-tags.csv}}}}\n'
    yield "\nuse:\n"
    for each in protocols:
        yield f"  - {{template: reactor-{each}, table: {stem}-{each}.csv}}\n"


def _reactors(protocol: str, places: range) -> Iterator[str]:
    base = _OPC_UA_PORT if protocol == "opcua" else _MODBUS_PORT
    yield "unit;n;port\n"
    yield from (f"R-{_FIRST + place};{_FIRST + place};{base + place}\n" for place in places)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _opcua_tags() -> Iterator[str]:
    yield "Tag;Address;Kind;Role;Engineering unit;Low;High\n"
    for tag in _TAGS:
        address = f"ns=2;s=R{{n}}.{tag.name.replace('-{n}', '')}"
        yield f'{tag.name};"{address}";{tag.kind};{tag.role};{tag.unit};{_number(tag.low)};{_number(tag.high)}\n'


def _modbus_tags() -> Iterator[str]:
    """Numbers in the input registers, texts in the holding registers, booleans as discrete inputs, each without a gap."""
    yield "Tag;Address;Type;Length;Role;Engineering unit;Low;High\n"
    widths = {"uint16": 1, "float32": 2, "float64": 4}
    free = {"input": 0, "holding": 0, "discrete": 0}
    for tag in _TAGS:
        table = {"boolean": "discrete", "text": "holding"}.get(tag.kind, "input")
        kind = "" if tag.kind == "boolean" else tag.modbus
        place = f"{table}:{free[table]};{kind};{tag.length or ''}"
        yield f"{tag.name};{place};{tag.role};{tag.unit};{_number(tag.low)};{_number(tag.high)}\n"
        free[table] += tag.length or (1 if tag.kind == "boolean" else widths[tag.modbus])
