"""The page on simulated Modbus devices names every upset with its value."""

import re
from pathlib import Path

from simulators.modbus.faults import KINDS_OF_DEVICE
from simulators.upset import KINDS
from simulators.wire.wire import KINDS_OF_WIRE

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "simulated-modbus.md"
ROW = re.compile(r"^\| `(\w+)` \|([^|]*)\|", re.MULTILINE)


def test_every_upset_of_wire_and_device_has_its_row_with_its_default() -> None:
    rows = dict(ROW.findall(PAGE.read_text(encoding="utf-8")))
    assert list(rows) == [*KINDS_OF_DEVICE, *KINDS_OF_WIRE]
    for name, value in rows.items():
        default = KINDS[name].default
        assert (f"{default:g}" in value) if isinstance(default, float) else not value.strip(), name


def test_wire_and_devices_do_all_that_the_catalogue_promises_of_modbus_endpoints() -> None:
    promised = {name for name, kind in KINDS.items() if "endpoint" in kind.levels and "modbus" in kind.protocols}
    assert promised == {*KINDS_OF_DEVICE, *KINDS_OF_WIRE}
