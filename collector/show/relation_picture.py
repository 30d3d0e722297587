"""Deviations from a setpoint and expressions as rows beside those of the tags: what they come to, and how they stand. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from collector.monitor.limits import limits_by_column
from collector.monitor.relation import Relation
from collector.monitor.relations import Board
from collector.show.picture import TagPicture
from collector.show.tag_picture import GroupNow, Place, tag_picture
from config.limits import Limit
from drivers.base import Column

STALE_PERIODS = 3
"""Of the group that drives it."""


class RelationRows:
    """Makes the rows. What it learns of relations it puts beside the tags: alarms and events name them, too."""

    def __init__(self, columns: dict[tuple[str, str], Column]) -> None:
        """`columns`: the tags, by unit and role."""
        self._columns = columns
        self._of: dict[str, tuple[Column, ...]] = {}
        """Those of a board, by its id."""

    def learn(self, boards: Iterable[Board]) -> None:
        """Those that are new."""
        for board in boards:
            if board.id in self._of:
                continue
            pairs = [(relation, _column(relation.column, relation.limit)) for relation in board.relations]
            self._of[board.id] = tuple(column for _, column in pairs)
            expressions = {(each.unit, each.limit.role): column for each, column in pairs if each.limit.expression is not None}
            self._columns.update(expressions)

    def paint(self, boards: Iterable[Board], now_ns: int) -> dict[str, tuple[TagPicture, ...]]:
        """By unit; of boards that it knows."""
        rows: dict[str, list[TagPicture]] = {}
        for board in boards:
            layout, group = board.judge.layout, _group(board, now_ns)
            for index, (relation, column) in enumerate(zip(board.relations, self._of[board.id], strict=True)):
                row = tag_picture(Place(layout, index, column, -1, tells_context=False), group, now_ns)
                rows.setdefault(relation.unit, []).append(_told(row, relation, self._columns))
        return {unit: tuple(found) for unit, found in rows.items()}


def _column(column: Column, limit: Limit) -> Column:
    """An expression has no range by which its digits go: what its levels span does."""
    ranges = [level for row in (limit.nor, limit.par) if row for level in (row.low, row.high)]
    alarm = limit.alarm
    levels = [level for level in (*ranges, *((alarm.ll, alarm.l, alarm.h, alarm.hh) if alarm else ())) if level is not None]
    widest = max((*levels, 0.0)) - min((*levels, 0.0))
    return replace(column, low=0.0, high=widest) if limit.expression is not None and widest > 0 else column


def _group(board: Board, now_ns: int) -> GroupNow:
    newest, judge = board.newest, board.judge
    return GroupNow(
        scan=newest,
        values=newest.values.tolist() if newest else [],
        quality=newest.quality.tolist() if newest else [],
        status=newest.status.tolist() if newest else [],
        good_ns=board.good_ns.tolist(),
        stale=newest is None or now_ns - newest.slot_ns > STALE_PERIODS * judge.layout.period_ns,
        limits=limits_by_column(judge.limits_now),
        evaluable=judge.evaluable_now,
        active=judge.active_by_column,
    )


def _told(row: TagPicture, relation: Relation, columns: Mapping[tuple[str, str], Column]) -> TagPicture:
    limit, unit = relation.limit, relation.unit
    if row.quality == "bad":
        row = replace(row, status="an operand is missing, bad or too old, or the result is no number")
    if limit.sp_role is not None:
        of, sp = (columns[unit, role].name if (unit, role) in columns else role for role in (limit.role, limit.sp_role))
        return replace(row, name=f"{of} − {sp}", range=None, relation=f"{limit.role} − {limit.sp_role}")
    if limit.is_condition and row.value is not None:
        row = replace(row, value=bool(row.value), shown="met" if row.value else "NOT MET")
    return replace(row, relation=" ".join((limit.expression or "").split()))
