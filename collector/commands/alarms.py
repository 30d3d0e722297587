"""`reactorwatch alarms`: what calls for somebody, and saying that somebody knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
import typer

from collector.commands.alarm_table import lines_of, time_of
from collector.commands.data_folder import DATA, Data
from collector.commands.terms import errors, expect_record, failed, output, seconds, time_ns, wrong_input

if TYPE_CHECKING:
    from collector.desk.messages import Answer, Deed
    from collector.monitor.alarms.alarm import Alarm
    from collector.monitor.alarms.merit import Merit

alarms = typer.Typer(help="Alarms of a running daemon: list, acknowledge, shelve, take out of service.", no_args_is_help=True)

Ids = Annotated[list[str], typer.Argument(help="Ids as listed; * stands for anything, e.g. 'R-201/*'.", metavar="ALARM...")]
Json = Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")]
Reason = Annotated[str, typer.Option(help="Why.")]
Comment = Annotated[str | None, typer.Option("--reason", help="A comment; units of mode gmp ask for one to acknowledge.")]
Treated = Literal["acknowledge", "unshelve", "reset"]


@alarms.command(name="list")
def list_(data: Data = DATA, json: Json = False) -> None:
    """Print every alarm that is not normal, the most urgent first."""
    from collector.desk.messages import NobodyThere, Request, ask
    from collector.monitor.alarms.alarm import ADVISORY
    from collector.show.alarm_list import facts_by_id

    expect_record(data)
    try:
        found: Mapping[str, Any] = ask(data, Request(do="list")).alarms
        running = True
    except NobodyThere as exc:
        errors.print(f"{exc}\nthese are the alarms that are known last", markup=False, style="yellow")
        found, running = facts_by_id(_known_last(data)), False
    if json:
        _print_json({"advice": ADVISORY, "running": running, "alarms": found})
        return
    for line in lines_of(found):
        output.print(line, markup=False)
    output.print(ADVISORY, markup=False)


def _treating(what: Treated, does: str) -> None:
    """One of the commands that need no reason but where the plant asks for one; `does` is its help."""

    @alarms.command(name=what, help=does)
    def treat(ids: Ids, comment: Comment = None, data: Data = DATA, json: Json = False) -> None:
        _do(what, ids, data, reason=comment or "", json=json)


_treating("acknowledge", "Say that somebody knows of alarms.")


@alarms.command()
def shelve(
    ids: Ids,
    time_limit: Annotated[str, typer.Option("--for", help="How long, at most 24h; it ends by itself.")],
    reason: Reason,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Hide alarms for a time."""
    _do("shelve", ids, data, reason=reason, lasts_s=seconds(time_limit), json=json)


_treating("unshelve", "End a shelf before its time.")
_treating("reset", "Reset alarms that latched, have returned and were acknowledged.")


@alarms.command()
def service(
    ids: Ids,
    reason: Reason,
    back: Annotated[bool, typer.Option("--back", help="Put them back in service instead.")] = False,
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Take alarms out of service while somebody works on the instrument, or put them back."""
    _do("put_back" if back else "take_out", ids, data, reason=reason, json=json)


@alarms.command()
def figures(
    from_: Annotated[str, typer.Option("--from", help="Begin: ISO time (UTC if it names no zone), or -2h.")] = "-7d",
    to: Annotated[str, typer.Option("--to", help="End, itself not included: ISO time, now, or e.g. -1h.")] = "now",
    data: Data = DATA,
    json: Json = False,
) -> None:
    """Print the figures of merit of a stretch of time: rate, floods, chattering, stale alarms, those that call most often."""
    from collector.store.files import StoreError, journal_files
    from collector.store.rows import DamagedRow

    from_ns, to_ns = time_ns(from_), time_ns(to)
    if from_ns >= to_ns:
        wrong_input(f"--from {from_} is not before --to {to}")
    if not journal_files(data):
        wrong_input(f"{data}: there is no journal here; give the daemon's folder with --data")
    try:
        found = _merit(data, from_ns, to_ns)
    except (StoreError, DamagedRow) as exc:
        failed(str(exc))
    if json:
        _print_json(_merit_facts(found))
    else:
        for line in _merit_lines(found):
            output.print(line, markup=False)


def _do(what: Deed, ids: Iterable[str], data: Path, *, reason: str, lasts_s: float | None = None, json: bool) -> None:
    from collector.desk.messages import NobodyThere, Request, ask

    try:
        answer = ask(data, Request(do=what, alarms=tuple(ids), reason=reason.strip(), lasts_s=lasts_s))
    except NobodyThere as exc:
        failed(str(exc))
    _tell(answer, json=json)


def _tell(answer: Answer, *, json: bool) -> None:
    from collector.monitor.alarms.alarm import ADVISORY

    if json:
        _print_json({"advice": ADVISORY, **answer.model_dump()})
    else:
        for line in (*answer.said, *((ADVISORY,) if answer.said else ())):
            output.print(line, markup=False)
    for line in answer.refused:
        errors.print(line, markup=False, style="red")
    if answer.wrong:
        wrong_input(answer.wrong)
    if answer.failed or answer.refused:
        failed(answer.failed)


def _known_last(data: Path) -> list[Alarm]:
    from collector.memory.alarms import KIND, alarms_of
    from collector.store.files import StoreError
    from collector.store.registry import Registry

    try:
        with closing(Registry(data, read_only=True)) as registry:
            return alarms_of(registry.states(KIND))
    except StoreError as exc:
        failed(str(exc))


def _merit(data: Path, from_ns: int, to_ns: int) -> Merit:
    from collector.monitor.alarms.alarm import Alarm
    from collector.monitor.alarms.merit import calls_of, merit
    from collector.store.reader import Reader
    from collector.terms import EventKind

    with closing(Reader(data)) as reader:
        events = [row.event for row in reader.events_after(EventKind.ALARM, 0) if row.event.slot_ns < to_ns]
    newest = {alarm.key: alarm for alarm in map(Alarm.of_event, events)}
    calls = [call for call in calls_of(events) if call.at_ns >= from_ns]
    return merit(sorted(calls, key=lambda call: call.at_ns), newest.values(), from_ns, to_ns)


def _merit_facts(found: Merit) -> dict[str, Any]:
    return {
        "calls": found.calls,
        "per_10_min": found.per_10_min,
        "most_in_10_min": found.most_in_10_min,
        "floods": [{"from_ns": each.from_ns, "to_ns": each.to_ns, "calls": each.calls} for each in found.floods],
        "chattering": [key.id for key in found.chattering],
        "stale": [key.id for key in found.stale],
        "top": {key.id: calls for key, calls in found.top},
        "priorities": dict(found.priorities),
    }


def _merit_lines(found: Merit) -> list[str]:
    share = max(found.calls, 1) / 100
    floods = [f"  {time_of(each.from_ns)} to {time_of(each.to_ns) or 'now'}: {each.calls} calls" for each in found.floods]
    return [
        f"calls            {found.calls}",
        f"per 10 min       {found.per_10_min:.3g} on average (acceptable 1, manageable 2), {found.most_in_10_min} at the most",
        f"floods           {len(found.floods)} (target none)",
        *floods,
        f"chattering       {', '.join(key.id for key in found.chattering) or 'none'}",
        f"stale, > 24 h    {len(found.stale)} (target fewer than 5) {', '.join(key.id for key in found.stale)}".rstrip(),
        f"priorities       {', '.join(f'{name} {calls / share:.0f} %' for name, calls in found.priorities)}",
        *(["most often"] if found.top else []),
        *(f"  {calls / share:5.1f} %  {calls:6}  {key.id}" for key, calls in found.top),
    ]


def _print_json(what: Mapping[str, Any]) -> None:
    typer.echo(orjson.dumps(what, option=orjson.OPT_INDENT_2).decode())
