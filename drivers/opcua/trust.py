"""Whom we trust: server certificates in a folder, or issued by an authority there. And those that were refused.

pki/trusted/   R201-3F…A9.der    this very certificate, or an authority (a CA)
               plant-ca.crl      what that authority has revoked, where it tells
pki/rejected/  R202-77…01.der    refused; a person looks, and runs `reactorwatch certs trust`
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from drivers.opcua.certificates import SUFFIXES, CertificateError, Chain, file_name, read_chain, thumbprint, untimely, uris

MOST_REJECTED = 200
"""A peer that shows ever new certificates does not fill the disk."""
_LONGEST_CHAIN = 5
_WEAK_HASHES = ("md5", "sha1")


@dataclass(frozen=True, slots=True)
class Trust:
    """The certificates and revocation lists of a folder, as they were when it was read."""

    trusted: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...] = ()

    @classmethod
    def of(cls, folder: Path) -> Trust:
        """Those of `folder`; none where it is not there. Raises CertificateError for a file that holds none."""
        return cls(
            tuple(certificate for path in certificate_files(folder) for certificate in _all(read_chain(path))),
            tuple(_revocations(path) for path in _files(folder, (".crl",))),
        )

    def distrust(self, chain: Chain) -> str:
        """Why `chain` is not trusted; empty where it is."""
        if chain.leaf in self.trusted:
            return ""
        authorities = [each for each in (*self.trusted, *chain.issuers) if _is_authority(each)]
        return self._untrusted(chain.leaf, authorities, _LONGEST_CHAIN)

    def _untrusted(self, certificate: x509.Certificate, authorities: Sequence[x509.Certificate], depth: int) -> str:
        why = "it is not in the folder, nor was it issued by an authority that is"
        for issuer in authorities if depth else ():
            if issuer == certificate or not _issued(certificate, issuer):
                continue
            if self._is_revoked(certificate, issuer):
                return f"its authority {issuer.subject.rfc4514_string()} has revoked it"
            if untimely(issuer):
                why = f"of its authority {issuer.subject.rfc4514_string()}: {untimely(issuer)}"
            elif issuer in self.trusted or not self._untrusted(issuer, authorities, depth - 1):
                return ""
        return why

    def _is_revoked(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        return any(_revokes(each, certificate, issuer) for each in self.revocations)


def certificate_files(folder: Path) -> list[Path]:
    """The certificates of a folder, by name. Raises CertificateError."""
    return _files(folder, SUFFIXES)


def keep_rejected(certificate: x509.Certificate, folder: Path) -> Path | None:
    """Keep a refused certificate for people; None where there are too many, or the disk refuses."""
    path = folder / file_name(certificate)
    with suppress(OSError, CertificateError):
        if path.exists():
            return path
        if len(certificate_files(folder)) < MOST_REJECTED:
            write_certificate(certificate, path)
            return path
    return None


def write_certificate(certificate: x509.Certificate, path: Path) -> None:
    """Whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(certificate.public_bytes(Encoding.DER))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def found(folders: Sequence[Path], wanted: str) -> list[Path]:
    """The files in `folders` whose certificate has the thumbprint `wanted`, or begins with it. Raises CertificateError."""
    start = wanted.replace(":", "").replace(" ", "").upper()
    return [path for folder in folders for path in certificate_files(folder) if _thumbprint(path).startswith(start)]


def _thumbprint(path: Path) -> str:
    try:
        return thumbprint(read_chain(path).leaf)
    except CertificateError:
        return "-"


def _files(folder: Path, suffixes: Sequence[str]) -> list[Path]:
    try:
        if not folder.is_dir():
            return []
        return sorted(path for path in folder.iterdir() if path.suffix.lower() in suffixes)
    except OSError as exc:
        raise CertificateError(f"{folder} can't be read: {exc.strerror}") from None


def _all(chain: Chain) -> Iterator[x509.Certificate]:
    yield chain.leaf
    yield from chain.issuers


def _revocations(path: Path) -> x509.CertificateRevocationList:
    try:
        content = path.read_bytes()
        is_text = b"-----BEGIN" in content
        return x509.load_pem_x509_crl(content) if is_text else x509.load_der_x509_crl(content)
    except (OSError, ValueError) as exc:
        raise CertificateError(f"{path} is no certificate revocation list ({exc}): DER or PEM is read here") from None


def _revokes(revocations: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    with suppress(ValueError, TypeError, UnsupportedAlgorithm):
        is_its = revocations.issuer == issuer.subject and revocations.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]
        return is_its and revocations.get_revoked_certificate_by_serial_number(certificate.serial_number) is not None
    return False


def _is_authority(certificate: x509.Certificate) -> bool:
    """By its own word, and no application: self-made application certificates often say CA, and issue nothing."""
    with suppress(x509.ExtensionNotFound, ValueError):
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca and not uris(certificate)
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    with suppress(ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        certificate.verify_directly_issued_by(issuer)
        algorithm = certificate.signature_hash_algorithm
        return algorithm is not None and algorithm.name not in _WEAK_HASHES
    return False
