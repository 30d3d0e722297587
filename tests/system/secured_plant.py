"""A simulated OPC UA server with every policy, and what a collector needs to be let in. Keys are made once per process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any
from unittest.mock import patch

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from config.model import OpcUaEndpoint
from drivers.opcua.certificates import read_chain
from drivers.opcua.issue import new_key, self_signed, write_pair
from drivers.opcua.trust import write_certificate
from simulators.opcua.certificates import Identity
from simulators.opcua.server import OpcUaServer
from tests.simulated_source import Changeable, opcua_endpoint
from tests.system.opcua_peers import endpoint_of

TAG = {"T": {"address": "ns=2;s=T"}}
SERVER_URI = "urn:reactorwatch:simulator:server:opc"
OWN_URI = "urn:reactorwatch:test:collector"


_ONE_AT_A_TIME = Lock()


def key(name: str) -> RSAPrivateKey:
    """The same for the same name, whatever threads ask at once: with a certificate of another key a server answers nobody."""
    with _ONE_AT_A_TIME:
        return _made(name)


@cache
def _made(_name: str) -> RSAPrivateKey:
    return new_key()


@dataclass(frozen=True)
class Site:
    """A folder with `pki/` as a gateway has it, and the server's own keys and trust."""

    folder: Path

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def server_keys(self) -> Path:
        return self.folder / "server"

    @property
    def server_trusts(self) -> Path:
        return self.folder / "server-trusts"

    def own(self, *, days: int = 365, since_days: int = 0, private: str = "own") -> None:
        """The collector's key and certificate, which the server trusts."""
        now = datetime.now(UTC) - timedelta(days=since_days)
        certificate = self_signed(key(private), OWN_URI, days, now=now)
        write_pair(key(private), certificate, self.pki / "own" / "key.pem", self.pki / "own" / "certificate.der")
        write_certificate(certificate, self.server_trusts / "collector.der")

    def user(self) -> dict[str, str]:
        """The keys of an endpoint that log a user in by a certificate, which the server trusts."""
        certificate = self_signed(key("user"), "urn:user", 30)
        paths = self.folder / "user" / "user.pem", self.folder / "user" / "user.der"
        write_pair(key("user"), certificate, *paths)
        write_certificate(certificate, self.server_trusts / "user.der")
        return {"user_key": str(paths[0]), "user_certificate": str(paths[1])}

    def trust_server(self) -> None:
        """As `certs trust` does."""
        write_certificate(read_chain(self.server_keys / "opc.der").leaf, self.pki / "trusted" / "server.der")

    def security(self, policy: str = "Basic256Sha256", mode: str = "sign_and_encrypt", **more: str) -> dict[str, str]:
        """The `security` of an endpoint, with the default layout of the folder."""
        own = self.pki / "own"
        paths = {"certificate": str(own / "certificate.der"), "key": str(own / "key.pem"), "trust": str(self.pki / "trusted")}
        return {"policy": policy, "mode": mode} | paths | more

    def endpoint(self, url: str, security: dict[str, str] | None = None, **more: Any) -> OpcUaEndpoint:
        """One that is secured."""
        chosen = self.security() if security is None else security
        return endpoint_of(url, TAG, security=chosen, **({"timeout_s": 60.0} | more))

    @asynccontextmanager
    async def served(
        self, trusted: bool = True, certificate: x509.Certificate | None = None, private: str = "server", **fields: Any
    ) -> AsyncIterator[str]:
        """The URL of a server with T at 21.5, that knows the collector and is known by it; it shows `certificate`, of the
        key `private`, instead of its own."""
        source = Changeable()
        source.set("T", 21.5)
        keys, trusts = self.server_keys, self.server_trusts
        server = OpcUaServer(opcua_endpoint(TAG, **fields), source, security="all", keys=keys, trusted=trusts)
        with ExitStack() as stack:
            if certificate is not None:
                shown = Identity(key(private), certificate)
                stack.enter_context(patch("simulators.opcua.server.identity", lambda *_: shown))
                if trusted:
                    write_certificate(certificate, self.pki / "trusted" / "server.der")
            async with server:
                if trusted and certificate is None:
                    self.trust_server()
                yield server.url
