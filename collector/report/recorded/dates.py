"""A date and time as one cell has it: of three numbers, or with the month's name; with AM and PM; with a zone or without.

Which of two numbers is the day is left open here, see `times`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final

_DATE = re.compile(
    r"(?P<a>[0-9]{1,4})[-./ ](?P<b>[0-9]{1,2}|[A-Za-z]{3,9})\.?[-./ ](?P<c>[0-9]{1,4})"
    r"|(?P<m>[A-Za-z]{3,9})\.? (?P<d>[0-9]{1,2}),? (?P<y>[0-9]{4})"
)
_CLOCK = re.compile(
    r"(?P<h>[0-9]{1,2}):(?P<min>[0-9]{2})(?::(?P<s>[0-9]{2})(?:[.,](?P<f>[0-9]{1,12}))?)?\s*(?P<half>[aApP]\.?\s?[mM]\.?)?"
    r"\s*(?P<zone>Z|[A-Z]{2,5}|(?:UTC|GMT)?[-+][0-9]{1,2}(?::?[0-9]{2})?)?(?:\[[\w/+-]+\])?"
)
_WEEKDAY = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so)[a-z]*[.,]{0,2} (?=\S)", re.IGNORECASE)
_YEAR_LAST = re.compile(
    r"(?P<date>[A-Za-z]{3,9} +[0-9]{1,2}),? (?P<clock>[0-9]{1,2}:[0-9:.]+)(?P<zone> [A-Z]{1,5})? (?P<year>[0-9]{4})"
)
"""`Nov 26 17:05:00 2026`"""
_DIGITS = re.compile(
    r"((?:19|20)[0-9]{2})(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])([01][0-9]|2[0-3])([0-5][0-9])([0-5][0-9])([.,][0-9]{1,12})?"
)
"""`20261126170500`"""
_SECONDS = re.compile(r"(.*?[0-9]:[0-9]{2}):([0-5][0-9])(?:[.,]([0-9]{1,12}))?((?:[^0-9.,].*)?)")
_OFFSET = re.compile(r"(?:UTC|GMT)?([-+])([0-9]{1,2}):?([0-9]{2})?")
_MONTHS: Final = {
    name: n
    for n, names in enumerate(
        ("jan", "feb", "mar mär mrz", "apr", "may mai", "jun", "jul", "aug", "sep", "oct okt", "nov", "dec dez"), 1
    )
    for name in names.split()
}
_HOURS_AHEAD: Final = {
    **{"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "EEST": 3},
    **{"EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
}
"""Of zones whose name has one meaning only."""


@dataclass(frozen=True, slots=True)
class Date:
    """Of three numbers."""

    year: int
    one: int
    """Month or day."""
    other: int
    order: str
    """`ymd`, `dmy` where a name or a point says so, `?` where both are numbers."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a cell says."""

    date: Date
    clock_ns: int
    """Since midnight."""
    zone: timezone | None
    half_days: bool
    """With AM or PM."""


def split_seconds(cell: str) -> tuple[str, int]:
    """The same moment at the full minute, and nanoseconds since then: rows of one minute have the first in common."""
    match = _SECONDS.fullmatch(cell)
    if match is None:
        return cell, 0
    minute, seconds, fraction, rest = match.groups("")
    return f"{minute}:00{rest}", int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9])


def moment_of(cell: str) -> Moment | None:
    """None for what is no date."""
    cell = _YEAR_LAST.sub(r"\g<date> \g<year> \g<clock>\g<zone>", _spelt_out(_WEEKDAY.sub("", cell, count=1)))
    match = _DATE.match(cell)
    if match is None:
        return _basic(cell)
    date = _date(match)
    rest = cell[match.end() :].lstrip("T ,t")
    if date is None or not rest:
        return None if date is None else Moment(date, 0, None, False)
    clock = _CLOCK.fullmatch(rest)
    return None if clock is None else _with_clock(date, clock)


def is_digits(cell: str) -> bool:
    """Whether it is a date and time without anything between: as a number it would be a time in centuries."""
    return _DIGITS.fullmatch(cell) is not None


def _spelt_out(cell: str) -> str:
    return _DIGITS.sub(r"\1-\2-\3 \4:\5:\6\7", cell) if is_digits(cell) else cell


def _with_clock(date: Date, clock: re.Match[str]) -> Moment | None:
    hours, half = int(clock["h"]), (clock["half"] or "")[:1].lower()
    if half:
        if not 1 <= hours <= 12:
            return None
        hours = hours % 12 + (12 if half == "p" else 0)
    zone = _zone(clock["zone"]) if clock["zone"] else None
    if hours > 24 or int(clock["min"]) > 59 or int(clock["s"] or 0) > 60 or (clock["zone"] and zone is None):
        return None
    return Moment(date, clock_ns(hours, clock), zone, bool(half))


def _basic(cell: str) -> Moment | None:
    """20261123T140000Z"""
    try:
        moment = datetime.fromisoformat(cell) if len(cell) >= 8 else None
    except ValueError:
        return None
    if moment is None:
        return None
    offset = moment.utcoffset()
    since_ns = ((moment.hour * 60 + moment.minute) * 60 + moment.second) * 1_000_000_000 + moment.microsecond * 1_000
    date = Date(moment.year, moment.month, moment.day, "ymd")
    return Moment(date, since_ns, None if offset is None else timezone(offset), False)


def _date(match: re.Match[str]) -> Date | None:
    if match["m"]:
        month = _MONTHS.get(match["m"][:3].lower())
        return Date(int(match["y"]), month, int(match["d"]), "ymd") if month else None
    first, middle, last = match["a"], match["b"], match["c"]
    if not middle.isdigit():
        month = _MONTHS.get(middle[:3].lower())
        if month is None:
            return None
        year, day = (first, last) if len(first) == 4 else (last, first)
        return Date(_year(year), month, int(day), "ymd")
    if len(first) == 4:
        return Date(int(first), int(middle), int(last), "ymd") if len(last) <= 2 else None
    if len(first) > 2 or len(last) == 3:
        return None
    return Date(_year(last), int(first), int(middle), "dmy" if match[0][len(first)] == "." else "?")


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else 2000 + int(text) if int(text) < 70 else 1900 + int(text)


def _zone(text: str) -> timezone | None:
    offset = _OFFSET.fullmatch(text)
    if offset:
        span = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        return timezone(-span if offset[1] == "-" else span) if span < timedelta(hours=24) else None
    hours = _HOURS_AHEAD.get(text)
    return None if hours is None else timezone(timedelta(hours=hours))


def clock_ns(hours: int, match: re.Match[str]) -> int:
    """Of a match with minutes, seconds and a fraction."""
    fraction = int((match["f"] or "0").ljust(9, "0")[:9])
    return ((hours * 60 + int(match["min"])) * 60 + int(match["s"] or 0)) * 1_000_000_000 + fraction
