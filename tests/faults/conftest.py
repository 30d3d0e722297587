"""Rows of `make faults`: their counts go from each test (and from pytest's workers) into one table at the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.rows import LONG, SEED, Ended, Row, table

_PROPERTY = "faults row"
_NO_LIMIT = pytest.mark.timeout(0)
_verdicts: dict[str, str] = {}
_ended: list[Ended] = []


@pytest.fixture
def row(request: pytest.FixtureRequest) -> Iterator[Row]:
    """The row that the test's mark describes."""
    mark = request.node.get_closest_marker("faults")
    assert mark is not None, "a test with a row needs the mark `faults`"
    planned = mark.kwargs["long" if LONG else "short"]
    row = Row(mark.args[0], mark.kwargs["must"], planned, show=_shown_past(request.config))
    yield row
    request.node.user_properties.append((_PROPERTY, row.counted()))


def _shown_past(config: pytest.Config) -> Any:
    capture = config.pluginmanager.getplugin("capturemanager")

    def show(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", end="", flush=True)  # noqa: T201  for whoever waits

    return show


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long form takes as long as it takes."""
    for item in items:
        if LONG and item.get_closest_marker("faults"):
            item.add_marker(_NO_LIMIT)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        _verdicts[report.nodeid] = f"not run: {reason.removeprefix('Skipped: ')}"
    elif report.failed:
        _verdicts[report.nodeid] = "FAILS"
    if report.when == "teardown":
        verdict = _verdicts.get(report.nodeid, "holds")
        _ended.extend(Ended(dict(counted), verdict) for name, counted in _properties(report) if name == _PROPERTY)


def _properties(report: pytest.TestReport) -> list[tuple[str, Any]]:
    return report.user_properties


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The table, of the long form."""
    if LONG and _ended:
        terminalreporter.section(f"faults (FAULTS_SEED={SEED})")
        terminalreporter.write_line("\n".join(table(_ended)))
