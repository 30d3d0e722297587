"""The picture on a terminal: it fits, the most important is there, and a terminal that hangs holds nothing up."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import IO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from collector.show.picture import (
    AlarmPicture,
    AlarmsPicture,
    BreachPicture,
    DevicePicture,
    EventPicture,
    ExcursionPicture,
    GatewayPicture,
    LimitPicture,
    Picture,
    SinkPicture,
    Span,
    State,
    TagPicture,
    UnitPicture,
)
from collector.show.terminal import render, watch

AT = "2026-11-23T08:53:52.000Z"
LIMIT = LimitPicture("value", 65, Span(63, 67), Span(60, 70), None, None, "ok")
BREACH = BreachPicture("PAR high", "value", "action", "high", 70, AT, "above PAR 70 °C")
PLAIN = TagPicture("TT-000", "temperature", "°C", 65.0, "65.0", "good", "", 0.1, Span(-30, 200), (), (), "no limits")
OK = replace(PLAIN, name="TT-OK", limits=(LIMIT,), state="ok")
ACTION = replace(
    PLAIN, name="TT-ACTION", shown="70.5", limits=(replace(LIMIT, state="action"),), breaches=(BREACH,), state="action"
)
STALE = replace(
    PLAIN, name="PT-STALE", shown="1.42", quality="stale", status="BadTimeout", age_s=75.0, limits=(LIMIT,), state="not evaluable"
)
EXCURSION = ExcursionPicture(
    "R-301", "TT-ACTION", "temperature", "°C", "B-1", "Dose", AT, AT, 61.0, "70.6", "18.7", Span(60, 70), "60 … 70", 0.0, True,
    ended="", action="Stop the feed.",
)  # fmt: skip
URL = "http://127.0.0.1:8480"


def plain_tags(prefix: str, count: int) -> tuple[TagPicture, ...]:
    return tuple(replace(PLAIN, name=f"{prefix}-{number:03}") for number in range(count))


def unit(name: str, *tags: TagPicture) -> UnitPicture:
    state: State = next((tag.state for tag in tags if tag.state != "no limits"), "no limits")
    return UnitPicture(name, "Reactor", "B-1", "Dose", "DEMO", "1.0", "pilot", 125.0, "told", state, tags)


def picture(*units: UnitPicture) -> Picture:
    return Picture(
        site="basel",
        time=AT,
        units=units,
        excursions=(EXCURSION,),
        closed_excursions=(),
        events=tuple(EventPicture(AT, "R-301", "info", f"event {number}") for number in range(30)),
        devices=(
            DevicePicture("plc-1", "plc", False, AT, "no answer from 10.0.0.7"),
            DevicePicture("plc-2", "plc", True, AT, ""),
        ),
        sinks=(SinkPicture("influx", False, 10, 6, 1, "503"),),
        gateway=GatewayPicture(1234, 56, 2, 1200, 34, 0, ""),
    )


ALARM = AlarmPicture(
    "R-301/temperature/HH", "R-301", "TT-ACTION", "HH", "value", "critical", "unacknowledged", True, False, True, AT, "75.5",
    "above HH 75 °C", "B-1", "Dose", True, "", "It runs away.", "Quench.",
)  # fmt: skip
BUSY = picture(unit("R-201", *plain_tags("A", 18), STALE, OK), unit("R-301", *plain_tags("B", 19), ACTION))


def shown(what: Picture, width: int, height: int, url: str | None = URL) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(render(what, url), end="")
    return capture.get().split("\n")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (160, 50)])
def test_what_matters_is_there(width: int, height: int) -> None:
    text = "\n".join(shown(BUSY, width, height))
    for words in (
        "basel", "2026-11-23 08:53:52 UTC", "advisory only, not the safety layer", "R-301 TT-ACTION (CPP) OUTSIDE PAR 60 … 70 °C",
        "DEVICE LOST plc-1", "SINK TAKES NOTHING influx", "R-201", "R-301", "70.5 °C", "ACTION", "1.42", "STALE 1 min 15 s",
        "Dose, 2 min 05 s", "event 0", "read 1234", "in the journal 1200", "pending 34", "lost scans 2", URL,
    ):  # fmt: skip
        assert words in text, words


def test_units_stand_beside_each_other_where_there_is_room() -> None:
    def beside(width: int) -> bool:
        return any("R-201" in line and "R-301 " in line for line in shown(BUSY, width, 40))

    assert beside(80)
    assert not beside(60)


def test_on_a_small_screen_rows_are_left_out_and_told_and_what_is_wrong_stays() -> None:
    text = "\n".join(shown(BUSY, 80, 24))
    assert "A-000" in text and "A-017" not in text
    assert re.search(r"… \d+ more", text)
    listed = [line for line in text.split("\n") if "A-0" in line or "STALE" in line]
    assert "PT-STALE" in listed[-1], "tags keep the order of the plant file"


def test_limits_are_shown_whole_or_not_at_all() -> None:
    for width in range(60, 200, 9):
        for line in shown(BUSY, width, 50):
            if "NOR 63" in line:
                assert "NOR 63 … 67  PAR 60 … 70" in line
    assert any("NOR 63 … 67  PAR 60 … 70" in line for line in shown(BUSY, 200, 50))


@given(
    width=st.integers(60, 220),
    height=st.integers(15, 70),
    tags=st.lists(st.integers(0, 40), min_size=0, max_size=6),
)
def test_it_fits_any_screen(width: int, height: int, tags: list[int]) -> None:
    lines = shown(picture(*(unit(f"R-{number}", *plain_tags("X", count)) for number, count in enumerate(tags))), width, height)
    assert len(lines) <= height
    assert all(cell_len(line) <= width for line in lines)
    assert any(URL in line for line in lines)


def test_nothing_in_a_text_is_taken_for_markup() -> None:
    odd = replace(PLAIN, name="[red]X[/]", shown="[link=http://x]y[/link]", engineering_unit="")
    assert "[link=http://x]y[/link]" in "\n".join(shown(picture(unit("R-1", odd)), 160, 50))


async def test_watching_on_no_terminal_writes_nothing_and_returns() -> None:
    file = io.StringIO()
    await watch(lambda: BUSY, lambda: URL, Console(file=file))
    assert file.getvalue() == ""


def drawing() -> list[threading.Thread]:
    """The thread that draws, while there is one."""
    return [thread for thread in threading.enumerate() if thread.name == "terminal"]


@pytest.fixture
def terminal() -> Iterator[tuple[int, Console]]:
    """The far end of a real terminal, and a console on it."""
    far, near = os.openpty()
    file = os.fdopen(near, "w", encoding="utf-8")
    try:
        yield far, Console(file=file, force_terminal=True, width=100, height=30, legacy_windows=False)
    finally:
        os.close(far)  # whoever still writes gets an error now
        for thread in drawing():
            thread.join(30.0)
        with contextlib.suppress(OSError):
            file.close()
    assert not drawing()


def fill(file: IO[str]) -> None:
    """Leave no room in a terminal that nobody reads."""
    os.set_blocking(file.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(file.fileno(), b"x" * 256)
    os.set_blocking(file.fileno(), True)


async def read_until(far: int, wanted: bytes) -> bytes:
    """What comes out of the terminal up to `wanted`."""
    loop, seen, done = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def ready() -> None:
        seen.extend(os.read(far, 65536))
        if wanted in seen:
            done.set()

    loop.add_reader(far, ready)
    try:
        async with asyncio.timeout(30):
            await done.wait()
    finally:
        loop.remove_reader(far)
    return bytes(seen)


async def test_watching_shows_pictures_and_leaves_the_terminal_as_it_was(terminal: tuple[int, Console]) -> None:
    far, console = terminal
    watching = asyncio.create_task(watch(lambda: BUSY, lambda: URL, console))
    assert b"\x1b[?1049h" in await read_until(far, URL.encode())
    watching.cancel()
    assert b"\x1b[?1049l" in await read_until(far, b"\x1b[?1049l")
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_a_terminal_that_takes_nothing_holds_up_neither_the_loop_nor_the_end(
    terminal: tuple[int, Console], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, console = terminal
    monkeypatch.setattr("collector.show.terminal.REDRAW_INTERVAL_S", 0.04)
    fill(console.file)
    watching = asyncio.create_task(watch(lambda: BUSY, lambda: URL, console))
    loop = asyncio.get_running_loop()
    longest_s, before_s = 0.0, loop.time()
    for _ in range(60):
        await asyncio.sleep(0.02)
        longest_s, before_s = max(longest_s, loop.time() - before_s), loop.time()
    assert longest_s < 20.0, "nobody reads there: it would stand still for ever"
    assert not watching.done()
    watching.cancel()
    async with asyncio.timeout(30):
        with pytest.raises(asyncio.CancelledError):
            await watching
    assert drawing(), "it did hang, or this test shows nothing"


async def test_a_picture_that_fails_is_told_and_ends_nothing(terminal: tuple[int, Console]) -> None:
    far, console = terminal

    def fail() -> Picture:
        raise ZeroDivisionError

    watching = asyncio.create_task(watch(fail, lambda: URL, console))
    assert b"can't be painted" in await read_until(far, b"Collecting goes on")
    watching.cancel()
    await read_until(far, b"\x1b[?1049l")
    with pytest.raises(asyncio.CancelledError):
        await watching


def test_the_worst_alarm_and_how_many_call_are_one_line() -> None:
    alarms = AlarmsPicture((replace(ALARM, calls=False, state="acknowledged"), replace(ALARM, priority="low"), ALARM), calling=2)
    (line,) = [line for line in shown(replace(BUSY, alarms=alarms), 160, 50) if "ALARM" in line]
    assert line.strip() == "△ ALARM LOW R-301 TT-ACTION above HH 75 °C unacknowledged  2 to acknowledge  Quench."
    assert not any("ALARM" in line for line in shown(replace(BUSY, alarms=AlarmsPicture(hidden=1)), 160, 50))
