"""From the DataValues of one scan group to the columns of a scan. Pure: no I/O, no clock, no log.

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
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from asyncua import ua

from config.tags import Kind
from drivers.base import Column, Layout, Scan, Status, quality_of

Number = float | int
Value = Number | str

_BAD = 0x8000_0000
_INT64_LOW, _INT64_HIGH = -(2**63), 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class MisfitValue(Exception):
    """A value that can't be taken for its tag; `status` tells why in the record."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


@dataclass(frozen=True, slots=True)
class Misfit:
    """A sample where the server's good or uncertain status was overruled."""

    column: int
    found: str
    """The type on the wire: `String`, `Double[]`, `Null`."""
    status: int


def source_ns(stamp: datetime | None) -> int:
    """Nanoseconds since 1970-01-01 UTC; 0 where there is no stamp, or none that a device of today can mean
    (1601 and 9999 are OPC UA's "none"). A stamp without a zone is UTC."""
    if stamp is None:
        return 0
    since = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)) - _EPOCH
    stamp_ns = since // _MICROSECOND * 1000
    return stamp_ns if 0 < stamp_ns <= _INT64_HIGH else 0


def type_name(variant: ua.Variant | None) -> str:
    """What a variant holds, for people."""
    if variant is None:
        return "Null"
    return f"{variant.VariantType.name}[]" if _is_array(variant) else str(variant.VariantType.name)


class GroupDecoder:
    """Decodes the answers of one scan group, in the order of its columns."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._takes = tuple(_take_for(column) for column in layout.columns)

    def decode(self, answers: Sequence[ua.DataValue], slot_ns: int, received_ns: int) -> tuple[Scan, tuple[Misfit, ...]]:
        """One answer per column -> the scan, and the samples that were overruled. Raises ValueError on another count."""
        misfits: list[Misfit] = []
        taken: list[Value | None] = []
        status: list[int] = []
        for column, (answer, take) in enumerate(zip(answers, self._takes, strict=True)):
            code = answer.StatusCode.value if answer.StatusCode is not None else Status.GOOD
            value = None
            if code < _BAD:
                try:
                    value = take(answer.Value)
                except MisfitValue as misfit:
                    code = misfit.status
                    misfits.append(Misfit(column, type_name(answer.Value), code))
            taken.append(value)
            status.append(code)
        stamps = np.array([source_ns(answer.SourceTimestamp) for answer in answers], np.int64)
        return self._scan(taken, np.array(status, np.uint32), stamps, slot_ns, received_ns), tuple(misfits)

    def _scan(
        self,
        taken: Sequence[Value | None],
        status: np.ndarray[Any, np.dtype[np.uint32]],
        stamps: np.ndarray[Any, np.dtype[np.int64]],
        slot_ns: int,
        received_ns: int,
    ) -> Scan:
        layout = self._layout
        return Scan(
            layout,
            slot_ns,
            received_ns,
            np.array([math.nan if value is None or isinstance(value, str) else value for value in taken], np.float64),
            status,
            quality_of(status),
            stamps,
            np.array([taken[column] or 0 for column in layout.integer_columns], np.int64),
            tuple(str(taken[column] or "") for column in layout.text_columns),
        )


def _take_for(column: Column) -> Callable[[ua.Variant | None], Value]:
    fits = _FITS[column.kind]
    scale, offset = column.scale, column.offset
    # 1.0 and 0.0 are not applied: -0.0 + 0.0 is 0.0, and a value that needs no scaling is kept bit for bit.
    scaled = (scale, offset) != (1.0, 0.0)

    def take(variant: ua.Variant | None) -> Value:
        if variant is None or _is_array(variant):
            raise MisfitValue(Status.BAD_NO_DATA if variant is None else Status.BAD_TYPE_MISMATCH)
        if variant.Value is None and (variant.VariantType is not _V.String or column.kind is not Kind.TEXT):
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
