"""How a Modbus endpoint is reached: over TCP, over TLS, or in RTU frames over TCP or a serial line. No I/O.

modbus://host:502                TCP, frames with a transaction number
modbus+tls://host:802            the same inside TLS; the server's certificate is always verified
modbus+rtu://host:502            RTU frames through a serial gateway that passes them on as they are
modbus+serial:///dev/ttyUSB0     RTU frames on a serial line of this machine
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from config.common import Model, server_address
from config.security import PlantPath
from config.text import Text

Transport = Literal["tcp", "tls", "rtu", "serial"]
TRANSPORTS: dict[str, Transport] = {"modbus": "tcp", "modbus+tls": "tls", "modbus+rtu": "rtu", "modbus+serial": "serial"}
"""Scheme of the url -> transport."""
EXAMPLES: dict[Transport, str] = {
    "tcp": "modbus://10.0.0.5:502",
    "tls": "modbus+tls://10.0.0.5:802",
    "rtu": "modbus+rtu://10.0.0.5:502",
    "serial": "modbus+serial:///dev/ttyUSB0",
}
PORTS: dict[Transport, int] = {"tcp": 502, "tls": 802, "rtu": 502, "serial": 0}
_ONLY_FOR: dict[str, tuple[Transport, ...]] = {
    **dict.fromkeys(("ca", "certificate", "key", "server_name"), ("tls",)),
    **dict.fromkeys(("baudrate", "parity", "stop_bits", "data_bits"), ("serial",)),
    "pipeline": ("tcp", "tls"),
}


class ModbusLine(Model):
    """The keys that fit some transports only."""

    ca: PlantPath | None = None
    """`modbus+tls`: PEM file with the certificates that the server's must come from; default: those the system trusts."""
    certificate: PlantPath | None = None
    """`modbus+tls`: PEM file with the certificate that we show, where the server asks for one; with `key`, or neither."""
    key: PlantPath | None = None
    """`modbus+tls`: PEM file with the key of `certificate`, without a password; readable for this account alone."""
    server_name: Text | None = None
    """`modbus+tls`: the name in the server's certificate; default: the host of the url."""
    baudrate: int = Field(19200, ge=50, le=4_000_000, strict=True)
    """`modbus+serial`: bits a second, a rate that the port knows: 9600, 19200, 38400, 57600, 115200 ..."""
    parity: Literal["even", "odd", "none"] = "even"
    """`modbus+serial`: even, odd or none."""
    stop_bits: int = Field(1, ge=1, le=2, strict=True)
    """`modbus+serial`: 1 or 2; by the standard 2 where there is no parity."""
    data_bits: int = Field(8, ge=7, le=8, strict=True)
    """`modbus+serial`: 8, for RTU needs whole bytes."""
    pipeline: int = Field(1, ge=1, le=16, strict=True)
    """`modbus` and `modbus+tls`: requests that may wait for their answers at once, 1 to 16; the device must allow it."""

    @field_validator("data_bits")
    @classmethod
    def _whole_bytes(cls, data_bits: int) -> int:
        if data_bits != 8:
            raise ValueError(f"{data_bits} data bits are for Modbus ASCII, RTU needs 8: set the device to RTU, leave this out")
        return data_bits


def check_url(url: str) -> str:
    """`url`, where it fits its scheme. Raises ValueError."""
    transport = TRANSPORTS.get(url.partition("://")[0], "tcp")
    example = EXAMPLES[transport]
    if transport != "serial":
        if server_address(url, example).path.strip("/"):
            raise ValueError(f"{url!r} has more than a host and a port: write e.g. {example}")
        return url
    parts = urlsplit(url)
    if parts.netloc or len(parts.path) < 2 or parts.query or parts.fragment or not url.isprintable() or " " in url:
        raise ValueError(f"{url!r} names no serial port: three slashes and its path, e.g. {example}")
    return url


def misplaced(line: ModbusLine, transport: Transport) -> str | None:
    """What is wrong with the keys that are written, for this transport."""
    for key in sorted(line.model_fields_set & _ONLY_FOR.keys()):
        if transport not in _ONLY_FOR[key]:
            schemes = " or ".join(f"{scheme}://" for scheme, its in TRANSPORTS.items() if its in _ONLY_FOR[key])
            return f"{key} fits {schemes} only: take it out, or give such a url"
    if (line.certificate is None) != (line.key is None):
        return "a certificate and its key come together: give both or neither"
    return None
