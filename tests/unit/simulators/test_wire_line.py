"""What a bad line holds back, breaks and scrambles, on a clock of the test's own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.wire.line import AT_MOST_HELD, NO_TROUBLE, Line, Trouble


def line(trouble: Trouble = NO_TROUBLE, seed: str = "1/wire/1") -> Line:
    made = Line(seed)
    made.trouble = trouble
    return made


def test_a_delay_holds_each_answer_by_its_own_arrival() -> None:
    late = line(Trouble(delay_s=2.0))
    assert late.put(b"one", 10.0) and late.put(b"two", 11.0)
    assert (late.take(11.9), late.due_s()) == (b"", 12.0)
    assert (late.take(12.5), late.due_s()) == (b"one", 13.0)
    assert (late.take(13.0), late.due_s()) == (b"two", None)


def test_a_slow_line_sends_byte_after_byte_and_makes_up_for_a_late_turn() -> None:
    slow = line(Trouble(byte_s=0.5))
    slow.put(b"abcde", 1.0)
    assert [slow.take(now_s) for now_s in (1.0, 1.4, 1.5, 2.6)] == [b"a", b"", b"b", b"cd"]
    slow.put(b"f", 2.7)
    assert [slow.take(now_s) for now_s in (2.9, 3.0, 3.4, 3.5)] == [b"", b"e", b"", b"f"]


def test_an_idle_time_is_no_credit_on_a_slow_line() -> None:
    slow = line(Trouble(byte_s=0.5))
    slow.put(b"a", 1.0)
    assert slow.take(1.0) == b"a"
    slow.put(b"bc", 9.0)
    assert [slow.take(9.0), slow.take(9.4), slow.take(9.5)] == [b"b", b"", b"c"]


def test_troubles_together_delay_first_then_drip() -> None:
    both = line(Trouble(delay_s=2.0, byte_s=0.5))
    both.put(b"abc", 0.0)
    assert [both.take(now_s) for now_s in (1.9, 2.0, 2.5, 3.0)] == [b"", b"a", b"b", b"c"]


def test_what_was_held_is_due_at_once_when_the_trouble_ends() -> None:
    late = line(Trouble(delay_s=60.0, byte_s=1.0))
    late.put(b"one", 0.0)
    late.put(b"two", 1.0)
    late.trouble = NO_TROUBLE
    assert not late.idle, "something is held: nothing may overtake it"
    assert late.take(1.0) == b"onetwo"
    assert late.idle


@pytest.mark.parametrize(("answer", "half"), [(b"abcdef", b"abc"), (b"abc", b"a"), (b"a", b"")])
def test_a_cut_leaves_the_first_half(answer: bytes, half: bytes) -> None:
    cut = line(Trouble(cut=True))
    assert not cut.put(answer, 0.0)
    assert cut.take(0.0) == half


def test_garbage_is_as_long_as_the_answer_and_the_same_for_the_same_seed() -> None:
    def scrambled(seed: str) -> bytes:
        garbled = line(Trouble(garbage=True), seed)
        garbled.put(b"\0" * 64, 0.0)
        garbled.put(b"\0" * 36, 0.0)
        return garbled.take(0.0)

    assert scrambled("1/a/1") == scrambled("1/a/1") != scrambled("1/a/2")
    assert len(scrambled("1/a/1")) == 100 and scrambled("1/a/1") != b"\0" * 100


def test_a_line_tells_when_it_is_full() -> None:
    late = line(Trouble(delay_s=1.0))
    late.put(b"x" * (AT_MOST_HELD - 1), 0.0)
    assert not late.full
    late.put(b"x", 0.5)
    assert late.full
    late.take(1.0)
    assert not late.full


TROUBLES = st.builds(Trouble, delay_s=st.sampled_from([0.0, 0.5, 3.0]), byte_s=st.sampled_from([0.0, 0.01, 1.0]))
STEPS = st.lists(st.tuples(st.floats(0, 2), st.one_of(st.binary(min_size=1, max_size=40), TROUBLES)), max_size=30)


@given(STEPS)
def test_no_byte_is_lost_or_overtaken_whatever_the_trouble(steps: list[tuple[float, bytes | Trouble]]) -> None:
    changing, now_s, put, taken = line(), 0.0, b"", b""
    for after_s, step in steps:
        now_s += after_s
        if isinstance(step, Trouble):
            changing.trouble = step
        else:
            put += step
            changing.put(step, now_s)
        taken += changing.take(now_s)
        assert put.startswith(taken)
        due_s = changing.due_s()
        assert due_s is None or due_s > now_s
    while (due_s := changing.due_s()) is not None:
        now_s = due_s
        taken += changing.take(now_s)
    assert taken == put
