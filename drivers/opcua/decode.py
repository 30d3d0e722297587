"""From DataValues to samples: what a value means for the kind of its tag. Pure: no I/O, no clock, no log.

A value never changes its nature on the way: what does not fit the kind of its tag is a bad sample (a *misfit*), never a
guess. The server's own status stays as it came; only where a value that the server calls good or uncertain can't be taken
does our own code take its place.

    the server says    the value         status          values / integers / texts
    good, uncertain    fits              the server's    the value
    good, uncertain    does not fit      ours, bad       NaN / 0 / ""
    bad                not looked at     the server's    NaN / 0 / ""
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from asyncua import ua

from config.tags import Kind
from drivers.base import Column, Status
from drivers.opcua.samples import Misfit, Samples

Number = float | int
Value = Number | str

BAD = 0x8000_0000
"""Status codes from here on are bad."""
ARRAY = "[]"
"""Behind the name of a type."""
_INT64_LOW, _INT64_HIGH = -(2**63), 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MisfitValue(Exception):
    """A value that can't be taken for its tag; `status` tells why in the record."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


def source_ns(stamp: datetime | None) -> int:
    """Nanoseconds since 1970-01-01 UTC; 0 where there is no stamp, or none that a device of today can mean
    (1601 and 9999 are OPC UA's "none"). A stamp without a zone is UTC."""
    if stamp is None:
        return 0
    since = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)) - _EPOCH
    stamp_ns = since // _MICROSECOND * 1000
    return stamp_ns if 0 < stamp_ns <= _INT64_HIGH else 0


def no_value(status: int) -> ua.DataValue:
    """The answer that stands for none."""
    return ua.DataValue(ua.Variant(), ua.StatusCode(ua.UInt32(status)))


def type_name(variant: ua.Variant | None) -> str:
    """What a variant holds, for people."""
    if variant is None:
        return "Null"
    return f"{variant.VariantType.name}{ARRAY}" if _is_array(variant) else str(variant.VariantType.name)


class ItemDecoder:
    """Decodes answers one by one, in the order of their columns: exact, for anything a server may send, and slow."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._takes = tuple(_take_for(column.kind, column.scale, column.offset) for column in columns)
        self._integer_columns = [i for i, column in enumerate(columns) if column.kind is Kind.INTEGER]
        self._text_columns = [i for i, column in enumerate(columns) if column.kind is Kind.TEXT]

    def decode(self, answers: Sequence[ua.DataValue]) -> Samples:
        """One answer per column. Raises ValueError on another count."""
        taken = [self.take(column, answer) for column, answer in zip(range(len(self._takes)), answers, strict=True)]
        values = [value for value, _, _ in taken]
        return Samples(
            np.array([math.nan if value is None or isinstance(value, str) else value for value in values], np.float64),
            np.array([status for _, status, _ in taken], np.uint32),
            np.array([source_ns(answer.SourceTimestamp) for answer in answers], np.int64),
            np.array([values[column] or 0 for column in self._integer_columns], np.int64),
            tuple(str(values[column] or "") for column in self._text_columns),
            tuple(misfit for _, _, misfit in taken if misfit),
        )

    def take(self, column: int, answer: ua.DataValue) -> tuple[Value | None, int, Misfit | None]:
        """What becomes of one answer: its value if it can be taken, its status, and how it was overruled."""
        status = answer.StatusCode.value if answer.StatusCode is not None else Status.GOOD
        if status >= BAD:
            return None, status, None
        try:
            return self._takes[column](answer.Value), status, None
        except MisfitValue as misfit:
            return None, misfit.status, Misfit(column, type_name(answer.Value), misfit.status)


@lru_cache(1024)  # a message with other tags than before needs thousands of them at once
def _take_for(kind: Kind, scale: float, offset: float) -> Callable[[ua.Variant | None], Value]:
    fits = _FITS[kind]
    # 1.0 and 0.0 are not applied: -0.0 + 0.0 is 0.0, and a value that needs no scaling is kept bit for bit.
    scaled = (scale, offset) != (1.0, 0.0)

    def take(variant: ua.Variant | None) -> Value:
        if variant is None or _is_array(variant):
            raise MisfitValue(Status.BAD_NO_DATA if variant is None else Status.BAD_TYPE_MISMATCH)
        if variant.Value is None and (variant.VariantType is not _V.String or kind is not Kind.TEXT):
            raise MisfitValue(Status.BAD_NO_DATA)
        fit = fits.get(variant.VariantType)
        if fit is None:
            raise MisfitValue(Status.BAD_TYPE_MISMATCH)
        value = fit(variant.Value)
        return _finite(value * scale + offset) if scaled and not isinstance(value, str) else value

    return take


def _is_array(variant: ua.Variant) -> bool:
    return bool(variant.is_array) or isinstance(variant.Value, (list, tuple))


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise MisfitValue(Status.BAD_OUT_OF_RANGE)
    return float(number)


def _int64(number: int) -> int:
    if not _INT64_LOW <= number <= _INT64_HIGH:
        raise MisfitValue(Status.BAD_OUT_OF_RANGE)
    return int(number)


def _whole(number: float) -> int:
    if not _finite(number).is_integer():
        raise MisfitValue(Status.BAD_TYPE_MISMATCH)
    return _int64(int(number))


def _text(text: str | None) -> str:
    if text is None:  # a null String of good status: how some servers send an empty one, e.g. the batch id between batches
        return ""
    # asyncua keeps bytes that are no UTF-8 as lone surrogates: no text anyone could have meant, and poison further on.
    if not text.isascii() and any("\ud800" <= sign <= "\udfff" for sign in text):
        raise MisfitValue(Status.BAD_DECODING)
    return str(text)


_Fit = Callable[[Any], Value]
_V = ua.VariantType
_INTEGERS = (_V.SByte, _V.Byte, _V.Int16, _V.UInt16, _V.Int32, _V.UInt32, _V.Int64, _V.UInt64)
_FITS: Mapping[Kind, Mapping[object, _Fit]] = {
    Kind.REAL: {
        **dict.fromkeys(_INTEGERS, float),
        _V.Float: _finite,
        _V.Double: _finite,
        _V.StatusCode: lambda code: float(code.value),
    },
    Kind.INTEGER: {
        **dict.fromkeys(_INTEGERS, _int64),
        _V.Float: _whole,
        _V.Double: _whole,
        _V.StatusCode: lambda code: int(code.value),
    },
    Kind.BOOLEAN: {_V.Boolean: float},
    Kind.TEXT: {
        _V.String: _text,
        _V.LocalizedText: lambda text: _text(text.Text),
        _V.QualifiedName: lambda name: _text(name.Name),
        _V.XmlElement: lambda element: _text(element.Value),
        _V.Guid: str,
    },
}
"""Per kind, the types on the wire that it takes. A boolean is no number and a number no text: the plant file says what
a tag is, and a node of another nature is a fault of one of the two, to be seen."""

TYPES_TAKEN: Mapping[Kind, frozenset[str]] = {
    kind: frozenset(str(getattr(type_, "name", type_)) for type_ in fits) for kind, fits in _FITS.items()
}
"""The same by name: `Double`, `String`."""
