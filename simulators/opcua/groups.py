"""Where a tag stands in a server's tree: the functional group of its control loop, found from its role or its name.

        DeviceSet > controller > unit > functional group > tag

Roles come first, because they say what a tag is for: `interlock_temperature` is an interlock. A tag whose role tells
nothing goes by the first letter of its name, as ISA-5.1 has it: TT-201 is a temperature.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from config.model import Device
from config.tags import Kind, Tag

_CONTEXT = re.compile(
    r"batch_id|phase|phase_number|batch_state|product|recipe_version|step_number|unit_procedure|operation|procedure"
)
_BY_ROLE: tuple[tuple[str, str], ...] = (
    ("Interlocks", r"interlock|trip(ped)?$|alarm"),
    ("Stirrer", r"stirr|agitat"),
    ("Distillation", r"distill|vapour|reflux"),
    ("Pressure", r"pressure|vacuum|nitrogen|inert|purge|oxygen"),
    ("Temperature", r"temperature|jacket|cooling|heating"),
    ("Dosing", r"dos(e|ing|ed)|feed|charge|contents|level|mass|weight"),
    ("Analysis", r"(^|_)ph($|_)|turbidity|conductiv|concentration"),
)
_BY_LETTER = {"T": "Temperature", "P": "Pressure", "F": "Dosing", "W": "Dosing", "L": "Dosing", "A": "Analysis", "S": "Stirrer"}
_ISA = re.compile(r"(?P<letter>[A-Z])[A-Z]{1,4}[-_ ]?\d")
OTHER = "Other"
Tree = dict[str, dict[str, list[Tag]]]
"""Unit -> functional group -> tags, everything in the order of the plant file."""


def functional_group(tag: Tag) -> str:
    """The name of the group `tag` belongs to."""
    if _CONTEXT.fullmatch(tag.role):
        return "BatchContext"
    for group, pattern in _BY_ROLE:
        if re.search(pattern, tag.role):
            return group
    isa = _ISA.match(tag.name)
    return _BY_LETTER.get(isa["letter"], OTHER) if isa else OTHER


def tree_of(device: Device, tags: Iterable[Tag]) -> Tree:
    """The units and functional groups of `device`. A tag that no unit owns stands under the device's own name."""
    tree: Tree = {}
    for tag in tags:
        groups = tree.setdefault(device.unit_of(tag) or device.name, {})
        groups.setdefault(functional_group(tag), []).append(tag)
    return tree


def description(tag: Tag, unit: str) -> str:
    """What a server's engineer would have written: `Product temperature of R-201`."""
    what = tag.role.replace("_", " ")
    return f"{what[:1].upper()}{what[1:]} of {unit}" if unit else f"{what[:1].upper()}{what[1:]}"


def two_states(tag: Tag) -> tuple[str, str]:
    """The names of False and True."""
    for pattern, names in (
        (r"interlock|trip|alarm", ("Healthy", "Tripped")),
        (r"valve|open", ("Closed", "Open")),
        (r"running|stirr|pump", ("Stopped", "Running")),
    ):
        if re.search(pattern, tag.role):
            return names
    return ("Off", "On")


def is_measured(tag: Tag) -> bool:
    """An instrument shows it: not a setpoint, not an output, not a count."""
    return tag.value_kind is Kind.REAL and not re.search(r"setpoint|output|_limit", tag.role)
