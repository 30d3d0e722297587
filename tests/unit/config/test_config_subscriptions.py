"""What a plant file may say of subscribed groups, and the sentences for what makes no sense."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.faults import ConfigError
from config.load import load

PLANT = """
site: north
endpoints:
  r201:
    url: opc.tcp://h
    devices:
      PLC:
        unit: R-201
        groups: {main: {MODE}}
        tags:
          TT: {address: ns=2;s=TT, role: product_temperature, DEADBAND}
units: {R-201: {mode: UNIT}}
limits: [{role: product_temperature, cpp: true, par: [0, 90]}]
"""


def faults(tmp_path: Path, mode: str, deadband: str = "kind: real", unit: str = "pilot") -> list[str]:
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT.replace("MODE", mode).replace("DEADBAND", deadband).replace("UNIT", unit), "utf-8")
    try:
        load(path)
    except ConfigError as exc:
        return str(exc).splitlines()
    return []


@pytest.mark.parametrize(
    ("limit", "told"),
    [
        ("role: pressure, sp_role: product_temperature, cpp: true, par: [-5, 5]", True),
        ("name: d, expression: pressure - product_temperature, cpp: true, par: [-5, 5]", True),
        ("name: d, expression: 'pressure - [R-201].product_temperature', cpp: true, par: [-5, 5]", True),
        ("name: d, expression: pressure - product_temperature, par: [-5, 5]", False),
        ("role: pressure, cpp: true, par: [0, 5]", False),
    ],
)
def test_what_a_critical_parameter_is_made_of_has_no_deadband_either(tmp_path: Path, limit: str, told: bool) -> None:
    path = tmp_path / "plant.yaml"
    pressure = "          PT: {address: ns=2;s=PT, role: pressure}\nunits:"
    text = PLANT.replace("MODE", "mode: subscribe").replace("DEADBAND", "deadband: 0.1").replace("UNIT", "gmp")
    text = text.replace("units:", pressure).replace("role: product_temperature, cpp: true, par: [0, 90]", limit)
    path.write_text(text, "utf-8")
    if not told:
        load(path)
        return
    with pytest.raises(ConfigError, match=r"TT\.deadband: a deadband on a critical process parameter of R-201"):
        load(path)


@pytest.mark.parametrize(
    ("mode", "deadband", "unit", "told"),
    [
        ("mode: subscribe, sampling_s: 0.1, queue_size: 20", "deadband: 0.1", "pilot", None),
        ("mode: subscribe", "kind: real", "gmp", None),
        ("sampling_s: 0.1", "kind: real", "pilot", "sampling_s is for a subscribed group: write mode: subscribe"),
        ("queue_size: 4", "kind: real", "pilot", "queue_size is for a subscribed group"),
        ("mode: subscribe, freshness_s: 300", "kind: real", "pilot", None),
        ("freshness_s: 300", "kind: real", "pilot", "freshness_s is for a subscribed group"),
        ("mode: subscribe, freshness_s: 0.5", "kind: real", "pilot", "freshness_s"),
        ("mode: subscribe, sampling_s: 5", "kind: real", "pilot", "sampling_s 5 is longer than period_s 1"),
        ("period_s: 1", "deadband: 0.1", "pilot", "deadband does nothing in group main, which is polled"),
        ("mode: subscribe", "deadband: 0.1", "gmp", "a deadband on a critical process parameter of R-201, which runs in gmp"),
        ("mode: subscribe", "deadband: 0.1, kind: boolean", "pilot", "a deadband fits a number only, this tag is boolean"),
        ("mode: listen", "kind: real", "pilot", "mode"),
    ],
)
def test_a_subscribed_group(tmp_path: Path, mode: str, deadband: str, unit: str, told: str | None) -> None:
    found = faults(tmp_path, mode, deadband, unit)
    if told is None:
        assert found == []
    else:
        assert any(told in line for line in found), found
