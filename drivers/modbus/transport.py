"""Opens the way to a Modbus endpoint: TCP, TLS or a serial port. No Modbus here.

TLS is verified or there is none: the certificate's chain and its name are checked, and no setting turns that off.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from typing import Protocol

from config.model import ModbusEndpoint


class Transport(Protocol):
    """What a connection needs of it."""

    def send(self, data: bytes) -> None:
        """Give `data` to the wire."""

    def abort(self) -> None:
        """Close at once."""

    def fileno(self) -> int:
        """Becomes readable when bytes wait that nobody has seen."""


class Stream:
    """asyncio's transport of a socket."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.send = transport.write
        self.abort = transport.abort
        self._socket: socket.socket | None = transport.get_extra_info("socket")

    def fileno(self) -> int:
        return self._socket.fileno() if self._socket else -1


async def open_stream(endpoint: ModbusEndpoint, protocol: asyncio.Protocol) -> None:
    """Connect `protocol`. Raises OSError (ssl.SSLError is one), TimeoutError, or ValueError for what can't be a name."""
    tls = _context(endpoint) if endpoint.transport == "tls" else None
    name = (endpoint.server_name or endpoint.host) if tls else None
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(endpoint.timeout_s):
        await loop.create_connection(lambda: protocol, endpoint.host, endpoint.port, ssl=tls, server_hostname=name)


def why_unreachable(endpoint: ModbusEndpoint, exc: OSError | ValueError) -> str:
    """In words that say what to look at."""
    if isinstance(exc, ssl.SSLError):
        return _why_no_tls(exc)
    if isinstance(exc, OSError) and exc.filename:
        return f"{exc.filename} can't be opened ({exc.strerror}): is its path right, and may this account read it?"
    if endpoint.transport == "serial":
        return f"{endpoint.serial_port} can't be set up ({exc}): is it a serial port, with nobody else on it?"
    if isinstance(exc, UnicodeError):
        return f"{endpoint.host!r} is no host name ({exc})"
    if isinstance(exc, socket.gaierror):
        return f"host name {endpoint.host!r} can't be resolved ({exc})"
    asked = f"refused or unreachable: is the device on, and does it listen on port {endpoint.port}?"
    return asked if isinstance(exc, ConnectionRefusedError) else f"{asked} ({exc})"


def _why_no_tls(exc: ssl.SSLError) -> str:
    if isinstance(exc, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({exc.verify_message}): is ca its signer, and server_name its name?"
    why = exc.reason or exc
    return f"no TLS ({why}): is Modbus over TLS spoken there, are certificate and key a pair, the key without a password?"


def _context(endpoint: ModbusEndpoint) -> ssl.SSLContext:
    """Verifies chain and name."""
    for file in filter(None, (endpoint.ca, endpoint.certificate, endpoint.key)):
        file.open("rb").close()  # whose error names the file, as ssl's does not
    context = ssl.create_default_context()
    if endpoint.ca:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts `ca` alone
        context.load_verify_locations(endpoint.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if endpoint.certificate and endpoint.key:
        context.load_cert_chain(endpoint.certificate, endpoint.key, password=lambda: "")  # never ask at the terminal
    return context
