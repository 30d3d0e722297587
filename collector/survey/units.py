"""The engineering unit of the plant file against the one that the server tells. Pure.

The server speaks of the value as it is sent, the file of the value after `scale` and `offset`. So another unit is right
where the file converts from one to the other, and a contradiction where it does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from collector.survey.reading import Level, Remark
from config.engineering_units import EngineeringUnit, Understood, by_code, conversion, same_unit, says_less, understood
from config.tags import Tag
from drivers.opcua.properties import ToldUnit


def unit_remarks(tag: Tag, told: ToldUnit) -> Iterator[Remark]:
    """What is to be said of the unit of `tag` when the server tells `told`."""
    theirs, shown = _theirs(told), _shown(told)
    if self_contradiction := _self_contradiction(told):
        yield self_contradiction
        return
    if tag.engineering_unit is None:
        yield Remark(Level.NOTE, f"unit {shown}", f"the server says {shown}, the file no unit: write engineering_unit: {shown}")
        return
    ours = understood(tag.engineering_unit)
    if ours is None or theirs is None:
        if _alike(tag.engineering_unit, shown):
            return
        what = f"the server says {shown}, the file {tag.engineering_unit}: not known here whether they are the same, so look"
        yield Remark(Level.WARNING, f"unit {shown}?", what)
        return
    yield from _compared(tag, ours, theirs, shown)


def server_unit(told: ToldUnit | None) -> EngineeringUnit | None:
    """The unit that the server means, None where that is not known."""
    theirs = _theirs(told) if told else None
    return theirs.unit if theirs else None


def _theirs(told: ToldUnit) -> Understood | None:
    """The display name says more than the code, where it is understood."""
    if told.display_name and (spelt := understood(told.display_name, told.description)):
        return spelt
    code = by_code(told.code) if told.code else None
    return understood(code.name, f"{told.display_name} {told.description}") if code else None


def _shown(told: ToldUnit) -> str:
    code = by_code(told.code) if told.code else None
    return told.display_name or (code.name if code else f"UNECE {told.code}")


def _self_contradiction(told: ToldUnit) -> Remark | None:
    code = by_code(told.code) if told.code else None
    spelt = understood(told.display_name) if told.display_name else None
    if not code or not spelt or same_unit(code, spelt.unit) or says_less(code, spelt.unit):
        return None
    what = f"the server contradicts itself: it shows {told.display_name} and sends the code {told.code}, which is {code.name}"
    return Remark(Level.FAULT, f"unit {told.display_name}/{code.name}", f"{what}: ask its owner which one is right")


def _alike(ours: str, theirs: str) -> bool:
    return "".join(ours.split()).casefold() == "".join(theirs.split()).casefold()


def _compared(tag: Tag, ours: Understood, theirs: Understood, shown: str) -> Iterator[Remark]:
    if not same_unit(ours.unit, theirs.unit):
        yield from _other_unit(tag, ours.unit, theirs.unit, shown)
        return
    if (tag.scale, tag.offset) != (1.0, 0.0):
        what = (
            f"the server says {shown} of the value as it is sent; the file scales it by {tag.scale:g} and adds {tag.offset:g}, "
            f"and says {tag.engineering_unit} too: one of the two is wrong"
        )
        yield Remark(Level.WARNING, "scaled", what)
    yield from _references(tag, ours, theirs, shown)


def _other_unit(tag: Tag, ours: EngineeringUnit, theirs: EngineeringUnit, shown: str) -> Iterator[Remark]:
    short, said = f"unit {shown}", f"the server says {shown}, the file {tag.engineering_unit}"
    scaled = (tag.scale, tag.offset) != (1.0, 0.0)
    right = conversion(theirs, ours)
    if right is None:
        if scaled:
            yield Remark(Level.WARNING, short, f"{said}, from which it scales: is that meant?")
        else:
            yield Remark(Level.FAULT, short, f"{said}: {theirs.dimension} is no {ours.dimension}; is the address right?")
        return
    if math.isclose(tag.scale, right[0], rel_tol=1e-4) and math.isclose(tag.offset, right[1], rel_tol=1e-4, abs_tol=1e-9):
        return
    instead = f"write {_scaling(right)}"
    if scaled:
        yield Remark(
            Level.FAULT, short, f"{said}, and scale {tag.scale:g} with offset {tag.offset:g} does not convert: {instead}"
        )
    else:
        yield Remark(
            Level.FAULT, short, f"{said}: write engineering_unit: {shown}, or to convert {instead.removeprefix('write ')}"
        )


def _scaling(right: tuple[float, float]) -> str:
    scale, offset = right
    parts = [f"scale: {scale:.10g}"] if not math.isclose(scale, 1) else []
    parts += [f"offset: {offset:.10g}"] if not math.isclose(offset, 0, abs_tol=1e-12) else []
    return " and ".join(parts)


def _references(tag: Tag, ours: Understood, theirs: Understood, shown: str) -> Iterator[Remark]:
    """bar(a) is not bar(g); and many servers say bar and leave it open."""
    if ours.reference is theirs.reference:
        return
    if theirs.reference is None:
        what = f"the file says {tag.engineering_unit}; absolute or gauge is not told by the server: compare with its own display"
        yield Remark(Level.NOTE, "a/g not told", what)
    elif ours.reference is None:
        what = f"the server says {shown}, which is {theirs.reference}; the file leaves it open: say it in engineering_unit"
        yield Remark(Level.WARNING, f"{theirs.reference}", what)
    else:
        what = (
            f"the server says {shown}, which is {theirs.reference}; the file says {tag.engineering_unit}, {ours.reference}: "
            "about 1 bar apart, so ask which one is right"
        )
        yield Remark(Level.FAULT, f"unit {shown}", what)
