"""Decoding against an oracle written another way, on DataValues of every type, straight and over the wire's bytes."""

from __future__ import annotations

import math
import struct
import uuid
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from config.tags import Kind
from drivers.base import Column, DeviceError, Layout, Status
from drivers.opcua.decode import ItemDecoder, source_ns
from drivers.opcua.wire import Undecodable, read_results
from tests.unit.drivers.opcua_strategies import INTEGER_BITS, NAMES, V, answers, columns


def layout_of(*tags: Column) -> Layout:
    return Layout("e", "d", "g", 10**9, tags)


def oracle(answer: ua.DataValue, column: Column) -> tuple[int, float | int | str | None]:  # noqa: PLR0911  one rule, one line
    """(status, value or None), by the rules as they are written down, one by one and exactly."""
    status = 0 if answer.StatusCode is None else answer.StatusCode.value
    if status >> 31:
        return status, None
    assert answer.Value is not None
    kind, value = answer.Value.VariantType, answer.Value.Value
    if isinstance(value, list):
        return Status.BAD_TYPE_MISMATCH, None
    if value is None and (column.kind, kind) == (Kind.TEXT, V.String):
        return status, ""
    if value is None:
        return Status.BAD_NO_DATA, None
    if column.kind is Kind.BOOLEAN:
        return (status, float(value)) if kind is V.Boolean else (Status.BAD_TYPE_MISMATCH, None)
    if column.kind is Kind.TEXT:
        return oracle_text(status, kind, value)
    if kind is V.StatusCode:
        value = value.value
    elif kind not in (*INTEGER_BITS, V.Float, V.Double):
        return Status.BAD_TYPE_MISMATCH, None
    if isinstance(value, float) and (not math.isfinite(value)):
        return Status.BAD_OUT_OF_RANGE, None
    if column.kind is Kind.INTEGER:
        if Fraction(value).denominator != 1:
            return Status.BAD_TYPE_MISMATCH, None
        whole = Fraction(value).numerator
        return (status, whole) if -(2**63) <= whole < 2**63 else (Status.BAD_OUT_OF_RANGE, None)
    number = float(value)
    if (column.scale, column.offset) != (1.0, 0.0):
        number = number * column.scale + column.offset
    return (status, number) if abs(number) < math.inf else (Status.BAD_OUT_OF_RANGE, None)


def oracle_text(status: int, kind: ua.VariantType, value: Any) -> tuple[int, str | None]:
    if kind is V.Guid:
        return status, str(value)
    if kind is not V.String:
        if kind not in NAMES:
            return Status.BAD_TYPE_MISMATCH, None
        value = getattr(value, NAMES[kind])
    if value is None:
        return status, ""
    try:
        value.encode()
    except UnicodeEncodeError:
        return Status.BAD_DECODING, None
    return status, value


def oracle_stamp(stamp: datetime | None) -> int:
    if stamp is None:
        return 0
    seconds = Fraction((stamp.date() - datetime(1970, 1, 1).date()).days * 86400)
    seconds += stamp.hour * 3600 + stamp.minute * 60 + stamp.second + Fraction(stamp.microsecond, 10**6)
    return int(seconds * 10**9) if 0 < seconds * 10**9 < 2**63 else 0


def same_bits(one: float, other: float) -> bool:
    return struct.pack("<d", one) == struct.pack("<d", other) or (math.isnan(one) and math.isnan(other))


def check(given_answers: list[ua.DataValue], tags: list[Column]) -> None:
    samples = ItemDecoder(tags).decode(given_answers)
    scan, misfits = samples.scan(layout_of(*tags), 1, 2), samples.misfits
    expected = [oracle(answer, tag) for answer, tag in zip(given_answers, tags, strict=True)]
    assert (scan.slot_ns, scan.received_ns, scan.lost) == (1, 2, False)
    assert scan.status.tolist() == [status for status, _ in expected]
    assert scan.quality.tolist() == [min(status >> 30, 2) for status, _ in expected]
    for got, (_, value) in zip(scan.values.tolist(), expected, strict=True):
        assert same_bits(got, math.nan if value is None or isinstance(value, str) else float(value))
    by_kind = {kind: [value for tag, (_, value) in zip(tags, expected, strict=True) if tag.kind is kind] for kind in Kind}
    assert scan.integers.tolist() == [value or 0 for value in by_kind[Kind.INTEGER]]
    assert list(scan.texts) == [value or "" for value in by_kind[Kind.TEXT]]
    assert scan.source_ns is not None
    assert scan.source_ns.tolist() == [oracle_stamp(answer.SourceTimestamp) for answer in given_answers]
    overruled = [
        index
        for index, (answer, (status, _)) in enumerate(zip(given_answers, expected, strict=True))
        if status != (0 if answer.StatusCode is None else answer.StatusCode.value)
    ]
    assert [misfit.column for misfit in misfits] == overruled
    assert all(misfit.status == expected[misfit.column][0] for misfit in misfits)


@given(st.lists(st.tuples(answers(), columns()), max_size=6))
def test_every_sample_is_what_the_rules_say(pairs: list[tuple[ua.DataValue, Column]]) -> None:
    check([answer for answer, _ in pairs], [tag for _, tag in pairs])


@given(st.lists(st.tuples(answers(), columns()), min_size=1, max_size=6))
def test_and_the_same_over_the_bytes_of_the_wire(pairs: list[tuple[ua.DataValue, Column]]) -> None:
    response = ua.ReadResponse()
    response.Results = [answer for answer, _ in pairs]
    body = Buffer(struct_to_binary(response))
    received = read_results(body, len(pairs), "a test")
    check(received, [tag for _, tag in pairs])
    for (sent, _), back in zip(pairs, received, strict=True):
        assert source_ns(back.SourceTimestamp) == source_ns(sent.SourceTimestamp)
        assert sent.Value is not None
        assert back.Value is not None
        if isinstance(sent.Value.Value, int):
            assert sent.Value.Value == back.Value.Value


def has_value(answer: ua.DataValue) -> bool:
    return answer.Value is not None and answer.Value.VariantType is not V.Null


@given(st.data())
def test_a_damaged_answer_is_told_and_never_another_number_of_values(data: st.DataObject) -> None:
    response = ua.ReadResponse()
    # No array of Null: asyncua would make a list as long as four damaged bytes say.
    response.Results = data.draw(st.lists(answers().filter(has_value), min_size=1, max_size=4))
    body = bytearray(struct_to_binary(response))
    at = data.draw(st.integers(0, len(body) - 1))
    if data.draw(st.booleans()):
        del body[at:]
    else:
        body[at] ^= data.draw(st.integers(1, 127))
    try:
        results = read_results(Buffer(bytes(body)), len(response.Results), "a test")
    except (Undecodable, DeviceError):
        return
    assert len(results) == len(response.Results)


@pytest.mark.parametrize(
    ("stamp", "stamp_ns"),
    [
        (datetime(2026, 11, 22, 10, 20, 30, 123456), 1795342830123456000),
        (datetime(2026, 11, 22, 12, 20, 30, 123456, timezone(timedelta(hours=2))), 1795342830123456000),
        (datetime(1970, 1, 1, 0, 0, 0, 1, UTC), 1000),
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1601, 1, 1, tzinfo=UTC), 0),
        (datetime(2262, 4, 11, 23, 47, 16, 854775, UTC), 9223372036854775000),
        (datetime(2262, 4, 11, 23, 47, 16, 854776, UTC), 0),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), 0),
        (None, 0),
    ],
)
def test_source_stamps(stamp: datetime | None, stamp_ns: int) -> None:
    assert source_ns(stamp) == stamp_ns


def test_a_value_that_needs_no_scaling_keeps_its_bits_and_others_are_scaled() -> None:
    tags = [Column("A", "a", "U", Kind.REAL), Column("B", "b", "U", Kind.REAL, scale=0.1, offset=-5.0)]
    values = [ua.DataValue(ua.Variant(-0.0, V.Double)), ua.DataValue(ua.Variant(200, V.UInt16))]
    assert ItemDecoder(tags).decode(values).values.tobytes() == np.array([-0.0, 15.0]).tobytes()


def test_what_was_found_is_named() -> None:
    tag = Column("A", "a", "U", Kind.REAL)
    found = [
        ua.Variant("x", V.String),
        ua.Variant([1.0], V.Double),
        ua.Variant(uuid.uuid4(), V.Guid),
        ua.Variant(),
    ]
    misfits = ItemDecoder([tag] * 4).decode([ua.DataValue(variant) for variant in found]).misfits
    assert [misfit.found for misfit in misfits] == ["String", "Double[]", "Guid", "Null"]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_answers_is_refused(count: int) -> None:
    tags = [Column("A", "a", "U", Kind.REAL), Column("B", "b", "U", Kind.REAL)]
    with pytest.raises(ValueError, match="argument"):
        ItemDecoder(tags).decode([ua.DataValue(ua.Variant(1.0))] * count)
