"""Limits for a finished record: those of a plant file, or a limit table on its own, in YAML or CSV.

a YAML list of limits · a YAML file with `limits:` alone · a CSV limit table · a plant file, of which the limits are taken

One on its own may say no more than a tag, a low and a high: see `plain_limits`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from config import yaml_source
from config.checks.limits import limits_are_unique
from config.common import Model
from config.faults import ConfigError, Fault, in_order
from config.files import Files
from config.inclusion import Piece
from config.limits import Limit
from config.load import load_with_warnings
from config.model import Plant
from config.place import Place, Source, inside_list
from config.places import locate
from config.plain_limits import PlainTables, is_by_tag, named_item, plain_item
from config.tables import Tables
from config.validation import faults_of, no_keys, told_slips, validated
from config.yaml_core import Scalar

TABLES = (".csv", ".tsv", ".txt")
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods")
_AROUND_TAGS = ("limits", "tags", "variables")


class LimitTable(Model):
    """Limits without a plant around them."""

    limits: tuple[Limit, ...]
    """As in a plant file; or CSV files that hold them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a limit file holds. Only a plant file knows tags: their roles, units and ranges."""

    rows: tuple[Limit, ...]
    plant: Plant | None = None
    warnings: tuple[Fault, ...] = ()
    told: tuple[str, ...] = ()
    """What columns were taken for, where they are not called as limits call them."""


def load_limits(path: Path) -> Limits:
    """The limits of a file of any of these kinds. Raises ConfigError with every fault."""
    files = Files(path.parent, takes_code_page=True)
    if path.suffix.lower() in TABLES:
        return _checked(Source(str(path), {"limits": path.name}, _around(path)), files)
    if path.suffix.lower() in _WORKBOOKS:
        raise ConfigError([Fault(str(path), 1, "", 'is a workbook: save the table as "CSV UTF-8" and name that file')])
    source = yaml_source.parse(files.yaml_text(path), str(path))
    if isinstance(source.data, list):
        place = source.place
        return _checked(Source(source.file, {"limits": source.data}, _around(path, place), source.slips), files)
    if by_tag := _by_tag(source):
        return _checked(by_tag, files)
    if not isinstance(source.data, dict):
        raise ConfigError([*told_slips(source, LimitTable), no_keys(source, LimitTable)])
    if set(source.data) == {"limits"}:
        return _checked(source, files)
    plant, warnings = load_with_warnings(path)
    return Limits(plant.limits, plant, warnings)


def _by_tag(source: Source) -> Source | None:
    """`TT-101: {low: 10, high: 70}` or `TT-101: [10, 70]` for each tag, as a list of limits; None where it is something else."""
    data, place = source.data, source.place
    if isinstance(data, dict) and len(data) == 1 and (wrapped := next(iter(data))) in _AROUND_TAGS:
        data, place = data[wrapped], place.inside[wrapped]
    if not isinstance(data, dict) or not data or not all(is_by_tag(value) for value in data.values()):
        return None
    items = [named_item(key, value, place.inside[key]) for key, value in data.items()]
    limits, around = inside_list(items, place)
    return Source(source.file, {"limits": limits}, _around(Path(source.file), around), source.slips)


def _around(path: Path, limits: Place | None = None) -> Place:
    """The place of a mapping that holds nothing but the limits."""
    file = str(path)
    return Place(1, "", {"limits": limits or Place(1, "", file=file)}, True, file)


def _checked(source: Source, files: Files) -> Limits:
    faults = list(told_slips(source, LimitTable))
    data: dict[Scalar, object] = dict(source.data) if isinstance(source.data, dict) else {}
    piece = Piece(data, source.place._replace(inside=dict(source.place.inside)))
    plain = PlainTables()
    Tables(files, faults, plain).put_into(piece)
    _put_plainly(piece)
    whole = Source(source.file, piece.data, piece.place)
    table, errors = validated(whole.data, LimitTable, Path(source.file).parent)
    faults += faults_of(errors, whole, LimitTable)
    if table and not table.limits and not faults:
        faults.append(Fault(source.file, 1, "", "holds no limits: nothing can be judged"))
    for loc, what, *others in limits_are_unique(table) if table else ():
        spot = locate(loc, whole.place, LimitTable)
        faults.append(spot.fault(what.replace("{other}", locate(others[0], whole.place, LimitTable).seen_from(spot))))
    if faults or table is None:
        raise ConfigError(in_order(faults))
    return Limits(table.limits, told=(*files.told, *plain.told))


def _put_plainly(piece: Piece) -> None:
    limits, place = piece.data.get("limits"), piece.place.inside.get("limits")
    if isinstance(limits, list) and place is not None:
        items = [plain_item(item, place.inside[n]) for n, item in enumerate(limits)]
        piece.data["limits"], piece.place.inside["limits"] = inside_list(items, place)
