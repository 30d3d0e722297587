"""The answers to one request, in turn: when the fast way is used, what learning costs, and when it is not trusted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from config.tags import Kind
from drivers.base import Column, DeviceError, Layout, Status
from drivers.opcua.answer import AnswerDecoder
from drivers.opcua.decode import ItemDecoder
from drivers.opcua.gather import Gatherer
from drivers.opcua.layout import AnswerLayout
from drivers.opcua.samples import Samples, joined
from drivers.opcua.wire import Undecodable
from tests.unit.drivers.opcua_strategies import V, answers, body_of, columns

TAGS = [Column("TT", "TT", "U", Kind.REAL), Column("PHASE", "PHASE", "U", Kind.TEXT), Column("N", "N", "U", Kind.INTEGER)]


def body(value: float, phase: str | None, number: int = 7) -> bytes:
    items = [ua.Variant(value, V.Double), ua.Variant(phase, V.String), ua.Variant(number, V.Int32)]
    return body_of([ua.DataValue(variant, None) for variant in items])


@contextmanager
def counting() -> Iterator[dict[str, int]]:
    """How often a layout was learned, and how often items were decoded one by one."""
    count = {"learned": 0, "one by one": 0}
    learn, decode = AnswerLayout.learn, ItemDecoder.decode

    def learned(body: bytes, items: int) -> AnswerLayout:
        count["learned"] += 1
        return learn(body, items)

    def decoded(decoder: ItemDecoder, given: list[ua.DataValue]) -> Samples:
        count["one by one"] += 1
        return decode(decoder, given)

    with patch.object(AnswerLayout, "learn", learned), patch.object(ItemDecoder, "decode", decoded):
        yield count


def test_after_the_first_answer_nothing_is_decoded_one_by_one() -> None:
    decoder = AnswerDecoder(TAGS)
    with counting() as count:
        decoder.decode(body(1.0, "Dose"), "a test")
        assert count == {"learned": 1, "one by one": 1}
        for value, phase, number in ((2.0, "Heat", 8), (-0.0, "Fill", -1), (5e-324, "Dose", 2**31 - 1)):
            samples = decoder.decode(body(value, phase, number), "a test")
            assert samples.values.tobytes() == np.array([value, np.nan, number]).tobytes()
            assert samples.texts == (phase,)
            assert samples.integers.tolist() == [number]
        assert count == {"learned": 1, "one by one": 1}


def test_a_text_that_changes_its_length_costs_learning_once() -> None:
    decoder = AnswerDecoder(TAGS)
    with counting() as count:
        for phase in ("Dose", "Dose", "Filtration", "Filtration", "Filtration", None, None, ""):
            assert decoder.decode(body(1.0, phase), "a test").texts == (phase or "",)
        assert count == {"learned": 4, "one by one": 1}


def test_what_is_no_proper_answer_is_told_as_ever_and_the_layout_is_kept_or_learned_anew() -> None:
    decoder = AnswerDecoder(TAGS)
    decoder.decode(body(1.0, "Dose"), "a test")
    with pytest.raises(Undecodable):
        decoder.decode(body(1.0, "Dose")[:-3], "a test")
    with pytest.raises(DeviceError, match="a test: 1 results for 3 nodes"):
        decoder.decode(body_of([ua.DataValue(ua.Variant(1.0))]), "a test")
    refused = ua.StatusCode(ua.UInt32(StatusCodes.BadSessionClosed))
    with pytest.raises(DeviceError, match="BadSessionClosed"):
        decoder.decode(body_of([], ServiceResult=refused), "a test")
    with counting() as count:
        decoder.decode(body(2.0, "Dose"), "a test")
        decoder.decode(body(3.0, "Dose"), "a test")
        assert count["one by one"] == 0
        assert count["learned"] <= 1


def test_an_undecodable_first_answer_does_not_spoil_the_next_ones() -> None:
    decoder = AnswerDecoder(TAGS)
    with pytest.raises(Undecodable):
        decoder.decode(body(1.0, "Dose")[:-3], "a test")
    decoder.decode(body(1.0, "Dose"), "a test")
    with counting() as count:
        decoder.decode(body(2.0, "Dose"), "a test")
        assert count == {"learned": 0, "one by one": 0}


def test_two_ways_that_differ_are_told_and_the_exact_one_is_used() -> None:
    gather = Gatherer.samples

    def wrong(gatherer: Gatherer, answer: bytes) -> Samples | None:
        samples = gather(gatherer, answer)
        return replace(samples, values=samples.values + 1) if samples else None

    decoder = AnswerDecoder(TAGS)
    with patch.object(Gatherer, "samples", wrong), capture_logs() as logs:
        values = [decoder.decode(body(value, "Dose"), "a test").values[0] for value in (1.0, 2.0, 3.0)]
    assert values == [1.0, 2.0, 3.0]
    assert [(entry["log_level"], entry["reading"]) for entry in logs] == [("error", "a test")]


def test_what_stands_for_an_answer_that_nobody_can_decode() -> None:
    samples = AnswerDecoder(TAGS[:1]).refused(Status.BAD_DECODING)
    assert samples.status.tolist() == [Status.BAD_DECODING]
    assert np.isnan(samples.values).all()


@given(st.lists(st.tuples(answers(), columns()), min_size=1, max_size=8), st.data())
def test_parts_of_a_group_make_the_same_scan_as_the_whole(pairs: list[tuple[ua.DataValue, Column]], data: st.DataObject) -> None:
    tags = [tag for _, tag in pairs]
    layout = Layout("e", "d", "g", 10**9, tuple(tags))
    part_of = [data.draw(st.integers(0, 2)) for _ in pairs]
    parts = []
    for part in range(3):
        members = [column for column in range(len(pairs)) if part_of[column] == part]
        samples = ItemDecoder([tags[column] for column in members]).decode([pairs[column][0] for column in members])
        parts.append((np.array(members, np.intp), samples))
    whole = ItemDecoder(tags).decode([answer for answer, _ in pairs])
    assert joined(layout, parts).same_as(whole)
