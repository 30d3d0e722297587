"""Engineering units as an OPC UA server tells them: `EUInformation` with the identifiers of UNECE recommendation 20.

OPC 10000-8, 5.6.4: `unitId` is the common code of the unit, its ASCII characters read as a big-endian number
(CEL -> 0x43454C = 4408652), `namespaceUri` names UN/CEFACT, `displayName` is free: here it is what the plant file
writes, so `bar(a)` and `bar(g)` can be told apart though both are BAR. A unit that UNECE does not know gets our own
namespace and the unitId -1.
"""

from __future__ import annotations

import math
import re
from functools import cache

from asyncua import ua

from config.tags import Tag

UN_CEFACT = "http://www.opcfoundation.org/UA/units/un/cefact"
OWN_UNITS = "urn:reactorwatch:simulator:units"
UNITS: dict[str, tuple[str, str]] = {
    "CEL": ("degree Celsius", "°C degC ℃"),
    "FAH": ("degree Fahrenheit", "°F degF ℉"),
    "KEL": ("kelvin", "K"),
    "BAR": ("bar [unit of pressure]", "bar"),
    "MBR": ("millibar", "mbar"),
    "PAL": ("pascal", "Pa"),
    "KPA": ("kilopascal", "kPa"),
    "MPA": ("megapascal", "MPa"),
    "A97": ("hectopascal", "hPa"),
    "PS": ("pound-force per square inch", "psi"),
    "P1": ("percent", "%"),
    "RPM": ("revolutions per minute", "rpm 1/min min-1 r/min U/min"),
    "KWT": ("kilowatt", "kW"),
    "WTT": ("watt", "W"),
    "KWH": ("kilowatt hour", "kWh"),
    "KGM": ("kilogram", "kg"),
    "GRM": ("gram", "g"),
    "MGM": ("milligram", "mg"),
    "TNE": ("tonne (metric ton)", "t"),
    "E93": ("kilogram per hour", "kg/h"),
    "KGS": ("kilogram per second", "kg/s"),
    "LTR": ("litre", "L l"),
    "MLT": ("millilitre", "mL ml"),
    "MTQ": ("cubic metre", "m3"),
    "MQH": ("cubic metre per hour", "m3/h"),
    "E32": ("litre per hour", "L/h l/h"),
    "L2": ("litre per minute", "L/min l/min"),
    "Q40": ("normalized cubic metre per hour", "Nm3/h m3(N)/h"),
    "Q30": ("pH (potential of hydrogen)", "pH"),
    "SEC": ("second [unit of time]", "s sec"),
    "MIN": ("minute [unit of time]", "min"),
    "HUR": ("hour", "h"),
    "DAY": ("day", "d"),
    "MTR": ("metre", "m"),
    "CMT": ("centimetre", "cm"),
    "MMT": ("millimetre", "mm"),
    "AMP": ("ampere", "A"),
    "VLT": ("volt", "V"),
    "HTZ": ("hertz", "Hz"),
    "JOU": ("joule", "J"),
    "KJO": ("kilojoule", "kJ"),
    "C62": ("one", "1"),
}
"""UNECE common code -> its name, and how people write it (³ is folded to 3)."""
_CODES = {spelling: code for code, (_, spellings) in UNITS.items() for spelling in spellings.split()}
_FOLDED = str.maketrans("²³·", "23.")
_GAUGE = re.compile(r"(bar|mbar|Pa|hPa|kPa|MPa|psi)[ _]?(?:\((?:a|g|abs|gauge)\)|a|g|abs|gauge)")
"""Pressures whose reference is written along; UNECE knows one unit for both."""
_RAW_UNITS: dict[str, tuple[tuple[float, float, str], ...]] = {
    "°C": ((5 / 9, -160 / 9, "°F"), (1.0, -273.15, "K")),
    "bar(a)": ((1.0, 1.01325, "bar(g)"), (0.001, 0.0, "mbar(a)"), (0.01, 0.0, "kPa(a)"), (1e-5, 0.0, "Pa(a)")),
    "bar(g)": ((1.0, -1.01325, "bar(a)"), (0.001, 0.0, "mbar(g)"), (0.01, 0.0, "kPa(g)"), (1e-5, 0.0, "Pa(g)")),
    "bar": ((0.001, 0.0, "mbar"), (0.01, 0.0, "kPa"), (1e-5, 0.0, "Pa")),
    "kW": ((0.001, 0.0, "W"),),
    "kg": ((0.001, 0.0, "g"), (1000.0, 0.0, "t")),
}
"""What a controller counts in: scale and offset that lead from it to the plant file's unit."""
_AS_WRITTEN = 1e-3
"""Relative: people write 0.556 and 1.013."""


def unit_id(common_code: str) -> int:
    """The number of a UNECE common code, e.g. `CEL` -> 4408652. OPC 10000-8, 5.6.4.3."""
    return int.from_bytes(common_code.encode("ascii"), "big")


def common_code(text: str) -> str | None:
    """UNECE's common code for a unit as people write it, None where it has none."""
    plain = text.strip().translate(_FOLDED)
    gauge = _GAUGE.fullmatch(plain)
    return _CODES.get(gauge[1] if gauge else plain)


@cache
def engineering_unit(text: str) -> ua.EUInformation:
    """The unit `text` as a server tells it."""
    code = common_code(text)
    if code is None:
        return ua.EUInformation(OWN_UNITS, ua.Int32(-1), ua.LocalizedText(text), ua.LocalizedText(text))
    return ua.EUInformation(UN_CEFACT, ua.Int32(unit_id(code)), ua.LocalizedText(text), ua.LocalizedText(UNITS[code][0]))


def served_unit(tag: Tag) -> str | None:
    """The unit of what the server sends, which is the value before `scale` and `offset`. None where nobody can tell."""
    unit = tag.engineering_unit
    if unit is None or (tag.scale, tag.offset) == (1.0, 0.0):
        return unit
    for scale, offset, raw_unit in _RAW_UNITS.get(unit, ()):
        if math.isclose(tag.scale, scale, rel_tol=_AS_WRITTEN) and math.isclose(tag.offset, offset, rel_tol=_AS_WRITTEN):
            return raw_unit
    return None


def served_range(tag: Tag) -> tuple[float, float] | None:
    """The tag's range before `scale` and `offset`, low first; None where a side is open: a Range has two ends."""
    if tag.range is None or tag.range.low is None or tag.range.high is None:
        return None
    low, high = ((end - tag.offset) / tag.scale for end in (tag.range.low, tag.range.high))
    return (low, high) if low < high else (high, low)
