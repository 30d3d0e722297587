"""Every way into a simulated OPC UA server, and who is refused: policy × mode × token, with a real client."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.ua.uaerrors import UaError, UaStatusCodeError
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from config.model import OpcUaEndpoint, Plant
from simulators.opcua.access import Security
from simulators.opcua.server import OpcUaServer
from simulators.plant import SimulatedPlant
from simulators.source import SimulationError
from tests.servers import free_port
from tests.simulated_source import Changeable, opcua_endpoint
from tests.system.opcua_peers import stock_client

CLIENT_URI = "urn:reactorwatch:test:client"
SIGN, ENCRYPT = ua.MessageSecurityMode.Sign, ua.MessageSecurityMode.SignAndEncrypt
POLICIES = [
    security_policies.SecurityPolicyBasic256Sha256,
    security_policies.SecurityPolicyAes128Sha256RsaOaep,
    security_policies.SecurityPolicyAes256Sha256RsaPss,
]
SECURE = [(policy, mode) for policy in POLICIES for mode in (SIGN, ENCRYPT)]


@dataclass(frozen=True)
class Pair:
    """A key and a certificate, in files."""

    key: Path
    certificate: Path


@dataclass(frozen=True)
class Keys:
    """What the tests' clients have, and the folder of the server's own; made once."""

    folder: Path
    private: RSAPrivateKey
    client: Pair
    user: Pair
    expired: Pair


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    folder = tmp_path_factory.mktemp("keys")
    private = generate_private_key()

    def pair(name: str, days: int = 30) -> Pair:
        made = Pair(folder / f"{name}.pem", folder / f"{name}.der")
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(CLIENT_URI)]
        usage = [ExtendedKeyUsageOID.CLIENT_AUTH]
        certificate = generate_self_signed_app_certificate(private, name, {}, names, usage, days)
        made.key.write_bytes(dump_private_key_as_pem(private))
        made.certificate.write_bytes(certificate.public_bytes(Encoding.DER))
        return made

    client, user = pair("client"), pair("user")
    return Keys(tmp_path_factory.mktemp("server"), private, client, user, _outdated(folder, private))


def _outdated(folder: Path, private: RSAPrivateKey) -> Pair:
    """Valid until yesterday."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "expired")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 7, now - timedelta(days=9), now - timedelta(days=1))
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(CLIENT_URI)])
    certificate = builder.add_extension(uri, critical=False).sign(private, hashes.SHA256())
    made = Pair(folder / "expired.pem", folder / "expired.der")
    made.key.write_bytes(dump_private_key_as_pem(private))
    made.certificate.write_bytes(certificate.public_bytes(Encoding.DER))
    return made


def endpoint_with(**fields: object) -> OpcUaEndpoint:
    return opcua_endpoint({"T": {"address": "ns=2;s=T"}}, **fields)


@pytest.fixture
def with_user(monkeypatch: pytest.MonkeyPatch) -> OpcUaEndpoint:
    monkeypatch.setenv("PLC_PASSWORD", "right")
    return endpoint_with(user_name="collector", password={"env": "PLC_PASSWORD"})


@asynccontextmanager
async def served(endpoint: OpcUaEndpoint, keys: Keys, trusted: Path | None = None) -> AsyncIterator[str]:
    source = Changeable()
    source.set("T", 21.5)
    async with OpcUaServer(endpoint, source, security="all", keys=keys.folder, trusted=trusted) as server:
        yield server.url


async def client_of(
    url: str, secure: tuple[type[security_policies.SecurityPolicy], ua.MessageSecurityMode] | None, pair: Pair
) -> Client:
    client = stock_client(url)
    client.application_uri = CLIENT_URI
    if secure:
        await client.set_security(secure[0], pair.certificate, pair.key, mode=secure[1])
    return client


async def outcome(client: Client) -> object:
    """What it reads, or the name of the error that it gets."""
    try:
        async with client:
            return await client.get_node("ns=2;s=T").read_value()
    except UaStatusCodeError as refused:
        return type(refused).__name__
    except UaError as refused:
        return str(refused)


async def as_user(client: Client, name: str = "collector", *, password: str = "right") -> Client:  # noqa: S107
    client.set_user(name)
    client.set_password(password)
    return client


async def by_certificate(client: Client, pair: Pair) -> Client:
    await client.load_client_certificate(str(pair.certificate))
    await client.load_private_key(pair.key)
    return client


async def test_every_policy_and_mode_is_offered_and_lets_anonymous_clients_and_certificates_in(keys: Keys) -> None:
    async with served(endpoint_with(), keys) as url:
        offered = await stock_client(url).connect_and_get_server_endpoints()
        assert [(endpoint.SecurityPolicyUri, endpoint.SecurityMode) for endpoint in offered] == [
            (security_policies.SecurityPolicyNone.URI, ua.MessageSecurityMode.None_),
            *((policy.URI, mode) for policy, mode in SECURE),
        ]
        for endpoint in offered:
            tokens = {token.TokenType for token in endpoint.UserIdentityTokens or ()}
            assert tokens == {ua.UserTokenType.Anonymous, ua.UserTokenType.Certificate}
        for secure in [None, *SECURE]:
            assert await outcome(await client_of(url, secure, keys.client)) == 21.5, secure
            client = await by_certificate(await client_of(url, secure, keys.client), keys.user)
            assert await outcome(client) == 21.5, secure
            client = await as_user(await client_of(url, secure, keys.client))
            assert await outcome(client) not in (21.5, None), "nobody has a user name here"


async def test_a_plant_with_a_user_name_takes_that_user_and_no_other(keys: Keys, with_user: OpcUaEndpoint) -> None:
    async with served(with_user, keys) as url:
        offered = await stock_client(url).connect_and_get_server_endpoints()
        for endpoint in offered:
            (token,) = tuple(endpoint.UserIdentityTokens or ())
            assert token.TokenType == ua.UserTokenType.UserName
            encrypted = endpoint.SecurityMode == ENCRYPT
            assert (token.SecurityPolicyUri == security_policies.SecurityPolicyNone.URI) == encrypted, "else with its certificate"
        for secure in [None, *SECURE]:
            assert await outcome(await as_user(await client_of(url, secure, keys.client))) == 21.5, secure
            wrong = await as_user(await client_of(url, secure, keys.client), password="wrong")
            assert await outcome(wrong) == "BadUserAccessDenied", secure
        admin = await as_user(await client_of(url, None, keys.client), name="admin")
        assert await outcome(admin) == "BadUserAccessDenied"
        assert await outcome(await client_of(url, SECURE[0], keys.client)) == "BadIdentityTokenRejected"
        by_own = await by_certificate(await client_of(url, SECURE[0], keys.client), keys.user)
        assert await outcome(by_own) != 21.5, "any self-made certificate would do instead of the password"


async def test_only_certificates_that_are_trusted_and_in_time_get_in(
    keys: Keys, with_user: OpcUaEndpoint, tmp_path: Path
) -> None:
    (tmp_path / "client.der").write_bytes(keys.client.certificate.read_bytes())
    (tmp_path / "expired.der").write_bytes(keys.expired.certificate.read_bytes())
    async with served(endpoint_with(), keys, tmp_path) as url:
        assert await outcome(await client_of(url, SECURE[1], keys.client)) == 21.5
        assert await outcome(await client_of(url, SECURE[1], keys.user)) == "BadCertificateUntrusted"
        assert await outcome(await client_of(url, SECURE[1], keys.expired)) == "BadCertificateTimeInvalid"
        stranger = await by_certificate(await client_of(url, SECURE[1], keys.client), keys.user)
        assert await outcome(stranger) == "BadUserAccessDenied"
        foreign = await client_of(url, SECURE[1], keys.client)
        foreign.application_uri = "urn:somebody:else"
        assert await outcome(foreign) == "BadCertificateUriInvalid"
        assert await outcome(await client_of(url, None, keys.client)) == 21.5, "there is no certificate without security"
    async with served(with_user, keys, tmp_path) as url:
        trusted = await by_certificate(await client_of(url, SECURE[1], keys.client), keys.client)
        assert await outcome(trusted) == 21.5
        stranger = await by_certificate(await client_of(url, SECURE[1], keys.client), keys.user)
        assert await outcome(stranger) == "BadUserAccessDenied"


async def test_a_session_that_hides_the_channels_certificate_is_refused(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(endpoint_with(), keys, tmp_path) as url:
        client = await client_of(url, SECURE[1], keys.client)
        create = client.uaclient.create_session

        async def hiding(parameters: ua.CreateSessionParameters) -> ua.CreateSessionResult:
            parameters.ClientCertificate = ua.ByteString(b"")
            return await create(parameters)

        monkeypatch.setattr(client.uaclient, "create_session", hiding)
        assert await outcome(client) == "BadCertificateUntrusted"


async def test_a_certificate_issued_by_a_trusted_authority_gets_in(keys: Keys, tmp_path: Path) -> None:
    authority = generate_private_key()
    issuer = generate_self_signed_app_certificate(authority, "authority", {}, [x509.DNSName("ca")], [], 30)
    (tmp_path / "authority.pem").write_bytes(issuer.public_bytes(Encoding.PEM))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issued")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(issuer.subject, name, keys.private.public_key(), 8, now - timedelta(1), now + timedelta(1))
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(CLIENT_URI)])
    issued = builder.add_extension(uri, critical=False).sign(authority, hashes.SHA256())
    pair = Pair(keys.client.key, tmp_path / "issued")
    pair.certificate.write_bytes(issued.public_bytes(Encoding.DER))
    (tmp_path / "issued").rename(tmp_path.parent / "issued.der")
    async with served(endpoint_with(), keys, tmp_path) as url:
        assert await outcome(await client_of(url, SECURE[1], Pair(pair.key, tmp_path.parent / "issued.der"))) == 21.5
        assert await outcome(await client_of(url, SECURE[1], keys.client)) == "BadCertificateUntrusted"


async def test_its_key_is_its_owners_alone_and_used_again_while_it_fits(keys: Keys) -> None:
    async def certificate() -> bytes:
        async with served(endpoint_with(), keys) as url:
            return bytes((await stock_client(url).connect_and_get_server_endpoints())[0].ServerCertificate)

    first = await certificate()
    key_path, certificate_path = keys.folder / "opc.pem", keys.folder / "opc.der"
    assert stat.S_IMODE(key_path.stat().st_mode) == 0o600 and certificate_path.read_bytes() == first == await certificate()
    told = x509.load_der_x509_certificate(first)
    names = told.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:reactorwatch:simulator:server:opc"]
    assert "127.0.0.1" in map(str, names.get_values_for_type(x509.IPAddress))
    assert told.not_valid_after_utc - told.not_valid_before_utc > timedelta(days=700)
    certificate_path.write_bytes(keys.client.certificate.read_bytes())
    assert await certificate() not in (first, keys.client.certificate.read_bytes()), "that one was not its own"


async def test_what_cannot_be_a_folder_of_keys_or_certificates_is_told(keys: Keys, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="is no folder: give one with the certificates"):
        OpcUaServer(endpoint_with(), Changeable(), trusted=tmp_path / "nowhere")
    (tmp_path / "broken.der").write_bytes(b"nothing")
    with pytest.raises(SimulationError, match=r"broken.der is no certificate"):
        OpcUaServer(endpoint_with(), Changeable(), trusted=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(SimulationError, match="endpoint opc: cannot write its key to"):
        async with OpcUaServer(endpoint_with(), Changeable(), security="all", keys=tmp_path / "file" / "keys"):
            pass


async def test_without_security_there_is_no_certificate() -> None:
    async with OpcUaServer(endpoint_with(), Changeable()) as server:
        (only,) = await stock_client(server.url).connect_and_get_server_endpoints()
    assert only.SecurityMode == ua.MessageSecurityMode.None_ and not only.ServerCertificate


@pytest.mark.parametrize(("security", "count"), [(None, 7), ("none", 1)])
async def test_a_plant_served_as_configured_offers_every_policy_unless_told_otherwise(
    security: Security | None, count: int
) -> None:
    port = free_port()
    endpoint = endpoint_with(url=f"opc.tcp://127.0.0.1:{port}/plant")
    plant = Plant.model_validate({"site": "s", "units": {"R-201": {}}, "endpoints": {"opc": endpoint}})
    async with SimulatedPlant(plant, security=security) as simulated:
        offered = await stock_client(simulated.urls["opc"]).connect_and_get_server_endpoints()
    assert [one.EndpointUrl for one in offered] == [f"opc.tcp://127.0.0.1:{port}/plant"] * count
