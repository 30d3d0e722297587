"""Engineering units: how they are spelt, what they measure, and whether two of them say the same.

Sites and servers write one unit in many ways (`°C`, `degC`, UNECE code CEL), and what looks alike may differ (bar(a) and
bar(g), m³/h and Nm³/h). Pure; a unit that is not known here is never guessed at. UNECE codes are those of
Recommendation 20, which OPC UA packs into the number `UnitId` (part 8, 5.6.4.3). A unit of pressure says absolute or
gauge in its spelling only: UNECE has no codes for it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

UNECE_NAMESPACE = "http://www.opcfoundation.org/UA/units/un/cefact"


class Reference(StrEnum):
    """What a pressure is counted from."""

    ABSOLUTE = "absolute"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class EngineeringUnit:
    """A unit; a value in it times `factor` plus `offset` is the value in the base unit of its dimension."""

    name: str
    dimension: str
    factor: float
    offset: float
    code: str
    """UNECE code, empty where there is none."""
    spellings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Understood:
    """What a text says: the unit, and of a pressure what it is counted from, None where the text leaves it open."""

    unit: EngineeringUnit
    reference: Reference | None = None


# name, UNECE code, factor, offset, other spellings; the base unit of each dimension has the factor 1
_TABLE: dict[str, tuple[tuple[str, str, float, float, str], ...]] = {
    "temperature": (
        ("K", "KEL", 1, 0, "kelvin degK °K"),
        ("°C", "CEL", 1, 273.15, "C degC deg_C deg.C gradC Celsius degreeCelsius degreesCelsius ºC"),
        ("°F", "FAH", 5 / 9, 273.15 - 32 * 5 / 9, "F degF deg_F deg.F Fahrenheit degreeFahrenheit degreesFahrenheit ºF"),
        ("°R", "A48", 5 / 9, 0, "degR Rankine degreeRankine"),
    ),
    "change of temperature": (
        ("K/min", "F11", 1, 0, "°C/min degC/min"),
        ("K/h", "F10", 1 / 60, 0, "°C/h degC/h"),
        ("°F/min", "J24", 5 / 9, 0, "degF/min"),
    ),
    "pressure": (
        ("Pa", "PAL", 1, 0, "pascal"),
        ("hPa", "A97", 100, 0, "hectopascal"),
        ("kPa", "KPA", 1e3, 0, "kilopascal"),
        ("MPa", "MPA", 1e6, 0, "megapascal"),
        ("bar", "BAR", 1e5, 0, ""),
        ("mbar", "MBR", 100, 0, "millibar"),
        ("psi", "PS", 6894.757293168, 0, "lbf/in2 lbf/sqin"),
        ("mmHg", "HN", 133.322387415, 0, ""),
        ("inHg", "F79", 3386.389, 0, ""),
        ("Torr", "UA", 101325 / 760, 0, ""),
        ("atm", "ATM", 101325, 0, ""),
        ("at", "ATT", 98066.5, 0, "kgf/cm2 kg/cm2 kp/cm2"),
    ),
    "mass": (
        ("kg", "KGM", 1, 0, "kilogram kilogramm kgs"),
        ("g", "GRM", 1e-3, 0, "gram gramm"),
        ("mg", "MGM", 1e-6, 0, "milligram"),
        ("t", "TNE", 1e3, 0, "tonne to"),
        ("lb", "LBR", 0.45359237, 0, "lbs pound"),
    ),
    "mass flow": (
        ("kg/h", "E93", 1, 0, "kg/hr kgph"),
        ("kg/min", "F31", 60, 0, ""),
        ("kg/s", "KGS", 3600, 0, "kg/sec"),
        ("g/h", "F27", 1e-3, 0, "g/hr"),
        ("g/min", "F28", 0.06, 0, ""),
        ("g/s", "F29", 3.6, 0, ""),
        ("t/h", "E18", 1e3, 0, "t/hr to/h"),
        ("kg/d", "F30", 1 / 24, 0, ""),
        ("lb/h", "4U", 0.45359237, 0, "lb/hr lbs/h"),
    ),
    "volume": (
        ("m³", "MTQ", 1, 0, "cbm cubicmetre"),
        ("l", "LTR", 1e-3, 0, "liter litre ltr"),
        ("ml", "MLT", 1e-6, 0, "milliliter millilitre cm3"),
    ),
    "volume flow": (
        ("m³/h", "MQH", 1, 0, "m3/hr cbm/h"),
        ("m³/s", "MQS", 3600, 0, ""),
        ("m³/min", "G53", 60, 0, ""),
        ("l/h", "E32", 1e-3, 0, "l/hr lph"),
        ("l/min", "L2", 0.06, 0, "lpm ltr/min"),
        ("l/s", "G51", 3.6, 0, ""),
        ("ml/min", "41", 6e-5, 0, "cm3/min"),
        ("ml/h", "G55", 1e-6, 0, ""),
    ),
    "volume flow at normal conditions": (
        ("Nm³/h", "", 1, 0, "m3/h(N) m3N/h m3(N)/h Nm3/hr"),
        ("Nl/min", "", 0.06, 0, "l/min(N) NLPM"),
        ("Nl/h", "", 1e-3, 0, "l/h(N)"),
    ),
    "rotation": (
        ("rpm", "RPM", 1, 0, "r/min 1/min min-1 U/min rev/min /min RPM"),
        ("1/s", "RPS", 60, 0, "r/s rps rev/s s-1"),
    ),
    "frequency": (("Hz", "HTZ", 1, 0, "hertz"), ("kHz", "KHZ", 1e3, 0, "")),
    "power": (("W", "WTT", 1, 0, "watt"), ("kW", "KWT", 1e3, 0, "kilowatt"), ("MW", "MAW", 1e6, 0, "megawatt")),
    "energy": (("J", "JOU", 1, 0, "joule"), ("kJ", "KJO", 1e3, 0, ""), ("kWh", "KWH", 3.6e6, 0, "")),
    "torque": (("N·m", "NU", 1, 0, "Nm newtonmetre"),),
    "share": (
        ("%", "P1", 1, 0, "pct percent prozent %orpct"),
        ("1", "C62", 100, 0, "one"),
        ("ppm", "59", 1e-4, 0, ""),
        ("ppb", "61", 1e-7, 0, ""),
    ),
    "pH": (("pH", "Q30", 1, 0, ""),),
    "conductivity": (
        ("S/m", "D10", 1, 0, ""),
        ("mS/cm", "H61", 0.1, 0, ""),
        ("µS/cm", "G42", 1e-4, 0, "uS/cm"),
    ),
    "density": (
        ("kg/m³", "KMQ", 1, 0, "g/l"),
        ("kg/l", "B35", 1e3, 0, "g/cm3 g/ml kg/dm3 kg/lorkg/L"),
    ),
    "viscosity": (("Pa·s", "C65", 1, 0, ""), ("mPa·s", "C24", 1e-3, 0, "cP")),
    "length": (("m", "MTR", 1, 0, "metre meter"), ("cm", "CMT", 1e-2, 0, ""), ("mm", "MMT", 1e-3, 0, "")),
    "time": (
        ("s", "SEC", 1, 0, "sec second"),
        ("ms", "C26", 1e-3, 0, "millisecond"),
        ("min", "MIN", 60, 0, "minute"),
        ("h", "HUR", 3600, 0, "hr hour std"),
        ("d", "DAY", 86400, 0, "day"),
    ),
    "current": (("A", "AMP", 1, 0, "ampere"), ("mA", "4K", 1e-3, 0, "")),
    "voltage": (("V", "VLT", 1, 0, "volt"), ("mV", "2Z", 1e-3, 0, "")),
}

UNITS: tuple[EngineeringUnit, ...] = tuple(
    EngineeringUnit(name, dimension, float(factor), float(offset), code, (name, *spellings.split()))
    for dimension, rows in _TABLE.items()
    for name, code, factor, offset, spellings in rows
)
_BY_CODE = {unit.code: unit for unit in UNITS if unit.code}
_NORMAL, _PLAIN = "volume flow at normal conditions", "volume flow"

_LEFT_OUT = re.compile(r"[\s·*^_.⋅•]")
_REFERENCES = (
    (Reference.ABSOLUTE, ("absolute", "absolut", "abs", "a")),
    (Reference.GAUGE, ("gauge", "gage", "rel", "ü", "g")),
)
_IN_WORDS = (
    (Reference.ABSOLUTE, re.compile(r"\babs(olute?)?\b|\(a\)", re.IGNORECASE)),
    (Reference.GAUGE, re.compile(r"\bga(u)?ge\b|\boverpressure\b|\büberdruck\b|\(g\)", re.IGNORECASE)),
)


def _plain(text: str) -> str:
    """`m³ / h` -> `m3/h`, `℃` -> `°C`: one way to write what is written in many."""
    return _LEFT_OUT.sub("", unicodedata.normalize("NFKC", text.replace("º", "°").replace("⁻", "-")))


_EXACT = {_plain(spelling): unit for unit in UNITS for spelling in unit.spellings}
_LOOSE: dict[str, list[str]] = {}
for _spelling in _EXACT:
    _LOOSE.setdefault(_spelling.casefold(), []).append(_spelling)


def understood(text: str, description: str = "") -> Understood | None:
    """What `text` says, with the help of a longer `description`; None for a unit that is not known here."""
    plain = _plain(text)
    if unit := _spelt(plain):
        return Understood(unit, _reference_in(description) if unit.dimension == "pressure" else None)
    for reference, endings in _REFERENCES:
        for ending in endings:
            if base := _without(plain, ending):
                return Understood(base, reference)
    return None


def _spelt(plain: str) -> EngineeringUnit | None:
    """Capitals count where they must: mW is not MW, but KG/H is kg/h, and MBAR of a system without small letters mbar."""
    if exact := _EXACT.get(plain):
        return exact
    loose = {spelling for spelling in _LOOSE.get(plain.casefold(), ()) if plain.isupper() or _same_prefix(plain, spelling)}
    units = {_EXACT[spelling].name: _EXACT[spelling] for spelling in loose}
    return next(iter(units.values())) if len(units) == 1 else None


def _same_prefix(one: str, other: str) -> bool:
    """Milli and mega are told apart by the capital alone."""
    return one[:1] == other[:1] or one[:1] not in "mM"


def _without(plain: str, ending: str) -> EngineeringUnit | None:
    """The unit of pressure before `(a)`, `a`, `[abs]` ..."""
    folded = plain.casefold()
    for tail in (f"({ending})", f"[{ending}]", f"-{ending}", ending):
        if folded.endswith(tail) and (unit := _spelt(plain[: -len(tail)])) and unit.dimension == "pressure":
            return unit
    return None


def _reference_in(description: str) -> Reference | None:
    found = [reference for reference, words in _IN_WORDS if words.search(description)]
    return found[0] if len(found) == 1 else None


def unece_code(unit_id: int) -> str | None:
    """`4408652` -> `CEL`: the letters that OPC UA packs into a UnitId; None when the number holds none."""
    if not 0 < unit_id <= 0xFFFF_FFFF:
        return None
    letters = unit_id.to_bytes(4, "big").lstrip(b"\0").decode("ascii", "replace")
    return letters if 2 <= len(letters) <= 3 and re.fullmatch("[A-Z0-9]+", letters) else None


def unit_id_of(code: str) -> int:
    """`CEL` -> `4408652`."""
    return int.from_bytes(code.encode("ascii"), "big")


def by_code(code: str) -> EngineeringUnit | None:
    """The unit of a UNECE code; None when it is not known here."""
    return _BY_CODE.get(code)


def same_unit(one: EngineeringUnit, other: EngineeringUnit) -> bool:
    """Whether a number means the same in both: r/min and rpm do, K and °C do not."""
    alike = math.isclose(one.factor, other.factor, rel_tol=1e-6) and math.isclose(one.offset, other.offset, abs_tol=1e-6)
    return one.dimension == other.dimension and alike


def says_less(code: EngineeringUnit, spelt: EngineeringUnit) -> bool:
    """Whether a code is the nearest one there is for a unit without its own: MQH is sent for Nm³/h."""
    return (code.dimension, spelt.dimension) == (_PLAIN, _NORMAL) and code.factor == spelt.factor


def conversion(source: EngineeringUnit, target: EngineeringUnit) -> tuple[float, float] | None:
    """(scale, offset) with value in `target` = value in `source` · scale + offset; None between dimensions."""
    if source.dimension != target.dimension:
        return None
    return source.factor / target.factor, (source.offset - target.offset) / target.factor
