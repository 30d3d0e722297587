"""The simulator's own key and certificate, and the certificates it trusts.

    folder/r201-opcua.pem    RSA-2048, PKCS #8, readable by its owner only
    folder/r201-opcua.der    self-signed, with the application URI and the names and addresses of this machine

Both are used again when they are there and fit; else they are made. They protect nothing but a simulation.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from asyncua.ua.status_codes import StatusCodes
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from simulators.source import SimulationError

_DAYS = 825


@dataclass(frozen=True, slots=True)
class Identity:
    """A key and its certificate."""

    key: RSAPrivateKey
    certificate: x509.Certificate


def identity(folder: Path, name: str, application_uri: str, hosts: tuple[str, ...]) -> Identity:
    """The one in `folder`, or a new one. Raises SimulationError."""
    plain = re.sub(r"[^\w.-]", "_", name)
    key_path, certificate_path = folder / f"{plain}.pem", folder / f"{plain}.der"
    found = _found(key_path, certificate_path, application_uri)
    if found is not None:
        return found
    made = _made(application_uri, hosts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key_path.unlink(missing_ok=True)
        with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(dump_private_key_as_pem(made.key))
        certificate_path.write_bytes(made.certificate.public_bytes(Encoding.DER))
    except OSError as exc:
        raise SimulationError(f"endpoint {name}: cannot write its key to {folder}: {exc.strerror or exc}") from exc
    return made


def _found(key_path: Path, certificate_path: Path, application_uri: str) -> Identity | None:
    """What is there, if it still fits: key to certificate, application, time."""
    try:
        key = load_pem_private_key(key_path.read_bytes(), None)
        certificate = x509.load_der_x509_certificate(certificate_path.read_bytes())
    except (OSError, ValueError, TypeError):
        return None
    fits = isinstance(key, RSAPrivateKey) and key.public_key() == certificate.public_key()
    fits = fits and application_uri in _uris(certificate) and _in_time(certificate)
    return Identity(key, certificate) if fits and isinstance(key, RSAPrivateKey) else None


def _made(application_uri: str, hosts: tuple[str, ...]) -> Identity:
    key = _new_key()
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(application_uri)]
    for host in dict.fromkeys((*hosts, socket.gethostname(), "localhost", "127.0.0.1", "::1")):
        address = _address(host)
        names.append(x509.IPAddress(address) if address else x509.DNSName(host))
    subject = {"organizationName": "Reactorwatch simulator"}
    usage = [ExtendedKeyUsageOID.SERVER_AUTH]
    return Identity(key, generate_self_signed_app_certificate(key, "Reactorwatch simulator", subject, names, usage, _DAYS))


@cache
def _new_key() -> RSAPrivateKey:
    """One for every server of this process: a key takes a tenth of a second and more, a farm would wait for minutes."""
    return generate_private_key()


def _address(host: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(host)
    return None


class Trust:
    """Which client and user certificates are let in: those in a folder, or issued by one there; None: every one."""

    def __init__(self, folder: Path | None) -> None:
        self._anyone = folder is None
        self._trusted = tuple(_certificates(folder)) if folder is not None else ()

    @property
    def anyone(self) -> bool:
        """Every certificate is accepted."""
        return self._anyone

    async def __call__(self, certificate: x509.Certificate, application: ua.ApplicationDescription) -> None:
        """asyncua's hook, when a session is created. Raises ServiceError."""
        if self._anyone:
            return
        self.check(certificate)
        if application.ApplicationUri not in _uris(certificate):
            raise ServiceError(StatusCodes.BadCertificateUriInvalid)

    def check(self, certificate: x509.Certificate) -> None:
        """Raises ServiceError for one out of its time, and for one that nobody here vouches for."""
        if self._anyone:
            return
        if not _in_time(certificate):
            raise ServiceError(StatusCodes.BadCertificateTimeInvalid)
        if not any(certificate == trusted or _issued(certificate, trusted) for trusted in self._trusted):
            raise ServiceError(StatusCodes.BadCertificateUntrusted)

    def check_der(self, der: bytes) -> None:
        """The same for one as it came over the wire, perhaps with its chain behind it."""
        if self._anyone:
            return
        length = int.from_bytes(der[2:4], "big") + 4
        try:
            certificate = x509.load_der_x509_certificate(der[:length])
        except ValueError as exc:
            raise ServiceError(StatusCodes.BadCertificateInvalid) from exc
        self.check(certificate)

    def lets_in(self, der: bytes) -> bool:
        """The same for a user's certificate, as a yes or no."""
        try:
            self.check_der(der)
        except ServiceError:
            return False
        return True


def _certificates(folder: Path) -> Iterator[x509.Certificate]:
    """Every certificate in `folder`, DER or PEM. Raises SimulationError."""
    if not folder.is_dir():
        raise SimulationError(f"{folder} is no folder: give one with the certificates that may connect, DER or PEM")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".der", ".crt", ".cer", ".pem"):
            content = path.read_bytes()
            load = x509.load_pem_x509_certificate if content.startswith(b"-----BEGIN") else x509.load_der_x509_certificate
            try:
                yield load(content)
            except ValueError as exc:
                raise SimulationError(f"{path} is no certificate ({exc}): DER or PEM is read here") from exc


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_authority(issuer)


def _is_authority(certificate: x509.Certificate) -> bool:
    with suppress(x509.ExtensionNotFound):
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    return False


def _uris(certificate: x509.Certificate) -> list[str]:
    with suppress(x509.ExtensionNotFound):
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.UniformResourceIdentifier)
    return []


def _in_time(certificate: x509.Certificate) -> bool:
    return certificate.not_valid_before_utc <= datetime.now(UTC) <= certificate.not_valid_after_utc
