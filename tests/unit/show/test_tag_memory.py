"""What is remembered of a scan group: when each tag was last good."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from collector.show.tag_picture import Memory
from drivers.base import Quality, Scan, Status
from tests.journal_rows import SECOND_NS, SLOT_NS, column, layout

LAYOUT = layout(column("a"), column("b"), column("c"))
QUALITIES = st.none() | st.lists(st.sampled_from(Quality), min_size=3, max_size=3)
"""Of each column; None for a lost scan."""


def _scan(slot_ns: int, qualities: list[Quality] | None) -> Scan:
    if qualities is None:
        return Scan.of_lost(LAYOUT, slot_ns, slot_ns, Status.BAD_TIMEOUT)
    return Scan(LAYOUT, slot_ns, slot_ns, np.zeros(3), np.zeros(3, np.uint32), np.array(qualities, np.uint8))


@given(st.lists(QUALITIES, max_size=6))
def test_each_tag_is_as_old_as_its_last_good_sample(told: list[list[Quality] | None]) -> None:
    memory, good_ns = Memory(3), [0, 0, 0]
    for number, qualities in enumerate(told):
        slot_ns = SLOT_NS + number * SECOND_NS
        memory.observe(_scan(slot_ns, qualities))
        for at, quality in enumerate(qualities or ()):
            good_ns[at] = slot_ns if quality is Quality.GOOD else good_ns[at]
        assert memory.good_ns.tolist() == good_ns
