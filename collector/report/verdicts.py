"""What was found in a finished record, written down: a table for people, CSV and JSON for machines."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from collector.report.export import iso
from collector.report.tally import Verdict
from collector.report.violations import Total, Violation, totals
from collector.terms import Event, EventKind, Json

When = Callable[[int], str]
"""A slot, as it is shown."""

HEADER = (
    *("kind", "time", "unit", "batch", "phase", "role", "statistic", "window_s", "rule", "from", "to", "value", "level"),
    *("first", "last", "duration_s", "peak", "area", "not_evaluable_s", "coverage", "low", "high", "ended", "cpp", "limits_hash"),
)
TABLE = ("unit", "batch", "role", "excursions", "samples outside", "duration", "peak", "area", "rules left", "coverage")


def date(slot_ns: int) -> str:
    """Of a record that has dates."""
    return iso(slot_ns)


def since_start(slot_ns: int) -> str:
    """Of one that has seconds only."""
    return repr(slot_ns / 1e9)


def closed(events: Sequence[Event]) -> list[Event]:
    """Each excursion once, as it ended."""
    return [event for event in events if event.kind is EventKind.EXCURSION and event.body["state"] == "closed"]


def transitions(events: Sequence[Event]) -> list[Event]:
    """Of rules."""
    return [event for event in events if event.kind is EventKind.TRANSITION]


def evaluability(events: Sequence[Event]) -> list[Event]:
    """When limits became evaluable, or no longer were."""
    return [event for event in events if event.kind is EventKind.EVALUABILITY]


def row(event: Event, when: When) -> list[str]:
    """In the order of `HEADER`; a number reads back to the same value."""
    told = {"kind": event.kind.value, "time": when(event.slot_ns), "unit": event.unit, **_fields(event, when)}
    return [_cell(told.get(name)) for name in HEADER]


def _fields(event: Event, when: When) -> dict[str, Json]:
    body = dict(event.body)
    fields: dict[str, Json] = {"batch": event.stamp.batch, "phase": event.stamp.phase, **body}
    for name in ("first", "last"):
        if isinstance(slot_ns := body.get(f"{name}_ns"), int):
            fields[name] = when(slot_ns)
    return fields


def _cell(value: Json) -> str:
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)


EXCURSIONS = "excursions"
"""Stands in place of a level."""
VIOLATIONS = ("role", "limit", "phase", "batches", "runs", "samples", "time", "worst", "left")
VIOLATIONS_HEADER = (
    *("unit", "batch", "role", "statistic", "window_s", "rule", "level", "phases"),
    *("runs", "samples", "duration_s", "worst", "worst_time", "left"),
)


def violation(of: Violation, when: When) -> dict[str, Json]:
    """By the names of `VIOLATIONS_HEADER`."""
    return {
        **{"unit": of.unit, "batch": of.batch, "role": of.role, "statistic": of.statistic, "window_s": of.window_s},
        **{"rule": of.rule, "level": of.level, "phases": list(of.phases)},
        **{"runs": of.runs if of.is_counted else None, "samples": of.samples if of.is_counted else None},
        **{"duration_s": of.seconds, "worst": of.worst, "worst_time": None if of.worst is None else when(of.worst_ns)},
        "left": of.left,
    }


def violation_row(of: Violation, when: When) -> list[str]:
    """In the order of `VIOLATIONS_HEADER`."""
    told = violation(of, when) | {"phases": " | ".join(of.phases)}
    return [_cell(told[name]) for name in VIOLATIONS_HEADER]


def total_line(of: Total) -> list[str]:
    """In the order of `VIOLATIONS`."""
    counts = ["" if count is None else str(count) for count in (of.runs, of.samples)]
    worst = f"{of.worst:.6g}" if of.worst is not None else ""
    left = "" if of.left is None else f"{of.left}x"
    return [of.role, of.shown, of.phases, str(of.batches), *counts, f"{of.seconds:g} s", worst, left]


def total(of: Total) -> dict[str, Json]:
    """For machines."""
    return {
        **{"role": of.role, "limit": of.shown, "phases": of.phases, "batches": of.batches, "runs": of.runs},
        **{"samples": of.samples, "duration_s": of.seconds, "worst": of.worst, "left": of.left},
    }


def in_total(violations: Sequence[Violation], verdicts: Sequence[Verdict]) -> list[Total]:
    """Level by level over all batches, and behind them the excursions of each role, which both sides of PAR share."""
    found = totals(violations)
    of_role: dict[str, list[Verdict]] = {}
    for each in verdicts:
        of_role.setdefault(each.role, []).append(each)
    for role, members in of_role.items():
        outside = [each for each in members if each.excursions]
        if outside:
            farthest = max(outside, key=lambda each: each.beyond).peak
            counts = sum(each.excursions for each in outside), sum(each.outside for each in outside)
            found.append(
                Total(role, EXCURSIONS, "", *counts, sum(each.duration_s for each in outside), farthest, None, len(outside))
            )
    return sorted(found, key=lambda each: each.role)


def as_json(events: Sequence[Event], verdicts: Sequence[Verdict], violations: Sequence[Violation], when: When) -> dict[str, Json]:
    """The findings, the verdicts, and how often each limit was violated."""
    return {
        "violations": [violation(each, when) for each in violations],
        "totals": [total(each) for each in in_total(violations, verdicts)],
        "excursions": [_found(event, when) for event in closed(events)],
        "transitions": [_found(event, when) for event in transitions(events)],
        "evaluability": [_found(event, when) for event in evaluability(events)],
        "verdicts": [_verdict(verdict, when) for verdict in verdicts],
    }


def _found(event: Event, when: When) -> dict[str, Json]:
    return {"time": when(event.slot_ns), "slot_ns": event.slot_ns, "unit": event.unit, **_fields(event, when)}


def _verdict(verdict: Verdict, when: When) -> dict[str, Json]:
    return {
        "unit": verdict.unit,
        "batch": verdict.batch,
        "role": verdict.role,
        "from": when(verdict.first_ns),
        "to": when(verdict.last_ns),
        "samples": verdict.expected,
        "good": verdict.good,
        "coverage": verdict.coverage,
        "not_evaluable_s": verdict.not_evaluable_s,
        "low": verdict.low,
        "high": verdict.high,
        "excursions": verdict.excursions,
        "samples_outside": verdict.outside,
        "duration_s": verdict.duration_s,
        "area": verdict.area,
        "peak": verdict.peak,
        "rules_left": dict(sorted(verdict.left.items())),
    }


def line(verdict: Verdict) -> list[str]:
    """In the order of `TABLE`."""
    left = ", ".join(f"{rule} {count}x" for rule, count in sorted(verdict.left.items()))
    found = verdict.excursions > 0
    return [
        verdict.unit,
        verdict.batch,
        verdict.role,
        str(verdict.excursions),
        str(verdict.outside),
        f"{verdict.duration_s:g} s" if found else "",
        f"{verdict.peak:.6g}" if verdict.peak is not None else "",
        f"{verdict.area:.6g}" if found else "",
        left,
        "100 %"
        if verdict.good == verdict.expected
        else f"{100 * verdict.coverage:.2f} %, {verdict.not_evaluable_s:g} s not evaluable",
    ]
