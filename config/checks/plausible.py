"""Checks of what tags may plausibly read, against their tags, groups, limits and each other. Pure; see `checks`.

A doubted sample is not held against limits. So a limit beyond what is plausible is never seen to be left, and that is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from config.checks.limits import guarded, in_units_of_the_tag, span
from config.common import Bounds
from config.faults import did_you_mean
from config.findings import Finding, Loc, PlacedTag, homeless_roles, placed_tags, roles_by_unit
from config.limits import Limit
from config.model import Plant
from config.plausible import Plausible, plausible_bounds
from config.tags import OpcUaTag, Tag

_LEAST_PERIODS = 2
Roles = Mapping[str, list[PlacedTag]]
"""The tags of a unit by their role."""


def _checked(plant: Plant) -> Iterator[tuple[PlacedTag, Plausible]]:
    for placed in placed_tags(plant):
        if placed.tag.plausible is not None:
            yield placed, placed.tag.plausible


def only_what_is_measured_is_plausible(plant: Plant) -> Iterator[Finding]:
    """A text, a boolean or an enumeration is no amount of anything."""
    for placed, _ in _checked(plant):
        if not placed.tag.is_measured:
            what = "an enumeration" if placed.tag.states else str(placed.tag.value_kind)
            yield (*placed.loc, "plausible"), f"the tag is {what}, and only a measured number can be implausible: leave it out"


def something_is_plausible(plant: Plant) -> Iterator[Finding]:
    """What is not written comes of the range; together they leave something."""
    for placed, plausible in _checked(plant):
        low, high = plausible_bounds(plausible, placed.tag.range)
        if low is not None and high is not None and low >= high and (plausible.low is None or plausible.high is None):
            key, written = ("low", plausible.low) if plausible.low is not None else ("high", plausible.high)
            what = f"{written:g} lies beyond the range {span(placed.tag.range)}, so nothing is plausible: mend one of them"
            yield (*placed.loc, "plausible", key), what


def flat_lines_are_long(plant: Plant) -> Iterator[Finding]:
    """A value that comes twice is no flat line yet."""
    for placed, plausible in _checked(plant):
        if plausible.flat_s and placed.period_s and plausible.flat_s < _LEAST_PERIODS * placed.period_s:
            what = (
                f"{plausible.flat_s:g} is shorter than {_LEAST_PERIODS} periods of its group, read every {placed.period_s:g} s: "
                f"every value that comes twice would be doubted"
            )
            yield (*placed.loc, "plausible", "flat_s"), what


def partner_of(tag: Tag, roles: Roles) -> PlacedTag | None:
    """The tag of its unit that `tag` is to agree with: by role, else by name; None where there is none."""
    wanted = tag.plausible.agrees_with if tag.plausible else None
    if wanted is None:
        return None
    named = [placed for same_role in roles.values() for placed in same_role if placed.tag.name == wanted]
    return next(iter(roles.get(wanted, ())), named[0] if named else None)


def partners_measure_the_same(plant: Plant) -> Iterator[Finding]:
    """The other tag is another number of the unit in the same engineering unit."""
    units, homeless = roles_by_unit(plant), homeless_roles(plant)
    for placed, plausible in _checked(plant):
        roles = units.get(placed.unit, {})
        if plausible.agrees_with is None or placed.unit not in units:
            continue
        other = partner_of(placed.tag, roles)
        if other is None:
            known = [name for same in roles.values() for each in same for name in (each.tag.role, each.tag.name)]
            if plausible.agrees_with not in homeless:
                hint = did_you_mean(plausible.agrees_with, known)
                what = f"no tag of unit {placed.unit} has the role or name {plausible.agrees_with!r}{hint}"
                yield (*placed.loc, "plausible", "agrees_with"), what
        elif what := _unlike(placed, other):
            yield (*placed.loc, "plausible", "agrees_with"), what


def _unlike(placed: PlacedTag, other: PlacedTag) -> str:
    if other.tag is placed.tag:
        return "is the tag itself, which always agrees: name the other probe"
    if not other.tag.is_measured:
        return f"{other} is no measured number: name the other probe"
    one, two = placed.tag.engineering_unit, other.tag.engineering_unit
    if one is not None and two is not None and one != two:
        return f"{other} is in {two}, this tag in {one}: they can't be compared"
    return ""


def pairs_are_written_once(plant: Plant) -> Iterator[Finding]:
    """Both tags of a pair are doubted, so it need not be written at both."""
    units = roles_by_unit(plant)
    first: dict[tuple[str, frozenset[str]], PlacedTag] = {}
    for placed, _ in _checked(plant):
        other = partner_of(placed.tag, units.get(placed.unit, {}))
        if other is None or other.tag is placed.tag:
            continue
        written = first.setdefault((placed.unit, frozenset((placed.tag.name, other.tag.name))), placed)
        if written is not placed:
            what = "{other} compares the same two tags already, and doubts both: keep one"
            yield (*placed.loc, "plausible", "agrees_with"), what, (*written.loc, "plausible", "agrees_with")


def limits_are_plausible(plant: Plant) -> Iterator[Finding]:
    """A limit beyond what is plausible is never seen to be left, for what is doubted is not judged."""
    for n, limit, tags in guarded(plant):
        for key, level, tag, bound in _unseen(limit, tags):
            what = f"{level:g} lies beyond what is plausible of {tag} ({bound:g}): what leaves it is doubted there, not judged"
            loc: Loc = ("limits", n, *key)
            yield loc, what


def _unseen(limit: Limit, tags: list[PlacedTag]) -> Iterator[tuple[tuple[str, ...], float, PlacedTag, float]]:
    """Levels of which leaving them is implausible, because of `plausible`; of the range others tell."""
    for tag in tags:
        plausible = tag.tag.plausible
        if plausible is None:
            continue
        if in_units_of_the_tag(limit):
            low, high = plausible.low, plausible.high
        elif limit.statistic == "slope" and plausible.rate_per_min is not None:
            low, high = -plausible.rate_per_min, plausible.rate_per_min
        else:
            continue
        for key, level, is_high in _levels(limit):
            bound = high if is_high else low
            if bound is not None and (level >= bound if is_high else level <= bound):
                yield key, level, tag, bound


def _levels(limit: Limit) -> Iterator[tuple[tuple[str, ...], float, bool]]:
    """Each with its key and whether it is left upward."""
    for name, band in (("nor", limit.nor), ("par", limit.par)):
        yield from _of_band(name, band)
    for name in ("ll", "l", "h", "hh") if limit.alarm else ():
        level = getattr(limit.alarm, name)
        if level is not None:
            yield ("alarm", name), level, name in ("h", "hh")


def _of_band(name: str, band: Bounds | None) -> Iterator[tuple[tuple[str, ...], float, bool]]:
    if band and band.low is not None:
        yield (name,), band.low, False
    if band and band.high is not None:
        yield (name,), band.high, True


def held_back_is_not_flat(plant: Plant) -> Iterator[Finding]:
    """A server that keeps small changes to itself makes a healthy tag look flat."""
    for placed, plausible in _checked(plant):
        if plausible.flat_s is not None and isinstance(placed.tag, OpcUaTag) and placed.tag.deadband is not None:
            what = "the server keeps changes up to deadband to itself, so a sound tag looks flat: leave one of them out"
            yield (*placed.loc, "plausible", "flat_s"), what


Check = Callable[[Plant], Iterator[Finding]]
FAULTS: tuple[Check, ...] = (
    only_what_is_measured_is_plausible,
    something_is_plausible,
    pairs_are_written_once,
)
FAULTS_OF_A_WHOLE: tuple[Check, ...] = (flat_lines_are_long, partners_measure_the_same)
WARNINGS: tuple[Check, ...] = (limits_are_plausible, held_back_is_not_flat)
