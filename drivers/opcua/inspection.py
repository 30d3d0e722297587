"""What certificates an endpoint lives by, and what is wrong with each: looked at without connecting."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from config.model import OpcUaEndpoint
from drivers.opcua.certificates import CertificateError, ends_soon, read_chain, untimely, weak_key
from drivers.opcua.keys import read_own
from drivers.opcua.trust import Trust, certificate_files


@dataclass(frozen=True, slots=True)
class Inspected:
    """One file: whose certificate it holds (`own`, `user`, `trusted`), and what is wrong; empty where nothing is."""

    whose: str
    path: Path
    certificate: x509.Certificate | None
    wrong: str = ""


def inspect(endpoint: OpcUaEndpoint) -> list[Inspected]:
    """Every certificate that `endpoint` needs. Reads files, so it blocks; raises nothing for what is wrong with them."""
    found = []
    if endpoint.user_certificate is not None and endpoint.user_key is not None:
        found.append(_pair("user", endpoint.user_certificate, endpoint.user_key))
    if not endpoint.security.is_none:
        found.append(_pair("own", endpoint.security.certificate, endpoint.security.key))
        found += _trusted(endpoint.security.trust)
    return found


def _pair(whose: str, certificate: Path, key: Path) -> Inspected:
    try:
        leaf = read_own(certificate, key, is_application=whose == "own").chain.leaf
    except CertificateError as exc:
        return Inspected(whose, certificate, _certificate(certificate), str(exc))
    return Inspected(whose, certificate, leaf, _dated(leaf) or _shared(key))


def _certificate(path: Path) -> x509.Certificate | None:
    try:
        return read_chain(path).leaf
    except CertificateError:
        return None


def _trusted(folder: Path) -> Iterator[Inspected]:
    try:
        files = certificate_files(folder)
    except CertificateError as exc:
        yield Inspected("trusted", folder, None, f"{exc}; no server is spoken to")
        return
    if not files:
        yield Inspected("trusted", folder, None, "no server is trusted yet: `reactorwatch certs trust opc.tcp://...`")
    for path in files:
        try:
            leaf = read_chain(path).leaf
        except CertificateError as exc:
            yield Inspected("trusted", path, None, f"{exc}; while it lies there no server is spoken to")
        else:
            yield Inspected("trusted", path, leaf, _dated(leaf) or weak_key(leaf))
    if files:
        try:
            Trust.of(folder)
        except CertificateError as exc:
            if all(str(path) not in str(exc) for path in files):
                yield Inspected("trusted", folder, None, f"{exc}; while it lies there no server is spoken to")


def _dated(certificate: x509.Certificate) -> str:
    if why := untimely(certificate):
        return why
    return f"ends on {certificate.not_valid_after_utc:%Y-%m-%d}, which is within 30 days" if ends_soon(certificate) else ""


def _shared(key: Path) -> str:
    try:
        mode = key.stat().st_mode
    except OSError:  # gone since it was read: the next look tells
        return ""
    if os.name == "posix" and mode & stat.S_IRGRP:
        return f"its key {key} can be read by its group: fine only where that is the daemon's own; else run `chmod 600 {key}`"
    return ""
