"""What `judge` reads: the journal of a data folder, or a CSV file of recorded batches, each before the judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import track

from collector.commands.terms import counted, errors, wrong_input
from collector.monitor.lasting import LASTING
from collector.report import verdicts
from collector.report.doubted import Doubted, Doubts
from collector.report.finished import EARLIEST_NS, FinishedRecord, judged, replayed
from collector.report.recorded.file import load_recording
from collector.report.recording import Recording, Said, Wanted
from collector.report.tally import Verdict
from collector.report.verdicts import When
from collector.report.violations import Violation
from collector.store.files import journal_files
from collector.store.reader import Reader
from collector.terms import Event, EventKind, Stamp
from config.expressions.tree import operands
from config.faults import did_you_mean
from config.limit_file import Limits
from config.limit_statistics import DURATION
from config.limits import Limit
from config.tags import Kind
from drivers.base import Column, Layout, scan_groups

LATEST_NS = 1 << 62
"""`--to`, where nobody said it: of a file that is its end, whatever day it is now."""
LEAST_LEAD_NS = 3_600_000_000_000
"""Of what is judged before `--from`, so that windows are full and rules have their state."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the record."""

    from_ns: int
    to_ns: int
    unit: str | None
    batch: str | None

    def takes(self, unit: str, batch: str) -> bool:
        """Whether something of this unit and batch is asked for."""
        return self.unit in (None, unit) and self.batch in (None, batch)


@dataclass(slots=True)
class Found:
    """Of the whole record."""

    events: list[Event]
    verdicts: list[Verdict]
    violations: list[Violation]
    never_held: list[Limit]
    when: When
    remarks: list[str] = field(default_factory=list)


# --- a data folder


def of_folder(data: Path, limits: Sequence[Limit], asked: Asked) -> Found:
    """Raises StoreError, DamagedRow."""
    if not journal_files(data):
        wrong_input(f"{data}: there is no journal here; give the daemon's folder, or a CSV file, with --data")
    reader = Reader(data)
    try:
        layouts = reader.layouts()
        _check_roles(limits, [column for layout in layouts for column in layout.columns], asked)
        asked = _narrowed(reader, asked)
        longest_ns = max(layout.period_ns for layout in layouts)
        lead_ns = max([LEAST_LEAD_NS, *(round(limit.window_s * 1e9) for limit in limits if limit.window_s)])
        if any(limit.statistic in (*LASTING, DURATION) for limit in limits):
            lead_ns = max(lead_ns, asked.from_ns - _begun_ns(reader, asked.from_ns))
        after_seq = reader.committed_before(asked.from_ns - lead_ns) if asked.from_ns > EARLIEST_NS + lead_ns else 0
        record = FinishedRecord(limits, asked.from_ns)
        total = reader.totals().seq - after_seq
        rows = replayed(reader, record, after_seq, asked.to_ns + (2 * longest_ns if asked.batch else 0))
        shown = track(rows, "judge", total, console=errors, transient=True, disable=not errors.is_terminal)
        events = [event for _, told in shown for event in told]
    finally:
        reader.close()
    found = _found(record, events, limits, asked, verdicts.date)
    if record.refused:
        found.remarks.append(f"{counted(record.refused, 'scan')} not later than the one before: not judged")
    return found


def _begun_ns(reader: Reader, from_ns: int) -> int:
    """When the oldest of the batches began that ran then; of a unit without batches its phase."""
    begun: dict[str, dict[str, int]] = {}
    for event in reader.newest_events(EventKind.BATCH, 1_000_000):
        if event.body.get("state") == "began" and event.slot_ns <= from_ns:
            begun.setdefault(event.unit, {})[str(event.body["what"])] = event.slot_ns - LEAST_LEAD_NS
    return min([from_ns, *(of_unit.get("batch", of_unit.get("phase", from_ns)) for of_unit in begun.values())])


def batches(count: int) -> str:
    """`1 batch`, `2 batches`"""
    return f"{count} batch{'' if count == 1 else 'es'}"


def _check_roles(limits: Sequence[Limit], columns: Sequence[Column], asked: Asked) -> None:
    units, roles = {column.unit for column in columns}, {column.role for column in columns}
    if asked.unit is not None and asked.unit not in units:
        wrong_input(f"the record knows no unit {asked.unit}{did_you_mean(asked.unit, units)}; it has {', '.join(sorted(units))}")
    limited = sorted(_roles_read(limits))
    if limited and roles.isdisjoint(limited):
        wrong_input(f"the record has no role that has limits: {', '.join(limited)}; it has {', '.join(sorted(roles))}")


def _roles_read(limits: Iterable[Limit]) -> set[str]:
    """Of the limits: what they are on, setpoints, and what expressions are made of; roles of other units are not there."""
    found = (operand for limit in limits if limit.statistic != DURATION for operand in operands(limit.tree))
    return {operand.role for operand in found if operand.unit is None}


def _narrowed(reader: Reader, asked: Asked) -> Asked:
    """To the time of the batch that is asked for."""
    if asked.batch is None:
        return asked
    told = [event for event in reader.newest_events(EventKind.BATCH, 1_000_000) if event.body.get("what") == "batch"]
    told = [event for event in told if asked.unit in (None, event.unit)]
    of_batch = [event for event in told if event.stamp.batch == asked.batch]
    if not of_batch:
        names = list(dict.fromkeys(event.stamp.batch for event in told))
        there = f"; the newest are {', '.join(names[-10:])}" if names else "; it tells of none"
        wrong_input(f"the record knows no batch {asked.batch}{did_you_mean(asked.batch, names)}{there}")
    began = [event.slot_ns for event in of_batch if event.body["state"] == "began"]
    ended = [event.slot_ns + 1 for event in of_batch if event.body["state"] == "ended"]
    from_ns = max(asked.from_ns, min(began)) if began else asked.from_ns
    runs_on = of_batch[-1].body["state"] == "began"
    return Asked(from_ns, asked.to_ns if runs_on else min(asked.to_ns, max(ended)), asked.unit, asked.batch)


# --- a CSV file


def of_csv(path: Path, table: Limits, asked: Asked, said: Said) -> Found:
    """Raises ConfigError."""
    about = _columns_of(table, asked.unit)
    unit = asked.unit or (next(iter(about.values())).unit if table.plant else "")
    roles = {name: column.role for name, column in about.items()}
    phases = "phase" in said.columns or any(map(_heeds_phases, table.rows))
    together = any(limit.is_derived for limit in table.rows)
    phase_names = frozenset(limit.phase for limit in table.rows if limit.phase is not None)
    wanted = Wanted(roles, said, unit, _context(table, unit), _only(table.rows), phases, phase_names, together)
    recording = load_recording(path, wanted)
    count = len({(batch.unit, batch.name) for batch in recording.batches})
    scans = sum(len(batch.slots_ns) for batch in recording.batches)
    errors.print(f"{path}: {batches(count)}, {counted(scans, 'scan')}", markup=False)
    for how in recording.read_as:
        errors.print(f"  {how}", markup=False)
    if not recording.has_dates and (asked.from_ns != EARLIEST_NS):
        wrong_input("--from is for records with dates: the times of this one are seconds")
    if asked.batch is not None and asked.batch not in (names := [batch.name for batch in recording.batches]):
        wrong_input(f"{path} has no batch {asked.batch}{did_you_mean(asked.batch, names)}; it has {', '.join(names[:20])}")
    record = FinishedRecord(table.rows, asked.from_ns, from_begin=True)
    doubts, remarks = Doubts(table.plant) if table.plant else None, list[str]()
    events = list(_judged(recording, about, record, table.rows, asked, doubts, remarks))
    found = _found(record, events, table.rows, asked, verdicts.date if recording.has_dates else verdicts.since_start)
    found.remarks += [*recording.remarks, *remarks]
    return found


def _only(limits: Sequence[Limit]) -> dict[str, str]:
    """What all limits name."""
    named = {
        "unit": {limit.unit for limit in limits},
        "product": {limit.product for limit in limits},
        "recipe_version": {limit.recipe_version for limit in limits},
    }
    return {key: name for key, names in named.items() if len(names) == 1 and (name := next(iter(names))) is not None}


def _heeds_phases(limit: Limit) -> bool:
    """Whether a change of phase matters to it."""
    return limit.phase is not None or limit.settle_s > 0 or limit.statistic != "value" or limit.is_derived


def _columns_of(table: Limits, unit: str | None) -> dict[str, Column]:
    """By the name that a column may have: a role; of a plant a tag's name, too."""
    roles = _roles_read(table.rows)
    if not roles:
        wrong_input("these limits are on durations of phases alone, and a CSV file is read by its columns: add a limit on one")
    if table.plant is None:
        return {role: Column(role, role, unit or "", Kind.REAL) for role in sorted(roles)}
    layouts = [group.layout for endpoint in table.plant.endpoints for group in scan_groups(endpoint)]
    of_plant = [column for layout in layouts for column in layout.columns]
    units = sorted({column.unit for column in of_plant if column.role in roles})
    if unit is None and len(units) > 1:
        wrong_input(f"the limits are of a plant with several units ({', '.join(units)}): say with --unit which one the CSV is of")
    if unit is not None and unit not in units:
        wrong_input(f"no tag of unit {unit} has limits{did_you_mean(unit, units)}; units with limits: {', '.join(units)}")
    doubts = Doubts(table.plant)
    beside = {name: roles | doubts.beside(name, roles) for name in units}
    chosen = [column for column in of_plant if unit in (None, column.unit) and column.role in beside.get(column.unit, ())]
    return {name: column for column in chosen for name in (column.role, column.name)}


def _context(table: Limits, unit: str) -> Stamp:
    """What the plant file says where the controller does not."""
    for each in table.plant.units if table.plant else ():
        if each.name == unit:
            return Stamp(product=each.product or "", recipe_version=each.recipe_version or "", mode=each.mode)
    return Stamp()


def _judged(
    recording: Recording,
    about: dict[str, Column],
    record: FinishedRecord,
    limits: Sequence[Limit],
    asked: Asked,
    doubts: Doubts | None,
    remarks: list[str],
) -> Iterator[Event]:
    chosen = [batch for batch in recording.batches if asked.takes(batch.unit, batch.name)]
    until = [batch.before(asked.to_ns) if recording.has_dates and asked.to_ns != LATEST_NS else batch for batch in chosen]
    for batch in track(until, "judge", console=errors, transient=True, disable=not errors.is_terminal):
        columns = tuple(_of_unit(about[role], batch.unit) for role in batch.roles or recording.roles)
        layout = Layout("recorded", batch.unit, batch.name, batch.period_ns or recording.period_ns, columns)
        doubted = doubts.of(batch, layout) if doubts else Doubted(batch)
        remarks += doubted.remarks
        yield from doubted.events
        for events in judged(doubted.batch, layout, record, limits):
            yield from events


def _of_unit(column: Column, unit: str) -> Column:
    return Column(column.name, column.role, unit, Kind.REAL, column.engineering_unit, low=column.low, high=column.high)


def _found(record: FinishedRecord, events: Sequence[Event], limits: Sequence[Limit], asked: Asked, when: When) -> Found:
    return Found(
        [event for event in events if asked.takes(event.unit, event.stamp.batch)],
        [verdict for verdict in record.verdicts if asked.takes(verdict.unit, verdict.batch)],
        [each for each in record.violations.found if asked.takes(each.unit, each.batch)],
        [limit for limit in limits if limit not in record.held],
        when,
    )
