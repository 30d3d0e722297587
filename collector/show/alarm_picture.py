"""Alarms as people are shown them: the most urgent first, and of a flood only as many as can be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from collector.monitor.alarms.alarm import Alarm
from collector.monitor.alarms.rate import AlarmRate
from collector.monitor.alarms.states import HIDDEN, TO_ACKNOWLEDGE
from collector.monitor.limits import CONDITION
from collector.show.alarm_list import handling_in_words, listed
from collector.show.picture import AlarmPicture, AlarmsPicture
from collector.show.words import beyond_in_words, digits, iso_time, short_time, statistic_in_words, visible, written
from drivers.base import Column

MOST_SHOWN = 200


def alarms_picture(
    alarms: Iterable[Alarm], columns: Mapping[tuple[str, str], Column], rate: AlarmRate, now_ns: int
) -> AlarmsPicture:
    """Of all that are not at rest; `columns` by unit and role; `rate` of this moment, `now_ns`."""
    found = listed(alarms)
    return AlarmsPicture(
        shown=tuple(_picture(alarm, columns.get((alarm.key.unit, alarm.key.role)), now_ns) for alarm in found[:MOST_SHOWN]),
        calling=sum(alarm.state in TO_ACKNOWLEDGE for alarm in found),
        hidden=sum(alarm.state in HIDDEN for alarm in found),
        left_out=max(0, len(found) - MOST_SHOWN),
        calls=rate.calls,
        counted_s=rate.counted_s,
        flood_since="" if rate.flood_since_ns is None else iso_time(rate.flood_since_ns),
    )


def _picture(alarm: Alarm, column: Column | None, now_ns: int) -> AlarmPicture:
    key, settings = alarm.key, alarm.settings
    engineering_unit = column.engineering_unit if column else None
    limit = "" if alarm.level is None else beyond_in_words(key.rule, key.statistic, alarm.level, engineering_unit)
    return AlarmPicture(
        id=key.id,
        unit=key.unit,
        tag=column.name if column else key.role,
        rule=key.rule,
        statistic=statistic_in_words(key.statistic, key.window_s),
        priority=settings.priority,
        state=alarm.state.value,
        calls=alarm.state in TO_ACKNOWLEDGE,
        hidden=alarm.state in HIDDEN,
        outside=alarm.outside,
        since="" if alarm.since_ns is None else iso_time(alarm.since_ns),
        value="" if alarm.value is None or key.rule == CONDITION else digits(alarm.value, column, (alarm.level,)),
        limit=limit,
        batch=visible(alarm.stamp.batch),
        phase=visible(alarm.stamp.phase),
        cpp=settings.cpp,
        handled=visible(handling_in_words(alarm, lambda time_ns: short_time(time_ns, now_ns))),
        consequence=written(settings.consequence),
        action=written(settings.action),
    )
