"""What holds for every test: no task outlives it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest
import pytest_asyncio
import typer.main
import typer.testing
from hypothesis import HealthCheck, settings

from tests.thorough import EXAMPLES, THOROUGH

# Kept byte code halves what each worker and each process started by a test spends before it does anything.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No deadline, and none for drawing examples: how long one takes says how busy the machine is.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("brief", _UNTIMED, max_examples=25)
settings.register_profile("thorough", _UNTIMED, max_examples=EXAMPLES)
settings.load_profile("thorough" if THOROUGH else "brief")

# A command that is typed in a test would be built anew each time, with all the others: 60 ms.
patch.object(typer.testing, "_get_command", cache(typer.main.get_command)).start()

ROOT = Path(__file__).resolve().parent
DATA = ROOT.parents[1] / "shared" / "data"


@pytest_asyncio.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind."""
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task() and not task.done()}
    assert not left, f"tasks left behind: {left}"


LONGEST_FIRST = (
    *("unit/simulators/test_recipe_library", "system/test_commands", "system/test_recorded_batches"),
    *(
        "system/test_wire_faults",
        "unit/simulators/test_simulated_recipe",
        "unit/simulators/test_timeline",
        "system/test_flapping",
    ),
    *("system/test_web", "system/test_simulate_command", "faults/", "system/", "unit/monitor/"),
)
"""Beginnings of the paths of test files: who takes long may not be the last. The others follow in their order."""


def _turn(item: pytest.Item) -> int:
    path = item.path.relative_to(ROOT).as_posix()
    return next((turn for turn, begin in enumerate(LONGEST_FIRST) if path.startswith(begin)), len(LONGEST_FIRST))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every asynchronous test is watched; what takes long comes first."""
    items.sort(key=_turn)
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.fixturenames.insert(0, "no_leaked_tasks")


def pytest_collection_finish() -> None:
    """What all tests need stays: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded batches; a test that needs it is skipped where it is absent, and says what is missing. In CI it
    fails where `shared` is there without it; a checkout that stands alone passes."""
    if (DATA / "dryer.csv").is_file():
        return DATA
    missing = "the recorded dryer batches are not here: ../shared/data/dryer.csv beside the checkout"
    if os.environ.get("CI") and DATA.parent.is_dir():
        pytest.fail(missing)
    pytest.skip(missing)
