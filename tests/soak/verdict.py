"""What must have held while devices were flapping, and the figures for people. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from tests.wire.account import Account, silent_ends

WARM_UP_SHARE, WARM_UP_S = 0.2, 300.0
"""Memory is looked at after the shorter of the two."""
GROWTH_FROM_S = 120.0
"""A shorter run tells nothing of what grows: devices that come back at its end are files and threads too."""
MEMORY_MB = 5.0
"""± around the median."""
LINES_PER_FAULT, LINES_PER_GAP, LINES_BESIDES = 12, 4, 200
"""A machine that is busy makes gaps of its own: they are told as they begin and end."""
TASKS_BESIDES, TASKS_PER_DEVICE = 15, 5
MORE_FILES, MORE_THREADS = 10, 2


@dataclass(frozen=True)
class Measured:
    """One run."""

    seconds: float
    told: Sequence[dict[str, int]]
    """What the daemon told of itself, in its order."""
    counts: dict[str, dict[str, Any]]
    """By endpoint: `most_connections`, `most_sessions`."""
    accounts: dict[str, Account]
    """By device."""
    log: Sequence[str]
    """The daemon's."""
    begun: Counter[str]
    """Faults, by kind."""

    def series(self, figure: str) -> list[int]:
        """After the warm-up."""
        begin_ms = self.told[0]["at_ms"] + 1000 * min(WARM_UP_S, WARM_UP_SHARE * self.seconds)
        return [told[figure] for told in self.told if figure in told and told["at_ms"] >= begin_ms]


def verdict(measured: Measured, devices: int, problems: list[str]) -> dict[str, Any]:
    """Figures, and under `problems` what did not hold, added to `problems`."""
    problems = problems + _of_values(measured, devices) + _of_connections(measured) + _of_growth(measured, devices)
    memory = measured.series("resident_bytes") or [0]
    accounts = measured.accounts.values()
    return {
        "seconds": measured.seconds,
        "devices": devices,
        "faults": dict(measured.begun),
        "slots": sum(len(account.told) for account in accounts),
        "slots_good": sum(len(account.good) for account in accounts),
        "slots_with_bad_samples": sum(len(account.partly) for account in accounts),
        "gaps": sum(len(account.gaps) for account in accounts),
        "wrong_samples": sum(len(account.wrong) for account in accounts),
        "most_connections": max(counts["most_connections"] for counts in measured.counts.values()),
        "most_sessions": max(counts.get("most_sessions", 0) for counts in measured.counts.values()),
        "sessions_created": sum(counts.get("created", 0) for counts in measured.counts.values()),
        "memory_mb": {"median": median(memory) / 1e6, "least": min(memory) / 1e6, "most": max(memory) / 1e6},
        "memory_mb_over_time": [round(value / 1e6, 1) for value in memory[:: max(1, len(memory) // 20)]],
        "most_tasks": max(measured.series("tasks") or [0]),
        "most_threads": max(measured.series("threads") or [0]),
        "most_files": max(measured.series("files") or [0]),
        "log_lines": len(measured.log),
        "cpu_share": _cpu_share(measured),
        "problems": problems,
    }


def _of_values(measured: Measured, devices: int) -> list[str]:
    found = [fault for account in measured.accounts.values() for fault in account.faults()][:20]
    found += silent_ends(measured.accounts)
    if len(measured.accounts) != devices:
        found.append(f"the journal knows {len(measured.accounts)} devices of {devices}")
    return found


def _of_connections(measured: Measured) -> list[str]:
    return [
        f"{endpoint}: {counts[figure]} at a time ({figure})"
        for endpoint, counts in measured.counts.items()
        for figure in ("most_connections", "most_sessions")
        if counts.get(figure, 0) > 1
    ]


def _of_growth(measured: Measured, devices: int) -> list[str]:
    found = []
    memory = measured.series("resident_bytes")
    if measured.seconds >= GROWTH_FROM_S and memory:
        off = max(abs(value - median(memory)) for value in memory) / 1e6
        if off > MEMORY_MB:
            found.append(f"memory is {off:.1f} MB off its median of {median(memory) / 1e6:.1f} MB")
    if not measured.told or measured.told[-1].get("tasks_left") != 0:
        found.append(f"the daemon did not end well, or left tasks behind: {measured.told[-1:]}")
    if (most := max(measured.series("tasks") or [0])) > TASKS_BESIDES + TASKS_PER_DEVICE * devices:
        found.append(f"{most} tasks")
    for figure, more in (("files", MORE_FILES), ("threads", MORE_THREADS)):
        series = measured.series(figure)
        early, late = series[: len(series) // 2], series[len(series) // 2 :]
        if measured.seconds >= GROWTH_FROM_S and early and max(late) > max(early) + more:
            found.append(f"{figure} grow: at most {max(early)} in the first half, {max(late)} in the second")
    gaps = sum(len(account.gaps) for account in measured.accounts.values())
    if len(measured.log) > LINES_BESIDES + LINES_PER_FAULT * measured.begun.total() + LINES_PER_GAP * gaps:
        found.append(f"{len(measured.log)} lines of log for {measured.begun.total()} faults and {gaps} gaps")
    return found


def _cpu_share(measured: Measured) -> float:
    told = [each for each in measured.told if "cpu_ms" in each]
    if len(told) < 2:
        return 0.0
    return round((told[-1]["cpu_ms"] - told[0]["cpu_ms"]) / max(1, told[-1]["at_ms"] - told[0]["at_ms"]), 4)
