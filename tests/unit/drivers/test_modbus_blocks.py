"""Whatever addresses a device lacks: their tags stand alone in the end, and every other tag is read."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from config.model import ModbusDevice
from config.tags import ModbusTag
from drivers.modbus.blocks import FIRST_RETRY_S, PROBES_PER_SLOT, RETRY_S, Blocks
from drivers.modbus.plan import Read, plan_reads

RETRY_NS = FIRST_RETRY_S * 1_000_000_000


def plc(firsts: Sequence[int], *, gap: int = 8) -> ModbusDevice:
    tags = [
        ModbusTag.model_validate({"name": f"T-{n}", "address": f"holding:{at}", "type": "uint16"}) for n, at in enumerate(firsts)
    ]
    return ModbusDevice(name="PLC", gap=gap, tags=tuple(tags))


class FakeDevice:
    """Refuses every read that touches an address it lacks."""

    def __init__(self, device: ModbusDevice, lacks: set[int]) -> None:
        self.device, self.lacks = device, lacks
        self.busy = False
        self.sound = set(plan_reads(device.tags, device))
        self.blocks = Blocks(device.tags, device)

    def slot(self, now_ns: int = 0) -> list[Read]:
        """The reads that were answered in one slot; asserts that the search is bounded."""
        answered, asked, allowed = [], 0, len(self.sound) + PROBES_PER_SLOT
        for read in chain(self.blocks.sound(), self.blocks.suspects(now_ns)):
            asked += 1
            if self.busy:
                self.blocks.failed(read)
            elif self.lacks & set(range(read.first, read.last + 1)):
                self.sound.discard(read)
                self.blocks.refused(read, now_ns)
            else:
                self.blocks.answered(read)
                answered.append(read)
        assert asked <= allowed
        for read in () if self.busy else self.blocks.unions():
            if not self.lacks & set(range(read.first, read.last + 1)):
                self.blocks.united(read)
                self.sound = set(self.blocks.sound())
        sound = columns(self.blocks.sound())
        assert len(sound) == len(set(sound)), "no tag is read twice"
        self.sound |= set(answered)
        return answered


def columns(reads: Sequence[Read]) -> list[int]:
    return sorted(column for read in reads for column in read.columns)


@settings(deadline=None)
@given(st.lists(st.integers(0, 400), min_size=1, max_size=60), st.sets(st.integers(0, 400), max_size=80))
def test_only_tags_on_missing_addresses_are_lost(firsts: list[int], lacks: set[int]) -> None:
    device = FakeDevice(plc(firsts), lacks)
    for _ in range(2 * len(firsts) // PROBES_PER_SLOT + 2):
        reads = device.slot()
    assert columns(reads) == [n for n, first in enumerate(firsts) if first not in lacks]
    settled = device.slot()
    assert columns(settled) == columns(reads) and len(settled) <= len(reads)
    assert device.slot() == settled


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 150), min_size=1, max_size=60, unique=True),
    st.lists(st.tuples(st.sets(st.integers(0, 150), max_size=40), st.booleans(), st.integers(1, 30)), max_size=6),
    st.sets(st.integers(0, 150), max_size=5),
)
def test_whatever_a_device_went_through_all_it_has_is_read(
    firsts: list[int], past: list[tuple[set[int], bool, int]], lacks: set[int]
) -> None:
    device, second = FakeDevice(plc(firsts), set()), 0
    for gone, device.busy, seconds in past:
        device.lacks = gone & set(firsts)  # an address between tags that was missing once is not bridged again
        for _ in range(seconds):
            second += 1
            device.slot(second * 1_000_000_000)
    device.lacks, device.busy = lacks, False
    for _ in range(30):
        second += 2 * RETRY_S
        reads = device.slot(second * 1_000_000_000)
    there = [n for n, first in enumerate(firsts) if first not in lacks]
    assert columns(reads) == there
    if not lacks:
        assert len(reads) == len(plan_reads(device.device.tags, device.device)), "in as few reads as at the beginning"


def test_one_missing_register_is_found_within_one_slot() -> None:
    device = FakeDevice(plc(range(125)), {77})
    assert columns(device.slot()) == [n for n in range(125) if n != 77]
    assert sorted(str(read) for read in device.slot()) == ["holding:0-76", "holding:78-124"]


def test_a_missing_register_that_nobody_asked_for_costs_no_tag() -> None:
    device = FakeDevice(plc([0, 4]), {2})
    assert columns(device.slot()) == [0, 1]
    assert [str(read) for read in device.slot()] == ["holding:0-0", "holding:4-4"]


def test_tags_come_back_when_the_device_has_them_again() -> None:
    device = FakeDevice(plc(range(10)), {3, 4})
    device.slot()
    device.lacks = set()
    assert columns(device.slot(RETRY_NS - 1)) == [0, 1, 2, 5, 6, 7, 8, 9]
    assert columns(device.slot(RETRY_NS)) == list(range(10))
    assert columns(device.slot(RETRY_NS + 1)) == list(range(10))


def test_a_device_that_lacks_all_while_it_starts_is_read_in_whole_blocks_soon_after() -> None:
    """Its tags were bad for five minutes, each was a read of its own then."""
    device = FakeDevice(plc(range(100)), set(range(100)))
    for second in range(20):
        assert device.slot(second * 1_000_000_000) == []
    device.lacks = set()
    for second in range(20, 40):
        device.slot(second * 1_000_000_000)
    assert columns(device.slot(40 * 1_000_000_000)) == list(range(100))
    assert len(device.blocks.sound()) <= 4
    assert device.blocks.at_rest


def test_a_lost_tag_is_retried_ever_more_rarely() -> None:
    device = FakeDevice(plc(range(3)), {1})
    asked: list[int] = []
    for second in range(0, 4 * RETRY_S):
        reads = chain(device.blocks.sound(), device.blocks.suspects(second * 1_000_000_000))
        for read in reads:
            if read.first <= 1 <= read.last:
                asked.append(second)
                device.blocks.refused(read, second * 1_000_000_000)
            else:
                device.blocks.answered(read)
    tried = sorted(set(asked))
    assert [later - earlier for earlier, later in pairwise(tried)] == [5, 10, 20, 40, 80, 160, 300, 300]


def test_a_busy_device_loses_no_read() -> None:
    device = FakeDevice(plc(range(20)), {5})
    device.busy = True
    assert device.slot() == []
    device.busy = False
    assert columns(device.slot()) == [n for n in range(20) if n != 5]
    device.lacks, device.busy = set(), True
    assert device.slot(RETRY_NS) == []
    device.busy = False
    assert columns(device.slot(RETRY_NS)) == list(range(20))
