"""What holds for every test: no task outlives it."""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import settings

# Kept byte code halves what each worker and each process started by a test spends before it does anything.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# No deadline: how long an example takes says how busy the machine is. `--hypothesis-profile thorough` looks at more.
settings.register_profile("brief", settings(), deadline=None, max_examples=30)
settings.register_profile("thorough", settings(), deadline=None, max_examples=1000)
settings.load_profile("brief")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest_asyncio.fixture
async def no_leaked_tasks() -> AsyncIterator[None]:
    """Fail a test that leaves a task behind."""
    before = asyncio.all_tasks()
    yield
    left = {task for task in asyncio.all_tasks() - before if task is not asyncio.current_task() and not task.done()}
    assert not left, f"tasks left behind: {left}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every asynchronous test is watched."""
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.function):
            item.fixturenames.insert(0, "no_leaked_tasks")


def pytest_collection_finish() -> None:
    """What all tests need stays: no collection of garbage looks through it again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def recorded() -> Path:
    """The folder of recorded batches; a test that needs it is skipped where it is absent."""
    if not DATA.is_dir():
        pytest.skip("the recorded batches are not here: ../shared/data beside the checkout")
    return DATA
