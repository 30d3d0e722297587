"""Every fault of the wire at once, each on an endpoint of its own, and one daemon that collects from them all into its journal.

    collect from all ── faults begin ── until each has shown ── faults end ── until all are back ── the daemon stops ── the
    journal is judged

Every tag shows when it was read (`tests.wire.marks`), so each sample in the journal is either right or marked bad; every slot is
a scan or in a gap that says why; and who was lost is read again within backoff + one period, and what the row says besides.
Where the machine itself is late by most of a timeout, it loses devices of its own: then what was told of whom, and how
soon, is not judged, and the rest is.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from drivers.opcua.issue import self_signed, write_pair
from drivers.opcua.trust import write_certificate
from drivers.opcua.wire import Connection
from tests.system.secured_plant import Site, key
from tests.wire.account import Account, Gap, accounts, silent_ends, table
from tests.wire.collecting import Watch, collecting
from tests.wire.devices import Devices, devices
from tests.wire.faults import PACE, ROWS, Row
from tests.wire.lateness import lateness
from tests.wire.lines import plant

HOLD_S, SHOWN_S, BACK_S = 4.0, 30.0, 90.0
"""At least so long are faults held; and so long at the most until each has shown, and until all are back."""
OF_THE_MACHINE = re.compile("^(late|overload|start|stopped): ")
"""Gaps that a busy machine makes, and the beginning and end of a run."""
MOST_LATE_S = 2 / 3 * PACE.timeout_s
RENEWED_EACH_S, TOKEN_LIFE_MS = 4.5, 60_000
"""Long before its end, which a busy machine would miss."""


_STOPPED_FIRST = sorted(ROWS, key=lambda row: row.fault != "stopped")
"""They share a process, so they are stopped, and go on, all at once."""
PERIOD_NS = round(PACE.period_s * 1e9)


@dataclass
class Span:
    """When a fault was on: begun between two times, and ended between two others, for asking for it takes a while."""

    begin_ns: int
    begun_ns: int = 0
    end_ns: int = 0
    ended_ns: int = 0


class Secured:
    """The keys of the two endpoints whose certificates are refused."""

    def __init__(self, folder: Path) -> None:
        self._site = Site(folder)
        self._site.own()
        (folder / "nobody").mkdir()
        self._folder = folder

    def settings(self, row: Row) -> dict[str, Any]:
        """Of the collector's endpoint."""
        return {"security": self._site.security(), "timeout_s": 5.0} if row.fault in ("distrusted", "expired") else {}

    def right(self, row: Row) -> dict[str, str] | None:
        """How the server is set up when all is well; None for one without security."""
        if row.fault not in ("distrusted", "expired"):
            return None
        return self._shown(row, "right", days=9, since_days=0) | {"trusts": str(self._site.server_trusts)}

    def refused(self, row: Row) -> dict[str, str]:
        """And when it is not."""
        if row.fault == "distrusted":
            return self._shown(row, "right", days=9, since_days=0) | {"trusts": str(self._folder / "nobody")}
        return self._shown(row, "expired", days=1, since_days=3) | {"trusts": str(self._site.server_trusts)}

    def _shown(self, row: Row, name: str, days: int, since_days: int) -> dict[str, str]:
        paths = self._folder / f"{row.name}-{name}.pem", self._folder / f"{row.name}-{name}.der"
        if not paths[0].exists():
            began = datetime.now(UTC) - timedelta(days=since_days)
            certificate = self_signed(key("server"), f"urn:reactorwatch:simulator:server:{row.name}", days, ["127.0.0.1"], began)
            write_pair(key("server"), certificate, *paths)
            write_certificate(certificate, self._site.pki / "trusted" / f"{row.name}-{name}.der")
        return {"server_key": str(paths[0]), "server_certificate": str(paths[1])}


@dataclass
class Bench:
    """Two processes of devices: the second is stopped as a whole."""

    upset: Devices
    stopped: Devices
    secured: Secured
    fields: dict[str, dict[str, Any]] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)
    spans: dict[str, Span] = field(default_factory=dict)

    def _home(self, row: Row) -> Devices:
        return self.stopped if row.fault == "stopped" else self.upset

    async def serve(self, row: Row) -> None:
        settings = self.secured.settings(row)
        fields = row.line.fields(PACE, **settings)
        right = await asyncio.to_thread(self.secured.right, row)
        port = await self._home(row).serve(fields, secured=right)
        self.fields[row.name] = row.line.fields(PACE, port, **settings)

    async def begin(self, row: Row) -> None:
        span = self.spans[row.name] = Span(time.time_ns())
        if row.fault == "stopped":
            self.stopped.stop()
        elif row.fault in ("distrusted", "expired"):
            await self.upset.ask("again", name=row.name, secured=self.secured.refused(row))
        elif row.fault not in ("nothing", "renewed"):
            self.begun[row.name] = await self.upset.begin(row.name, row.fault, row.value)
        span.begun_ns = time.time_ns()

    async def end(self, row: Row) -> None:
        span = self.spans[row.name]
        span.end_ns = time.time_ns()
        if row.fault == "stopped":
            self.stopped.go_on()
        elif row.fault in ("distrusted", "expired"):
            await self.upset.ask("again", name=row.name, secured=self.secured.right(row))
        elif row.fault == "restart":
            await self.upset.ask("again", name=row.name)
        if row.name in self.begun:
            await self.upset.end(self.begun[row.name])
        span.ended_ns = time.time_ns()

    async def begin_all(self) -> None:
        for row in _STOPPED_FIRST:
            await self.begin(row)

    async def end_all(self) -> None:
        for row in _STOPPED_FIRST:
            await self.end(row)


@asynccontextmanager
async def bench(folder: Path) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        upset, stopped = [await stack.enter_async_context(devices()) for _ in range(2)]
        made = Bench(upset, stopped, await asyncio.to_thread(Secured, folder))
        await asyncio.gather(*(made.serve(row) for row in ROWS))
        yield made


class Renewals:
    """Gives the endpoint of one row a channel that is renewed all the time, and counts."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.counted: Counter[str] = Counter()
        to, renew = Connection.to, Connection.renew

        def to_short_lived(endpoint: Any, secured: Any = None) -> Connection:
            connection = to(endpoint, secured)
            if endpoint.name.endswith("renewed"):
                connection.client.secure_channel_timeout = TOKEN_LIFE_MS
            return connection

        async def counted(connection: Connection) -> None:
            await renew(connection)
            self.counted[connection.place.split()[0]] += 1

        share = RENEWED_EACH_S * 1000 / TOKEN_LIFE_MS
        stack.enter_context(patch("drivers.opcua.upkeep.RENEW_SHARE", share))
        stack.enter_context(patch.object(Connection, "to", to_short_lived))
        stack.enter_context(patch.object(Connection, "renew", counted))


@dataclass(frozen=True)
class Judged:
    """What became of one row."""

    row: Row
    account: Account
    span: Span
    noise_slots: float
    """What the machine took from endpoints at which nothing was wrong; infinite where it loses devices of its own."""

    @property
    def told_in_time(self) -> bool:
        """Whether the machine was good for it."""
        return self.noise_slots < float("inf")

    @property
    def late_slots(self) -> float:
        """Periods from the end of the fault to the first good slot after it."""
        after = [slot_ns for slot_ns in self.account.good if slot_ns >= self.span.ended_ns]
        return (after[0] - self.span.ended_ns) / PERIOD_NS if after else float("inf")

    @property
    def gaps(self) -> list[Gap]:
        """Those of the fault."""
        first_ns, last_ns = self.span.begin_ns - PERIOD_NS, self.span.ended_ns
        within = [gap for gap in self.account.gaps if gap.to_ns >= first_ns and gap.from_ns <= last_ns]
        return [gap for gap in within if self.row.cause.startswith("^late") or not OF_THE_MACHINE.search(gap.cause)]

    def faults(self) -> list[str]:
        """What did not come as the row says."""
        row, found = self.row, self.account.faults()
        if row.effect.startswith("lost") and self.told_in_time:
            if not any(re.search(row.cause, gap.cause) for gap in self.gaps):
                found.append(f"no gap tells {row.cause!r}, but {[gap.cause for gap in self.gaps]}")
        elif self.gaps and self.told_in_time:
            found.append(f"gaps that should not be: {self.gaps}")
        if row.effect == "lost" and (good := self._count_within(self.account.good)):
            found.append(f"{good} good slots while nothing right could come")
        if row.effect == "bad" and self.told_in_time and not self._count_within(self.account.partly):
            found.append("no bad sample tells of it")
        if self.late_slots > row.slots + self.noise_slots:
            found.append(
                f"good again after {self.late_slots:.1f} slots, not within {row.slots:.1f} and {self.noise_slots} of noise"
            )
        return found

    def _count_within(self, slots: list[int]) -> int:
        """Slots that were wholly in the fault: one is read within half a period, and its answer is in time for one more."""
        return sum(self.span.begun_ns < slot_ns < self.span.end_ns - 2 * PERIOD_NS for slot_ns in slots)


def has_shown(row: Row, watch: Watch, span: Span) -> bool:
    """Whether there is of its fault what it is judged by."""
    (device,) = row.line.devices
    if row.effect == "bad":
        return any(slot_ns > span.begun_ns for slot_ns in watch.partly[device])
    return row.effect == "none" or any(re.search(row.cause, cause) for cause in watch.causes[device])


async def until_shown(watch: Watch, spans: Mapping[str, Span]) -> None:
    """Whoever has not shown by then is judged all the same."""
    waiting = list(ROWS)

    def all_shown() -> bool:
        waiting[:] = [row for row in waiting if not has_shown(row, watch, spans[row.name])]
        return not waiting

    await watch.until(all_shown, SHOWN_S)


@pytest.mark.timeout(400)
async def test_every_fault_of_the_wire_is_told_and_passes(tmp_path: Path) -> None:
    names = [device for row in ROWS for device in row.line.devices]
    (tmp_path / "pki-of-all").mkdir()
    async with AsyncExitStack() as stack:
        stack.enter_context(patch("drivers.modbus.blocks.RETRY_S", 0.5))
        renewals = Renewals(stack)
        b = await stack.enter_async_context(bench(tmp_path / "pki-of-all"))
        async with collecting(plant(list(b.fields.values())), tmp_path / "data") as watch:
            assert await watch.until(lambda: watch.have(names, 3), BACK_S), watch.without(names)
            await b.upset.ask("lateness")  # of the start
            late = await stack.enter_async_context(lateness())
            watch.causes.clear()
            await b.begin_all()
            await watch.until(lambda: False, HOLD_S)
            await until_shown(watch, b.spans)
            late_there_s = (await b.upset.ask("lateness"))["worst_second_s"]
            async with lateness() as late_in_recovery:
                await b.end_all()
                ended_ns = max(span.ended_ns for span in b.spans.values())
                back = await watch.until(lambda: watch.have(names, 3, ended_ns), BACK_S)
            missing = watch.without(names, ended_ns)
            there = await b.upset.ask("lateness")
            await watch.until(lambda: renewals.counted["opcua-renewed"] >= 3, 60)
            late_there_s = max(late_there_s, there["worst_second_s"], (await b.upset.ask("lateness"))["worst_second_s"])
            late_s = late.worst_second_s + late_there_s  # what is asked here and answered there is late by both
            counts = await b.upset.ask("counts") | await b.stopped.ask("counts")
    found = accounts(tmp_path / "data")
    noise = _noise([found[row.line.devices[0]] for row in ROWS if row.fault == "nothing"], late_s)
    noise += (late_in_recovery.sum_s + there["sum_s"]) / PACE.period_s  # what is done step by step is late by as much
    judged = [Judged(row, found[row.line.devices[0]], b.spans[row.name], noise) for row in ROWS]
    failures = {each.row.name: faults for each in judged if (faults := each.faults())}
    shown: list[tuple[str, ...]] = [("endpoint", "effect", "back after slots", "of", "cause")]
    shown += [_line(each) for each in judged]
    print(f"the machine was late by {late_s:.2f} s in a second, at the most\n{table(shown)}")  # noqa: T201  seen where the test fails, or with -s
    assert not failures, "\n".join(f"{name}: {fault}" for name, faults in failures.items() for fault in faults)
    assert back, missing
    assert not silent_ends(found)
    many = {name: told for name, told in counts.items() if max(told["most_connections"], told.get("most_sessions", 1)) > 1}
    assert not many, "more than one connection or session at a time"
    assert renewals.counted["opcua-renewed"] >= 3


def _noise(undisturbed: list[Account], late_s: float) -> float:
    """The longest gap of those at which nothing was wrong, and one slot for what is too short to be one."""
    gaps = [gap for account in undisturbed for gap in account.gaps]
    if late_s > MOST_LATE_S or not all(OF_THE_MACHINE.search(gap.cause) for gap in gaps):
        return float("inf")
    return 1 + max([(gap.to_ns - gap.from_ns) // PERIOD_NS + 1 for gap in gaps], default=0)


def _line(each: Judged) -> tuple[str, ...]:
    causes = dict.fromkeys(gap.cause[-90:] for gap in each.gaps)
    return each.row.name, each.row.effect, f"{each.late_slots:.1f}", f"{each.row.slots:.1f}", "; ".join(causes)
