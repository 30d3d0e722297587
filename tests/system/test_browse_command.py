"""`reactorwatch browse` against simulated servers, and what it writes held against the plant it was taken from."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from collector.__main__ import app
from config.load import load
from config.model import OpcUaEndpoint
from simulators.opcua.identity import OperationLimits
from simulators.opcua.server import OpcUaServer
from tests.simulated_source import Changeable, opcua_endpoint
from tests.system.secured_plant import Site

URI = "urn:browse:plant"
TAGS: dict[str, dict[str, Any]] = {
    "TT-1": {"address": f"nsu={URI};s=R1.TT1", "engineering_unit": "°C", "range": [-30, 200]},
    "PT-1": {"address": f"nsu={URI};s=R1.PT1", "engineering_unit": "bar(a)", "range": [0, 6.5]},
    "STATE": {"address": f"nsu={URI};i=77", "kind": "integer", "states": {0: "Idle", 1: "Charge", 2: "Heat"}},
    "RUN": {"address": f"nsu={URI};g=12345678-1234-1234-1234-123456789abc", "kind": "boolean"},
    "BATCH": {"address": f"nsu={URI};s=R1.BATCH;x=1", "kind": "text"},
}


def run(*arguments: str | Path) -> tuple[int, str]:
    told = CliRunner().invoke(app, [*map(str, arguments)])
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, " ".join(told.output.split())


async def command(*arguments: str | Path) -> tuple[int, str]:
    """Beside the loop that serves."""
    return await asyncio.to_thread(run, *arguments)


def served(endpoint: OpcUaEndpoint, **more: Any) -> OpcUaServer:
    source = Changeable()
    values: dict[str, float | int | bool | str] = {"TT-1": 21.5, "PT-1": 1.1, "STATE": 1, "RUN": True, "BATCH": "B-7"}
    for name, value in values.items():
        source.set(name, value)
    return OpcUaServer(endpoint, source, **more)


def plant_of(folder: Path, url: str, tags: str, **settings: Any) -> Path:
    endpoint = {"url": url, "timeout_s": 60.0, "devices": {"plc": {"unit": "R-1", "tags": tags}}} | settings
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump({"site": "s", "endpoints": {"opc": endpoint}, "units": {"R-1": {}}}), "utf-8")
    return path


@pytest.mark.parametrize("limits", [None, OperationLimits(nodes_per_browse=2, nodes_per_read=3)], ids=["free", "narrow"])
async def test_what_is_browsed_is_a_tag_list_that_agrees_with_its_server(tmp_path: Path, limits: OperationLimits | None) -> None:
    file = tmp_path / "tags.csv"
    async with served(opcua_endpoint(TAGS), limits=limits) as server:
        code, told = await command("browse", server.url, "-o", file)
        assert code == 0, told
        rows = {row["address"]: row for row in csv.DictReader(file.read_text("utf-8").splitlines())}
        for name, tag in TAGS.items():
            row = rows[tag["address"]]
            assert row["tag"].rpartition(".")[2] == name and row["kind"] == tag.get("kind", "real")
            assert row["engineering_unit"] == tag.get("engineering_unit", "")
            low, high = tag.get("range", ("", ""))
            assert (row["low"], row["high"]) == (str(low), str(high))
        assert rows[TAGS["STATE"]["address"]]["states"] == "0=Idle|1=Charge|2=Heat"
        plant = plant_of(tmp_path, server.url, "tags.csv")
        assert {tag.address for _, tag in load(plant).tags()} >= {tag["address"] for tag in TAGS.values()}
        assert (await command("check", plant))[0] == 0
        code, told = await command("check", plant, "--live")
        assert code == 0 and "0 faults" in told, told
        before = file.read_bytes()
        code, told = await command("browse", server.url, "-o", file)
        assert code == 2 and "is there already" in told and file.read_bytes() == before


async def test_a_path_narrows_it_and_a_wrong_one_says_what_is_there(tmp_path: Path) -> None:
    async with served(opcua_endpoint(TAGS)) as server:
        code, told = await command("browse", server.url, "--path", "Nowhere", "-o", tmp_path / "t.csv")
        assert code == 2 and "no 'Nowhere' in Objects; there is:" in told
        code, told = await command("browse", server.url, "--most", "3", "-o", tmp_path / "t.csv", "--depth", "9")
        assert "not all of it: more than 3 nodes" in told
        code, told = await command("browse", server.url, "--depth", "1", "-o", tmp_path / "u.csv")
        assert "not all of it: deeper than 1 levels" in told
    code, told = await command("browse", server.url, "--timeout", "1", "-o", tmp_path / "v.csv")
    assert code == 1 and "refused" in told and not (tmp_path / "v.csv").exists()


async def test_a_secured_server_is_browsed_and_checked_live(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.own()
    user = site.user()
    async with site.served() as url:
        more = ("--policy", "Aes256-Sha256-RsaPss", "--pki", site.pki)  # as profiles are listed
        code, told = await command("browse", url, "-o", tmp_path / "tags.csv", *more)
        assert code == 0, told
        login = ("--user-certificate", user["user_certificate"], "--user-key", user["user_key"])
        code, told = await command("browse", url, "-o", tmp_path / "again.csv", *more, *login)
        assert code == 0 and (tmp_path / "again.csv").read_text() == (tmp_path / "tags.csv").read_text(), told
        plant = plant_of(tmp_path, url, "tags.csv", security={"policy": "Basic256Sha256"})
        code, told = await command("check", plant, "--live")
        assert code == 0 and "21.5" in told, told
        (site.pki / "trusted" / "server.der").unlink()
        code, told = await command("check", plant, "--live")
        assert code == 1 and "`reactorwatch certs trust" in told, told
        assert (await command("browse", url, "-o", tmp_path / "x.csv", *more))[0] == 1
