"""The fast way of decoding against the exact one: the same samples bit for bit, or none at all. Never anything else."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import numpy as np
import pytest
from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st

from config.tags import Kind
from drivers.base import Column, DeviceError, Status
from drivers.opcua.decode import ItemDecoder
from drivers.opcua.gather import ColumnTable, Gatherer
from drivers.opcua.layout import AnswerLayout, NoLayout, decoded_at
from drivers.opcua.samples import Samples
from drivers.opcua.wire import Undecodable, read_results
from tests.unit.drivers.opcua_strategies import INTEGER_BITS, V, answers, body_of, columns, scalars, stamps

REAL = Column("T", "T", "U", Kind.REAL)
FIXED = {*INTEGER_BITS, V.Null, V.Boolean, V.Float, V.Double, V.DateTime, V.Guid, V.StatusCode}


def exact(body: bytes, tags: Sequence[Column]) -> Samples | None:
    """By asyncua and the item decoder; None where they refuse."""
    try:
        return ItemDecoder(tags).decode(read_results(Buffer(body), len(tags), "a test"))
    except (Undecodable, DeviceError):
        return None


def learned(body: bytes, tags: Sequence[Column]) -> Gatherer | None:
    try:
        return Gatherer(AnswerLayout.learn(body, len(tags)), ColumnTable(tags), ItemDecoder(tags))
    except NoLayout:
        return None


def check(gatherer: Gatherer, body: bytes, tags: Sequence[Column]) -> bool:
    """Whether it was gathered; what was, is right."""
    gathered = gatherer.samples(body)
    if gathered is None:
        return False
    expected = exact(body, tags)
    assert expected is not None, "gathered from an answer that the exact way refuses"
    assert gathered.same_as(expected), (gathered, expected)
    return True


@dataclass(frozen=True)
class Shape:
    """What decides about an item's layout."""

    type: ua.VariantType
    array: bool
    value: bool
    status: bool
    source: bool
    server: bool
    text_bytes: int

    @property
    def same_size(self) -> bool:
        return not self.value or self.type in FIXED or (self.type is V.String and not self.array)


shapes = st.builds(
    Shape,
    st.sampled_from(sorted(scalars, key=lambda kind: kind.value)) | st.sampled_from([V.Double, V.Float, V.Int32, V.String]),
    st.integers(0, 7).map(lambda number: number == 0),
    *[st.integers(0, 4).map(lambda number: number > 0)] * 3,
    st.booleans(),
    st.integers(0, 5),
)
statuses = st.sampled_from([0, 0, 0, StatusCodes.UncertainLastUsableValue, StatusCodes.BadSensorFailure, 0x480, 0xC0000000])


@st.composite
def item(draw: st.DrawFn, shape: Shape) -> ua.DataValue:
    value = draw(scalars[shape.type])
    if shape.type is V.String:
        value = draw(st.binary(min_size=shape.text_bytes, max_size=shape.text_bytes)).decode(errors="surrogateescape")
    if shape.array and value is not None and shape.type not in (V.Null, V.Variant):
        value = [value]
    status = ua.StatusCode(ua.UInt32(draw(statuses))) if shape.status else None
    moment = ua.DateTime(2026, 11, 22, tzinfo=UTC)
    answer = ua.DataValue(
        ua.Variant(value, shape.type),
        status,
        (draw(stamps) or moment) if shape.source else None,
        moment if shape.server else None,
    )
    if not shape.value:
        answer.Value = None
    return answer


@given(st.lists(st.tuples(shapes, columns()), max_size=8), st.data())
def test_another_answer_of_the_same_shape_is_gathered_and_right(pairs: list[tuple[Shape, Column]], data: st.DataObject) -> None:
    tags = [tag for _, tag in pairs]
    first = body_of([data.draw(item(shape)) for shape, _ in pairs])
    gatherer = learned(first, tags)
    assert gatherer is not None
    assert check(gatherer, first, tags)
    for handle in range(1, 4):
        second = body_of([data.draw(item(shape)) for shape, _ in pairs], RequestHandle=handle)
        assert check(gatherer, second, tags) or not all(shape.same_size for shape, _ in pairs)


@given(st.lists(st.tuples(answers(), answers(), columns()), max_size=6))
def test_an_answer_of_another_shape_is_refused_or_right(items: list[tuple[ua.DataValue, ua.DataValue, Column]]) -> None:
    tags = [tag for _, _, tag in items]
    gatherer = learned(body_of([one for one, _, _ in items]), tags)
    assert gatherer is not None
    check(gatherer, body_of([other for _, other, _ in items]), tags)


def damaged(body: bytes, choose: Callable[[int, int], int]) -> bytes:
    """One change somewhere; `choose(low, high)` is inclusive."""
    if not body:
        return bytes(1)
    at = choose(0, len(body) - 1)
    how = choose(0, 4)
    if how == 0:
        return body[:at]
    if how == 1:
        return body[:at] + body[at + choose(1, 9) :]
    if how == 2:
        return body[:at] + bytes(choose(1, 9)) + body[at:]
    return body[:at] + bytes([body[at] ^ choose(1, 255)]) + body[at + 1 :]


def has_value(answer: ua.DataValue) -> bool:
    return answer.Value is not None and answer.Value.VariantType is not V.Null


@pytest.mark.parametrize("length", [10_001, 2**31 - 1, -2, -(2**31)])
def test_an_array_of_nothing_is_not_believed_whatever_its_length(length: int) -> None:
    """It takes no bytes, so only a bound ends it."""
    body = bytes([1, 0x80]) + length.to_bytes(4, "little", signed=True)
    with pytest.raises(ValueError, match="an array of"):
        decoded_at(body, 0)
    nothings = decoded_at(bytes([1, 0x80, 3, 0, 0, 0]), 0)[0].Value
    assert nothings is not None
    assert nothings.Value == [None] * 3


@given(st.lists(st.tuples(answers().filter(has_value), columns()), min_size=1, max_size=4), st.data())
def test_a_damaged_answer_is_refused_or_what_the_exact_way_makes_of_it(
    pairs: list[tuple[ua.DataValue, Column]], data: st.DataObject
) -> None:
    tags = [tag for _, tag in pairs]
    body = body_of([answer for answer, _ in pairs])
    gatherer = learned(body, tags)
    assert gatherer is not None
    worse = damaged(body, lambda low, high: data.draw(st.integers(low, high)))
    check(gatherer, worse, tags)
    from_the_damaged = learned(worse, tags)
    if from_the_damaged is None:
        # What can't be learned is left to the exact way; what it can decode is then rare, and still decoded.
        return
    assert check(from_the_damaged, worse, tags)
    check(from_the_damaged, body, tags)


MIX = [V.Double, V.Double, V.Float, V.Int32, V.UInt16, V.Boolean, V.Int64, V.UInt64, V.String, V.SByte, V.LocalizedText]
KINDS = {V.Boolean: Kind.BOOLEAN, V.Int64: Kind.INTEGER, V.UInt64: Kind.INTEGER, V.String: Kind.TEXT, V.LocalizedText: Kind.TEXT}


def random_item(rng: random.Random, kind: ua.VariantType, bad_share: float) -> ua.DataValue:
    bits = INTEGER_BITS.get(kind)
    value: Any
    if bits is not None:
        value = rng.randrange(2**bits) if bits > 0 else rng.randrange(-(2 ** (-bits - 1)), 2 ** (-bits - 1))
    else:
        value = {
            V.Double: rng.choice([rng.uniform(-1e6, 1e6), math.nan, math.inf, -0.0, 5e-324]),
            V.Float: float(np.float32(rng.uniform(-1e3, 1e3))),
            V.Boolean: rng.random() < 0.5,
            V.String: rng.choice(["Dose", "Heat", "µ", None, "B-024"]),
            V.LocalizedText: ua.LocalizedText(rng.choice(["Dose", "Heat", "Filtration"]), "en"),
        }[kind]
    answer = ua.DataValue(ua.Variant(value, kind), None, ua.DateTime.fromtimestamp(rng.uniform(1e9, 2e9), UTC))
    if rng.random() < bad_share:
        answer.StatusCode = ua.StatusCode(ua.UInt32(rng.choice([0x808C0000, 0x40920000, 0x80310000])))
        if rng.random() < 0.5:
            answer.Value = None
    return answer


@pytest.mark.parametrize("seed", range(12))
def test_a_corpus_of_answers_and_their_damaged_copies(seed: int) -> None:
    rng = random.Random(seed)
    kinds = [rng.choice(MIX) for _ in range(rng.choice([1, 3, 20, 150]))]
    tags = [Column("T", "T", "U", KINDS.get(kind, Kind.REAL), scale=rng.choice([1.0, 0.1])) for kind in kinds]
    gathered = 0
    bad_share = rng.choice([0.0, 0.3])
    gatherer: Gatherer | None = None
    for _ in range(8):
        body = body_of([random_item(rng, kind, bad_share) for kind in kinds])
        if gatherer is None or not check(gatherer, body, tags):
            gatherer = learned(body, tags)
            assert gatherer is not None
            assert check(gatherer, body, tags)
        for _ in range(40):
            worse = body
            for _ in range(rng.choice([1, 1, 2, 5])):
                worse = damaged(worse, rng.randint)
            gathered += check(gatherer, worse, tags)
    assert gathered, "some damage is in values only, and only the exact way's opinion counts"


def test_a_number_that_the_wire_does_not_hold_is_not_a_value() -> None:
    """A NaN that signals, an infinity, a scaled overflow and a stamp of another age, all with good status."""
    tags = [REAL, REAL, Column("T", "T", "U", Kind.REAL, scale=1e300), REAL]
    ordinary = body_of([ua.DataValue(ua.Variant(1.0, V.Float), None, ua.DateTime(2026, 1, 1, tzinfo=UTC)) for _ in tags])
    gatherer = learned(ordinary, tags)
    assert gatherer is not None
    item_bytes = 2 + 4 + 8
    first = len(ordinary) - 4 - item_bytes * len(tags)
    body = bytearray(ordinary)
    for item, bits in enumerate((0x7F800001, 0xFF800000, 0x7F7FFFFF)):
        struct.pack_into("<I", body, first + item * item_bytes + 2, bits)
    for item, stamp in enumerate((-1, 2**63 - 1, 0, 116444736000000019)):
        struct.pack_into("<q", body, first + item * item_bytes + 6, stamp)
    assert check(gatherer, bytes(body), tags)
    samples = gatherer.samples(bytes(body))
    assert samples is not None
    assert samples.status.tolist() == [Status.BAD_OUT_OF_RANGE] * 3 + [0]
    assert samples.source_ns.tolist() == [0, 0, 0, 1000]


def test_picoseconds_reserved_bits_and_long_forms() -> None:
    """What other stacks may send, written by hand: the standard's order of picoseconds, a NodeId longer than needed."""
    stamp = 134_000_000_000_000_000
    pico = struct.pack("<BBdqHqH", 0x3D, 11, 1.5, stamp, 777, stamp + 5, 3)
    reserved = struct.pack("<BBd", 0xC1, 11, 2.5)
    header = struct.pack("<BHIqIIBi", 2, 0, 634, stamp, 1, 0, 0, 0) + struct.pack("<BHIB", 2, 0, 0, 0)
    body = header + struct.pack("<i", 2) + pico + reserved + struct.pack("<i", -1)
    tags = [REAL, REAL]
    gatherer = learned(body, tags)
    assert gatherer is not None
    assert check(gatherer, body, tags)
    samples = gatherer.samples(body)
    assert samples is not None
    assert samples.values.tolist() == [1.5, 2.5]


@pytest.mark.parametrize(
    "body",
    [
        body_of([]),
        body_of([ua.DataValue(ua.Variant(1.0, V.Double))] * 2),
        body_of([ua.DataValue(ua.Variant(1.0, V.Double))], ServiceResult=ua.StatusCode(ua.UInt32(StatusCodes.BadTimeout))),
        body_of([ua.DataValue(ua.Variant(1.0, V.Double))]) + b"\0",
        body_of([ua.DataValue(ua.Variant(1.0, V.Double))])[:-1],
        body_of([ua.DataValue(ua.Variant("abc", V.String))]).replace(struct.pack("<i", 3), struct.pack("<i", -3)),
        b"",
    ],
    ids=["no item", "two items", "refused", "a byte more", "a byte less", "a length below null", "nothing"],
)
def test_nothing_is_learned_from_what_is_no_good_answer(body: bytes) -> None:
    assert learned(body, [REAL]) is None


def test_diagnostics_and_a_header_with_texts_belong_to_the_layout() -> None:
    response = ua.ReadResponse()
    response.Results = [ua.DataValue(ua.Variant(1.0, V.Double))]
    response.ResponseHeader.StringTable = ["why", "where"]
    response.DiagnosticInfos = [ua.DiagnosticInfo(SymbolicId=ua.Int32(1))]
    body = ua.ua_binary.struct_to_binary(response)
    gatherer = learned(body, [REAL])
    assert gatherer is not None
    assert check(gatherer, body, [REAL])
    assert gatherer.samples(body.replace(b"why", b"who")) is None


def test_gathering_leaves_the_error_state_of_numpy_as_it_is() -> None:
    """What overflows when it is scaled is no error of the program, and all else that overflows still is."""
    tags = [Column("T", "T", "U", Kind.REAL, scale=1e300)]
    body = body_of([ua.DataValue(ua.Variant(1e300, V.Double))])
    gatherer, before = learned(body, tags), np.geterr()
    assert gatherer is not None
    assert check(gatherer, body, tags)
    assert np.geterr() == before
