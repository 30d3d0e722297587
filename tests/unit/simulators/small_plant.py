"""A plant of two units on two protocols, and a recipe that is soon through, for tests of scenarios."""

from __future__ import annotations

from pathlib import Path

from config.model import Plant
from simulators.scenario import Scenario, load_scenario
from tests.servers import free_port

_R201: dict[str, dict[str, object]] = {
    "TT-201A": {"address": "ns=2;s=A", "role": "product_temperature"},
    "TT-201B": {"address": "ns=2;s=B", "role": "product_temperature_b"},
    "TT-202": {"address": "ns=2;s=C", "role": "jacket_inlet_temperature"},
    "PT-201": {"address": "ns=2;s=P", "role": "headspace_pressure"},
    "ST-201": {"address": "ns=2;s=S", "role": "stirrer_speed"},
    "FT-205": {"address": "ns=2;s=F", "role": "dosing_rate"},
    "XS-201": {"address": "ns=2;s=X", "role": "stirrer_running", "kind": "boolean"},
    "PHASE": {"address": "ns=2;s=PHASE", "role": "phase", "kind": "text"},
    "STATE": {"address": "ns=2;s=STATE", "role": "batch_state", "kind": "integer", "states": {0: "Idle", 1: "Running"}},
    "NAMED": {"address": "ns=2;s=N", "role": "phase", "kind": "integer", "states": {0: "Inert", 4: "Dose", 5: "Hold"}},
    "STEP": {"address": "ns=2;s=STEP", "role": "step_number", "kind": "integer"},
    "EXTRA": {"address": "ns=2;s=E", "range": [0, 10]},
}
_R301: dict[str, dict[str, object]] = {
    "TT-301A": {"address": "input:0", "type": "float32", "role": "product_temperature"},
    "PHASE": {"address": "input:10", "type": "text", "length": 8, "role": "phase"},
}
PLANT = Plant.model_validate(
    {
        "site": "test",
        "units": {"R-201": {}, "R-301": {}},
        "endpoints": {
            "r201-opcua": {"url": "opc.tcp://127.0.0.1:1", "devices": {"r201-plc": {"unit": "R-201", "tags": _R201}}},
            "r301-modbus": {"url": "modbus://127.0.0.1:1", "devices": {"r301-plc": {"unit": "R-301", "tags": _R301}}},
        },
    }
)

QUICK = """\
product: Q-1
version: "1"
description: A batch of forty minutes, for tests
chemistry: demo_17
vessel: production_1600l
batch_id: Q-##
procedure:
  Make Q-1:
    React:
      Charge:
        number: 1
        temperature: {setpoint_c: 20}
        stirrer_speed_rpm: 80
        charge: {kg_per_h: 36000}
        until: [{role: contents_mass, low: 800}]
      Heat:
        number: 3
        temperature: {setpoint_c: 65, ramp_k_per_min: 0.5}
        stirrer_speed_rpm: 80
        minimum_s: 200
      Dose:
        number: 4
        temperature: {setpoint_c: 25}
        stirrer_speed_rpm: 80
        dose: {kg_per_h: 100}
        until: [{role: dosed_mass, low: 40}]
idle:
  temperature: {setpoint_c: 20}
  discharge: {kg_per_h: 6000}
  until: [{role: contents_mass, high: 0.5}]
hold:
  when: [{role: stirrer_running, equals: false, for_s: 10}]
  until: [{role: dosing_rate, high: 1}]
restart:
  when: [{role: stirrer_running, equals: true, for_s: 600}]
stop:
  minimum_s: 5
abort:
  when: [{role: product_temperature, low: 90}]
"""
"""Of a recipe, in less than 3,000 plant seconds: a batch and the next one's beginning."""


def at_ports_of_its_own() -> Plant:
    """Where its endpoints can be had again at the same port after a restart."""
    moved = (each.model_copy(update={"url": each.url.replace(":1", f":{free_port()}")}) for each in PLANT.endpoints)
    return PLANT.model_copy(update={"endpoints": tuple(moved)})


def scenario(tmp_path: Path, text: str) -> Scenario:
    """Of a file whose units may run the recipe `quick.yaml`."""
    (tmp_path / "quick.yaml").write_text(QUICK, encoding="utf-8")
    file = tmp_path / "scenario.yaml"
    file.write_text(text, encoding="utf-8")
    return load_scenario(file, PLANT)
