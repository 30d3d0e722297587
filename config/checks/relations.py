"""Checks of limits on what is made of several tags: deviations from a setpoint's role, expressions. Pure; see `checks`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from config.checks.limits import guarded
from config.expressions.read import read
from config.expressions.tree import Operand, Tree, operands
from config.faults import did_you_mean
from config.findings import Finding, Loc, PlacedTag, homeless_roles, roles_by_unit, tags_by_role
from config.limits import Limit
from config.model import Plant
from config.tags import Kind

_NUMBERS = (Kind.REAL, Kind.INTEGER)
_OPERANDS = (*_NUMBERS, Kind.BOOLEAN)
"""Of an expression: a boolean is 0 or 1 there, as in a scan."""
_LEAST_PERIODS = 2
Roles = Mapping[str, Mapping[str, list[PlacedTag]]]
"""The tags of each unit by their role."""


def _derived(plant: Plant) -> Iterator[tuple[int, Limit, Loc]]:
    """Each row of that sort, with the place of the key that names its operands."""
    for n, limit in enumerate(plant.limits):
        if limit.is_derived:
            yield n, limit, ("limits", n, "expression" if limit.expression is not None else "sp_role")


def _expressions(plant: Plant) -> Iterator[tuple[Limit, Loc, Tree]]:
    """What is made of several tags: the number or condition that is limited, and the condition that suppresses."""
    for _, limit, loc in _derived(plant):
        yield limit, loc, limit.tree
    for n, limit in enumerate(plant.limits):
        if limit.suppressed_when is not None:
            yield limit, ("limits", n, "suppressed_when"), read(limit.suppressed_when)


def names_are_no_roles(plant: Plant) -> Iterator[Finding]:
    """Events and alarms tell an expression from a tag by its name."""
    by_role = tags_by_role(plant)
    for n, limit in enumerate(plant.limits):
        if limit.expression is not None and limit.role in by_role:
            yield ("limits", n, "name"), f"{limit.role!r} is the role of {by_role[limit.role][0]}: give another name"


def names_mean_one_thing(plant: Plant) -> Iterator[Finding]:
    """Rows of one name or deviation differ in their levels and phases, not in what they are made of."""
    first: dict[str, int] = {}
    for n, limit, _ in _derived(plant):
        other = first.setdefault(limit.role, n)
        for key in ("expression", "sp_role", "max_age_s", "min_coverage", "spans_phases"):
            counts = key not in ("min_coverage", "spans_phases") or limit.expression is not None
            if counts and getattr(limit, key) != getattr(plant.limits[other], key):
                what = f"{limit.role!r} has another {key} in {{other}}: give the rows one, or the expression another name"
                yield ("limits", n, key), what, ("limits", other)
                break


def operands_exist(plant: Plant) -> Iterator[Finding]:
    """Every operand is a number of the unit, with a window that holds two of its samples."""
    units, homeless = roles_by_unit(plant), homeless_roles(plant)
    for limit, loc, tree in _expressions(plant):
        needed = operands(tree)
        where = [limit.unit] if limit.unit in units else [name for name in units if _has(units[name], needed, units)]
        if limit.unit is not None and limit.unit not in units:
            continue
        if not where:
            yield loc, _nowhere(needed, units, homeless)
        kinds = _NUMBERS if loc[-1] == "sp_role" else _OPERANDS
        for unit in where[:1]:
            yield from ((loc, what) for each in needed if (what := _wrong(each, unit or "", units, homeless, kinds)))


def _has(roles: Mapping[str, list[PlacedTag]], needed: tuple[Operand, ...], units: Roles) -> bool:
    return all(each.role in (roles if each.unit is None else units.get(each.unit, {})) for each in needed)


def _nowhere(needed: tuple[Operand, ...], units: Roles, homeless: set[str]) -> str:
    """No unit has all roles: the first operand that is nowhere, else all of them."""
    everywhere = {role for roles in units.values() for role in roles}
    for each in needed:
        if each.unit is not None and (what := _wrong(each, each.unit, units, homeless)):
            return what
        if each.unit is None and each.role not in everywhere:
            return f"no tag of any unit has role {each.role!r}{did_you_mean(each.role, everywhere)}"
    return f"no unit has all of {', '.join(each.role for each in needed if each.unit is None)}: name the other unit, [R-202].role"


def _wrong(each: Operand, unit: str, units: Roles, homeless: set[str], kinds: tuple[Kind, ...] = _OPERANDS) -> str | None:
    name = each.unit or unit
    if name not in units:
        return f"no unit {name!r}{did_you_mean(name, units)}; units of this plant: {', '.join(units) or 'none'}"
    if each.role not in units[name]:
        missing = f"no tag of unit {name} has role {each.role!r}{did_you_mean(each.role, units[name])}"
        return None if each.role in homeless else missing
    tag = units[name][each.role][0]
    if tag.tag.value_kind not in kinds:
        made = "an expression is made of numbers and booleans" if kinds == _OPERANDS else "a setpoint is a number"
        return f"{each.role} is {tag.tag.value_kind} ({tag}): {made}"
    if each.window_s and tag.period_s and each.window_s < _LEAST_PERIODS * tag.period_s:
        return f"{each.statistic} over {each.window_s:g} s holds fewer than 2 samples of {tag}, read every {tag.period_s:g} s"
    return None


def expressions_say_something(plant: Plant) -> Iterator[Finding]:
    """An expression of numbers alone never changes."""
    for _, loc, tree in _expressions(plant):
        if not operands(tree):
            yield loc, "names no role, so it never changes: limit what is measured"


def par_is_never_suppressed(plant: Plant) -> Iterator[Finding]:
    """That a critical process parameter left PAR in a GMP batch, somebody hears always."""
    gmp = [unit.name for unit in plant.units if unit.mode == "gmp"]
    for n, limit, tags in guarded(plant):
        if limit.suppressed_when is None or not (limit.cpp and limit.par):
            continue
        units = {tag.unit for tag in tags} if limit.expression is None else set(gmp)
        there = next((name for name in gmp if limit.unit in (None, name) and name in units), None)
        if there:
            what = f"PAR of a critical process parameter of {there}, which runs in gmp, can't be suppressed: leave it out"
            yield ("limits", n, "suppressed_when"), what


Check = Callable[[Plant], Iterator[Finding]]
FAULTS: tuple[Check, ...] = (names_are_no_roles, names_mean_one_thing, expressions_say_something, par_is_never_suppressed)
FAULTS_OF_A_WHOLE: tuple[Check, ...] = (operands_exist,)
