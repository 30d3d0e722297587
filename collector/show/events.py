"""Events in words for people, a line each: page and terminal show the same ones. Pure.

A text of an event's body comes from the plant: it is made visible first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from collector.monitor.plausibility.reasons import REASONS
from collector.show.words import (
    Severity,
    beyond_in_words,
    clock_time,
    digits,
    duration,
    severity_of,
    span_in_words,
    status_in_words,
    visible,
    with_unit,
)
from collector.terms import Event, EventKind, Json
from config.limits import DEVIATION
from drivers.base import Column

Columns = Mapping[tuple[str, str], Column]
"""By (unit, role)."""


def number(body: Mapping[str, Json], name: str) -> float | None:
    """A number of an event's body, None where there is none."""
    value = body.get(name)
    return value if isinstance(value, (int, float)) else None


def whole(body: Mapping[str, Json], name: str) -> int:
    """A whole number of an event's body, 0 where there is none; nanoseconds don't fit a float."""
    value = body.get(name)
    return value if isinstance(value, int) else 0


def text(body: Mapping[str, Json], name: str) -> str:
    """A text of an event's body, made visible; empty where there is none."""
    value = body.get(name)
    return "" if value is None else visible(str(value))


Told = tuple[Severity, str]


def in_words(event: Event, columns: Columns) -> Told | None:
    """How bad an event is, and the event in one line; None for what nobody has to read."""
    teller = _TELLERS.get(event.kind)
    return teller(event, columns) if teller else None


def _transition(event: Event, columns: Columns) -> Told | None:
    body = event.body
    if text(body, "rule") in REASONS:
        return _doubt(event, columns)
    tag, engineering_unit, column = _tag(event, columns)
    rule, after, statistic = text(body, "rule"), text(body, "to"), text(body, "statistic")
    if statistic in ("value", DEVIATION) and rule.startswith("PAR") and after != "ended":
        return None  # the excursion tells it
    level = number(body, "level") or 0.0
    of = "" if statistic == "value" else f" {statistic}"
    beyond = beyond_in_words(rule, statistic, level, engineering_unit)
    if after == "ended":
        return "info", f"{tag}{of} was {beyond}: the limit no longer applies"
    if rule == "condition":
        return (severity_of(rule), f"{tag}: {beyond}") if after == "outside" else ("info", f"{tag}: condition met again")
    value = with_unit(digits(number(body, "value"), column, [level]), statistic, engineering_unit)
    if after == "outside":
        return severity_of(rule), f"{tag}{of} {beyond}: {value}"
    return "info", f"{tag}{of} no longer {beyond}: {value}"


def _evaluability(event: Event, columns: Columns) -> Told:
    body = event.body
    count, only = whole(body, "limits"), body.get("only")
    what = f"{count} limit{'' if count == 1 else 's'}"
    rows = [(name, role) for name, of in only.items() if isinstance(of, list) for role in of] if isinstance(only, dict) else []
    if len(rows) == 1 and not body.get("all_but"):
        statistic, role = rows[0][0], str(rows[0][1])
        tag = columns[event.unit, role].name if (event.unit, role) in columns else role
        what = visible(tag if statistic == "value" else f"{tag} {statistic}")
    if body.get("evaluable"):
        return "info", f"{what} can be evaluated again"
    status = body.get("status")
    reason = f", {status_in_words(status)}" if isinstance(status, int) else ""
    return "alert", f"{what} can't be evaluated: {text(body, 'cause')}{reason}"


def _doubt(event: Event, columns: Columns) -> Told:
    tag, engineering_unit, column = _tag(event, columns)
    rule, after, level = text(event.body, "rule"), text(event.body, "to"), number(event.body, "level") or 0.0
    if after == "ended":
        return "info", f"{tag} was doubted, {rule}: it is not checked any more"
    value = with_unit(digits(number(event.body, "value"), column, [level]), "value", engineering_unit)
    if after == "outside":
        return severity_of(rule), f"{tag} is doubted, {beyond_in_words(rule, 'value', level, engineering_unit)}: {value}"
    return "info", f"{tag} is no longer doubted, {rule}: {value}"


def _excursion(event: Event, columns: Columns) -> Told:
    body = event.body
    tag, engineering_unit, column = _tag(event, columns)
    low, high = number(body, "low"), number(body, "high")
    par = with_unit(span_in_words(low, high), "value", engineering_unit)
    peak = with_unit(digits(number(body, "peak"), column, [low, high]), "value", engineering_unit)
    cpp = "CPP " if body.get("cpp") else ""
    tag = f"{tag} {DEVIATION}" if body.get("statistic") == DEVIATION else tag
    if not body.get("ended"):
        return "action", f"{cpp}{tag} left PAR {par}: {peak}"
    ended = {"inside": "is inside again"}.get(text(body, "ended"), f"excursion ended, {text(body, 'ended')}")
    return "info", f"{cpp}{tag} {ended}, after {duration(number(body, 'duration_s') or 0.0)} outside PAR {par}, peak {peak}"


def _batch(event: Event, _: Columns) -> Told:
    return "info", text(event.body, "text")


def _gap(event: Event, _: Columns) -> Told:
    body = event.body
    where = "/".join(filter(None, (text(body, name) for name in ("endpoint", "device", "group"))))
    slots = whole(body, "slots")
    count = f"{slots} slot{'s' if slots != 1 else ''}, " if slots else ""
    span = f"{clock_time(whole(body, 'from_ns'))} – {clock_time(whole(body, 'to_ns'))}"
    return "fault", f"gap{' in ' + where if where else ''}: {count}{span}: {text(body, 'cause')}"


def _device(event: Event, _: Columns) -> Told:
    device = text(event.body, "device")
    if text(event.body, "state") == "answers":
        return "info", f"device {device} answers"
    return "fault", f"device {device} lost: {text(event.body, 'cause')}"


def _subscription(event: Event, _: Columns) -> Told:
    where = "/".join(text(event.body, name) for name in ("endpoint", "device", "group"))
    state = text(event.body, "state")
    return "info" if state == "subscribed" else "fault", f"{where} {state}: {text(event.body, 'cause')}"


def _sink(event: Event, _: Columns) -> Told:
    sink = text(event.body, "sink")
    state = text(event.body, "state")
    if state in ("removed", "forgotten"):
        return "info", f"sink {sink} {state}: {text(event.body, 'cause')}"
    if state == "taking":
        return "info", f"sink {sink} takes"
    return "fault", f"sink {sink} takes nothing: {text(event.body, 'cause')}"


def _daemon(event: Event, _: Columns) -> Told:
    before = text(event.body, "site_before")
    renamed = f"; site {before} is {text(event.body, 'site')} from now on" if before else ""
    return "info", f"daemon {text(event.body, 'state')}, version {text(event.body, 'version')}{renamed}"


def _disk(event: Event, _: Columns) -> Told:
    if text(event.body, "state") == "takes":
        return "info", "the disk takes again"
    return "alert", f"THE DISK TAKES NOTHING: {text(event.body, 'cause')}"


def _room(event: Event, _: Columns) -> Told:
    state, cause = text(event.body, "state"), text(event.body, "cause")
    if state == "short":
        return "alert", f"ROOM ON THE DISK IS SHORT: {cause}"
    if state == "reserve given back":
        return "alert", f"THE DISK IS FULL, its reserve was given back: {cause}"
    return "info", f"room on the disk: {state}"


def _clock(event: Event, _: Columns) -> Told:
    body = event.body
    if "moved_s" in body:
        return "info", f"plant time moved forward by {duration(number(body, 'moved_s') or 0.0)}"
    if "set_back_s" in body:
        return "fault", f"the wall clock was set back by {duration(number(body, 'set_back_s') or 0.0)}; plant time goes on"
    if "synchronised" in body:
        return ("info", "clock synchronised") if body["synchronised"] else ("fault", "nothing synchronises the gateway's clock")
    device, skew_s = text(body, "device"), number(body, "skew_s") or 0.0
    if not body.get("skewed"):
        return "info", f"the clock of {device} is right again"
    return "fault", f"the clock of {device} is {duration(abs(skew_s))} {'ahead' if skew_s > 0 else 'behind'}"


def _damage(event: Event, _: Columns) -> Told:
    body = event.body
    kept = f"set aside as {text(body, 'kept')}" if body.get("kept") else "gone"
    samples = f", {whole(body, 'samples')} samples lost with it" if "samples" in body else ""
    return "fault", f"{text(body, 'file')} was damaged and is {kept}{samples}: {text(body, 'cause')}"


def _retention(event: Event, _: Columns) -> Told:
    file, cause = text(event.body, "file"), text(event.body, "cause")
    if text(event.body, "state") == "held":
        return "alert", f"DAILY FILE {file} CAN'T BE REMOVED: {cause}"
    archive = text(event.body, "archive")
    return "info", f"daily file {file} removed: {cause}{f'; archived in {archive}' if archive else ''}"


def _certificate(event: Event, _: Columns) -> Told:
    return "alert", f"endpoint {text(event.body, 'endpoint')}: {text(event.body, 'cause')}"


def _alarm(event: Event, columns: Columns) -> Told | None:
    body = event.body
    happening, by, reason = text(body, "happening"), text(body, "by"), text(body, "reason")
    if happening in ("occurs", "returns"):  # the transition tells it
        return None
    what = f"alarm {_tag(event, columns)[0]} {text(body, 'rule')} {happening}"
    told = f"{what}{f' by {by}' if by else ''}{f': {reason}' if reason else ''}"
    return "alert" if happening == "re-alarms" else "info", told


_TELLERS: dict[EventKind, Callable[[Event, Columns], Told | None]] = {
    EventKind.TRANSITION: _transition,
    EventKind.EVALUABILITY: _evaluability,
    EventKind.ALARM: _alarm,
    EventKind.EXCURSION: _excursion,
    EventKind.BATCH: _batch,
    EventKind.GAP: _gap,
    EventKind.DEVICE: _device,
    EventKind.SUBSCRIPTION: _subscription,
    EventKind.SINK: _sink,
    EventKind.DISK: _disk,
    EventKind.ROOM: _room,
    EventKind.DAEMON: _daemon,
    EventKind.CLOCK: _clock,
    EventKind.DAMAGE: _damage,
    EventKind.RETENTION: _retention,
    EventKind.CERTIFICATE: _certificate,
}


def _tag(event: Event, columns: Columns) -> tuple[str, str | None, Column | None]:
    role = text(event.body, "role")
    column = columns.get((event.unit, role))
    return (column.name, column.engineering_unit, column) if column else (role, None, None)
