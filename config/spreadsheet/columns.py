"""The columns of tag lists and limit tables: their names, their aliases, and what their cells become.

A name is compared without regard to capitals, spaces, hyphens, underscores, points and brackets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

CellKind = Literal["text", "number", "yes_no", "states"]
_BETWEEN_WORDS = re.compile(r"[\s_.()\[\]/-]+")


def normal(name: str) -> str:
    """`Engineering Unit` -> `engineeringunit`: what is compared."""
    return _BETWEEN_WORDS.sub("", name).casefold()


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `steps` lead from the tag or limit to the key that its cells are the values of."""

    name: str
    steps: tuple[str, ...]
    kind: CellKind
    aliases: tuple[str, ...] = ()


def _column(name: str, kind: CellKind, *aliases: str, steps: tuple[str, ...] = ()) -> Column:
    return Column(name, steps or (name,), kind, aliases)


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that one sort of table may have. Without `required` no row of it can be right."""

    what: str
    columns: tuple[Column, ...]
    required: tuple[str, ...]

    def by_name(self) -> dict[str, Column]:
        """Every name and alias, normal, with its column."""
        return {normal(name): column for column in self.columns for name in (column.name, *column.aliases)}


_PLAUSIBLE: tuple[tuple[str, CellKind, str, tuple[str, ...]], ...] = (
    ("plausible_low", "number", "low", ("plausible min",)),
    ("plausible_high", "number", "high", ("plausible max",)),
    ("spike", "number", "spike", ()),
    ("spike_samples", "number", "spike_samples", ()),
    ("rate_per_min", "number", "rate_per_min", ("max rate",)),
    ("flat_s", "number", "flat_s", ()),
    ("flat_band", "number", "flat_band", ()),
    ("agrees_with", "text", "agrees_with", ("other probe",)),
    ("within", "number", "within", ()),
    ("for_s", "number", "for_s", ()),
    ("max_age_s", "number", "max_age_s", ()),
)

TAG_COLUMNS = Columns(
    "a tag list",
    (
        _column("tag", "text", "name", "tag name", "tag no", "tag number", "p&id", steps=("name",)),
        _column("address", "text", "node", "node id", "register"),
        _column("role", "text"),
        _column("engineering_unit", "text", "EU", "eng unit", "engineering units", "units", "UoM", "unit of measure"),
        _column("low", "number", "range low", "min", "range min", "EU low", "lower range value", "LRV", steps=("range", "low")),
        _column(
            "high", "number", "range high", "max", "range max", "EU high", "upper range value", "URV", steps=("range", "high")
        ),
        _column("unit", "text", "ISA-88 unit", "reactor"),
        _column("group", "text", "scan group"),
        _column("scale", "number", "factor", "gain"),
        _column("offset", "number"),
        _column("states", "states", "enumeration", "enum"),
        _column("deadband", "number"),
        _column("kind", "text", "value kind"),
        _column("type", "text", "data type"),
        _column("word_order", "text", "byte order"),
        _column("length", "number", "registers"),
        *(_column(name, kind, *aliases, steps=("plausible", key)) for name, kind, key, aliases in _PLAUSIBLE),
    ),
    ("tag", "address"),
)

LIMIT_COLUMNS = Columns(
    "a limit table",
    (
        _column("product", "text"),
        _column("recipe_version", "text", "recipe", "version"),
        _column("unit", "text", "ISA-88 unit", "reactor"),
        _column("phase", "text"),
        _column("role", "text", "parameter"),
        _column("name", "text"),
        _column("expression", "text", "condition"),
        _column("sp_role", "text", "setpoint role"),
        _column("max_age_s", "number"),
        _column("statistic", "text"),
        _column("window_s", "number"),
        _column("allowed_outside_s", "number", "allowed outside"),
        _column("within", "text"),
        _column("time_constant_s", "number", "time constant"),
        _column("slack", "number", "allowance"),
        _column("decision_interval", "number"),
        _column("min_coverage", "number"),
        _column("spans_phases", "yes_no"),
        _column("sp", "number", "setpoint", "target"),
        _column("nor_low", "number", "NOR min", steps=("nor", "low")),
        _column("nor_high", "number", "NOR max", steps=("nor", "high")),
        _column("par_low", "number", "PAR min", steps=("par", "low")),
        _column("par_high", "number", "PAR max", steps=("par", "high")),
        _column("merge_gap_s", "number"),
        _column("ll", "number", "low low", "lolo", "alarm ll", steps=("alarm", "ll")),
        _column("l", "number", "low", "lo", "alarm l", steps=("alarm", "l")),
        _column("h", "number", "high", "hi", "alarm h", steps=("alarm", "h")),
        _column("hh", "number", "high high", "hihi", "alarm hh", steps=("alarm", "hh")),
        _column("deadband", "number", "hysteresis"),
        _column("on_delay_s", "number", "on delay", "delay"),
        _column("off_delay_s", "number", "off delay"),
        _column("settle_s", "number"),
        _column("cpp", "yes_no", "critical"),
        _column("priority", "text"),
        _column("latching", "yes_no"),
        _column("realarm_s", "number"),
        _column("suppressed_when", "text", "suppressed when"),
        _column("rationale", "text", "reason"),
        _column("consequence", "text"),
        _column("action", "text"),
    ),
    ("role",),
)
