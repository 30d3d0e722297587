"""The planner against what a device allows, and against every possible plan where there are few tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.model import ModbusDevice, forbidden_range
from config.tags import BIT_TABLES, ModbusTag
from drivers.modbus.plan import Read, halves, plan_reads

TYPES = {1: "uint16", 2: "float32", 4: "int64"}


def tag(number: int, table: str, first: int, size: int) -> ModbusTag:
    kind = {} if table in BIT_TABLES else {"type": TYPES[size]} if size in TYPES else {"type": "text", "length": size}
    return ModbusTag.model_validate({"name": f"T-{number}", "address": f"{table}:{first}", **kind})


def device(tags: Sequence[ModbusTag], **limits: object) -> ModbusDevice:
    return ModbusDevice.model_validate({"name": "PLC", "tags": tuple(tags), **limits})


def span(item: ModbusTag) -> set[int]:
    return set(range(item.offset_in_table, item.offset_in_table + item.register_count))


@st.composite
def devices(draw: st.DrawFn, most_tags: int = 30, reach: int = 60) -> ModbusDevice:
    """Tags close together, so that blocks, overlaps, gaps and forbidden ranges all meet."""
    longest = draw(st.integers(5, 20))
    table = st.sampled_from(["holding", "input", "coil", "discrete"])
    ranges = st.tuples(table, st.integers(0, reach), st.integers(0, 5))
    forbidden = tuple(f"{name}:{low}-{low + more}" for name, low, more in draw(st.lists(ranges, max_size=4)))
    banned = {(name, n) for name, low, high in map(forbidden_range, forbidden) for n in range(low, high + 1)}
    places = draw(st.lists(st.tuples(table, st.integers(0, reach), st.integers(1, longest)), min_size=1, max_size=most_tags))
    tags = [tag(n, name, first, 1 if name in BIT_TABLES else size) for n, (name, first, size) in enumerate(places)]
    legal = [item for item in tags if not any((item.table, n) in banned for n in span(item))]
    kept = legal or [tag(0, "holding", reach + 10, 1)]
    return device(
        kept, max_registers=longest, max_bits=draw(st.integers(1, 20)), gap=draw(st.integers(0, 6)), forbidden=forbidden
    )


def is_legal(read: Read, plc: ModbusDevice) -> bool:
    """Written from the rules alone, address by address."""
    inside = set(range(read.first, read.last + 1))
    asked = sorted(set().union(*(span(plc.tags[column]) for column in read.columns)))
    longest = plc.max_bits if read.table in BIT_TABLES else plc.max_registers
    banned = {n for name, low, high in map(forbidden_range, plc.forbidden) if name == read.table for n in range(low, high + 1)}
    return (
        set(asked) <= inside
        and {asked[0], asked[-1]} == {read.first, read.last}
        and len(inside) <= longest
        and not inside & banned
        and all(after - before - 1 <= plc.gap for before, after in pairwise(asked))
    )


@settings(deadline=None)
@given(devices())
def test_every_tag_lies_whole_in_one_legal_read(plc: ModbusDevice) -> None:
    reads = plan_reads(plc.tags, plc)
    assert sorted(column for read in reads for column in read.columns) == list(range(len(plc.tags)))
    assert all(plc.tags[column].table == read.table for read in reads for column in read.columns)
    assert all(is_legal(read, plc) for read in reads)


@settings(deadline=None)
@given(devices(), st.randoms(use_true_random=False))
def test_the_order_of_the_tag_list_does_not_matter(plc: ModbusDevice, random: Random) -> None:
    mixed = list(plc.tags)
    random.shuffle(mixed)
    names = [{(read.table, read.first, read.count): {tags[c].name for c in read.columns} for read in plan_reads(tags, plc)}
             for tags in (plc.tags, mixed)]  # fmt: skip
    assert names[0] == names[1]


def partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    for rest in partitions(items[1:]):
        yield [[items[0]], *rest]
        for n, part in enumerate(rest):
            yield [*rest[:n], [items[0], *part], *rest[n + 1 :]]


def as_read(part: Sequence[int], plc: ModbusDevice) -> Read | None:
    tables = {plc.tags[column].table for column in part}
    if len(tables) > 1:
        return None
    asked = set().union(*(span(plc.tags[column]) for column in part))
    read = Read(tables.pop(), min(asked), max(asked) - min(asked) + 1, tuple(part))
    return read if is_legal(read, plc) else None


@settings(deadline=None)
@given(devices(most_tags=6, reach=25))
def test_no_plan_has_fewer_reads(plc: ModbusDevice) -> None:
    columns = range(len(plc.tags))
    fewest = min(len(parts) for parts in partitions(columns) if all(as_read(part, plc) for part in parts))
    assert len(plan_reads(plc.tags, plc)) == fewest


@settings(deadline=None)
@given(devices())
def test_halves_hold_the_same_tags_in_smaller_legal_reads(plc: ModbusDevice) -> None:
    for read in plan_reads(plc.tags, plc):
        parts = halves(read, plc.tags, plc)
        if not parts:
            assert len({(plc.tags[c].offset_in_table, plc.tags[c].register_count) for c in read.columns}) == 1
            continue
        assert sorted(column for part in parts for column in part.columns) == list(read.columns)
        assert all(is_legal(part, plc) and len(part.columns) < len(read.columns) for part in parts)


def test_a_full_device_is_read_in_full_blocks() -> None:
    plc = device([tag(n, "holding", n, 1) for n in range(300)] + [tag(1000 + n, "coil", n, 1) for n in range(2001)])
    assert [(read.table, read.first, read.count) for read in plan_reads(plc.tags, plc)] == [
        ("coil", 0, 2000),
        ("coil", 2000, 1),
        ("holding", 0, 125),
        ("holding", 125, 125),
        ("holding", 250, 50),
    ]


def test_some_columns_alone_are_planned_alone() -> None:
    plc = device([tag(n, "input", 3 * n, 1) for n in range(4)], gap=2)
    assert plan_reads(plc.tags, plc, [3, 1]) == (Read("input", 3, 1, (1,)), Read("input", 9, 1, (3,)))
    assert plan_reads(plc.tags, plc, []) == ()


@pytest.mark.parametrize(
    ("limits", "text"),
    [
        ({"max_registers": 3}, "T-7: holding:10 takes more than the 3"),
        ({"forbidden": ("holding:13",)}, "T-7: holding:10 lies in a"),
    ],
)
def test_a_tag_that_no_read_can_take_in_is_named(limits: dict[str, object], text: str) -> None:
    plc = device([tag(7, "holding", 10, 4)], **limits)
    with pytest.raises(ValueError, match=text):
        plan_reads(plc.tags, plc)


def test_the_size_of_an_answer() -> None:
    assert [Read("coil", 0, n, ()).size_bytes for n in (1, 8, 9, 2000)] == [1, 1, 2, 250]
    assert Read("input", 0, 125, ()).size_bytes == 250
    assert str(Read("holding", 100, 5, ())) == "holding:100-104"
