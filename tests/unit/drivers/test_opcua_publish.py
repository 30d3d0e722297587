"""What a subscription tells, the fast way against asyncua's: the same samples bit for bit, or none at all."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC
from unittest.mock import patch

import numpy as np
import pytest
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.ua_binary import struct_to_binary
from hypothesis import given
from hypothesis import strategies as st

from config.tags import Kind
from drivers.base import Column
from drivers.opcua import publish
from drivers.opcua.publish import PublishDecoder, Published
from tests.unit.drivers.opcua_strategies import V, answers, columns
from tests.unit.drivers.test_opcua_gather import KINDS, MIX, damaged, random_item

SUBSCRIPTION = 7
Items = Sequence[tuple[int, ua.DataValue]]


def body_of(items: Items, sequence: int = 1, available: Sequence[int] = (), results: int = 0) -> bytes:
    """A PublishResponse with one notification of data changes."""
    response = ua.PublishResponse()
    found = response.Parameters
    found.SubscriptionId = ua.UInt32(SUBSCRIPTION)
    found.AvailableSequenceNumbers = [ua.UInt32(number) for number in available]
    found.NotificationMessage.SequenceNumber = ua.UInt32(sequence)
    found.NotificationMessage.PublishTime = ua.DateTime(2026, 11, 26, 10, 0, sequence % 60, tzinfo=UTC)
    notification = ua.DataChangeNotification()
    notification.MonitoredItems = [ua.MonitoredItemNotification(ua.UInt32(handle), value) for handle, value in items]
    found.NotificationMessage.NotificationData = [notification]
    found.Results = [ua.StatusCode()] * results
    return struct_to_binary(response)


def decoder_of(tags: Sequence[Column], *, fast: bool) -> PublishDecoder:
    decoder = PublishDecoder()
    decoder.columns[SUBSCRIPTION] = tags
    decoder._proven = fast
    return decoder


def told(decoder: PublishDecoder, body: bytes) -> Published | None:
    try:
        return decoder.decode(body)
    except Exception:  # noqa: BLE001  whatever asyncua raises: nothing is told
        return None


def assert_same(fast: Published | None, exact: Published | None) -> None:
    assert (fast is None) == (exact is None)
    if fast is None or exact is None:
        return
    assert (fast.subscription, fast.sequence, fast.is_message) == (exact.subscription, exact.sequence, exact.is_message)
    assert len(fast.told) == len(exact.told)
    for mine, theirs in zip(fast.told, exact.told, strict=True):
        assert np.array_equal(mine.columns, theirs.columns)
        assert mine.samples.same_as(theirs.samples)


@given(st.lists(columns(), min_size=1, max_size=5), st.data())
def test_any_changes_of_any_tags_are_told_as_asyncua_does(tags: list[Column], data: st.DataObject) -> None:
    fast, exact = decoder_of(tags, fast=True), decoder_of(tags, fast=False)
    handles = st.integers(0, len(tags) - 1)
    for sequence in range(1, 5):
        items = data.draw(st.lists(st.tuples(handles, answers()), max_size=6))
        body = body_of(items, sequence, range(1, sequence), data.draw(st.integers(0, 2)))
        for each in (body, body_of(items, sequence + 9, range(1, sequence))):
            assert_same(told(fast, each), told(exact, each))


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_message_is_refused_or_what_asyncua_makes_of_it(seed: int) -> None:
    rng = random.Random(seed)
    kinds = [rng.choice(MIX) for _ in range(rng.choice([1, 3, 40]))]
    tags = [Column("T", "T", "U", KINDS.get(kind, Kind.REAL), scale=rng.choice([1.0, 0.1])) for kind in kinds]
    fast, exact = decoder_of(tags, fast=True), decoder_of(tags, fast=False)
    for sequence in range(1, 6):
        body = body_of([(at, random_item(rng, kind, 0.2)) for at, kind in enumerate(kinds)], sequence)
        assert_same(told(fast, body), told(exact, body))
        for _ in range(60):
            worse = damaged(body, rng.randint)
            exactly = told(exact, worse)
            quickly = told(fast, worse)
            assert_same(quickly, exactly)


def test_the_layout_is_used_again_and_a_repeated_tag_keeps_its_order() -> None:
    tags = [Column("T", "T", "U", Kind.REAL)] * 3
    decoder = decoder_of(tags, fast=True)
    for sequence in (1, 2):
        values = [(2, 1.0 * sequence), (0, 2.0), (2, 3.0 * sequence)]
        items = [(at, ua.DataValue(ua.Variant(value, V.Double))) for at, value in values]
        published = decoder.decode(body_of(items, sequence))
        assert published.sequence == sequence
        assert published.told[0].columns.tolist() == [2, 0, 2]
        assert published.told[0].samples.values.tolist() == [1.0 * sequence, 2.0, 3.0 * sequence]
        assert len(decoder._shapes) == 1


def test_small_messages_of_ever_other_tags_are_seldom_learned_and_those_that_come_again_are() -> None:
    """To learn one costs more than to decode it."""
    rng, tags = random.Random(4), [Column("T", "T", "U", Kind.REAL)] * 200
    fast, exact = decoder_of(tags, fast=True), decoder_of(tags, fast=False)

    def message(handles: Sequence[int], sequence: int) -> bytes:
        return body_of([(at, ua.DataValue(ua.Variant(rng.random(), V.Double))) for at in handles], sequence)

    with patch("drivers.opcua.publish._learn", wraps=publish._learn) as learn:
        for sequence in range(1, 201):
            body = message(rng.sample(range(200), 8), sequence)
            assert_same(fast.decode(body), exact.decode(body))
        assert 2 <= learn.call_count <= 10
        learn.reset_mock()
        for sequence in range(1, 101):
            body = message(range(8 + sequence % 2), sequence)
            assert_same(fast.decode(body), exact.decode(body))
        assert learn.call_count == 2
        learn.reset_mock()
        for sequence in range(1, 11):
            fast.decode(message(rng.sample(range(200), 150), sequence))
        assert learn.call_count == 10, "of many values each costs less when it is learned, even for once"


def test_the_first_message_is_decoded_both_ways() -> None:
    decoder = PublishDecoder()
    decoder.columns[SUBSCRIPTION] = [Column("T", "T", "U", Kind.REAL)]
    decoder.decode(body_of([(0, ua.DataValue(ua.Variant(1.5, V.Double)))]))
    assert decoder._proven is True


def test_keep_alives_and_the_end_of_a_subscription() -> None:
    decoder = decoder_of([], fast=True)
    response = ua.PublishResponse()
    response.Parameters.SubscriptionId = ua.UInt32(SUBSCRIPTION)
    response.Parameters.NotificationMessage.SequenceNumber = ua.UInt32(5)
    published = decoder.decode(struct_to_binary(response))
    assert (published.sequence, published.is_message, published.told) == (5, False, ())
    end = ua.StatusChangeNotification(ua.StatusCode(ua.UInt32(StatusCodes.BadTimeout)))
    response.Parameters.NotificationMessage.NotificationData = [end]
    assert decoder.decode(struct_to_binary(response)).ended == StatusCodes.BadTimeout
