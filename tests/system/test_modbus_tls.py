"""Modbus over TLS: it works with a certificate that is trusted, and there is no connection with any other."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from config.model import ModbusEndpoint
from drivers.base import DeviceError, ScanGroup, scan_groups
from drivers.modbus.session import connect
from tests.system.modbus_peer import FixedClock, Peer, value_at

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)
Key = ec.EllipticCurvePrivateKey


def certificate(folder: Path, name: str, signer: tuple[x509.Name, Key] | None, until: datetime.datetime) -> tuple[x509.Name, Key]:
    """`name.pem` and `name.key`, signed by `signer` or by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, signing_key = signer or (subject, key)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(NOW - 9 * DAY).not_valid_after(until)
    builder = builder.add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    signed = builder.sign(signing_key, hashes.SHA256())
    (folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(secret)
    return subject, key


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    ours = certificate(folder, "authority", None, NOW + DAY)
    certificate(folder, "stranger", None, NOW + DAY)
    for name, until in (("plc.plant", NOW + DAY), ("expired.plant", NOW - DAY), ("client", NOW + DAY)):
        certificate(folder, name, ours, until)
    return folder


@asynccontextmanager
async def tls_peer(pki: Path, name: str, *, asks_for_certificate: bool = False) -> AsyncIterator[Peer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / f"{name}.pem", pki / f"{name}.key")
    if asks_for_certificate:
        context.load_verify_locations(pki / "authority.pem")
        context.verify_mode = ssl.CERT_REQUIRED
    peer = Peer()
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0, ssl=context)
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        await server.wait_closed()
    while left := [task for task in asyncio.all_tasks() if "Peer.serve" in repr(task)]:
        await asyncio.wait(left, timeout=5)


def plant(port: int, **keys: object) -> tuple[ModbusEndpoint, tuple[ScanGroup, ...]]:
    tags = {"A": {"address": "holding:100", "type": "uint16"}}
    url, devices = f"modbus+tls://127.0.0.1:{port}", {"PLC": {"unit": "R-201", "tags": tags}}
    fields = {"name": "bus", "url": url, "timeout_s": 60.0, "devices": devices}
    endpoint = ModbusEndpoint.model_validate(fields | {key: str(value) for key, value in keys.items()})
    return endpoint, scan_groups(endpoint)


async def read(endpoint: ModbusEndpoint, groups: tuple[ScanGroup, ...]) -> list[float]:
    async with connect(endpoint, groups, FixedClock()) as driver:
        values: list[float] = (await driver.read(groups[0], 0)).values.tolist()
        return values


async def test_a_trusted_server_is_read(pki: Path) -> None:
    async with tls_peer(pki, "plc.plant") as peer:
        assert await read(*plant(peer.port, ca=pki / "authority.pem", server_name="plc.plant")) == [value_at(100)]


async def test_a_server_that_asks_who_we_are_is_told(pki: Path) -> None:
    keys = {"ca": pki / "authority.pem", "server_name": "plc.plant"}
    async with tls_peer(pki, "plc.plant", asks_for_certificate=True) as peer:
        ours = {"certificate": pki / "client.pem", "key": pki / "client.key"}
        assert await read(*plant(peer.port, **keys, **ours)) == [value_at(100)]
        with pytest.raises(DeviceError):
            await read(*plant(peer.port, **keys))
        assert len(peer.requests) == 1


@pytest.mark.parametrize(
    ("server", "keys", "text"),
    [
        ("plc.plant", {"server_name": "plc.plant"}, r"not trusted \(unable to get local issuer"),
        ("plc.plant", {"ca": "authority.pem"}, r"not trusted \(IP address mismatch"),
        ("plc.plant", {"ca": "authority.pem", "server_name": "other.plant"}, r"not trusted \(Hostname mismatch"),
        ("plc.plant", {"ca": "stranger.pem", "server_name": "plc.plant"}, "not trusted"),
        ("stranger", {"ca": "authority.pem", "server_name": "stranger"}, "not trusted"),
        ("expired.plant", {"ca": "authority.pem", "server_name": "expired.plant"}, r"not trusted \(certificate has expired"),
        ("plc.plant", {"ca": "nowhere.pem"}, r"nowhere\.pem can't be opened \(No such file"),
        ("plc.plant", {"ca": "authority.pem", "certificate": "client.pem", "key": "stranger.key"}, "a pair"),
        ("plc.plant", {"ca": "client.key"}, "no TLS"),
    ],
)
async def test_there_is_no_connection_without_trust(pki: Path, server: str, keys: dict[str, str], text: str) -> None:
    async with tls_peer(pki, server) as peer:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's view of the same
        files = {key: value if key == "server_name" else str(pki / value) for key, value in keys.items()}
        with pytest.raises(DeviceError, match=text):
            await read(*plant(peer.port, **files))
        assert not peer.requests


async def test_a_server_without_tls_is_not_spoken_to(pki: Path) -> None:
    def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\0\1\0\0\0\3\1\x83\2")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        with pytest.raises(DeviceError, match=r"no TLS|refused or unreachable"):
            await read(*plant(server.sockets[0].getsockname()[1], ca=pki / "authority.pem"))
