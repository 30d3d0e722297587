"""A data folder belongs to one site: another's daemon, and the demo, leave it as it is."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from shutil import copytree

import pytest

from collector.app import Daemon
from collector.keeping.owner import OtherSite, expect_site, known_site
from collector.keeping.rescue import write_copy
from collector.store.reader import Reader
from collector.store.registry import Registry
from collector.terms import EventKind
from config.model import Plant
from tests.command_line import typed

PLANT = """\
site: {site}
endpoints:
  plc:
    url: modbus://127.0.0.1:1
    devices:
      DCS:
        unit: R-201
        tags: {{TT-1: {{address: "holding:1", type: uint16, engineering_unit: K}}}}
units: {{R-201: {{mode: pilot}}}}
web: null
"""


def plant(site: str) -> Plant:
    endpoint = {
        "url": "modbus://127.0.0.1:1",
        "devices": {"DCS": {"unit": "R-201", "tags": {"TT-1": {"address": "holding:1", "type": "uint16"}}}},
    }
    return Plant.model_validate({"site": site, "endpoints": {"plc": endpoint}, "units": {"R-201": None}, "web": None})


async def run(data: Path, site: str, *, renamed: bool = False) -> None:
    """A run that is stopped as soon as it has begun."""
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(60), Daemon(plant(site), data, renamed=renamed) as daemon:
        await daemon.run(stop, stop)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The record of site Basel."""
    asyncio.run(run(tmp_path / "data", "Basel"))
    return tmp_path / "data"


def as_it_lies(folder: Path) -> dict[str, bytes]:
    """Every file but those of SQLite's readers."""
    names = [path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    return {str(path): path.read_bytes() for path in names}


def test_the_record_of_another_site_is_refused_and_left_as_it_is(data: Path) -> None:
    before = as_it_lies(data)
    with pytest.raises(OtherSite, match="holds the record of site 'Basel', and this plant is site 'Visp'"):
        asyncio.run(run(data, "Visp"))
    assert as_it_lies(data) == before
    asyncio.run(run(data, "Basel"))


def test_a_site_under_a_new_name_goes_on_and_its_record_tells_so(data: Path) -> None:
    asyncio.run(run(data, "Basel-Nord", renamed=True))
    asyncio.run(run(data, "Basel-Nord", renamed=True))
    asyncio.run(run(data, "Basel-Nord"))
    with closing(Reader(data)) as reader:
        events = reader.newest_events(EventKind.DAEMON, 20)
    told = [
        event.body.get("site_before")
        for event in sorted(events, key=lambda event: event.slot_ns)
        if event.body["state"] == "started"
    ]
    assert told == [None, "Basel", None, None]
    with pytest.raises(OtherSite):
        asyncio.run(run(data, "Basel"))


async def as_a_kill_leaves_it(data: Path, copy: Path) -> None:
    """A run under a new name, before its first commit."""
    stop = asyncio.Event()
    async with asyncio.timeout(60), Daemon(plant("Basel-Nord"), data, renamed=True) as daemon:
        running = asyncio.create_task(daemon.run(stop, stop))
        await asyncio.sleep(0)  # it has begun
        copytree(data, copy)
        stop.set()
        await running


def test_a_new_name_is_known_when_the_record_tells_so_and_not_before(data: Path, tmp_path: Path) -> None:
    asyncio.run(as_a_kill_leaves_it(data, tmp_path / "killed"))
    assert (known_site(data), known_site(tmp_path / "killed")) == ("Basel-Nord", "Basel")
    asyncio.run(run(tmp_path / "killed", "Basel-Nord", renamed=True))
    with closing(Reader(tmp_path / "killed")) as reader:
        told = [event.body.get("site_before") for event in reader.newest_events(EventKind.DAEMON, 20)]
    assert told.count("Basel") == 1


def test_whose_it_is_outlives_the_registry(data: Path) -> None:
    with closing(Registry(data)) as registry:
        write_copy(data, registry)
    (data / "registry.db").write_bytes(b"no registry" * 1000)
    assert known_site(data) == "Basel"
    (data / "registry.db").unlink()
    assert known_site(data) == "Basel"
    with pytest.raises(OtherSite):
        expect_site(data, "Visp")


@pytest.mark.parametrize("copy", [b"", b"[]", b'{"states": {"daemon": 1}}', b'{"states": {"daemon": {"about": {"site": 7}}}}'])
def test_a_folder_of_which_nothing_is_known_is_nobodys(tmp_path: Path, copy: bytes) -> None:
    expect_site(tmp_path / "absent", "Visp")
    (tmp_path / "registry-copy.json").write_bytes(copy)
    expect_site(tmp_path, "Visp")


def test_the_demo_and_run_say_what_to_do(data: Path, tmp_path: Path) -> None:
    before = as_it_lies(data)
    ended = typed("demo", "--data", str(data), "--for", "1s")
    assert ended.returncode == 2
    assert "holds the record of site 'Basel', and this plant is site 'demo'" in ended.stderr
    assert "Give another folder with --data, or none" in ended.stderr
    (file := tmp_path / "plant.yaml").write_text(PLANT.format(site="Visp"), "utf-8")
    command = [sys.executable, "-m", "collector", "run", str(file), "--data", str(data)]  # it logs: not in this process
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "Give another folder with --data, or --renamed if it is the same site under a new name" in ended.stderr
    assert as_it_lies(data) == before
