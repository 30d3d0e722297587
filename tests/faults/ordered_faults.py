"""Faults inside a daemon process, each ordered by a signal from outside: they last some seconds and pass by themselves."""

from __future__ import annotations

import asyncio
import signal
import time
from enum import Enum

from collector.app import Outside
from drivers.base import ScanGroup
from tests.faults.disk import CHANGES, Change, Disk, full
from tests.faults.scripted_plant import Answered, ScriptedPlant

LASTS_S = 3.0
STEP_NS = 600_000_000_000


class Fault(Enum):
    """What can be ordered, and by which signal."""

    FREEZE = "a device freezes", signal.SIGUSR1
    STALL = "the disk stalls", signal.SIGUSR2
    FULL = "the disk is full", signal.SIGRTMIN
    FORWARD = "the wall clock is set forward", signal.SIGRTMIN + 1
    BACK = "the wall clock is set back", signal.SIGRTMIN + 2

    @property
    def words(self) -> str:
        return str(self.value[0])

    @property
    def signal(self) -> int:
        return int(self.value[1])


SIGNALS = {fault.signal for fault in Fault}


class OrderedFaults:
    """What the daemon meets; `listen` makes it obey."""

    def __init__(self, answered: Answered) -> None:
        self._until_s = dict.fromkeys(Fault, 0.0)
        self._step_ns = 0
        self._frozen = 0
        self._disk = Disk(self._before)
        self.outside = Outside(ScriptedPlant(self._delay_s, answered).connect, self._disk.connect(), self._wall_ns)

    def listen(self) -> None:
        """In the loop of the daemon; what was ordered before it could obey is done now."""
        for fault in Fault:
            asyncio.get_running_loop().add_signal_handler(fault.signal, self._order, fault)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _order(self, fault: Fault) -> None:
        self._until_s[fault] = time.monotonic() + LASTS_S
        self._frozen += fault is Fault.FREEZE
        self._step_ns += {Fault.FORWARD: STEP_NS, Fault.BACK: -STEP_NS}.get(fault, 0)

    def _left_s(self, fault: Fault) -> float:
        return max(0.0, self._until_s[fault] - time.monotonic())

    def _wall_ns(self) -> int:
        return time.time_ns() + self._step_ns

    def _delay_s(self, group: ScanGroup, _slot_ns: int) -> float:
        is_frozen = int(group.layout.device.removeprefix("D-")) == self._frozen % 3
        return self._left_s(Fault.FREEZE) if is_frozen else 0.0

    def _before(self, change: Change) -> None:
        if self._left_s(Fault.FULL):
            full(change)
        if change.act in CHANGES and (left_s := self._left_s(Fault.STALL)):
            time.sleep(left_s)
