"""One recorded course of a plant nobody knows, in the many ways in which plants export it, and what pandas counts in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from typer.testing import CliRunner, Result

from collector.__main__ import app

TAGS = ("TT-101", "PT-101", "ST-101")
PAR: dict[str, tuple[float | None, float | None]] = {"TT-101": (62.0, 68.0), "PT-101": (None, 2.4), "ST-101": (40.0, None)}
BEGIN = pd.Timestamp("2026-11-26T16:58:30Z")
PERIOD_S = 10


def course(rows: int = 240, seed: int = 7) -> pd.DataFrame:
    """A slow wave with noise about each limit: many excursions of all lengths, also of one sample; indexed by time."""
    dice = np.random.default_rng(seed)
    at = np.arange(rows)
    wave = np.sin(at / 9.0)
    values = {
        "TT-101": 65 + 3.2 * wave + dice.normal(0, 0.5, rows),
        "PT-101": 2.2 + 0.25 * np.sin(at / 5.0) + dice.normal(0, 0.05, rows),
        "ST-101": 44 + 5 * np.cos(at / 13.0) + dice.normal(0, 1.0, rows),
    }
    index = BEGIN + pd.to_timedelta(at * PERIOD_S, unit="s")
    return pd.DataFrame({tag: np.round(value, 2) for tag, value in values.items()}, index=index)


def counted(frame: pd.DataFrame, tag: str) -> dict[str, tuple[int, int]]:
    """(runs, samples) beyond each level, of good samples one after another."""
    good = frame[tag].dropna()
    low, high = PAR[tag]
    found = {}
    for rule, outside in (
        ("PAR low", good < low if low is not None else None),
        ("PAR high", good > high if high is not None else None),
    ):
        if outside is not None:
            begins = outside & ~outside.shift(fill_value=False)
            found[rule] = (int(begins.sum()), int(outside.sum()))
    return found


def excursions(frame: pd.DataFrame, tag: str, period_s: int = PERIOD_S) -> int:
    """Runs outside PAR; two that only one period of good samples inside parts are one."""
    good = frame[tag].dropna()
    low, high = PAR[tag]
    outside = pd.Series(data=False, index=good.index)
    outside |= good < (-np.inf if low is None else low)
    outside |= good > (np.inf if high is None else high)
    back, count, before = None, 0, False
    for time, is_outside in outside.items():
        if is_outside and not before and (back is None or time - back > pd.Timedelta(seconds=period_s)):
            count += 1
        if before and not is_outside:
            back = time
        before = bool(is_outside)
    return count


def limits(folder: Path) -> Path:
    """The least that a limit table may hold."""
    path = folder / "limits.csv"
    rows = [f"{tag},{'' if low is None else low},{'' if high is None else high}" for tag, (low, high) in PAR.items()]
    path.write_text("tag,low,high\n" + "\n".join(rows) + "\n", "utf-8")
    return path


def judge(record: Path, *words: str) -> Result:
    """As it is typed."""
    of = limits(record.parent)
    return CliRunner().invoke(
        app, ["judge", "--data", str(record), "--limits", str(of), "--json", *words], env={"COLUMNS": "300"}
    )


def assert_right(result: Result, frames: dict[str, pd.DataFrame], period_s: int = PERIOD_S) -> dict[str, Any]:
    """By batch, every count is that of pandas."""
    assert result.exit_code == 1, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    wanted = {(batch, tag): counted(frame, tag) for batch, frame in frames.items() for tag in TAGS}
    found: dict[tuple[str, str], dict[str, tuple[int, int]]] = {key: {} for key in wanted}
    for each in told["violations"]:
        found[each["batch"], each["role"]][each["rule"]] = (each["runs"], each["samples"])
        assert each["left"] == each["runs"], "without deadband and delay a rule is left once a run"
    assert found == wanted
    assert sum(runs for each in wanted.values() for runs, _ in each.values()) > 10, "a course that leaves nothing proves nothing"
    of_batch = {(batch, tag): excursions(frame, tag, period_s) for batch, frame in frames.items() for tag in TAGS}
    assert {(each["batch"], each["role"]): each["excursions"] for each in told["verdicts"]} == of_batch
    return told
