"""Which column of a recorded file is what: samples of a tag, their status, the time, the batch, the phase.

A limit on `TT-101` finds `TT-101`, else `tt_101`, else `TT-101 [°C]`, else `Area1|TT-101.PV`; what is not spelt alike is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from config.engineering_units import understood
from config.spreadsheet.columns import normal

_BATCH = (
    *("batch", "lot", "charge", "ansatz", "run", "simulation run", "campaign batch", "s88 batch"),
    *("experiment", "fermentation", "cultivation", "trial", "wafer"),
)
_NUMBERED = ("", " id", " no", " number", " name", " nr", " #", " ref", " reference", " code", " key", " nummer")
CONTEXT = {
    "batch": (*(name + ending for name in _BATCH for ending in _NUMBERED), "chargennummer"),
    "phase": (
        *("phase", "phase name", "recipe phase", "operation", "step name", "stage", "step", "schritt", "process phase"),
        *("unit phase", "s88 phase", "batch phase", "operation name", "recipe step", "process step", "phase id", "phase no"),
    ),
    "unit": ("unit", "reactor", "unit name", "unit id"),
    "product": ("product",),
    "recipe_version": ("recipe_version",),
}
"""Columns that are known by their names, in the order of preference; the spelling may differ as in a tag list."""
TIME = (
    *("timestamp", "datetime", "date and time", "time stamp", "date_time", "t_stamp", "datum uhrzeit", "datum zeit"),
    *("zeitstempel", "zeitpunkt", "time", "zeit", "slot", "sample time", "recorded at", "logged at", "measured at"),
    *("utc time", "time utc", "local time", "utc", "ts", "source time", "source timestamp", "server timestamp", "event time"),
    *("epoch", "epoch time", "unix", "unix time", "unix timestamp", "time epoch", "date", "datum"),
    *("elapsed time", "time elapsed", "elapsed", "batch time", "batch age", "run time", "process time", "time since start"),
    *("relative time", "simulation time", "fermentation time", "culture time", "cultivation time", "reaction time", "laufzeit"),
)
WEAK_TIME = ("seconds", "minutes", "hours", "days", "uhrzeit", "t")
"""They may be tags as well."""
COUNTER = (
    *("sample", "sample no", "sample number", "sample index", "index", "idx", "row", "row no", "row number", "record", "no"),
    *("nr", "number", "observation", "obs", "n", "k", "i", "time step", "timestep", "time index", "cycle", "tick", "scan"),
    *("", "unnamed: 0"),
)
"""They may count the rows of a batch."""
DATE_ALONE = ("date", "datum", "day", "tag der messung")
CLOCK_ALONE = ("time", "zeit", "uhrzeit", "clock", "time of day")
TAG_NAME = (
    *("tag", "tagname", "tag name", "point", "point name", "role", "parameter", "variable", "signal", "name", "sensor", "item"),
    *("item id", "messstelle", "channel", "source", "series", "measurement", "field"),
)
VALUE = ("value", "val", "wert", "messwert", "reading", "numeric value", "process value", "pv")
QUALITY = ("quality", "qual", "status", "state", "flag", "qc", "statuscode", "status code", "q")

UNITS_OF_TIME = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "sek", "sekunden"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes", "minuten"), "min"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "std", "stunden"), "h"),
    **dict.fromkeys(("d", "day", "days", "tage"), "d"),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), "ms"),
    **dict.fromkeys(("us", "µs", "μs", "microseconds"), "us"),
    **dict.fromkeys(("ns", "nanoseconds"), "ns"),
}
_BRACKETED = re.compile(r"\s*[\[(<{]([^\[\](){}<>]*)[\])>}]\s*$")
_LAST_WORD = re.compile(r"[\s_]([^\s_]+)$")
_PATH = re.compile(r".*[\\/|!:]")
_OF_A_VALUE = re.compile(r"(?<=.)[\s._-]+(?:pv|value|val|cv|out)$", re.IGNORECASE)
_OF_A_STATUS = re.compile(
    r"[\s._\-:/|]*[\[(]?(?:status code|statuscode|status|quality|qual|qc|q|stat|state|flag|is ?valid|valid|is ?good)[\])]?$",
    re.IGNORECASE,
)
_STATUS_OF = re.compile(r"^(?:status|quality|state|flag)[\s._\-:/|]+(?:of[\s_]+)?", re.IGNORECASE)


def bare(name: str) -> str:
    """Without the unit behind it: `TT-101 [°C]`, `TT-101 °C`, `TT-101 bar(a)` -> `TT-101`."""
    if (unit := _BRACKETED.search(name)) and unit.start():
        return name[: unit.start()].strip()
    last = _LAST_WORD.search(name)
    is_unit = last is not None and (len(last[1]) > 1 or not last[1].isalnum()) and understood(last[1]) is not None
    return name[: last.start()].strip() if last and is_unit else name


def _tail(name: str) -> str:
    """Of a path, without what says that it is a value: `\\\\HIST\\A|TT-101.PV` -> `TT-101`."""
    return _OF_A_VALUE.sub("", _PATH.sub("", bare(name)))


_TIERS: tuple[Callable[[str], str], ...] = (str, normal, lambda name: normal(bare(name)), lambda name: normal(_tail(name)))


def matched(names: Sequence[str], wanted: Iterable[str]) -> tuple[dict[int, str], dict[str, list[str]]]:
    """Which of `names` (by place) is which of `wanted`; and of what several names may be, those names."""
    found: dict[int, str] = {}
    several: dict[str, list[str]] = {}
    open_names = list(dict.fromkeys(wanted))
    for spelt in _TIERS:
        by_spelling: dict[str, list[int]] = {}
        for at, name in enumerate(names):
            if at not in found and name:
                by_spelling.setdefault(spelt(name), []).append(at)
        for name in list(open_names):
            places = by_spelling.get(name if spelt is str else normal(name)) or by_spelling.get(spelt(name), [])
            if len(places) > 1:
                several[name] = [names[at] for at in places]
            if places:
                open_names.remove(name)
            if len(places) == 1 and places[0] not in found:
                found[places[0]] = name
    return dict(sorted(found.items())), several


def standing(header: Sequence[str], known: Iterable[str], taken: Iterable[int]) -> list[int]:
    """The columns of one of the `known` names, the name preferred first; with a unit behind it or not."""
    taken = set(taken)
    plain = [{normal(name), normal(bare(name)), normal(_without_unit_of_time(name))} for name in header]
    wanted = dict.fromkeys(normal(name) for name in known)
    return list(dict.fromkeys(at for name in wanted for at in range(len(header)) if at not in taken and name in plain[at]))


def _without_unit_of_time(name: str) -> str:
    last = _LAST_WORD.search(name)
    return name[: last.start()].rstrip(" ,") if last and last[1].casefold() in UNITS_OF_TIME else name


def unit_of_time(name: str) -> str | None:
    """What the name of a column says its numbers count: `Zeit [min]`, `time_h`, `Minutes`; None where it says nothing."""
    inside, last = _BRACKETED.search(name), _LAST_WORD.search(name)
    words = [word[1] for word in (inside, last) if word] + [name]
    return next((unit for word in words if (unit := UNITS_OF_TIME.get(word.strip().casefold()))), None)


def own_times(header: Sequence[str], samples: Iterable[int]) -> list[str]:
    """Columns of samples that have a time of their own beside them: `TT-101 Time`, or one of several that are called alike."""
    known = {normal(name) for name in TIME}
    names = [normal(name) for name in header]
    named = {normal(f"{bare(header[at])} {word}") for at in samples for word in ("time", "timestamp")}
    found = [header[at] for at, name in enumerate(names) if name in named]
    alike = [header[at] for at, name in enumerate(names) if name in known and names.count(name) > 1]
    return found if len(found) > 1 else alike


def status_columns(header: Sequence[str], samples: Mapping[int, str]) -> dict[int, int]:
    """The column that has the status of a column of samples, by that one's place."""
    of: dict[str, int] = {}
    for at, name in samples.items():
        for spelling in (header[at], bare(header[at]), _tail(header[at]), name):
            of.setdefault(normal(spelling), at)
    found: dict[int, int] = {}
    for at, name in enumerate(header):
        if at in samples:
            continue
        for pattern in (_OF_A_STATUS, _STATUS_OF):
            rest = normal(pattern.sub("", name, count=1))
            if rest and pattern.search(name) and rest in of:
                found.setdefault(of[rest], at)
    return found
