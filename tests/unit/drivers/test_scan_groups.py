"""The scan groups of an endpoint are made once, and no longer kept than it."""

from __future__ import annotations

import gc
import weakref

from drivers.base import scan_groups
from tests.fakes import endpoint_of

TAGS = {"plc": {"fast": 1.0, "slow": 60.0}}


def test_whoever_asks_gets_the_same_groups() -> None:
    endpoint = endpoint_of(TAGS)
    assert [group.name for group in scan_groups(endpoint)] == ["plc/plc/fast", "plc/plc/slow"]
    assert scan_groups(endpoint) is scan_groups(endpoint)


def test_endpoints_that_are_alike_have_groups_of_their_own() -> None:
    one, two = endpoint_of(TAGS), endpoint_of(TAGS)
    assert scan_groups(one)[0].layout is not scan_groups(two)[0].layout
    assert scan_groups(one)[0].layout == scan_groups(two)[0].layout


def test_the_groups_of_an_endpoint_that_is_gone_are_gone() -> None:
    endpoint = endpoint_of(TAGS)
    layout = weakref.ref(scan_groups(endpoint)[0].layout)
    del endpoint
    gc.collect()
    assert layout() is None
