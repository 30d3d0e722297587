"""X.509 certificates of OPC UA applications (part 6, 6.2): read, named, dated. No network.

A certificate comes alone or with the chain of its issuers behind it, as files have it (PEM, DER) and as servers send it.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

LEAST_KEY_BITS = 2048
"""Of RSA, by the three policies (part 7, 6.6)."""
SOON = timedelta(days=30)
"""A certificate that ends within this is told."""
SUFFIXES = (".der", ".crt", ".cer", ".pem")
_UNREADABLE = (
    ValueError,
    TypeError,
    IndexError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What cryptography raises of bytes that are no certificate, at the first look or at a later one."""


class CertificateError(Exception):
    """A file or a server's bytes that hold no certificate; the text says where and what would be right."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A certificate, and those of its issuers that came with it."""

    leaf: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """Of the leaf alone."""
        return self.leaf.public_bytes(Encoding.DER)


def chain_of(content: bytes, where: str) -> Chain:
    """What PEM or DER bytes hold; DER certificates may follow each other. Raises CertificateError."""
    try:
        if b"-----BEGIN" in content:
            leaf, *issuers = x509.load_pem_x509_certificates(content)
        else:
            leaf, *issuers = (x509.load_der_x509_certificate(part) for part in _parts(content))
        for each in (leaf, *issuers):
            _look_at_all(each)
    except _UNREADABLE as exc:
        raise CertificateError(f"{where} holds no X.509 certificate ({exc}): DER or PEM is read here") from None
    return Chain(leaf, tuple(issuers))


def _look_at_all(certificate: x509.Certificate) -> None:
    """Its parts are decoded when they are asked for: now, so that nothing is raised later."""
    for name in (certificate.subject, certificate.issuer):
        name.rfc4514_string()
    certificate.extensions.__iter__()
    untimely(certificate)


def _parts(content: bytes) -> list[bytes]:
    """DER after DER: each a SEQUENCE with a length of two bytes, as certificates have it."""
    parts: list[bytes] = []
    while content:
        if content[:2] != b"\x30\x82":
            raise ValueError("no DER sequence" if not parts else "something else follows the certificate")
        length = 4 + int.from_bytes(content[2:4], "big")
        parts.append(content[:length])
        content = content[length:]
    if not parts:
        raise ValueError("it is empty")
    return parts


def read_chain(path: Path) -> Chain:
    """The certificate of a file. Raises CertificateError."""
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise CertificateError(f"{path} can't be read: {exc.strerror}") from None
    return chain_of(content, str(path))


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the DER in capital hexadecimal, as OPC UA servers show it; it names a certificate, nothing more."""
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303


def subject(certificate: x509.Certificate) -> str:
    """`CN=R201 server, O=Vendor`"""
    return certificate.subject.rfc4514_string() or "(no subject)"


def file_name(certificate: x509.Certificate) -> str:
    """`R201 server [THUMBPRINT].der`, as other OPC UA applications name them."""
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    name = re.sub(r"[^\w.-]+", "_", str(names[0].value) if names else "").strip("._")[:60]
    return f"{name or 'certificate'}-{thumbprint(certificate)}.der"


def uris(certificate: x509.Certificate) -> list[str]:
    """The application URIs it is for; one, in a right one."""
    with suppress(x509.ExtensionNotFound, ValueError):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)
    return []


def hosts(certificate: x509.Certificate) -> list[str]:
    """Host names and addresses it is for."""
    with suppress(x509.ExtensionNotFound, ValueError):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    return []


def is_for_host(certificate: x509.Certificate, host: str) -> bool:
    """Whether `host`, a name or an address, is among its own."""
    with suppress(ValueError):
        host = str(ip_address(host))
    return host.lower().rstrip(".") in {known.lower().rstrip(".") for known in hosts(certificate)}


def untimely(certificate: x509.Certificate, now: datetime | None = None) -> str:
    """Why it does not hold now: not yet, or not any more; empty where it does."""
    now = now or datetime.now(UTC)
    if now < certificate.not_valid_before_utc:
        begins = f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return f"it is valid from {begins} on, and it is {now:%Y-%m-%d %H:%M} UTC here: is the clock of one of the two wrong?"
    if now > certificate.not_valid_after_utc:
        return f"it was valid until {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    return ""


def ends_soon(certificate: x509.Certificate, now: datetime | None = None) -> bool:
    """Within SOON, or ended already."""
    return certificate.not_valid_after_utc - (now or datetime.now(UTC)) < SOON


def weak_key(certificate: x509.Certificate) -> str:
    """What keeps its key from being used with any of the policies; empty for a right one."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        return f"its key can't be read ({exc})"
    if not isinstance(key, RSAPublicKey):
        return "its key is no RSA key, which the policies ask for"
    return f"its key has {key.key_size} bits, at least {LEAST_KEY_BITS} are asked for" if key.key_size < LEAST_KEY_BITS else ""
