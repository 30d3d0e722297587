"""`status` for people: every figure whole, whatever the terminal's width and whatever a cause says."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from collector.store.journal import Journal
from collector.store.registry import Registry
from collector.terms import Event, EventKind, Json
from tests.command_line import typed
from tests.journal_rows import SECOND_NS, SLOT_NS

CAUSE = "[Errno 111] opc.tcp://10.20.0.11:4840 [/Objects]: nobody answers\nthere \x1b[31m" + "for long " * 20


def test_tables_are_not_cut(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    gap: dict[str, Json] = {
        "device": "r201-controller",
        "group": "main",
        "from_ns": SLOT_NS,
        "to_ns": SLOT_NS + SECOND_NS,
        "slots": 7,
        "cause": CAUSE,
    }
    device: dict[str, Json] = {"endpoint": "r201-opcua", "answers": False, "since_ns": SLOT_NS, "cause": CAUSE}
    with closing(Journal(tmp_path)) as journal, closing(Registry(tmp_path)) as registry:
        journal.append([Event(EventKind.GAP, SLOT_NS, body=gap)], SLOT_NS)
        registry.put_states("daemon", {"about": {"site": "Basel", "started_ns": SLOT_NS}})
        registry.put_states("device", {"r201-controller": device})
    lines = typed("status", "--data", str(tmp_path), COLUMNS="80").stdout.splitlines()
    shown = " ".join(CAUSE.replace("\x1b", "\N{REPLACEMENT CHARACTER}").split())
    (of_device,) = [line for line in lines if line.startswith("r201-controller  r201-opcua")]
    assert of_device == f"r201-controller  r201-opcua  no       2024-11-22T10:06:40Z  {shown}"
    (of_gap,) = [line for line in lines if line.startswith("1    r201-controller")]
    assert of_gap.split()[2:6] == ["main", "2024-11-22T10:06:40Z", "2024-11-22T10:06:41Z", "7"]
    assert of_gap.endswith(shown)
