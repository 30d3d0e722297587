"""DataValues and columns of every sort, for tests of decoding."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import strategies as st

from config.tags import Kind
from drivers.base import Column

V = ua.VariantType
INTEGER_BITS = {V.SByte: -8, V.Byte: 8, V.Int16: -16, V.UInt16: 16, V.Int32: -32, V.UInt32: 32, V.Int64: -64, V.UInt64: 64}
NAMES = {V.LocalizedText: "Text", V.QualifiedName: "Name", V.XmlElement: "Value"}
GOOD, UNCERTAIN, BAD = 0, StatusCodes.UncertainLastUsableValue, StatusCodes.BadSensorFailure


def integers_of(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (-bits - 1)), 2 ** (-bits - 1) - 1) if bits < 0 else st.integers(0, 2**bits - 1)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
floats32 = st.floats(width=32)
stamps: st.SearchStrategy[Any] = st.none() | st.datetimes(datetime(1601, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))
scalars: dict[ua.VariantType, st.SearchStrategy[Any]] = {
    V.Null: st.none(),
    V.Boolean: st.booleans(),
    **{kind: integers_of(bits) for kind, bits in INTEGER_BITS.items()},
    V.Float: floats32 | st.integers(-100, 100).map(float),
    V.Double: st.floats() | st.integers(-(2**63) - 2**12, 2**63 + 2**12).map(float),
    V.String: st.none() | texts | st.just("\udcff"),
    V.DateTime: st.datetimes(datetime(1700, 1, 1), timezones=st.just(UTC)),
    V.Guid: st.uuids(),
    V.ByteString: st.none() | st.binary(max_size=4),
    V.XmlElement: texts.map(lambda text: ua.XmlElement(ua.String(text))),
    V.NodeId: st.integers(0, 2**32 - 1).map(lambda i: ua.NodeId(ua.Int32(i), ua.Int16(3))),
    V.StatusCode: st.integers(0, 2**32 - 1).map(lambda code: ua.StatusCode(ua.UInt32(code))),
    V.QualifiedName: (st.none() | texts).map(ua.QualifiedName),
    V.LocalizedText: (st.none() | texts).map(ua.LocalizedText),
    V.ExtensionObject: st.builds(ua.Range, st.floats(), st.floats()),
    V.Variant: st.just(ua.Variant(1.0, V.Double)),
}


@st.composite
def variants(draw: st.DrawFn) -> ua.Variant:
    kind = draw(st.sampled_from(sorted(scalars, key=lambda kind: kind.value)))
    value = draw(scalars[kind])
    if kind not in (V.Null, V.Variant) and value is not None and draw(st.integers(0, 9)) == 0:
        value = [value]
    return ua.Variant(value, kind)


@st.composite
def answers(draw: st.DrawFn) -> ua.DataValue:
    status = draw(st.sampled_from([None, GOOD, GOOD, UNCERTAIN, BAD, 0x480, 0xC0000000]) | st.integers(0, 2**32 - 1))
    code = None if status is None else ua.StatusCode(ua.UInt32(status))
    return ua.DataValue(draw(st.none() | variants()), code, draw(stamps), draw(stamps))


@st.composite
def columns(draw: st.DrawFn) -> Column:
    kind = draw(st.sampled_from(Kind))
    scaled = kind is Kind.REAL and draw(st.booleans())
    scale, offset = (draw(st.sampled_from([0.1, -1e300, 2.0])), draw(st.sampled_from([0.0, -5.5]))) if scaled else (1.0, 0.0)
    return Column("T", "T", "U", kind, scale=scale, offset=offset)


def body_of(answers: list[ua.DataValue], **header: Any) -> bytes:
    """A ReadResponse."""
    response = ua.ReadResponse()
    response.Results = answers
    for name, value in header.items():
        setattr(response.ResponseHeader, name, value)
    return struct_to_binary(response)
