"""The driver's secured connections against a simulated server: every policy, mode and identity reads; every refusal ends in
an error that says what to do, and never in a value."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from config.model import OpcUaEndpoint
from drivers.base import DeviceError, Quality, scan_groups
from drivers.opcua.certificates import read_chain, thumbprint
from drivers.opcua.issue import self_signed, write_pair
from drivers.opcua.session import connect
from tests.system.opcua_peers import CLOCK, SLOT_NS, PlantServer, Proxy, nothing_left_behind, peer, scan_of
from tests.system.secured_plant import SERVER_URI, Site, key

POLICIES = ("Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss")
WAYS = [(policy, mode) for policy in POLICIES for mode in ("sign", "sign_and_encrypt")]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.own()
    return made


async def value_of(endpoint: OpcUaEndpoint) -> float:
    scan = await scan_of(endpoint)
    assert scan.quality[0] == Quality.GOOD
    return float(scan.values[0])


async def refusal(endpoint: OpcUaEndpoint) -> str:
    """What the driver says instead of giving a value."""
    with pytest.raises(DeviceError) as error:
        await scan_of(endpoint)
    assert error.value.status & 0x8000_0000
    return str(error.value)


async def test_every_policy_and_mode_reads_for_anonymous_and_certificate(site: Site) -> None:
    user = site.user()
    async with site.served() as url:
        for policy, mode in WAYS:
            assert await value_of(site.endpoint(url, site.security(policy, mode))) == 21.5, (policy, mode)
            assert await value_of(site.endpoint(url, site.security(policy, mode), **user)) == 21.5, (policy, mode)


async def test_every_policy_and_mode_reads_for_a_user_with_a_password(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLC_PASSWORD", "right")
    monkeypatch.setenv("WRONG_PASSWORD", "wrong")
    login: dict[str, Any] = {"user_name": "collector", "password": {"env": "PLC_PASSWORD"}}
    async with site.served(**login) as url:
        for policy, mode in WAYS:
            assert await value_of(site.endpoint(url, site.security(policy, mode), **login)) == 21.5, (policy, mode)
        assert await value_of(site.endpoint(url, {"policy": "none"}, **login)) == 21.5
        wrong = await refusal(site.endpoint(url, user_name="collector", password={"env": "WRONG_PASSWORD"}))
        assert "check user_name and password" in wrong and "wrong" not in wrong.lower().replace("wrong_password", "")
        nobody = await refusal(site.endpoint(url))
        assert "takes no anonymous here; it takes: user_certificate and user_key, user_name and password" in nobody


async def test_an_unknown_server_is_refused_and_the_command_in_the_text_makes_it_known(site: Site) -> None:
    async with site.served(trusted=False) as url:
        told = await refusal(site.endpoint(url))
        server = read_chain(site.server_keys / "opc.der").leaf
        assert f"run `reactorwatch certs trust {thumbprint(server)} --pki {site.pki}`" in told
        assert [read_chain(path).leaf for path in (site.pki / "rejected").iterdir()] == [server]
        site.trust_server()
        assert await value_of(site.endpoint(url)) == 21.5


async def test_what_the_server_does_not_offer_is_never_replaced_by_less(site: Site) -> None:
    with PlantServer() as server:
        async with nothing_left_behind():
            told = await refusal(site.endpoint(server.url))
        assert server.sessions == 0
    assert "does not offer Basic256Sha256 with sign_and_encrypt; it offers: None." in told


class DiscoveryElsewhere(Proxy):
    """As Eclipse Milo: without security nobody is let in but at `/discovery`; the connection is closed without a word."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.hellos: list[bytes] = []

    def lets_in(self, data: bytes) -> bool:
        if data.startswith(b"HEL"):
            self.hellos.append(data)
        return not data.startswith(b"OPN") or b"SecurityPolicy#None" not in data or self.hellos[-1].endswith(b"/discovery")


async def test_a_server_that_lets_nobody_ask_without_security_is_asked_at_its_discovery_url(site: Site) -> None:
    async with site.served() as url:
        port = urlsplit(url).port
        assert port is not None
        server = DiscoveryElsewhere(port)
        with peer(server) as its_port:
            assert await value_of(site.endpoint(url.replace(str(port), str(its_port)))) == 21.5
    assert [hello.endswith(b"/discovery") for hello in server.hellos] == [False, True, False]


async def test_a_server_that_lets_nobody_ask_at_all_is_asked_twice_and_its_first_answer_is_told(site: Site) -> None:
    tried: list[bytes] = []

    def turn_away(connection: socket.socket) -> None:
        tried.append(connection.recv(65536))

    with peer(turn_away) as port:
        told = await refusal(site.endpoint(f"opc.tcp://127.0.0.1:{port}/plant"))
    assert [hello.endswith(b"/plant/discovery") for hello in tried] == [False, True]
    assert f"127.0.0.1:{port}/plant): asking for its endpoints: the connection failed or was closed" in told


async def test_a_token_is_renewed_while_it_is_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.opcua.upkeep.RENEW_SHARE", 0.3 / 3600)  # long before its end, which a busy machine would miss
    async with site.served() as url:
        endpoint = site.endpoint(url)
        (group,) = scan_groups(endpoint)
        async with connect(endpoint, [group], CLOCK) as driver:
            first = driver.connection.client.uaclient.protocol
            assert first is not None
            token = first._connection.security_token.TokenId
            async with asyncio.timeout(60):
                while first._connection.security_token.TokenId < token + 3:
                    await asyncio.sleep(0.02)
                    scan = await driver.read(group, SLOT_NS)
                    assert scan.values[0] == 21.5


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("days", "began_days_ago", "told"),
    [(1, 3, "it was valid until"), (9, -3, "is the clock of one of the two wrong?")],
)
async def test_a_server_certificate_out_of_its_time_is_refused(site: Site, days: int, began_days_ago: int, told: str) -> None:
    certificate = self_signed(key("server"), SERVER_URI, days, ["127.0.0.1"], NOW - timedelta(days=began_days_ago))
    async with site.served(certificate=certificate) as url:
        assert told in await refusal(site.endpoint(url))


async def test_a_certificate_of_another_application_is_refused(site: Site) -> None:
    async with site.served(certificate=self_signed(key("server"), "urn:another", 9, ["127.0.0.1"])) as url:
        assert f"is for urn:another, and the server calls itself {SERVER_URI}" in await refusal(site.endpoint(url))


async def test_another_host_or_a_near_end_is_told_and_read_all_the_same(site: Site) -> None:
    async with site.served(certificate=self_signed(key("server"), SERVER_URI, 9, ["plc-7"])) as url:
        endpoint = site.endpoint(url)
        async with connect(endpoint, scan_groups(endpoint), CLOCK) as driver:
            soon, host = driver.notices
    assert "which is within 30 days; after that it is refused" in soon
    assert "is for plc-7, not for 127.0.0.1" in host


async def test_a_server_that_shows_a_certificate_whose_key_it_has_not_gives_nothing(site: Site) -> None:
    stolen = self_signed(key("server"), SERVER_URI, 9, ["127.0.0.1"])
    async with site.served(certificate=stolen, private="thief") as url:
        await refusal(site.endpoint(url, timeout_s=2.0))


async def test_a_server_whose_certificate_changed_is_refused_at_the_next_connect(site: Site) -> None:
    async with site.served(certificate=self_signed(key("server"), SERVER_URI, 9, ["127.0.0.1"])) as url:
        assert await value_of(site.endpoint(url)) == 21.5
    changed = self_signed(key("server"), SERVER_URI, 9, ["127.0.0.1"])
    async with site.served(trusted=False, certificate=changed) as url:
        assert f"certs trust {thumbprint(changed)}" in await refusal(site.endpoint(url))


async def test_a_server_that_does_not_know_the_collector_is_told_with_its_thumbprint(site: Site) -> None:
    own = read_chain(site.pki / "own" / "certificate.der").leaf
    (site.server_trusts / "collector.der").unlink()
    async with site.served() as url:
        told = await refusal(site.endpoint(url))
    assert "BadCertificateUntrusted" in told or "BadSecurityChecksFailed" in told
    assert thumbprint(own) in told and "from the rejected to the trusted ones" in told


async def test_an_expired_certificate_of_the_collector_is_told(site: Site) -> None:
    site.own(days=1, since_days=5)
    async with site.served() as url:
        assert "it was valid until" in await refusal(site.endpoint(url))


def issued(authority: str, uris: list[str], *, is_authority: bool = False) -> x509.Certificate:
    """A certificate of the key `server` by the key of an authority, or that authority's own."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, authority)])
    subject = name if is_authority else x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issued")])
    public = key(authority if is_authority else "server").public_key()
    builder = x509.CertificateBuilder(name, subject, public, x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=90))
    builder = builder.add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    if uris:
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key(authority), hashes.SHA256())


def put(certificate: x509.Certificate, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(certificate.public_bytes(Encoding.PEM))


async def test_a_server_whose_authority_is_trusted_is_known_until_that_revokes_it(site: Site) -> None:
    server, authority = issued("authority", [SERVER_URI]), issued("authority", [], is_authority=True)
    put(authority, site.pki / "trusted" / "authority.pem")
    async with site.served(trusted=False, certificate=server) as url:
        assert await value_of(site.endpoint(url)) == 21.5
        revoked = x509.RevokedCertificateBuilder(server.serial_number, NOW).build()
        lists = x509.CertificateRevocationListBuilder(authority.subject, NOW, NOW + timedelta(days=9), [], [revoked])
        content = lists.sign(key("authority"), hashes.SHA256()).public_bytes(Encoding.DER)
        (site.pki / "trusted" / "authority.crl").write_bytes(content)
        assert "has revoked it" in await refusal(site.endpoint(url))


async def test_an_application_is_no_authority_whatever_it_says(site: Site) -> None:
    put(issued("authority", ["urn:some:plc"], is_authority=True), site.pki / "trusted" / "plc.pem")
    async with site.served(trusted=False, certificate=issued("authority", [SERVER_URI])) as url:
        assert "nor was it issued by an authority that is" in await refusal(site.endpoint(url))


def foreign_key(own: Path) -> None:
    write_pair(key("server"), self_signed(key("server"), "urn:x", 9), own / "key.pem", own / "unused.der")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda own: (own / "key.pem").unlink(), "key.pem is not there: `reactorwatch certs init` makes both"),
        (lambda own: (own / "key.pem").chmod(0o644), "can be read or changed by others (mode 644): run `chmod 600"),
        (lambda own: (own / "key.pem").write_bytes(b"no key"), "holds no private RSA key that can be read here"),
        (lambda own: (own / "certificate.der").write_bytes(b"none"), "holds no X.509 certificate"),
        (foreign_key, "is not the private key of"),
    ],
)
async def test_keys_that_do_not_serve_are_told_before_anybody_is_asked(
    site: Site, harm: Callable[[Path], object], told: str
) -> None:
    harm(site.pki / "own")
    async with nothing_left_behind():
        assert told in await refusal(site.endpoint("opc.tcp://127.0.0.1:1"))
