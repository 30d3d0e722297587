"""`status` tells of a daemon that runs and commits nothing: a full disk takes no state that could say so."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from collector.__main__ import app
from collector.store.files import locked
from collector.store.journal import Journal
from collector.store.registry import Registry
from tests.unit.store.simple import one

SECOND_NS = 1_000_000_000


def status(data: Path, *options: str) -> str:
    return CliRunner().invoke(app, ["status", "--data", str(data), *options], env={"COLUMNS": "300"}).stdout


@pytest.mark.parametrize(
    ("committed_s_ago", "started_s_ago", "runs", "told"),
    [(40, 90, True, True), (5, 90, True, False), (40, 3, True, False), (40, 90, False, False), (-3600, 90, True, False)],
    ids=["disk full", "well", "just started", "stopped", "clock set back"],
)
def test_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed_s_ago: int, started_s_ago: int, runs: bool, told: bool
) -> None:
    now_ns, data = time.time_ns(), tmp_path
    monkeypatch.setattr(time, "time_ns", lambda: now_ns)
    with ExitStack() as stack:
        lock = stack.enter_context(ExitStack())
        lock.enter_context(locked(data))
        with closing(Journal(data)) as journal, closing(Registry(data)) as registry:
            journal.append([one()], now_ns - committed_s_ago * SECOND_NS)
            registry.put_states("daemon", {"about": {"site": "Basel", "started_ns": now_ns - started_s_ago * SECOND_NS}})
        if not runs:
            lock.close()
        assert ("NOTHING IS COMMITTED for 40 s" in status(data)) is told
        assert json.loads(status(data, "--json"))["committed_ns"] == now_ns - committed_s_ago * SECOND_NS
