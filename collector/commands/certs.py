"""`reactorwatch certs`: the certificates of OPC UA connections: make our own, look after all, trust a server's."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from collector.commands.terms import FAILED, counted, errors, failed, load_plant, output, wrong_input

if TYPE_CHECKING:
    from cryptography import x509

    from drivers.opcua.inspection import Inspected

certs = typer.Typer(
    help="Certificates of OPC UA connections: make our own, look after all, trust a server's.", no_args_is_help=True
)
Pki = Annotated[Path, typer.Option(help="The folder of keys and certificates, beside the plant file.")]
_MOST_DAYS = 36_500


@certs.command()
def init(
    pki: Pki = Path("pki"),
    uri: Annotated[str | None, typer.Option(help="Application URI, unique to this gateway; urn:HOST:reactorwatch.")] = None,
    days: Annotated[int, typer.Option(help="How long the certificate holds.", min=1, max=_MOST_DAYS)] = 3650,
    bits: Annotated[int, typer.Option(help="Length of the RSA key: 2048 or 3072.")] = 2048,
    force: Annotated[
        bool, typer.Option("--force", help="Make new ones where there are some; servers must trust them anew.")
    ] = False,
) -> None:
    """Make this gateway's key and certificate, as OPC UA servers want them."""
    from drivers.opcua.issue import default_uri, new_key, self_signed, write_pair

    key_path, certificate_path = pki / "own" / "key.pem", pki / "own" / "certificate.der"
    if bits not in (2048, 3072):
        wrong_input(f"--bits {bits}: the security policies take keys of 2048 or 3072 bits")
    if uri and (":" not in uri or not uri.isprintable() or " " in uri or not uri.isascii()):
        wrong_input(f"--uri {uri!r} is no URI: write e.g. {default_uri()}")
    there = [path for path in (key_path, certificate_path) if path.exists()]
    if there and not force:
        wrong_input(f"{there[0]} is there already, and servers may trust it; --force makes a new one all the same")
    try:
        key = new_key(bits)
        certificate = self_signed(key, uri or default_uri(), days)
        write_pair(key, certificate, key_path, certificate_path)
        (pki / "trusted").mkdir(exist_ok=True)
    except OSError as exc:
        failed(f"{exc.filename or pki}: can't be written: {exc.strerror}")
    except ValueError as exc:
        wrong_input(f"no certificate can be made: {exc}")
    _describe(certificate)
    output.print(f"written: {certificate_path}, which servers have to trust, and {key_path}, which stays here", markup=False)
    output.print("next: give an endpoint `security: {policy: Basic256Sha256}`, and trust its server:", markup=False)
    output.print(f"  reactorwatch certs trust opc.tcp://HOST:4840 --pki {pki}", markup=False)


@certs.command()
def check(plant: Annotated[Path, typer.Argument(help="The plant file.", metavar="PLANT.yaml")]) -> None:
    """Look at every certificate of a plant, without connecting: whose, until when, and what is wrong with it."""
    from config.model import OpcUaEndpoint
    from drivers.opcua.inspection import inspect

    loaded = load_plant(plant)
    found: dict[tuple[str, Path], Inspected] = {}
    used_by: dict[tuple[str, Path], list[str]] = {}
    for endpoint in loaded.endpoints:
        for each in inspect(endpoint) if isinstance(endpoint, OpcUaEndpoint) else ():
            found[each.whose, each.path] = each
            used_by.setdefault((each.whose, each.path), []).append(endpoint.name)
    for place, each in found.items():
        _tell(each, used_by[place])
    wrong = sum(bool(each.wrong) for each in found.values())
    output.print(f"{counted(len(found), 'certificate')}, {wrong or 'none'} with something wrong", markup=False)
    if wrong:
        raise typer.Exit(FAILED)


def _tell(each: Inspected, endpoints: list[str]) -> None:
    output.print(f"{each.whose}: {each.path} ({', '.join(endpoints)})", markup=False)
    if each.certificate is not None:
        _describe(each.certificate)
    if each.wrong:
        output.print(f"  ✗ {each.wrong}", markup=False, style="red")


def _describe(certificate: x509.Certificate) -> None:
    from drivers.opcua.certificates import hosts, subject, thumbprint, uris

    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    output.print(f"  {subject(certificate)}, issued by {certificate.issuer.rfc4514_string() or 'nobody named'}", markup=False)
    output.print(f"  thumbprint {thumbprint(certificate)}", markup=False)
    output.print(f"  valid {begins:%Y-%m-%d} to {ends:%Y-%m-%d}", markup=False)
    output.print(
        f"  application {', '.join(uris(certificate)) or 'none'}; hosts {', '.join(hosts(certificate)) or 'none'}", markup=False
    )


@certs.command()
def trust(
    what: Annotated[str, typer.Argument(help="A server to ask, a file, or the thumbprint of a refused one.", metavar="WHAT")],
    pki: Pki = Path("pki"),
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask: the thumbprint has been compared.")] = False,
) -> None:
    """Trust a server's certificate: shown first, and trusted when you say that its thumbprint is right."""
    from drivers.opcua.certificates import file_name
    from drivers.opcua.trust import write_certificate

    certificate = _from_server(what) if what.startswith("opc.tcp://") else _from_file(what, pki)
    _describe(certificate)
    path = pki / "trusted" / file_name(certificate)
    if path.exists():
        output.print(f"is trusted already: {path}", markup=False)
        return
    if not yes:
        if not sys.stdin.isatty():
            wrong_input("compare the thumbprint with the one that the server itself shows, then run this again with --yes")
        if not typer.confirm("Does the server itself show this thumbprint?"):
            failed("not trusted")
    try:
        write_certificate(certificate, path)
        (pki / "rejected" / path.name).unlink(missing_ok=True)
    except OSError as exc:
        failed(f"{exc.filename or path}: can't be written: {os.strerror(exc.errno or 0)}")
    output.print(f"trusted: {path}", markup=False)


def _from_file(what: str, pki: Path) -> x509.Certificate:
    from drivers.opcua.certificates import CertificateError, read_chain
    from drivers.opcua.trust import found

    path = Path(what)
    if not path.is_file():
        try:
            matches = found([pki / "rejected", pki / "trusted"], what) if len(what) >= 6 else []
        except CertificateError as exc:
            wrong_input(str(exc))
        if len(matches) != 1:
            many = f"{len(matches)} certificates" if matches else "no certificate"
            wrong_input(f"{what!r} is no file, no opc.tcp:// address, and the thumbprint of {many} in {pki / 'rejected'}")
        path = matches[0]
    try:
        return read_chain(path).leaf
    except CertificateError as exc:
        wrong_input(str(exc))


def _from_server(url: str) -> x509.Certificate:
    from collector.commands.opcua_target import endpoint_of
    from drivers.base import DeviceError
    from drivers.opcua.certificates import CertificateError, chain_of, thumbprint
    from drivers.opcua.session import offered

    endpoint = endpoint_of(url, timeout_s=10.0)
    try:
        offers = asyncio.run(offered(endpoint))
        chains = [chain_of(bytes(offer.ServerCertificate), url) for offer in offers if offer.ServerCertificate]
    except (DeviceError, CertificateError) as exc:
        failed(str(exc))
    shown = {thumbprint(chain.leaf): chain.leaf for chain in chains}
    if not shown:
        failed(f"{url}: the server shows no certificate: security is switched off there")
    if len(shown) > 1:
        errors.print(f"the server shows {len(shown)} certificates: the first is taken, the others come when they are met")
    return next(iter(shown.values()))
