"""What a daemon keeps is not looked through for garbage; what comes and goes is."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from collector import garbage
from collector.garbage import for_good, unsearched


class Part:
    """Something that is kept, or is garbage in a cycle."""

    def __init__(self) -> None:
        self.itself: Part | None = None


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    gc.unfreeze()
    assert gc.isenabled()


@asynccontextmanager
async def _plant(searched: list[bool]) -> AsyncIterator[Part]:
    searched.append(gc.isenabled())
    yield Part()


def _is_searched(part: Part) -> bool:
    return any(each is part for each in gc.get_objects())


async def test_what_is_opened_for_good_is_not_searched_and_no_search_comes_while_it_opens() -> None:
    searched: list[bool] = []
    async with for_good(_plant(searched)) as part:
        assert searched == [False]
        assert gc.isenabled()
        assert not _is_searched(part)


async def test_garbage_that_comes_later_is_found() -> None:
    async with for_good(_plant([])):
        part = Part()
        part.itself = part
        gone = weakref.ref(part)
        del part
        gc.collect()
        assert gone() is None


async def test_once_it_has_settled_what_came_since_is_kept_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "SETTLED_S", 0.0)
    async with for_good(_plant([])):
        part = Part()
        assert _is_searched(part)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not _is_searched(part)


async def test_a_plant_that_cannot_be_opened_leaves_the_search_on() -> None:
    @asynccontextmanager
    async def _refused() -> AsyncIterator[Part]:
        raise OSError
        yield

    with pytest.raises(OSError):
        async with for_good(_refused()):
            raise AssertionError


def test_a_search_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with unsearched():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
