"""Makes this collector's own key and self-signed certificate, as OPC UA asks of an application (part 6, 6.2.2).

The application URI, the host names and the key usages are what servers check; a certificate without one of them is refused
by some, and the text of the refusal seldom says why.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from drivers.opcua.trust import write_certificate

APPLICATION = "Reactorwatch"
_PUBLIC_EXPONENT = 65537


def default_uri() -> str:
    """`urn:gateway-1:reactorwatch`"""
    return f"urn:{socket.gethostname()}:{APPLICATION.lower()}"


def new_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """Takes a tenth of a second and more."""
    return rsa.generate_private_key(public_exponent=_PUBLIC_EXPONENT, key_size=bits)


def self_signed(
    key: rsa.RSAPrivateKey, uri: str, days: int, hosts: Sequence[str] = (), now: datetime | None = None
) -> x509.Certificate:
    """A certificate of `key` for the application `uri`, on `hosts` or this machine, from `now` on for `days`."""
    now = now or datetime.now(UTC)
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, APPLICATION), x509.NameAttribute(NameOID.ORGANIZATION_NAME, APPLICATION)]
    )
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri), *map(_general_name, hosts or _own_hosts())]
    public = key.public_key()
    builder = x509.CertificateBuilder(name, name, public, x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=days))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_KEY_USAGE, critical=True)
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    return builder.sign(key, hashes.SHA256())


_KEY_USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=True,
    key_encipherment=True,
    data_encipherment=True,
    key_agreement=False,
    key_cert_sign=True,  # it signs itself, and some servers look for that
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _own_hosts() -> list[str]:
    return list(dict.fromkeys((socket.gethostname(), socket.getfqdn(), "localhost")))


def _general_name(host: str) -> x509.GeneralName:
    with suppress(ValueError):
        return x509.IPAddress(ip_address(host))
    return x509.DNSName(host)


def write_pair(key: rsa.RSAPrivateKey, certificate: x509.Certificate, key_path: Path, certificate_path: Path) -> None:
    """The key readable by its owner alone from its first byte on; each file whole or not at all. Raises OSError."""
    key_path.parent.mkdir(parents=True, exist_ok=True)
    key_path.parent.chmod(0o700)
    partial = key_path.with_name(f".{key_path.name}.{os.getpid()}")
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        partial.write_bytes(content)
        partial.replace(key_path)
    finally:
        partial.unlink(missing_ok=True)
    write_certificate(certificate, certificate_path)
