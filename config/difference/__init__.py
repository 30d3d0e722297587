"""What changed between two plants, in the words of the plant. Pure.

One thing changed is one change that names it: nothing is told twice, and no key is left out, for every field of the models is
compared. What only looks different (a default written out, a unit said by the device instead of the tag) is no change.
Secrets are never told, only that a reference to one changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from config.difference.change import NO_MATTER, Change, Kind, changed, come_and_gone, in_order, names_of
from config.difference.pairing import Pairs, Renames, paired, paired_limits, paired_tags, renames
from config.difference.wiring import endpoints, tags
from config.difference.words import limit_name, limit_unit, sentence, shown
from config.limits import Limit
from config.model import Plant, Unit
from config.sinks import Sink

__all__ = ["Change", "Kind", "differences"]


def differences(old: Plant, new: Plant) -> tuple[Change, ...]:
    """All changes, in the order of the new file; empty for plants that are the same."""
    renamed, before = renames(old, new)
    pairs = paired_tags(before, new)
    lost, found = (Counter(one.device.name for one in some) for some in (pairs.removed, pairs.added))
    return (
        *changed(before, new, "site", skip=("endpoints", "units", "limits", "sinks", "web")),
        *_web(before, new),
        *_renamed(renamed),
        *_units(before, new),
        *endpoints(before, new, lost, found),
        *tags(pairs, before, new),
        *_limits(before, new),
        *_sinks(before, new),
    )


def _web(old: Plant, new: Plant) -> Iterator[Change]:
    if old.web is None or new.web is None:
        if old.web is not new.web:
            yield Change(
                "page", "", Kind.REMOVED if new.web is None else Kind.ADDED, "none is served" if new.web is None else "is served"
            )
        return
    yield from changed(old.web, new.web, "page")


def _renamed(names: Renames) -> Iterator[Change]:
    for what, pairs in (("endpoint", names.endpoints), ("device", names.devices), ("unit", names.units)):
        for before, after in pairs:
            yield Change(f"{what} {after}", "", Kind.RENAMED, f"renamed from {before}; in the record it is another {what}")


def _units(old: Plant, new: Plant) -> Iterator[Change]:
    pairs = paired(old.units, new.units, lambda unit: unit.name)
    for before, after in pairs.both:
        yield from _unit(before, after)
    yield from come_and_gone("unit", pairs)
    yield from in_order("plant", "units", (unit.name for unit in old.units), (unit.name for unit in new.units), NO_MATTER)


def _unit(old: Unit, new: Unit) -> Iterator[Change]:
    yield from changed(old, new, f"unit {new.name}")


def _limits(old: Plant, new: Plant) -> Iterator[Change]:
    pairs = paired_limits(old.limits, new.limits)
    for before, after in pairs.both:
        yield from _limit(before, after, new)
    for gone in pairs.removed:
        yield Change("limits", limit_name(gone), Kind.REMOVED, f"removed ({shown_limit(gone, old)}): needs approval in gmp")
    for come in pairs.added:
        yield Change("limits", limit_name(come), Kind.ADDED, f"added ({shown_limit(come, new)})")
    common = {limit_name(after) for _, after in pairs.both}
    yield from in_order("limits", "limits", _in(common, old.limits), _in(common, new.limits), NO_MATTER)


def _in(common: set[str], limits: Iterable[Limit]) -> list[str]:
    return [name for limit in limits if (name := limit_name(limit)) in common]


def shown_limit(limit: Limit, plant: Plant) -> str:
    """`NOR 63…67, PAR 60…70 °C`"""
    parts = [
        f"{word} {shown(value)}" for word, value in (("NOR", limit.nor), ("PAR", limit.par), ("alarm", limit.alarm)) if value
    ]
    unit = limit_unit(limit, plant)
    return ", ".join(parts) + (f" {unit}" if unit else "")


def _limit(old: Limit, new: Limit, plant: Plant) -> Iterator[Change]:
    for field in type(new).model_fields:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            for text in sentence(field, before, after, limit_unit(new, plant)):
                yield Change("limits", limit_name(new), Kind.CHANGED, text)


def _sinks(old: Plant, new: Plant) -> Iterator[Change]:
    pairs: Pairs[Sink] = paired(old.sinks, new.sinks, lambda sink: sink.name)
    for before, after in pairs.both:
        yield from changed(before, after, f"sink {after.name}")
    yield from come_and_gone("sink", pairs)
    yield from in_order("plant", "sinks", names_of(old.sinks), names_of(new.sinks), NO_MATTER)
