"""What a simulated Modbus device lets be read, and what it says of gaps, overlaps and values that are not there."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from config.model import Device, ModbusDevice
from config.tags import Tag
from simulators.modbus.tables import DEVICE_FAILURE, ILLEGAL_ADDRESS, Refused, Table, readable_spans
from simulators.source import BAD_NO_DATA, BAD_NODE_ID_UNKNOWN, BAD_NOT_CONNECTED, Point, Reading, Value

UNCERTAIN = 0x4090_0000


@dataclass
class Fixed:
    """A source of values by tag name."""

    values: Mapping[str, Value]
    status: dict[str, int] = field(default_factory=dict)

    def refresh(self) -> int:
        return 0

    def point(self, _device: Device, tag: Tag) -> Point:
        return lambda: Reading(self.values[tag.name], self.status.get(tag.name, 0))


def table(name: str, tags: dict[str, dict[str, object]], values: Mapping[str, Value], **fields: object) -> Table:
    device = ModbusDevice.model_validate({"name": "plc", "tags": tags, **fields})
    return Table(name, device, Fixed(values))


def registers(asked: Table, first: int, count: int) -> list[int]:
    return list(struct.unpack(f">{count}H", asked.read(first, count)))


def code(asked: Table, first: int, count: int) -> int:
    with pytest.raises(Refused) as refused:
        asked.read(first, count)
    return refused.value.code


def test_gaps_hold_zero_and_other_tables_are_apart() -> None:
    tags: dict[str, dict[str, object]] = {
        "A": {"address": "holding:10", "type": "uint16"},
        "B": {"address": "holding:13", "type": "uint32"},
        "C": {"address": "input:10", "type": "uint16"},
    }
    holding = table("holding", tags, {"A": 1, "B": 0x20003, "C": 9})
    assert holding.spans == ((10, 14),)
    assert registers(holding, 10, 5) == [1, 0, 0, 2, 3]
    assert registers(holding, 14, 1) == [3]
    assert registers(table("input", tags, {"A": 1, "B": 0x20003, "C": 9}), 10, 1) == [9]
    assert table("coil", tags, {}).spans == ()


def test_bits_lie_on_top_of_their_register() -> None:
    tags: dict[str, dict[str, object]] = {
        "ON": {"address": "holding:0.3"},
        "OFF": {"address": "holding:0.4"},
        "SWAPPED": {"address": "holding:0.0", "word_order": "BADC"},
        "WORD": {"address": "holding:0", "type": "uint16"},
    }
    holding = table("holding", tags, {"ON": True, "OFF": False, "SWAPPED": True, "WORD": 0b10001})
    assert registers(holding, 0, 1) == [0x0109]


def test_a_value_is_laid_whole_and_read_in_parts() -> None:
    tags: dict[str, dict[str, object]] = {
        "A": {"address": "holding:0", "type": "uint64"},
        "B": {"address": "holding:4", "type": "text", "length": 3},
    }
    holding = table("holding", tags, {"A": 0x0001_0002_0003_0004, "B": "abcdef"})
    whole = [1, 2, 3, 4, 0x6162, 0x6364, 0x6566]
    for first in range(7):
        for count in range(1, 8 - first):
            assert registers(holding, first, count) == whole[first : first + count]


def test_coils_are_eight_to_a_byte_from_the_first_that_is_asked() -> None:
    tags: dict[str, dict[str, object]] = {name: {"address": f"coil:{at}"} for name, at in (("A", 17), ("B", 18), ("C", 33))}
    coils = table("coil", tags, {"A": True, "B": False, "C": True}, gap=20)
    assert coils.spans == ((17, 33),)
    assert coils.read(17, 17) == bytes([0b1, 0, 0b1])
    assert coils.read(18, 3) == b"\0"
    assert coils.read(33, 1) == b"\1"
    assert code(coils, 16, 2) == code(coils, 33, 2) == ILLEGAL_ADDRESS


def test_a_value_that_is_not_there_stops_only_requests_that_touch_it() -> None:
    tags: dict[str, dict[str, object]] = {name: {"address": f"holding:{at}", "type": "uint16"} for at, name in enumerate("ABC")}
    device = ModbusDevice.model_validate({"name": "plc", "tags": tags})
    source = Fixed({"A": 1, "B": 2, "C": 3}, {"B": BAD_NO_DATA, "C": UNCERTAIN})
    holding = Table("holding", device, source)
    assert registers(holding, 0, 1) == [1]
    assert registers(holding, 2, 1) == [3]
    assert {code(holding, first, count) for first, count in ((0, 2), (1, 1), (0, 3))} == {DEVICE_FAILURE}
    assert code(table("holding", tags, {"A": float("nan"), "B": 2, "C": 3}), 0, 1) == DEVICE_FAILURE
    source.status["C"] = BAD_NODE_ID_UNKNOWN
    assert code(holding, 0, 3) == code(holding, 2, 1) == ILLEGAL_ADDRESS, "an address is looked at before its content"
    assert registers(holding, 0, 1) == [1]


def test_an_open_sensor_is_nan_where_a_register_can_hold_one() -> None:
    tags: dict[str, dict[str, object]] = {
        "FLOAT": {"address": "holding:0", "type": "float32", "scale": 2.0},
        "INTEGER": {"address": "holding:2", "type": "int16"},
    }
    device = ModbusDevice.model_validate({"name": "plc", "tags": tags})
    holding = Table("holding", device, Fixed({"FLOAT": 65.0, "INTEGER": 65}, dict.fromkeys(tags, BAD_NOT_CONNECTED)))
    assert registers(holding, 0, 2) == [0x7FC0, 0]
    assert code(holding, 2, 1) == code(holding, 0, 3) == DEVICE_FAILURE


def test_a_clamped_value_is_logged_once() -> None:
    holding = table("holding", {"A": {"address": "holding:0", "type": "int16"}}, {"A": 40000})
    with capture_logs() as logs:
        assert registers(holding, 0, 1) == registers(holding, 0, 1) == [32767]
    assert [(log["tag"], log["value"], log["type"]) for log in logs] == [("A", 40000, "int16")]


def test_forbidden_ranges_and_wide_gaps_part_the_spans() -> None:
    assert readable_spans([(0, 1), (4, 4), (10, 12)], gap=2, forbidden=[]) == ((0, 4), (10, 12))
    assert readable_spans([(0, 1), (4, 4)], gap=2, forbidden=[(3, 3)]) == ((0, 1), (4, 4))
    assert readable_spans([(0, 1), (2, 3)], gap=0, forbidden=[(5, 9)]) == ((0, 3),)
    assert readable_spans([(0, 9), (4, 4)], gap=0, forbidden=[]) == ((0, 9),)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 4)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=8),
    st.integers(0, 10),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=3),
)
def test_spans_hold_all_that_is_used_and_gaps_no_wider_than_allowed(
    used: list[tuple[int, int]], gap: int, forbidden: list[tuple[int, int]]
) -> None:
    configured = {address for first, last in used for address in range(first, last + 1)}
    spans = readable_spans(sorted(used), gap, forbidden)
    readable = {address for first, last in spans for address in range(first, last + 1)}
    assert configured <= readable
    for address in readable - configured:
        before = max(used_address for used_address in configured if used_address < address)
        after = min(used_address for used_address in configured if used_address > address)
        assert after - before - 1 <= gap
        assert not any(first < after and last > before for first, last in forbidden)
