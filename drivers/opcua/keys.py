"""Private keys and the certificates that belong to them: this collector's own, and a user's. Read anew at every connect, so
that a file that was renewed is used from then on; a key that was decoded once is not decoded again.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from drivers.opcua.certificates import CertificateError, Chain, read_chain, uris, weak_key

_INIT = "`reactorwatch certs init` makes both"


@dataclass(frozen=True, slots=True)
class Own:
    """A certificate with its private key."""

    chain: Chain
    key: RSAPrivateKey

    @property
    def application_uri(self) -> str:
        """The first that the certificate is for; empty without one."""
        return next(iter(uris(self.chain.leaf)), "")


def read_own(certificate: Path, key: Path, *, is_application: bool) -> Own:
    """Both files, checked against each other. Raises CertificateError.

    `is_application`: the certificate names an application, not a user.
    """
    for path in (certificate, key) if is_application else ():
        if not _is_there(path):
            raise CertificateError(f"{path} is not there: {_INIT}, or name yours in `security`")
    chain, private = read_chain(certificate), read_key(key)
    if why := weak_key(chain.leaf):
        raise CertificateError(f"{certificate}: {why}: have another one made")
    if not _belong_together(chain.leaf, private):
        raise CertificateError(f"{key} is not the private key of {certificate}: the two are made together and belong together")
    if is_application and len(uris(chain.leaf)) != 1:
        found = ", ".join(uris(chain.leaf)) or "none"
        raise CertificateError(f"{certificate} needs exactly one application URI, and has {found}: {_INIT}")
    return Own(chain, private)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as exc:
        raise CertificateError(f"{path} can't be read: {exc.strerror}") from None


def _belong_together(certificate: x509.Certificate, key: RSAPrivateKey) -> bool:
    public, probe = certificate.public_key(), b"Reactorwatch"
    if public != key.public_key() or not isinstance(public, RSAPublicKey):
        return False
    try:
        public.verify(key.sign(probe, PKCS1v15(), SHA256()), probe, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def read_key(path: Path) -> RSAPrivateKey:
    """The private key of a file that nobody but its owner (and group) can read. Raises CertificateError."""
    if trouble := too_open(path):
        raise CertificateError(trouble)
    try:
        return _loaded(path.read_bytes())
    except OSError as exc:
        raise CertificateError(f"{path} can't be read: {exc.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # their texts may quote the key
        what = f"{path} holds no private RSA key that can be read here: PEM or DER without a password"
        raise CertificateError(what) from None


def too_open(path: Path) -> str:
    """Why the file is no secret: everyone may read or change it, or its group change it; empty where it is one."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""  # reading will tell
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        return f"{path} can be read or changed by others (mode {stat.S_IMODE(mode):03o}): run `chmod 600 {path}`"
    return ""


@lru_cache(maxsize=64)
def _loaded(content: bytes) -> RSAPrivateKey:
    """Without checking its primes, which would hold the whole process for 70 ms (2048 bits) to 500 ms (4096): that the key
    signs what its certificate verifies is checked instead."""
    load = load_pem_private_key if b"-----BEGIN" in content else load_der_private_key
    key = load(content, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("another algorithm")
    return key
