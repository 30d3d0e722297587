"""Real servers for system tests: Debian's InfluxDB 1 and VictoriaMetrics, on loopback, each in a folder of its own.

Where one is not installed the test is skipped and says what to install; in CI it fails.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

START_S, STOP_S = 60.0, 20.0
_POLL_S = 0.01

Value = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an InfluxQL answer. A zero that InfluxDB writes as -0 comes back as -0.0."""

    name: str
    tags: Mapping[str, str]
    columns: tuple[str, ...]
    values: list[list[Value]]

    def rows(self) -> list[dict[str, Value]]:
        """Each point as a mapping, without what is null."""
        return [{c: v for c, v in zip(self.columns, row, strict=True) if v is not None} for row in self.values]


def free_port() -> int:
    """A port where nobody listens: to say before somebody listens there, or to listen on again after a restart.

    None of those that the system gives to outgoing connections and to port 0, which hundreds of other tests take
    meanwhile; and each only once here.
    """
    for port in _PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port was handed out")


def _below_the_ephemeral() -> Iterator[int]:
    ports = range(17_000, 31_000)
    begin = os.getpid() * 1_009 % len(ports)
    return itertools.chain(ports[begin:], ports[:begin])


_PORTS = _below_the_ephemeral()


@contextmanager
def ports_of_the_demo() -> Iterator[None]:
    """One demo at a time on this machine: each looks for free ports before its simulators take them."""
    with (Path(tempfile.gettempdir()) / f"reactorwatch-demo-{os.geteuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def request(url: str, data: bytes | None = None, query: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """GET, or POST when there is data; status and body, whatever the status."""
    full = f"{url}?{urllib.parse.urlencode(query)}" if query else url
    try:
        with urllib.request.urlopen(urllib.request.Request(full, data=data), timeout=60) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


class Server(ABC):
    """A server process that can be stopped and started again, with the same port and data."""

    program: str
    package: str
    health: str

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> list[str]: ...

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self) -> None:
        """Returns when it answers; another port is tried when somebody was faster."""
        for _ in range(3):
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(self.command(), env=self.environment(), stdout=log, stderr=subprocess.STDOUT)
            if self._answers(self._process):
                return
            self.port = free_port()
        pytest.fail(f"{self.program} does not start:\n{(self.folder / 'log').read_text(errors='replace')[-2000:]}")

    def _answers(self, process: subprocess.Popen[bytes]) -> bool:
        deadline = time.monotonic() + START_S
        while process.poll() is None:
            try:
                if request(self.url + self.health)[0] in (200, 204):
                    return True
            except OSError:
                time.sleep(_POLL_S)
            if time.monotonic() > deadline:
                self.stop()
        return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait for that."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class InfluxDB(Server):
    """InfluxDB 1."""

    program, package, health = "influxd", "influxdb", "/ping"

    def command(self) -> list[str]:
        return [self.program, "run", "-config", os.devnull]

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "HOME": str(self.folder),
            "INFLUXDB_META_DIR": str(self.folder / "meta"),
            "INFLUXDB_DATA_DIR": str(self.folder / "data"),
            "INFLUXDB_DATA_WAL_DIR": str(self.folder / "wal"),
            "INFLUXDB_HTTP_BIND_ADDRESS": f"127.0.0.1:{self.port}",
            "INFLUXDB_BIND_ADDRESS": "127.0.0.1:0",
            "INFLUXDB_HTTP_LOG_ENABLED": "false",
            "INFLUXDB_MONITOR_STORE_ENABLED": "false",
            "INFLUXDB_REPORTING_DISABLED": "true",
        }

    def create(self, database: str) -> str:
        """Make a database, its name returned."""
        self.query(f'CREATE DATABASE "{database}"')
        return database

    def query(self, influxql: str, database: str = "") -> list[Series]:
        """Every series of a statement's answer, times in ns. Raises AssertionError with InfluxDB's own words."""
        query = {"q": influxql, "epoch": "ns", **({"db": database} if database else {})}
        data = b"" if influxql.startswith(("CREATE", "DROP")) else None
        status, body = request(f"{self.url}/query", data, query)
        answer = json.loads(body, parse_int=lambda text: -0.0 if text == "-0" else int(text))
        assert status == 200, f"{influxql}: {answer}"
        (result,) = answer["results"]
        assert "error" not in result, f"{influxql}: {result['error']}"
        return [_series(fields) for fields in result.get("series", [])]

    def write(self, lines: bytes, database: str) -> int:
        """Write lines as they are; the status."""
        return request(f"{self.url}/write", lines, {"db": database, "precision": "ns"})[0]


def _series(fields: dict[str, Any]) -> Series:
    return Series(fields["name"], fields.get("tags", {}), tuple(fields["columns"]), fields.get("values", []))


class VictoriaMetrics(Server):
    """VictoriaMetrics, single node."""

    program, package, health = "victoria-metrics", "victoria-metrics", "/health"

    def command(self) -> list[str]:
        return [
            self.program,
            f"-storageDataPath={self.folder / 'data'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-memory.allowedBytes=256MB",
        ]

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        super().stop(how)

    def export(self, selector: str) -> list[dict[str, Any]]:
        """Every series that fits, raw: metric, values, timestamps in ms."""
        request(f"{self.url}/internal/force_flush")
        status, body = request(f"{self.url}/api/v1/export", None, {"match[]": selector})
        assert status == 200, body
        return [json.loads(line) for line in body.splitlines()]


@contextmanager
def running_influxdb() -> Iterator[InfluxDB]:
    """A fresh InfluxDB 1."""
    with _folder(InfluxDB) as folder:
        server = InfluxDB(folder)
        with _running(server):
            yield server


@contextmanager
def running_victoriametrics() -> Iterator[VictoriaMetrics]:
    """A fresh VictoriaMetrics."""
    with _folder(VictoriaMetrics) as folder:
        server = VictoriaMetrics(folder)
        with _running(server):
            yield server


@contextmanager
def _folder(kind: type[Server]) -> Iterator[Path]:
    if shutil.which(kind.program) is None:
        missing = f"{kind.program} is not installed: apt install {kind.package}"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with tempfile.TemporaryDirectory(prefix=f"{kind.package}-") as name:
        yield Path(name)


@contextmanager
def _running(server: Server) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.stop()
