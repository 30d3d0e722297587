"""How many values a server is asked to keep, and which shorter queues are told of."""

from __future__ import annotations

import pytest

from config.model import OpcUaGroup
from drivers.opcua.queues import MOST, Queues, some


def queues(publishing_s: float, **group: object) -> Queues:
    made = Queues(OpcUaGroup.model_validate({"name": "main", "mode": "subscribe", **group}))
    made.begin(publishing_s)
    return made


@pytest.mark.parametrize(
    ("group", "publishing_s", "size"),
    [
        ({"period_s": 1.0}, 1.0, 2),
        ({"period_s": 0.9, "sampling_s": 0.3}, 0.9, 6),
        ({"period_s": 1.0, "sampling_s": 0.1}, 1.0, 20),
        ({"period_s": 1.0, "sampling_s": 0.1}, 5.0, 100),
        ({"period_s": 1.0, "sampling_s": 0.1}, 0.2, 20),
        ({"period_s": 1.0, "sampling_s": 0.1, "queue_size": 3}, 5.0, 3),
        ({"period_s": 3600, "sampling_s": 0.01}, 3600, MOST),
    ],
)
def test_twice_what_is_sampled_between_two_messages_is_asked_for(
    group: dict[str, object], publishing_s: float, size: int
) -> None:
    """Messages are as rare as the server makes them."""
    assert queues(publishing_s, **group).size == size


def test_a_queue_that_holds_all_that_is_sampled_is_long_enough() -> None:
    kept = queues(1.0, period_s=1.0)
    kept.granted(0, 1)
    assert (kept.overflowing, kept.newest_only()) == ({}, [])


def test_what_a_queue_of_one_leaves_out_is_told_once() -> None:
    kept = queues(1.0, period_s=1.0, sampling_s=0.1)
    for column, size in enumerate((20, 10, 9, 1, 0)):
        kept.granted(column, size)
    assert kept.overflowing == {2: 9}
    assert kept.newest_only() == [3, 4]
    assert kept.newest_only() == []
    kept.begin(1.0)
    kept.granted(5, 1)
    assert (kept.overflowing, kept.newest_only()) == ({}, [5])


def test_a_plant_file_that_wants_the_newest_value_only_gets_it_without_a_word() -> None:
    kept = queues(1.0, period_s=1.0, sampling_s=0.1, queue_size=1)
    kept.granted(0, 1)
    assert (kept.overflowing, kept.newest_only()) == ({}, [])


def test_all_tags_of_a_great_group_are_not_named_one_by_one() -> None:
    assert some(["A", "B"], 2) == "A, B"
    assert some(map(str, range(500)), 500) == "all its 500 tags"
    assert some(["A"], 500) == "A"
