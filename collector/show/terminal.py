"""The picture on a terminal: the same states and words as the page, the most important first, as much as fits.

    site and time                          always
    what is wrong now                      as many lines as a sixth of the screen
    units side by side, or one below       the tags that matter most, in the order of the plant file
    the other
    last events                            fewer on a small screen
    page and counters                      always

A value that is not good is struck through and its quality stands beside it; colour only repeats what a word says.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import structlog
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live as LiveDisplay
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from collector.show.picture import Picture, TagPicture, UnitPicture
from collector.show.tag_picture import INSTANT
from collector.show.words import duration, span_in_words

log = structlog.get_logger()

REDRAW_INTERVAL_S = 1.0
LEAVE_S = 1.0
UNIT_WIDTH = 38
"""Columns that a unit needs to stand beside another."""
ROLE_WIDTH = 70
"""Columns from which there is room for roles and limits."""

_STYLES = {"action": "bold white on red", "alert": "bold black on yellow", "fault": "bold magenta", "info": "dim"}
_MARKS = {"action": "◆", "alert": "▲", "fault": "✕", "info": " "}
_RANKS = {"action": 0, "alert": 1, "not evaluable": 2, "ok": 3, "no limits": 5}
_PRIORITY_MARKS = {"critical": "‼", "high": "◆", "medium": "▲", "low": "△"}
_TITLE_STYLES = {
    "action": "bold white on red",
    "alert": "bold black on yellow",
    "not evaluable": "bold white on magenta",
    "ok": "reverse",
    "no limits": "reverse",
}


def render(picture: Picture, url: str | None = None) -> RenderableType:
    """`picture` for a terminal of any size from 60 × 15; `url` is the page's."""
    return _Screen(picture, url)


async def watch(picture: Callable[[], Picture], url: Callable[[], str | None], console: Console | None = None) -> None:
    """Show pictures until cancelled, on a terminal; returns at once on anything else.

    The terminal is written to by a thread of its own: one that takes nothing (Ctrl-S, a hung ssh) stalls the show, not
    the collector. Nothing else may write to it meanwhile.
    """
    console = console or Console()
    if not console.is_terminal:
        return
    frames: queue.Queue[RenderableType | None] = queue.Queue(maxsize=1)
    drawing = threading.Thread(target=_draw, args=(console, frames), name="terminal", daemon=True)
    drawing.start()
    try:
        while drawing.is_alive():
            if frames.empty():
                frames.put_nowait(_frame(picture, url))
            await asyncio.sleep(REDRAW_INTERVAL_S)
    finally:
        await asyncio.to_thread(_leave, drawing, frames)


def _frame(picture: Callable[[], Picture], url: Callable[[], str | None]) -> RenderableType:
    try:
        return render(picture(), url())
    except Exception:  # the edge: whatever a picture fails of, collecting goes on
        log.exception("picture can't be painted")
        return Text("The picture can't be painted; the log says why. Collecting goes on.")


def _draw(console: Console, frames: queue.Queue[RenderableType | None]) -> None:
    try:
        with LiveDisplay(
            console=console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        ) as display:
            while (frame := frames.get()) is not None:
                display.update(frame, refresh=True)
    except OSError as exc:
        log.warning("terminal is gone", cause=str(exc))


def _leave(drawing: threading.Thread, frames: queue.Queue[RenderableType | None]) -> None:
    try:
        frames.put(None, timeout=LEAVE_S)
    except queue.Full:  # it takes nothing, so it can't be tidied either
        return
    drawing.join(LEAVE_S)


class _Screen:
    """Shares the lines of a screen out."""

    def __init__(self, picture: Picture, url: str | None) -> None:
        self._picture, self._url = picture, url

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or console.height
        head, foot = [_head(self._picture, width)], _foot(self._picture, self._url)
        problems = list(_fitted(list(_problems(self._picture)), max(2, height // 6)))
        events = list(islice(_events(self._picture), 0 if height < 20 else 3 if height < 32 else 8))
        left = height - len(head) - len(problems) - len(events) - len(foot)
        units = list(_units(self._picture.units, width, left))
        blank = [Text("")] * max(0, left - sum(lines for _, lines in units))
        lines: list[RenderableType] = [*head, *problems, *(unit for unit, _ in units), *blank, *events, *foot]
        shown = console.render_lines(Group(*lines), options.update(height=None), pad=False)[:height]
        for number, line in enumerate(shown):
            yield from line
            if number < len(shown) - 1:
                yield Segment.line()


def _line(*parts: tuple[str, str] | str) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _head(picture: Picture, width: int) -> Text:
    advice = "advisory only, not the safety layer" if width >= 78 else "advisory only"
    return _line(
        (picture.site, "bold"), f"  {picture.time[:10]} ", (f"{picture.time[11:19]} UTC", "bold"), (f"  {advice}", "dim")
    )


def _problems(picture: Picture) -> Iterator[Text]:
    for excursion in picture.excursions:
        tag = f"{excursion.unit} {excursion.tag}{' (CPP)' if excursion.cpp else ''}"
        facts = f" {duration(excursion.duration_s)}, peak {excursion.peak}, since {excursion.first[11:19]}"
        what = f"◆ {tag} OUTSIDE PAR {excursion.par_shown} {excursion.engineering_unit}"
        yield _line((what.rstrip(), _STYLES["action"]), facts, f"  {excursion.action}")
    yield from _alarms(picture)
    if picture.gateway.disk_fault:
        yield _line(("✕ THE DISK TAKES NOTHING ", _STYLES["fault"]), picture.gateway.disk_fault)
    for device in picture.devices:
        if device.answers is False:
            yield _line((f"✕ DEVICE LOST {device.name} ", _STYLES["fault"]), f"since {device.since[11:19]}: {device.cause}")
    for sink in picture.sinks:
        if not sink.taking:
            yield _line((f"▲ SINK TAKES NOTHING {sink.name} ", _STYLES["fault"]), sink.cause)


def _alarms(picture: Picture) -> Iterator[Text]:
    """One line for all that call: the worst of them, and how many there are."""
    alarms = picture.alarms
    worst = next((alarm for alarm in alarms.shown if alarm.calls), None)
    if worst is None:
        return
    what = f"{_PRIORITY_MARKS[worst.priority]} ALARM {worst.priority.upper()} {worst.unit} {worst.tag} {worst.limit}"
    style = _STYLES["action" if worst.priority in ("critical", "high") else "alert"]
    more = f"  {alarms.calling} to acknowledge" if alarms.calling > 1 else "  to acknowledge"
    yield _line((what, style), f" {worst.state}{more}", f"  {worst.action}")


def _fitted(lines: Sequence[Text], most: int) -> Iterator[Text]:
    if len(lines) <= most:
        yield from lines
    else:
        yield from lines[: most - 1]
        yield _line((f"  … and {len(lines) - most + 1} more that are wrong now", "bold"))


def _units(units: Sequence[UnitPicture], width: int, height: int) -> Iterator[tuple[RenderableType, int]]:
    """Units with their numbers of lines, in rows of as many as fit side by side."""
    beside = max(1, min(len(units), width // UNIT_WIDTH))
    rows = [units[at : at + beside] for at in range(0, len(units), beside)]
    for at, row in enumerate(rows):
        lines = height // (len(rows) - at)
        height -= lines
        if lines < 2:
            continue
        grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
        for _ in range(beside):
            grid.add_column(ratio=1, no_wrap=True)
        grid.add_row(*(_unit(unit, lines - 2, width // beside) for unit in row))
        yield grid, min(lines, 2 + max(len(unit.tags) + len(unit.relations) for unit in row))


def _unit(unit: UnitPicture, rows: int, width: int) -> RenderableType:
    """Two lines of head, and at most `rows` of tags."""
    time = "" if unit.seconds_in_phase is None else f", {duration(unit.seconds_in_phase)}"
    told = " (last known)" if unit.context == "last known" else ""
    title = _line((f" {unit.name} ", _TITLE_STYLES[unit.state]), (f" {_tally(unit)}", "bold"))
    phase = _line((unit.phase or "no phase", "bold"), f"{time}{told}  {unit.batch or 'no batch'} {unit.mode}")
    rows_of_unit = (*unit.tags, *unit.relations)
    shown = _chosen(rows_of_unit, rows)
    cells = [(_name(tag, roomy=width >= ROLE_WIDTH), _value(tag), _state(tag, roomy=width >= ROLE_WIDTH)) for tag in shown]
    most = (34, 24) if width >= ROLE_WIDTH else (11, 14)
    widths = [min(max((row[at].cell_len for row in cells), default=1), most[at]) for at in (0, 1)]
    table = Table.grid(expand=True, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", width=widths[0])
    table.add_column(no_wrap=True, overflow="ellipsis", width=widths[1], justify="right")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    for tag, (name, value, state) in zip(shown, cells, strict=True):
        table.add_row(name, value, _with_limits(state, tag, width - sum(widths) - 4))
    left_out = len(rows_of_unit) - rows
    more = [_line((f"… {left_out + 1} more", "dim"))] if left_out > 0 and rows > 0 else []
    return Group(title, phase, table, *more)


def _chosen(tags: Sequence[TagPicture], rows: int) -> list[TagPicture]:
    """Those that matter most, in the order they have; one row is kept for telling how many are left out."""
    if len(tags) <= rows:
        return list(tags)
    ranked = sorted(range(len(tags)), key=lambda at: _rank(tags[at]))
    return [tags[at] for at in sorted(ranked[: max(0, rows - 1)])]


def _rank(tag: TagPicture) -> int:
    return 4 if tag.state == "no limits" and tag.quality != "good" else _RANKS[tag.state]


def _tally(unit: UnitPicture) -> str:
    counts = [(sum(row.state == state for row in (*unit.tags, *unit.relations)), mark) for state, mark in _TALLIED]
    words = [f"{count} {mark}" for count, mark in counts if count]
    return "  ".join(words) or ("nothing outside its limits" if unit.state == "ok" else "no limits hold now")


_TALLIED = (("action", "ACTION"), ("alert", "ALERT"), ("not evaluable", "not evaluable"))


def _name(tag: TagPicture, *, roomy: bool) -> Text:
    about = tag.relation or tag.role.replace("_", " ")
    return _line(tag.name, (f" {about}" if roomy and about != tag.name else "", "dim"))


def _value(tag: TagPicture) -> Text:
    style = {"good": "bold", "uncertain": "italic"}.get(tag.quality, "dim strike")
    return _line((tag.shown, style), f" {tag.engineering_unit}" if tag.value is not None else "")


def _state(tag: TagPicture, *, roomy: bool) -> Text:
    if tag.quality != "good":
        age = "never good" if tag.age_s is None else duration(tag.age_s)
        mark = "? " if tag.state == "not evaluable" else ""
        return _line((f"{mark}{tag.quality.upper()} {age}{f' {tag.status}' if roomy else ''}", _STYLES["fault"]))
    if tag.state in ("action", "alert"):
        return _line((f"{_MARKS[tag.state]} {tag.state.upper()}", _STYLES[tag.state]), f" {tag.breaches[0].text}")
    return _line((tag.state if tag.state != "no limits" else "", "dim"))


def _with_limits(state: Text, tag: TagPicture, room: int) -> Text:
    """Limits whole or not at all: half a limit reads as another one."""
    limits = Text(f"  {_limits(tag)}", style="dim") if tag.limits else Text("")
    return state.append_text(limits) if state.cell_len + limits.cell_len <= room else state


def _limits(tag: TagPicture) -> str:
    value = next((limit for limit in tag.limits if limit.statistic in INSTANT), tag.limits[0])
    spans = (("NOR", value.nor), ("PAR", value.par), ("L H", value.alarm), ("LL HH", value.alarm_far))
    words = "  ".join(f"{name} {span_in_words(span.low, span.high)}" for name, span in spans if span)
    return words if value.statistic in INSTANT else f"{value.statistic} {words}"


def _events(picture: Picture) -> Iterator[Text]:
    for event in picture.events:
        style = "" if event.severity == "info" else _STYLES[event.severity].replace("white on ", "")
        style = "bold yellow" if event.severity == "alert" else style
        mark = f" {_MARKS[event.severity]} {event.severity if event.severity != 'info' else '':6} "
        yield _line((event.time[11:19], "dim"), (mark, style), f"{event.unit} " if event.unit else "", event.text)


def _foot(picture: Picture, url: str | None) -> list[Text]:
    gateway = picture.gateway
    figures = [
        f"read {gateway.read}",
        f"in the journal {gateway.committed}",
        *([] if gateway.pending is None else [f"pending {gateway.pending}"]),
        f"lost scans {gateway.lost_scans}",
        *([f"DROPPED {gateway.overflowed}"] if gateway.overflowed else []),
    ]
    sinks = [f"{sink.name}: {sink.accepted} accepted, {sink.queued} queued, {sink.dead_lettered} dead" for sink in picture.sinks]
    page: list[tuple[str, str] | str] = [("page ", "dim"), (url, "bold underline"), "  "] if url else []
    return [_line((" · ".join(figures), "dim")), _line(*page, (" · ".join(sinks) or "no sinks: all stays in the journal", "dim"))]
