"""Makes pictures of a running daemon. It listens to what is published, and holds only what `Live` does not keep."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from collector.monitor.alarms.alarm import Alarm
from collector.monitor.alarms.rate import AlarmRate
from collector.monitor.excursions import Excursion
from collector.monitor.judge import Judge
from collector.monitor.limits import limits_by_column, limits_for
from collector.monitor.relations import Board
from collector.show.alarm_picture import alarms_picture
from collector.show.events import in_words, number, whole
from collector.show.live import DeviceState, Live
from collector.show.picture import (
    DevicePicture,
    EventPicture,
    ExcursionPicture,
    GatewayPicture,
    Picture,
    SinkPicture,
    Span,
    TagPicture,
    UnitPicture,
)
from collector.show.relation_picture import RelationRows
from collector.show.tag_picture import GroupNow, Memory, Place, tag_picture, worst
from collector.show.words import Severity, digits, iso_time, span_in_words, visible, written
from collector.terms import Event, EventKind, Json, Stamp
from config.limits import DEVIATION, Limit
from config.model import Plant, Unit
from drivers.base import Clock, Layout, Scan, scan_groups

CLOSED_EXCURSIONS = 20
RECENT_EVENTS = 40
STALE_PERIODS = 3
"""A group that gave nothing for longer than this many periods is stale."""

_MOST_UNREAD = 1000
"""Events that wait for somebody to look before they are put into words."""


class Painter:
    """Makes pictures. It listens to `live` from its making on, for what `live` itself does not keep."""

    def __init__(
        self,
        plant: Plant,
        live: Live,
        judges: Mapping[str, Judge],
        devices: Mapping[str, DeviceState],
        sinks: Callable[[], Sequence[SinkPicture]],
        clock: Clock,
        *,
        disk_fault: Callable[[], str],
        pending: Callable[[], int] | None = None,
        alarms: Callable[[], Iterable[Alarm]] = tuple,
        relations: Callable[[], Iterable[Board]] = tuple,
    ) -> None:
        """`judges` by layout id, `devices` by name. `pending`: samples read but not yet committed; `alarms`: those
        that are not at rest; `relations`: deviations and expressions."""
        self._plant, self._live, self._judges, self._devices = plant, live, judges, devices
        self._sinks, self._clock, self._disk_fault, self._pending = sinks, clock, disk_fault, pending
        self._layouts = [group.layout for endpoint in plant.endpoints for group in scan_groups(endpoint)]
        self._memory = {layout.id: Memory(len(layout.columns)) for layout in self._layouts}
        self._units = {unit.name: unit for unit in plant.units}
        self._direct = [limit for limit in plant.limits if not limit.is_derived]
        self._places = _places(self._layouts, self._units)
        self._alarms, self._relations = alarms, relations
        self._rate = AlarmRate(clock.now_ns())
        self._columns = {(each.column.unit, each.column.role): each.column for each in chain(*self._places.values())}
        self._relation_rows = RelationRows(self._columns)
        self._closed: deque[Event] = deque(maxlen=CLOSED_EXCURSIONS)
        self._unread: list[Event] = []
        self._events: deque[tuple[Event, Severity, str]] = deque(maxlen=RECENT_EVENTS)
        for scan in live.scans.values():
            self._observe(scan)
        for event in live.events:
            self._observe(event)
        live.listeners.append(self._observe)

    def _observe(self, what: Scan | Event) -> None:
        if isinstance(what, Scan):
            if memory := self._memory.get(what.layout.id):
                memory.observe(what)
            return
        if what.kind is EventKind.EXCURSION and what.body.get("ended"):
            self._closed.append(what)
        self._rate.hear(what)
        self._unread.append(what)
        if len(self._unread) >= _MOST_UNREAD:
            self._read_events()

    def _read_events(self) -> None:
        """Put into words what came since anybody looked, the newest first: older ones than are shown need none."""
        newest: list[tuple[Event, Severity, str]] = []
        while self._unread and len(newest) < RECENT_EVENTS:
            event = self._unread.pop()
            if told := in_words(event, self._columns):
                newest.append((event, *told))
        self._unread.clear()
        self._events.extend(reversed(newest))

    def paint(self) -> Picture:
        """What is true now."""
        now_ns = self._clock.now_ns()
        self._relation_rows.learn(self._relations())
        self._read_events()
        self._rate.advance(now_ns)
        groups = {layout.id: self._group(layout, now_ns) for layout in self._layouts}
        relations = self._relation_rows.paint(self._relations(), now_ns)
        return Picture(
            site=self._plant.site,
            time=iso_time(now_ns),
            units=tuple(self._unit(name, groups, relations.get(name, ()), now_ns) for name in self._places),
            excursions=self._open_excursions(),
            closed_excursions=tuple(self._closed_excursion(event) for event in reversed(self._closed)),
            events=tuple(
                EventPicture(iso_time(event.slot_ns), event.unit, severity, text)
                for event, severity, text in reversed(self._events)
            ),
            devices=tuple(_device(name, state) for name, state in self._devices.items()),
            sinks=tuple(replace(sink, cause=visible(sink.cause)) for sink in self._sinks()),
            gateway=self._gateway(),
            alarms=alarms_picture(self._alarms(), self._columns, self._rate, now_ns),
        )

    def _group(self, layout: Layout, now_ns: int) -> GroupNow:
        newest, memory = self._live.scans.get(layout.id), self._memory[layout.id]
        judge = self._judges.get(layout.id)
        stamps = [self._live.stamps.get(unit, Stamp()) for unit in layout.units]
        answered = memory.answered
        return GroupNow(
            scan=answered,
            values=answered.values.tolist() if answered else [],
            quality=newest.quality.tolist() if newest else [],
            status=newest.status.tolist() if newest else [],
            good_ns=memory.good_ns.tolist(),
            stale=newest is None or now_ns - newest.slot_ns > STALE_PERIODS * layout.period_ns,
            limits=limits_by_column(judge.limits_now if judge else limits_for(self._direct, layout, stamps)),
            evaluable=judge.evaluable_now if judge else {},
            active=judge.active_by_column if judge else {},
        )

    def _unit(self, name: str, groups: Mapping[str, GroupNow], relations: tuple[TagPicture, ...], now_ns: int) -> UnitPicture:
        unit, stamp = self._units.get(name), self._live.stamps.get(name, Stamp())
        places = self._places[name]
        tags = tuple(tag_picture(place, groups[place.layout.id], now_ns) for place in places)
        context = [tag.quality == "good" for tag, place in zip(tags, places, strict=True) if place.tells_context]
        since_ns = self._live.phase_since_ns.get(name)
        return UnitPicture(
            name=name,
            description=written(unit.description if unit else None),
            batch=visible(stamp.batch),
            phase=visible(stamp.phase),
            product=visible(stamp.product),
            recipe_version=visible(stamp.recipe_version),
            mode=stamp.mode,
            seconds_in_phase=None if since_ns is None else max(0.0, (now_ns - since_ns) / 1e9),
            context="not told" if not context else "told" if all(context) else "last known",
            state=worst(row.state for row in (*tags, *relations)),
            tags=tags,
            relations=relations,
        )

    def _open_excursions(self) -> tuple[ExcursionPicture, ...]:
        pictures = []
        for judge in self._judges.values():
            for excursion in judge.open.values():
                body, stamp = excursion.event(Stamp(), "").body, self._live.stamps.get(excursion.unit, Stamp())
                pictures.append((excursion.first_ns, self._excursion(excursion.unit, stamp, body, _par_row(judge, excursion))))
        return tuple(picture for _, picture in sorted(pictures, key=lambda each: each[0]))

    def _closed_excursion(self, event: Event) -> ExcursionPicture:
        return self._excursion(event.unit, event.stamp, event.body, None)

    def _excursion(self, unit: str, stamp: Stamp, body: Mapping[str, Json], limit: Limit | None) -> ExcursionPicture:
        role = str(body["role"])
        column = self._columns.get((unit, role))
        name, statistic = column.name if column else role, str(body.get("statistic") or "value")
        par = Span(number(body, "low"), number(body, "high"))
        return ExcursionPicture(
            unit=unit,
            tag=f"{name} {DEVIATION}" if statistic == DEVIATION else name,
            role=role,
            engineering_unit=(column and column.engineering_unit) or "",
            batch=visible(stamp.batch),
            phase=visible(stamp.phase),
            first=iso_time(whole(body, "first_ns")),
            last=iso_time(whole(body, "last_ns")),
            duration_s=number(body, "duration_s") or 0.0,
            peak=digits(number(body, "peak"), column, (par.low, par.high)),
            area=f"{number(body, 'area') or 0.0:.3g}",
            par=par,
            par_shown=span_in_words(par.low, par.high),
            not_evaluable_s=number(body, "not_evaluable_s") or 0.0,
            coverage=1.0 if (coverage := number(body, "coverage")) is None else coverage,
            statistic=statistic,
            cpp=bool(body.get("cpp")),
            ended=str(body.get("ended") or ""),
            consequence=written(limit.consequence if limit else None),
            action=written(limit.action if limit else None),
        )

    def _gateway(self) -> GatewayPicture:
        counters = self._live.counters
        return GatewayPicture(
            read=counters.read,
            scans=counters.scans,
            lost_scans=counters.lost_scans,
            committed=counters.committed,
            pending=self._pending() if self._pending else None,
            overflowed=counters.overflowed,
            disk_fault=visible(self._disk_fault()),
        )


def _places(layouts: Iterable[Layout], units: Mapping[str, Unit]) -> dict[str, list[Place]]:
    """The tags of every unit in the order of the plant file, but those that tell the context last: the head shows them."""
    places: dict[str, list[Place]] = {name: [] for name in units}
    for layout in layouts:
        exact = {int(index): at for columns in (layout.integer_columns, layout.text_columns) for at, index in enumerate(columns)}
        for index, column in enumerate(layout.columns):
            unit = units.get(column.unit)
            context = unit is not None and column.role in unit.context.model_dump().values()
            place = Place(layout, index, column, exact.get(index, -1), context)
            places.setdefault(column.unit, []).append(place)
    return {unit: sorted(tags, key=lambda place: place.tells_context) for unit, tags in places.items()}


def _par_row(judge: Judge, excursion: Excursion) -> Limit | None:
    """The row of the limit set that an open excursion leaves."""
    for index, limit in judge.limits_now:
        column = judge.layout.columns[index]
        if (column.unit, column.role, limit.measure) == (excursion.unit, excursion.role, excursion.statistic) and limit.par:
            return limit
    return None


def _device(name: str, state: DeviceState) -> DevicePicture:
    since = iso_time(state.since_ns) if state.since_ns else ""
    return DevicePicture(name, state.endpoint, state.answers, since, visible(state.cause))
