"""The tools that judge a journal: they see what is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from drivers.base import Quality, Scan, scan_groups
from tests.wire.account import Account, Gap, silent_ends
from tests.wire.lines import Line, Pace, endpoint
from tests.wire.marks import mark, wrong_samples

SLOT_NS, PERIOD_NS, MS = 1_732_270_000_000_000_000, 500_000_000, 1_000_000
(GROUP,) = scan_groups(endpoint(Line("plc", "modbus").fields(Pace(0.5, 1.0, 1.0))))
K = len(GROUP.tags)


def scan(taken_ns: int = SLOT_NS + 5 * MS, shift: int = 0, slot_ns: int = SLOT_NS) -> Scan:
    """What a device showed at `taken_ns`, each tag that of the one `shift` beside it."""
    values = np.array([mark(taken_ns, (number + shift) % K) for number in range(K)], np.float64)
    good, integers = np.zeros(K, np.uint32), values[GROUP.layout.integer_columns].astype(np.int64)
    return Scan(GROUP.layout, slot_ns, slot_ns + 9 * MS, values, good, good.astype(np.uint8), integers=integers)


def test_a_right_scan_is_right() -> None:
    assert wrong_samples(scan()) == []


@pytest.mark.parametrize(
    "wrong",
    [scan(SLOT_NS - 100 * MS), scan(SLOT_NS + 100 * MS), scan(shift=1), replace(scan(), integers=scan().integers + 1)],
    ids=["of before", "of after", "of another tag", "another integer"],
)
def test_a_wrong_sample_is_seen_unless_it_is_marked(wrong: Scan) -> None:
    assert wrong_samples(wrong)
    assert not wrong_samples(replace(wrong, quality=np.full(K, Quality.BAD, np.uint8)))


def account(slots: list[int], *gaps: Gap, lost: list[int] | None = None) -> Account:
    told = Account(GROUP.layout, lost=[SLOT_NS + slot * PERIOD_NS for slot in lost or []], gaps=list(gaps))
    for slot in slots:
        told.add(scan(SLOT_NS + slot * PERIOD_NS + MS, slot_ns=SLOT_NS + slot * PERIOD_NS))
    return told


def gap(first: int, last: int, cause: str = "silent") -> Gap:
    return Gap(SLOT_NS + first * PERIOD_NS, SLOT_NS + last * PERIOD_NS, cause)


def test_a_whole_account_has_no_fault() -> None:
    assert account([0, 1, 5], gap(2, 4), lost=[2]).faults() == []


@pytest.mark.parametrize(
    "faulty",
    [
        account([]),
        account([0, 2]),
        account([0, 1, 1]),
        account([0, 2, 3], gap(1, 2)),
        account([0, 2], gap(1, 1, "")),
        account([0, 1], lost=[1]),
    ],
    ids=["nothing", "a hole", "twice", "read and lost", "no cause", "a lost scan without a gap"],
)
def test_what_does_not_hold_together_is_seen(faulty: Account) -> None:
    assert faulty.faults()


def test_who_falls_silent_without_a_gap_is_seen() -> None:
    assert silent_ends({"a": account([0, 1]), "b": account([0, 1, 2, 3, 4, 5])}) == ["a: nothing is told of its last 2.0 s"]
    assert not silent_ends({"a": account([0, 1], gap(2, 5)), "b": account([0, 1, 2, 3, 4, 5])})
