"""Keys and values of a plant file in words, as a change of them is told. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any

from config.common import Bounds, Model
from config.limit_statistics import measure_of
from config.limits import AlarmLimits, Limit
from config.model import Plant
from config.plausible import Plausible
from config.sinks import Secret
from config.tags import Tag

_WORDS = {"nor": "NOR", "par": "PAR", "sp": "SP", "cpp": "CPP", "ll": "LL", "l": "L", "h": "H", "hh": "HH"}
_WITH_UNIT = {
    *("range", "nor", "par", "sp", "deadband", "slack", "decision_interval", "ll", "l", "h", "hh"),
    *("low", "high", "spike", "flat_band", "within"),
}
"""Keys whose values are in the tag's engineering unit."""


def sentence(field: str, old: object, new: object, unit: str = "") -> Iterator[str]:
    """`range −30…200 → −30…250 °C`; of an inner model one for each of its fields."""
    if _inner(old) and _inner(new) and type(old) is type(new):
        yield from _inside(field, old, new, unit)
        return
    word = _WORDS.get(field, field)
    if isinstance(old, Secret) or isinstance(new, Secret):
        yield f"{word}: {_reference(old, new)}"
        return
    if isinstance(old, dict) and isinstance(new, dict):
        yield f"{word} {_entries(old, new)}"
        return
    after = f" {unit}" if unit and field in _WITH_UNIT else ""
    yield f"{word} {shown(old)} → {shown(new)}{after}{assessed(field, old, new)}"


def _inner(value: object) -> bool:
    return isinstance(value, Model) and not isinstance(value, (Bounds, Secret))


def _inside(field: str, old: object, new: object, unit: str) -> Iterator[str]:
    prefix = "" if isinstance(new, AlarmLimits) else f"{field}."
    for inner in type(new).model_fields:  # type: ignore[attr-defined]  # both are models
        before, after = getattr(old, inner), getattr(new, inner)
        if before != after:
            yield from (f"{prefix}{text}" for text in sentence(inner, before, after, unit))


def _reference(old: object, new: object) -> str:
    if old is None:
        return "a reference was added"
    return "its reference was taken out" if new is None else "its reference changed"


def _entries(old: dict[object, object], new: dict[object, object]) -> str:
    keys = dict.fromkeys((*old, *new))
    return ", ".join(f"{key}: {shown(old.get(key))} → {shown(new.get(key))}" for key in keys if old.get(key) != new.get(key))


def shown(value: object) -> str:
    """A value of a plant file for people; `none` where there is none."""
    if value is None or value == ():
        return "none"
    return next((words(value) for kind, words in _SHOWN if isinstance(value, kind)), str(value))


def _number(value: float) -> str:
    text = str(value) if isinstance(value, int) else repr(float(value)).removesuffix(".0")
    return text.replace("-", "−", 1) if text.startswith("-") else text


def _bounds(bounds: Bounds) -> str:
    if bounds.low is None:
        return f"≤ {_number(bounds.high or 0.0)}"
    return f"≥ {_number(bounds.low)}" if bounds.high is None else f"{_number(bounds.low)}…{_number(bounds.high)}"


def _alarm(alarm: AlarmLimits) -> str:
    given = ((name, getattr(alarm, name)) for name in type(alarm).model_fields)
    return ", ".join(f"{_WORDS[name]} {_number(level)}" for name, level in given if level is not None)


_SHOWN: tuple[tuple[type, Callable[[Any], str]], ...] = (
    (bool, lambda value: "yes" if value else "no"),
    (Enum, lambda value: str(value.value)),
    (float, _number),
    (int, _number),
    (Bounds, _bounds),
    (AlarmLimits, _alarm),
    (Plausible, lambda value: ", ".join(f"{key} {shown(getattr(value, key))}" for key in sorted(value.model_fields_set))),
    (tuple, lambda value: ", ".join(shown(item) for item in value)),
    (Model, lambda value: ", ".join(f"{key} {shown(getattr(value, key))}" for key in type(value).model_fields)),
)


def called(tag: Tag) -> str:
    """`product_temperature at ns=2;s=TT201A`"""
    return f"{tag.role} at {tag.address}"


def limit_name(limit: Limit) -> str:
    """`limit product_temperature in Dose, DEMO-17 1.0, R-201`; with the statistic where it is not the value itself."""
    over = "" if limit.window_s is None else f" over {limit.window_s:g} s"
    rolling = "" if limit.statistic == "value" else f" ({measure_of(limit)}{over})"
    phase = f" in {limit.phase}" if limit.phase else ""
    recipe = " ".join(part for part in (limit.product, limit.recipe_version) if part)
    rest = "".join(f", {part}" for part in (recipe, limit.unit) if part)
    setpoint = f" − {limit.sp_role}" if limit.sp_role else ""
    return f"limit {limit.role}{setpoint}{rolling}{phase}{rest}"


def limit_unit(limit: Limit, plant: Plant) -> str:
    """Of its role, where all tags it may hold for agree; a slope is per minute."""
    units = {
        tag.engineering_unit
        for device, tag in plant.tags()
        if tag.role == limit.role and limit.unit in (None, device.unit_of(tag))
    }
    unit = units.pop() if len(units) == 1 else None
    return f"{unit}/min" if unit and limit.statistic == "slope" else unit or ""


def assessed(field: str, old: object, new: object) -> str:
    """What a change of a limit means: whether it allows more."""
    if field in ("nor", "par"):
        return f" ({_breadth(old, new)})"
    if field in ("ll", "l", "h", "hh"):
        return f" ({_alarming(field, old, new)})"
    if field in ("allowed_outside_s", "decision_interval", "slack"):
        return f" ({_alarming('h', old, new)})"
    if field == "suppressed_when" and new is not None:
        return " (hides alarms: needs approval in gmp)"
    return " (no longer critical: needs approval in gmp)" if field == "cpp" and not new else ""


def _breadth(old: object, new: object) -> str:
    if not isinstance(new, Bounds) or (isinstance(old, Bounds) and new.encloses(old)):
        return "wider: needs approval in gmp"
    if not isinstance(old, Bounds) or old.encloses(new):
        return "narrower"
    return "shifted: needs approval in gmp"


def _alarming(field: str, old: object, new: object) -> str:
    if isinstance(old, float | int) and isinstance(new, float | int):
        later = new > old if field in ("h", "hh") else new < old
    else:
        later = new is None
    return "later: needs approval in gmp" if later else "sooner"
