"""Which samples are doubted, and why: against plain Python, tag by tag, and by examples that a plant knows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.monitor.plausibility.group import Measured
from collector.monitor.plausibility.plausibility import Plausibility
from collector.monitor.plausibility.reasons import ABOVE, BELOW, CODES, REASON_OF, REASONS
from collector.monitor.resumed import OutsideBefore
from collector.monitor.rules import Transition
from config.plausible import plausible_bounds
from config.tags import OpcUaTag, Tag
from drivers.base import Changes, Column, Layout, Quality, Scan, Status, quality_of
from tests.unit.monitor.doubting import PERIOD_NS, PlainPair, PlainTag, Sample
from tests.unit.monitor.judged import SECOND_NS, START_NS, column

SHORT = {reason.value: reason.name.lower() for reason in REASONS}
CODE_OF = {code: SHORT[reason.value] for code, reason in REASON_OF.items()}


def tag(role: str, **plausible: object) -> Tag:
    given_range = plausible.pop("range", None)
    return OpcUaTag.model_validate(
        {"name": f"R-201.{role}", "address": "i=1", "role": role, "range": given_range, "plausible": plausible or None}
    )


def layout_of(tags: Sequence[Tag], group: str = "main", period_ns: int = PERIOD_NS) -> Layout:
    return Layout("plc", "plc", group, period_ns, tuple(column(each.role) for each in tags))


def plausibility(*groups: tuple[Layout, Sequence[Tag]], before: Iterable[OutsideBefore] = ()) -> Plausibility:
    partners = {
        ("R-201", each.role): each.plausible.agrees_with
        for _, tags in groups
        for each in tags
        if each.plausible and each.plausible.agrees_with
    }
    measured = [Measured(layout, tuple(tags), (False,) * len(tags)) for layout, tags in groups]
    return Plausibility(measured, partners, before)


def scan_of(layout: Layout, at_ns: int, samples: Sequence[Sample], status: int = Status.BAD_SENSOR_FAILURE) -> Scan:
    values = np.array([1e12 if sample is None else sample for sample in samples])
    codes = np.array([status if sample is None else 0 for sample in samples], np.uint32)
    return Scan(layout, at_ns, at_ns + 5_000_000, values, codes, quality_of(codes))


def reason_on(scan: Scan, at: int = 0) -> str:
    """Empty: the sample is good; `bad`: the device says so."""
    if scan.quality[at] == Quality.UNCERTAIN:
        return CODE_OF[int(scan.status[at])]
    return "" if scan.quality[at] == Quality.GOOD else "bad"


@dataclass
class Course:
    """One tag of a group of 1 s, sample by sample."""

    tag: Tag
    before: tuple[OutsideBefore, ...] = ()

    def run(self, samples: Sequence[Sample], slots: Sequence[int] | None = None) -> tuple[list[str], list[str]]:
        """What stands on each sample, and `slot reason to` of each transition."""
        layout = layout_of([self.tag])
        examined = plausibility((layout, [self.tag]), before=self.before)
        found, told = [], list[Transition]()
        for slot, sample in zip(slots or range(len(samples)), samples, strict=True):
            scan, transitions = examined.examine(scan_of(layout, START_NS + slot * SECOND_NS, [sample]))
            found.append(reason_on(scan))
            told += transitions
        return found, [f"{(each.slot_ns - START_NS) / SECOND_NS:g} {SHORT[each.rule]} {each.after}" for each in told]


# --- examples


def test_a_sample_beyond_the_instrument_is_doubted_whatever_is_configured() -> None:
    found, told = Course(tag("t", range=[0, 80])).run([-1.0, -1.1, 82.5, 82.6, 40.0, 1e300, math.inf])
    assert found == ["", "range", "", "range", "", "range", ""]
    assert told == ["1 range outside", "2 range inside", "3 range outside", "4 range inside", "5 range outside"]


def test_low_and_high_are_told_apart() -> None:
    layout = layout_of([tag("t")])
    examined = plausibility((layout, [tag("t", low=0, high=10)]))
    for value, code in ((-0.1, BELOW), (10.1, ABOVE)):
        scan, _ = examined.examine(scan_of(layout, START_NS + round(value * 10) * SECOND_NS + 10 * SECOND_NS, [value]))
        assert int(scan.status[0]) == code
        assert scan.values[0] == value


def test_a_spike_is_doubted_and_a_step_is_believed_from_its_second_sample() -> None:
    course = Course(tag("t", spike=5))
    assert course.run([20, 20, 60, 20, 21])[0] == ["", "", "spike", "", ""]
    assert course.run([20, 20, 60, 61, 60]) == (["", "", "spike", "", ""], ["2 spike outside", "3 spike inside"])


def test_a_runaway_of_jumps_is_believed_from_its_second_sample() -> None:
    assert Course(tag("t", spike=5)).run([20, 30, 45, 70, 110, 170])[0] == ["", "spike", "", "spike", "", "spike"]
    assert Course(tag("t", spike=5)).run([20, 30, 34, 38, 42, 46])[0] == ["", "spike", "", "", "", ""]


def test_a_spike_that_dies_away_is_no_level() -> None:
    assert Course(tag("t", spike=5)).run([20, 500, 80, 20])[0] == ["", "spike", "spike", ""]


def test_jumps_to_either_side_confirm_nothing() -> None:
    assert Course(tag("t", spike=5)).run([20, 60, -60, 80, 20])[0] == ["", "spike", "spike", "spike", ""]
    assert Course(tag("t", spike=5, spike_samples=2)).run([20, 60, 61, 20, 60, 61, 62])[0] == [
        *["", "spike", "spike", ""],
        *["spike", "spike", ""],
    ]


def test_after_a_gap_of_more_than_three_periods_a_spike_and_a_flat_line_begin_anew() -> None:
    course = Course(tag("t", spike=5))
    assert course.run([20, 60], [0, 3])[0] == ["", "spike"]
    assert course.run([20, 60], [0, 4])[0] == ["", ""]
    course = Course(tag("t", flat_s=3))
    assert course.run([20, 20], [0, 3])[0] == ["", "flat"]
    assert course.run([20, 20, 20, 20], [0, 4, 6, 7])[0] == ["", "", "", "flat"]
    assert course.run([20, *[None] * 3, 20, 20, 20, 20])[0] == ["", *["bad"] * 3, "", "", "", "flat"]


def test_a_bad_sample_is_no_evidence() -> None:
    assert Course(tag("t", flat_s=3)).run([20, 20, None, 20, None, 20])[0] == ["", "", "bad", "flat", "bad", "flat"]
    assert Course(tag("t", spike=5)).run([20, None, 60, None, 60])[0] == ["", "bad", "spike", "bad", ""]
    assert Course(tag("t", rate_per_min=60)).run([20, None, 22, None, 25])[0] == ["", "bad", "", "bad", "rate"]


def test_a_spike_is_no_evidence_for_a_rate() -> None:
    assert Course(tag("t", spike=5, rate_per_min=600)).run([20, 30, 15])[0] == ["", "spike", ""]


def test_the_second_sample_may_be_too_fast() -> None:
    assert Course(tag("t", rate_per_min=60)).run([20, 25])[0] == ["", "rate"]


def test_a_rate_is_doubted_until_the_process_can_have_got_there() -> None:
    found, told = Course(tag("t", rate_per_min=60)).run([20, 21, 25, 25, 25, 25, 26, 30])
    assert found == ["", "", "rate", "rate", "rate", "", "", "rate"]
    assert told == ["2 rate outside", "5 rate inside", "7 rate outside"]


def test_a_rate_is_over_real_slots() -> None:
    assert Course(tag("t", rate_per_min=60)).run([20, 24, 30], [0, 4, 8])[0] == ["", "", "rate"]


def test_a_flat_line_is_doubted_until_it_moves() -> None:
    found, told = Course(tag("t", flat_s=3)).run([20, 20, 20, 20, 20, 20.01, 20.01])
    assert found == ["", "", "", "flat", "flat", "", ""]
    assert told == ["3 flat outside", "5 flat inside"]


def test_a_band_is_around_where_it_came_to_rest() -> None:
    course = Course(tag("t", flat_s=3, flat_band=0.25))
    assert course.run([20, 20.25, 19.75, 20.25, 20, 20.26])[0] == ["", "", "", "flat", "flat", ""]


def test_what_the_device_does_not_call_good_keeps_the_devices_word() -> None:
    layout = layout_of([tag("t")])
    examined = plausibility((layout, [tag("t", low=0, high=10, flat_s=2, spike=1, rate_per_min=1)]))
    for code in (Status.BAD_SENSOR_FAILURE, 0x4093_0000, 0x4090_0000):
        for slot in range(5):
            given_scan = scan_of(layout, START_NS + slot * SECOND_NS, [None], code)
            scan, told = examined.examine(given_scan)
            assert scan is given_scan and told == []


def test_nothing_doubted_is_the_scan_itself() -> None:
    layout = layout_of([tag("t")])
    for checks in ({}, {"range": [0, 80]}, {"range": [0, 80], "flat_s": 60, "spike": 3, "rate_per_min": 600}):
        examined = plausibility((layout, [tag("t", **checks)]))
        for slot, value in enumerate([20.0, 21.0, 20.5, None]):
            given_scan = scan_of(layout, START_NS + slot * SECOND_NS, [value])
            assert examined.examine(given_scan) == (given_scan, [])


def test_a_slot_that_comes_again_is_recorded_by_its_range_and_is_no_evidence() -> None:
    found, told = Course(tag("t", high=50, spike=5)).run([20, 30, 30, 60, 20], [0, 1, 1, 1, 2])
    assert found == ["", "spike", "", "range", ""]
    assert told == ["1 spike outside", "2 spike inside"]


def test_two_probes_that_disagree_are_both_doubted() -> None:
    tags = [tag("a", agrees_with="b", within=1.5, for_s=2), tag("b")]
    layout = layout_of(tags)
    examined = plausibility((layout, tags))
    found = []
    for slot, pair in enumerate([(20, 20.1), (20, 23), (20, 23), (20, 23), (20.0, None), (20, 23), (20, 21.5)]):
        scan, _ = examined.examine(scan_of(layout, START_NS + slot * SECOND_NS, pair))
        found.append((reason_on(scan, 0), reason_on(scan, 1)))
    both, neither = ("difference", "difference"), ("", "")
    assert found == [neither, neither, neither, both, ("difference", "bad"), both, neither]


def pairs_of(samples: Sequence[tuple[Sample, Sample]], before: Sequence[OutsideBefore] = (), **about: object) -> list[str]:
    """What stands on the first of two probes of one group, each second."""
    tags = [tag("a", agrees_with="b", within=1.5, **about), tag("b")]
    layout = layout_of(tags)
    examined = plausibility((layout, tags), before=before)
    scans = [scan_of(layout, START_NS + at * SECOND_NS, pair) for at, pair in enumerate(samples)]
    return [reason_on(examined.examine(each)[0]) for each in scans]


APART, ALONE, NEITHER = (20.0, 30.0), (20.0, None), (None, None)
DIFFERS = "difference"


def test_a_doubt_ends_when_nothing_contradicts_any_more() -> None:
    assert pairs_of([APART, *[ALONE] * 5], for_s=0) == [*[DIFFERS] * 4, "", ""]
    assert pairs_of([APART, *[ALONE] * 3], for_s=0, max_age_s=1) == [DIFFERS, DIFFERS, "", ""]
    assert pairs_of([APART, *[NEITHER] * 4, ALONE], for_s=0) == [DIFFERS, *["bad"] * 4, ""]


def test_two_that_agree_in_between_begin_anew() -> None:
    agree = (20.0, 20.0)
    assert pairs_of([agree, APART, agree, *[APART] * 4], for_s=3) == [*[""] * 6, DIFFERS]


def test_a_doubt_of_before_a_restart_ends_when_the_other_does_not_come_back() -> None:
    before = [left("a", "implausible difference", 20), left("b", "implausible difference", 30)]
    assert pairs_of([ALONE] * 6, before, for_s=0) == [*[DIFFERS] * 4, "", ""]


def test_a_probe_that_is_doubted_for_itself_does_not_take_the_other_with_it() -> None:
    tags = [tag("a", agrees_with="b", within=1.5, for_s=2, flat_s=5), tag("b")]
    layout = layout_of(tags)
    examined = plausibility((layout, tags))
    found = []
    for slot in range(12):
        scan, _ = examined.examine(scan_of(layout, START_NS + slot * SECOND_NS, (20.0, 20.0 + slot)))
        found.append((reason_on(scan, 0), reason_on(scan, 1)))
    assert found[3:] == [("", ""), *[("difference",) * 2] * 1, *[("flat", "difference")] * 3, *[("flat", "")] * 4]


# --- against plain Python

LEVELS = st.sampled_from([-200.0, 0.0, 1.0, 2.0, 2.5, 7.0, 7.0, 7.0, 9.0, 20.0, 80.0, 1e300, -1e308, math.inf])
SAMPLES = st.lists(st.none() | LEVELS | st.floats(-50, 50, allow_nan=False), max_size=40)
STEPS = st.lists(st.sampled_from([1, 1, 1, 1, 2, 3, 4, 7]), min_size=40, max_size=40)
CHECKED = st.fixed_dictionaries(
    {},
    optional={
        "low": st.sampled_from([-100.0, 0.5]),
        "high": st.sampled_from([8.0, 100.0]),
        "spike": st.sampled_from([0.5, 3.0, 10.0]),
        "rate_per_min": st.sampled_from([10.0, 60.0, 600.0]),
        "flat_s": st.sampled_from([2.0, 5.0]),
    },
).filter(bool)


def with_details(checked: dict[str, float], spike_samples: int, flat_band: float) -> dict[str, float]:
    details = {"spike_samples": spike_samples} if "spike" in checked else {}
    return checked | details | ({"flat_band": flat_band} if "flat_s" in checked else {})


@given(st.lists(st.tuples(CHECKED, st.integers(1, 3), st.sampled_from([0.0, 0.6]), SAMPLES), min_size=1, max_size=4), STEPS)
def test_each_tag_is_doubted_as_plain_python_does(
    tags_and_samples: list[tuple[dict[str, float], int, float, list[Sample]]], steps: list[int]
) -> None:
    tags = [tag(f"t{n}", **with_details(*each[:3])) for n, each in enumerate(tags_and_samples)]
    layout = layout_of(tags)
    examined = plausibility((layout, tags))
    plain = []
    for each in tags:
        low, high = plausible_bounds(each.plausible, None)
        assert each.plausible
        plain.append(PlainTag(each.plausible, -math.inf if low is None else low, math.inf if high is None else high))
    standing: set[tuple[str, str]] = set()
    at_ns = START_NS
    for nth in range(max(len(each[3]) for each in tags_and_samples)):
        at_ns += steps[nth] * SECOND_NS
        samples = [each[3][nth] if nth < len(each[3]) else None for each in tags_and_samples]
        given_scan = scan_of(layout, at_ns, samples)
        scan, told = examined.examine(given_scan)
        assert scan.values is given_scan.values
        expected = [machine.look(at_ns, sample) for machine, sample in zip(plain, samples, strict=True)]
        assert [reason_on(scan, at) for at in range(len(tags))] == [
            "bad" if sample is None else (reasons or [""])[0] for sample, reasons in zip(samples, expected, strict=True)
        ]
        for transition in told:
            follow(standing, transition)
        for at, (sample, reasons) in enumerate(zip(samples, expected, strict=True)):
            if sample is not None and math.isfinite(sample) and "range" not in reasons:
                assert {reason for role, reason in standing if role == f"t{at}"} - {"rate"} == set(reasons) - {"rate"}
            assert ("range" in reasons) <= ((f"t{at}", "range") in standing)


def follow(standing: set[tuple[str, str]], transition: Transition) -> None:
    """What a reader of the transitions believes."""
    key = (transition.role, SHORT[transition.rule])
    assert (transition.before == "outside") == (key in standing), transition
    if transition.after == "outside":
        standing.add(key)
    else:
        standing.remove(key)


PROBES = st.lists(st.tuples(st.integers(0, 2), st.none() | st.sampled_from([20.0, 21.0, 22.0, 30.0])), max_size=40)


@given(PROBES, st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from([None, 2.0, 20.0]), st.booleans())
@example([(1, 20.0), (1, 30.0), (1, 20.0), (1, 30.0)], 0.0, None, False)
@example([(1, 20.0), (2, 30.0), (2, 20.0), (2, 30.0), (2, 20.0)], 0.0, 1.0, False)
@example([(1, 20.0), (2, 30.0), (2, 20.0), (2, 30.0), (2, 20.0)], 0.0, 2.0, False)
def test_pairs_are_doubted_as_plain_python_does(
    steps: list[tuple[int, Sample]], for_s: float, max_age_s: float | None, same_group: bool
) -> None:
    given_age = {} if max_age_s is None else {"max_age_s": max_age_s}
    tags = [tag("a", agrees_with="b", within=1.5, for_s=for_s, **given_age), tag("b")]
    groups = [(layout_of(tags), tags)]
    if not same_group:
        groups = [(layout_of(tags[:1], "a"), tags[:1]), (layout_of(tags[1:], "b", 2 * PERIOD_NS), tags[1:])]
    examined = plausibility(*groups)
    age_ns = round(max_age_s * 1e9) if max_age_s else 3 * (1 if same_group else 2) * PERIOD_NS
    plain = PlainPair(1.5, round(for_s * 1e9), age_ns, same_group)
    at_ns, last = START_NS, {"a": START_NS, "b": START_NS}
    for nth, (wait, sample) in enumerate(steps):
        if same_group:
            at_ns += (wait + 1) * SECOND_NS
            samples: dict[str, Sample] = {"a": sample, "b": steps[nth - 1][1]}
        else:
            name = "ab"[nth % 2 if wait else 0]
            at_ns = last[name] = max(at_ns + wait * SECOND_NS, last[name] + SECOND_NS)
            samples = {name: sample}
        of = groups[0] if same_group else groups["ab".index(next(iter(samples)))]
        scan, _ = examined.examine(scan_of(of[0], at_ns, list(samples.values())))
        doubted = plain.look(at_ns, samples)
        expected = ["bad" if each is None else "difference" if doubted else "" for each in samples.values()]
        assert [reason_on(scan, at) for at in range(len(samples))] == expected


# --- between the slots


def between(layout: Layout, at_ns: int, sample: Sample, changes: Sequence[tuple[int, int, Sample]]) -> Scan:
    """`changes`: (column, milliseconds since the slot before, value)."""
    before = at_ns - layout.period_ns
    found = Changes(
        np.array([at for at, _, _ in changes], np.int32),
        np.array([before + ms * 1_000_000 for _, ms, _ in changes], np.int64),
        np.array([1e12 if value is None else value for _, _, value in changes]),
        np.array([0x8000_0000 if value is None else 0 for _, _, value in changes], np.uint32),
    )
    scan = scan_of(layout, at_ns, [sample] * len(layout.columns))
    return Scan(layout, at_ns, at_ns, scan.values, scan.status, scan.quality, changes=found if changes else None)


CHANGES = st.lists(st.lists(st.tuples(st.integers(1, 999), st.none() | LEVELS), max_size=4), min_size=1, max_size=12)


@given(CHECKED, st.integers(1, 3), CHANGES, SAMPLES.filter(bool))
def test_changes_are_doubted_as_plain_python_does(
    checked: dict[str, float], spike_samples: int, changes: list[list[tuple[int, Sample]]], samples: list[Sample]
) -> None:
    tags = [tag("t", **with_details(checked, spike_samples, 0.0))]
    layout = layout_of(tags)
    examined = plausibility((layout, tags))
    low, high = plausible_bounds(tags[0].plausible, None)
    assert tags[0].plausible
    plain = PlainTag(tags[0].plausible, -math.inf if low is None else low, math.inf if high is None else high)
    standing: set[tuple[str, str]] = set()
    rate_before = False
    for nth, (sample, of_slot) in enumerate(zip(samples, changes, strict=False), 1):
        at_ns = START_NS + nth * SECOND_NS
        given_scan = between(layout, at_ns, sample, [(0, ms, value) for ms, value in of_slot])
        times = given_scan.changes.times_ns(at_ns, PERIOD_NS).tolist() if given_scan.changes else []
        scan, told = examined.examine(given_scan)
        for transition in told:
            follow(standing, transition)
        expected = [
            plain.look(time, value, is_slot=False, rate_before=rate_before)
            for time, (_, value) in zip(times, of_slot, strict=True)
        ]
        codes = scan.changes.status.tolist() if scan.changes else []
        assert [CODE_OF.get(code, "bad" if code else "") for code in codes] == [
            "bad" if value is None else (reasons or [""])[0] for (_, value), reasons in zip(of_slot, expected, strict=True)
        ]
        reasons = plain.look(at_ns, sample)
        assert reason_on(scan) == ("bad" if sample is None else (reasons or [""])[0])
        rate_before = ("t", "rate") in standing


# --- restart


def left(role: str, rule: str, value: float, level: float = 1.0) -> OutsideBefore:
    return OutsideBefore("R-201", role, "value", None, rule, level, START_NS - 60 * SECOND_NS, value, False)


def test_what_was_flat_before_a_restart_is_flat_until_it_moves() -> None:
    course = Course(tag("t", flat_s=600), (left("t", "implausible flat line", 20.0),))
    assert course.run([None, 20, 20, 20.5, 20.5]) == (["bad", "flat", "flat", "", ""], ["1 flat outside", "3 flat inside"])


def test_what_moved_meanwhile_is_told_to_be_over() -> None:
    course = Course(tag("t", flat_s=600), (left("t", "implausible flat line", 20.0),))
    assert course.run([None, 21, 21]) == (["bad", "", ""], ["1 flat inside"])


def test_what_is_no_longer_checked_is_told_to_have_ended() -> None:
    course = Course(tag("t"), (left("t", "implausible flat line", 20.0),))
    assert course.run([20, 20]) == (["", ""], ["0 flat ended"])


def test_a_pair_that_disagreed_before_a_restart_does_so_at_once() -> None:
    tags = [tag("a", agrees_with="b", within=1.5, for_s=600), tag("b")]
    layout = layout_of(tags)
    before = [left("a", "implausible difference", 20), left("b", "implausible difference", 30)]
    examined = plausibility((layout, tags), before=before)
    found = []
    for slot, pair in enumerate([(20, 30), (20, 21), (20, 30)]):
        scan, told = examined.examine(scan_of(layout, START_NS + slot * SECOND_NS, pair))
        found.append((reason_on(scan, 0), [transition.after for transition in told]))
    assert found == [("difference", ["outside"] * 2), ("", ["inside"] * 2), ("", [])]


def test_what_stands_ends_with_the_daemon() -> None:
    layout, tags = layout_of([tag("t")]), [tag("t", high=10)]
    examined = plausibility((layout, tags))
    examined.examine(scan_of(layout, START_NS, [11]))
    (ended,) = examined.close(START_NS + SECOND_NS)
    assert (ended.rule, ended.after, ended.level) == ("implausible range", "ended", 10.0)


# --- codes


@pytest.mark.parametrize("code", [*CODES, BELOW])
def test_every_code_is_uncertain_and_names_one_reason(code: int) -> None:
    assert quality_of(np.array([code], np.uint32))[0] == Quality.UNCERTAIN
    assert len(set(CODES)) == len(REASONS)
    assert code & 0xFFFF_0000 in vars(Status).values()


def test_columns_of_which_nothing_is_known_are_left_alone() -> None:
    layout = Layout("plc", "plc", "main", PERIOD_NS, (Column("A", "a", "R-201", kind=tag("a").value_kind),))
    examined = plausibility((layout, []), (layout_of([tag("b")], "other"), [tag("b", high=1)]))
    given_scan = scan_of(layout, START_NS, [1e9])
    assert examined.examine(given_scan) == (given_scan, [])
