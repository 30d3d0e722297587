"""What is wrong with certificates is told by the daemon, once, and shown by `status`."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import orjson
import yaml
from typer.testing import CliRunner

from collector.__main__ import app
from collector.app import Daemon
from collector.store.reader import Reader
from collector.terms import EventKind
from config.load import load
from drivers.opcua.issue import self_signed
from tests.system.secured_plant import SERVER_URI, TAG, Site, key


async def test_an_end_that_is_near_is_in_the_record_and_in_the_status(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.own(days=9)
    certificate = self_signed(key("server"), SERVER_URI, 9, ["plc-7"], datetime.now(UTC))
    async with site.served(certificate=certificate) as url:
        endpoint = {"url": url, "security": {"policy": "Basic256Sha256"}, "devices": {"plc": {"unit": "R-1", "tags": TAG}}}
        plant = tmp_path / "plant.yaml"
        plant.write_text(
            yaml.safe_dump({"site": "s", "endpoints": {"opc": endpoint}, "units": {"R-1": {}}, "web": None}), "utf-8"
        )
        stop, told, told_all = asyncio.Event(), [], 4
        async with asyncio.timeout(60), Daemon(load(plant), tmp_path / "data") as daemon:

            def listen(what: object) -> None:
                if getattr(what, "kind", None) is EventKind.CERTIFICATE:
                    told.append(what)
                    if len(told) == told_all:
                        stop.set()

            daemon.live.listeners.append(listen)
            await daemon.run(stop, stop)
    reader = Reader(tmp_path / "data")
    causes = sorted(str(event.body["cause"]) for event in reader.newest_events(EventKind.CERTIFICATE, 10))
    reader.close()
    assert len(causes) == told_all
    own, by_connection, host, trusted = causes
    assert own.startswith("own certificate") and "which is within 30 days" in own
    assert by_connection.startswith("server's certificate") and "after that it is refused" in by_connection
    assert "is for plc-7, not for 127.0.0.1" in host
    assert trusted.startswith("trusted certificate")
    told_by_status = CliRunner().invoke(app, ["status", "--data", str(tmp_path / "data"), "--json"])
    shown = orjson.loads(told_by_status.output)["certificates"]["opc"]["cause"]
    assert all(cause in shown for cause in causes)
