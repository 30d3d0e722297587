"""Whatever lies where certificates should be: it is told, and ends nothing. The daemon looks at it a few times a day."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.model import OpcUaEndpoint
from drivers.opcua.inspection import inspect
from drivers.opcua.issue import self_signed, write_pair
from tests.system.secured_plant import key

CERTIFICATE = self_signed(key("own"), "urn:plant:reactorwatch", 365, ["localhost"])
DER = CERTIFICATE.public_bytes(Encoding.DER)
RSA = bytes.fromhex("2a864886f70d010101")
TAGS = {"T": {"address": "ns=2;s=T"}}


def endpoint(own: Path, trust: Path) -> OpcUaEndpoint:
    files = {"certificate": str(own / "certificate.der"), "key": str(own / "key.pem"), "trust": str(trust)}
    fields: dict[str, Any] = {"name": "opc", "url": "opc.tcp://h", "security": {"policy": "Basic256Sha256", **files}}
    return OpcUaEndpoint.model_validate(fields | {"devices": {"plc": {"unit": "R-1", "tags": TAGS}}})


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    write_pair(key("own"), CERTIFICATE, tmp_path / "own" / "key.pem", tmp_path / "own" / "certificate.der")
    (tmp_path / "trusted").mkdir()
    (tmp_path / "trusted" / "server.der").write_bytes(DER)
    return tmp_path


def wrong(folder: Path, trust: Path | None = None) -> dict[str, str]:
    return {each.whose: each.wrong for each in inspect(endpoint(folder / "own", trust or folder / "trusted"))}


def test_what_is_right_is_called_so(pki: Path) -> None:
    assert wrong(pki) == {"own": "", "trusted": ""}


@pytest.mark.filterwarnings("ignore:Parsed a:cryptography.utils.CryptographyDeprecationWarning")  # a damage it still reads
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["own/certificate.der", "trusted/server.der"]), st.integers(0, len(DER) - 1), st.integers(0, 255))
def test_a_damaged_certificate_is_told_or_changes_nothing(pki: Path, file: str, at: int, byte: int) -> None:
    (pki / file).write_bytes(DER[:at] + bytes([byte]) + DER[at + 1 :])
    assert set(wrong(pki)) == {"own", "trusted"}
    (pki / file).write_bytes(DER)


@pytest.mark.parametrize("whose", ["own", "trusted"])
def test_a_key_of_a_kind_that_is_not_known_here_is_told(pki: Path, whose: str) -> None:
    """It ended the daemon."""
    assert DER.count(RSA) == 1
    file = pki / ("own/certificate.der" if whose == "own" else "trusted/server.der")
    file.write_bytes(DER.replace(RSA, RSA[:-1] + b"\x7f"))
    assert "its key can't be read" in wrong(pki)[whose]


def test_a_place_that_cannot_be_looked_at_is_told(pki: Path) -> None:
    """A folder of another account, say; here a name that no file system takes."""
    nowhere = pki / ("x" * 300)
    assert "can't be read" in wrong(pki, nowhere)["trusted"]
    assert "can't be read" in wrong(nowhere, pki / "trusted")["own"]
