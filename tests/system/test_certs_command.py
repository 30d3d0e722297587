"""`reactorwatch certs`: from nothing to a trusted server, as the how-to has it, and what it refuses."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from typer.testing import CliRunner

from collector.__main__ import app
from drivers.opcua.certificates import read_chain, thumbprint
from drivers.opcua.issue import self_signed
from drivers.opcua.keys import read_own
from drivers.opcua.trust import write_certificate
from tests.system.opcua_peers import endpoint_of, scan_of
from tests.system.secured_plant import TAG, Site, key


def run(*arguments: str | Path, answer: str | None = None) -> tuple[int, str]:
    """Exit code, and all that is printed on one line."""
    told = CliRunner().invoke(app, ["certs", *map(str, arguments)], input=answer)
    return told.exit_code, " ".join(told.output.split())


def plant_at(folder: Path, url: str, **security: str) -> Path:
    endpoint = {
        "url": url,
        "security": {"policy": "Aes256_Sha256_RsaPss"} | security,
        "devices": {"plc": {"unit": "R-1", "tags": TAG}},
    }
    path = folder / "plant.yaml"
    path.write_text(yaml.safe_dump({"site": "s", "endpoints": {"opc": endpoint}, "units": {"R-1": {}}}), "utf-8")
    return path


def test_init_makes_what_servers_ask_for_and_overwrites_nothing(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    code, told = run("init", "--pki", pki, "--uri", "urn:gateway-1:rw", "--days", "20")
    own = read_own(pki / "own" / "certificate.der", pki / "own" / "key.pem", is_application=True)
    assert code == 0 and thumbprint(own.chain.leaf) in told and "urn:gateway-1:rw" in told
    assert own.application_uri == "urn:gateway-1:rw" and own.key.key_size == 2048
    assert stat.S_IMODE((pki / "own" / "key.pem").stat().st_mode) == 0o600
    usage = own.chain.leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.content_commitment and usage.key_encipherment and usage.data_encipherment
    assert own.chain.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    before = (pki / "own" / "key.pem").read_bytes()
    code, told = run("init", "--pki", pki)
    assert code == 2 and "is there already" in told and (pki / "own" / "key.pem").read_bytes() == before
    assert run("init", "--pki", pki, "--force")[0] == 0 and (pki / "own" / "key.pem").read_bytes() != before
    assert run("init", "--pki", pki, "--uri", "no uri")[0] == 2
    assert run("init", "--pki", pki, "--bits", "1024")[0] == 2


async def test_from_nothing_to_a_value(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert run("init", "--pki", site.pki)[0] == 0
    write_certificate(read_chain(site.pki / "own" / "certificate.der").leaf, site.server_trusts / "gateway.der")
    async with site.served(trusted=False) as url:
        plant = plant_at(tmp_path, url)
        code, told = run("check", plant)
        assert code == 1 and "no server is trusted yet" in told
        code, told = await asyncio.to_thread(run, "trust", url, "--pki", site.pki)
        assert code == 2 and "run this again with --yes" in told
        code, told = await asyncio.to_thread(run, "trust", url, "--pki", site.pki, "--yes")
        server = read_chain(site.server_keys / "opc.der").leaf
        assert code == 0 and f"thumbprint {thumbprint(server)}" in told and "urn:reactorwatch:simulator:server:opc" in told
        code, told = await asyncio.to_thread(run, "trust", url, "--pki", site.pki)
        assert code == 0 and "is trusted already" in told
        code, told = run("check", plant)
        assert code == 0 and "2 certificates, none with something wrong" in told
        scan = await scan_of(endpoint_of(url, TAG, security=site.security("Aes256_Sha256_RsaPss"), timeout_s=20.0))
        assert scan.values[0] == 21.5


def test_a_refused_one_is_trusted_by_its_thumbprint_or_file(tmp_path: Path) -> None:
    pki, certificate = tmp_path / "pki", self_signed(key("server"), "urn:plc", 90)
    write_certificate(certificate, pki / "rejected" / "plc.der")
    code, told = run("trust", "00FFFF", "--pki", pki, "--yes")
    assert code == 2 and "the thumbprint of no certificate in" in told
    code, told = run("trust", thumbprint(certificate)[:10].lower(), "--pki", pki, "--yes")
    assert code == 0 and [read_chain(path).leaf for path in (pki / "trusted").iterdir()] == [certificate]
    assert run("trust", pki / "rejected" / "plc.der", "--pki", tmp_path / "other", "--yes")[0] == 0
    (tmp_path / "text.der").write_text("no certificate")
    code, told = run("trust", tmp_path / "text.der", "--pki", pki, "--yes")
    assert code == 2 and "holds no X.509 certificate" in told
    assert run("trust", "opc.tcp://127.0.0.1:1", "--pki", pki)[0] == 1
    code, told = run("trust", "opc.tcp://user:secret@127.0.0.1:1", "--pki", pki)
    assert code == 2 and "secret" not in told


@pytest.mark.parametrize(("days", "since", "wrong"), [(9, 0, "which is within 30 days"), (9, 30, "it was valid until")])
def test_check_tells_an_end_that_is_near_or_past(tmp_path: Path, days: int, since: int, wrong: str) -> None:
    site = Site(tmp_path)
    site.own()
    began = datetime.now(UTC) - timedelta(days=since)
    write_certificate(self_signed(key("server"), "urn:plc", days, now=began), site.pki / "trusted" / "plc.der")
    code, told = run("check", plant_at(tmp_path, "opc.tcp://127.0.0.1:1"))
    assert code == 1 and wrong in told and "2 certificates, 1 with something wrong" in told
    (site.pki / "own" / "key.pem").chmod(0o604)
    assert "can be read or changed by others" in run("check", plant_at(tmp_path, "opc.tcp://127.0.0.1:1"))[1]
