"""Which tags are verified when, and when a subscription is known not to deliver one: on a server whose every change is known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.opcua.freshness import Freshness

WATCH_S, SETTLE_S = 0.25, 2.0


class Server:
    """Values that change at given times and are told a delay later, or not at all; a Read always has the newest."""

    def __init__(self, k: int, freshness_s: float) -> None:
        self.columns = list(range(k))
        self.freshness = Freshness(k, freshness_s)
        self.freshness.begin(0.0, SETTLE_S)
        self.freshness.watch(self.columns, 0.0)
        self.newest, self.told = [0] * k, [-1] * k
        self.pending: list[tuple[float, int, int]] = []
        self.reads: Counter[int] = Counter()
        self.missed: list[tuple[float, int]] = []
        """When a tag was found not to be delivered, and which."""

    def change(self, column: int, value: int, told_s: float | None) -> None:
        self.newest[column] = value
        if told_s is not None:
            self.pending.append((told_s, column, value))

    def step(self, now_s: float) -> None:
        for entry in sorted((entry for entry in self.pending if entry[0] <= now_s), key=lambda entry: entry[0]):
            self.pending.remove(entry)
            self.told[entry[1]] = entry[2]
            self.freshness.told(np.array([entry[1]]))
        due = self.freshness.due(now_s)
        assert len(set(due)) == len(due)
        self.reads.update(due)
        for column in due:
            if self.freshness.verify(column, now_s, differs=self.newest[column] != self.told[column]):
                self.missed.append((now_s, column))
                self.freshness.suspect([column], now_s)

    def run(self, from_s: float, to_s: float) -> None:
        for n in range(round(from_s / WATCH_S), round(to_s / WATCH_S)):
            self.step(n * WATCH_S)


DELAYS = st.floats(0, SETTLE_S - 0.3)


@given(
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 4), DELAYS), max_size=60), DELAYS, st.sampled_from([1.0, 5.0, 60.0])
)
def test_a_server_that_tells_every_change_in_time_is_never_distrusted(
    changes: list[tuple[int, int, float]], first_s: float, freshness_s: float
) -> None:
    server = Server(5, freshness_s)
    for column in server.columns:
        server.change(column, 1, first_s)
    for n in range(240):
        for value, (at, column, delay_s) in enumerate(changes, 2):
            if at == n:
                told = [entry[0] for entry in server.pending if entry[1] == column]
                server.change(column, value, max([n * WATCH_S + delay_s, *told]))
        server.step(n * WATCH_S)
    assert server.missed == []


@pytest.mark.parametrize(("k", "freshness_s"), [(1, 1.0), (3, 5.0), (7, 60.0), (1000, 60.0), (40, 300.0)])
def test_a_quiet_tag_is_read_once_in_the_time_asked_for(k: int, freshness_s: float) -> None:
    server = Server(k, freshness_s)
    for column in server.columns:
        server.change(column, 1, 0.0)
    rounds = 4
    server.run(0, (1 + rounds) * freshness_s + 1)
    assert set(server.reads) == set(server.columns)
    assert max(server.reads.values()) <= rounds + 2
    assert min(server.reads.values()) >= rounds


def test_a_tag_of_which_something_is_told_all_the_time_is_not_read() -> None:
    server = Server(2, 5.0)
    for n in range(400):
        server.change(1, n, n * WATCH_S)
        if n == 0:
            server.change(0, 1, 0.0)
        server.step(n * WATCH_S)
    assert server.reads[1] == 0
    assert server.reads[0] >= 15


@given(st.integers(0, 6), st.sampled_from([1.0, 10.0, 60.0]), st.floats(0, 100))
def test_a_change_that_is_kept_back_is_found_in_the_time_asked_for(column: int, freshness_s: float, at_s: float) -> None:
    server = Server(7, freshness_s)
    for each in server.columns:
        server.change(each, 1, 0.0)
    server.run(0, at_s)
    server.change(column, 2, None)
    server.run(at_s, at_s + freshness_s + 1 + SETTLE_S + 3 * WATCH_S)
    assert [found for _, found in server.missed][:1] == [column]
    assert all(found == column for _, found in server.missed)


def test_a_value_that_came_and_went_between_two_samplings_is_nobodys_fault() -> None:
    server = Server(1, 1.0)
    server.change(0, 1, 0.0)
    server.run(0, 10)
    reads = server.reads[0]
    server.newest[0] = 9
    for n in range(40, 60):
        server.step(n * WATCH_S)
        if server.reads[0] > reads:
            break
    server.newest[0] = 1
    server.run(15, 30)
    assert server.missed == []


def test_a_first_value_that_does_not_come_is_found() -> None:
    server = Server(2, 60.0)
    server.change(0, 1, 0.5)
    server.newest[1] = 1
    server.run(0, SETTLE_S + 2 * WATCH_S)
    assert server.missed == [(SETTLE_S, 1)]


def test_what_is_not_monitored_is_not_verified() -> None:
    freshness = Freshness(3, 1.0)
    freshness.begin(0.0, SETTLE_S)
    freshness.watch([0, 2], 0.0)
    found: Sequence[int] = [column for n in range(1, 40) for column in freshness.due(n * WATCH_S)]
    assert set(found) == {0, 2}
    freshness.watch([0, 1, 2], 10.0)
    assert 1 in [column for n in range(40, 60) for column in freshness.due(n * WATCH_S)]
    freshness.begin(20.0, SETTLE_S)
    assert freshness.due(30.0) == []
