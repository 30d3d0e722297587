"""A serial port as an asyncio transport, as far as Modbus RTU needs one: raw bytes, exclusive, no flow control.

The standard library can do all of it on Linux, so no package is needed for it. What had come before the port was opened is
thrown away. When the port goes (an adapter is unplugged) the protocol is told, as with a lost connection.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import termios
from contextlib import suppress
from typing import Protocol

from config.model import ModbusEndpoint

_BITS_OF_A_CHARACTER = 11
_LEAST_GAP_S = 0.00175
_MOST_BYTES = 4096


class Receiver(Protocol):
    """The half of asyncio.Protocol that is used."""

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The port is gone."""


def gap_s(baudrate: int) -> float:
    """Silence that parts two frames: 3.5 characters, and above 19200 baud 1.75 ms (MODBUS over Serial Line, 2.5.1.1)."""
    return max(_LEAST_GAP_S, 3.5 * _BITS_OF_A_CHARACTER / baudrate)


class SerialLine:
    """An open port. Raises OSError where it cannot be opened, ValueError for a rate that it does not know."""

    def __init__(self, endpoint: ModbusEndpoint, receiver: Receiver) -> None:
        self._receiver = receiver
        self._file = os.open(endpoint.serial_port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            fcntl.ioctl(self._file, termios.TIOCEXCL)
            termios.tcsetattr(self._file, termios.TCSANOW, _attributes(self._file, endpoint))
            termios.tcflush(self._file, termios.TCIOFLUSH)
        except termios.error as exc:
            os.close(self._file)
            raise OSError(*exc.args) from exc  # termios' own error is none
        except BaseException:
            os.close(self._file)
            raise
        asyncio.get_running_loop().add_reader(self._file, self._readable)

    def fileno(self) -> int:
        """For polling; -1 when closed."""
        return self._file

    def send(self, data: bytes) -> None:
        """A request, which any port's buffer holds."""
        try:
            sent = os.write(self._file, data)
        except OSError as exc:
            self._lost(exc)
            return
        if sent != len(data):
            self._lost(OSError("the port takes no more bytes: is its flow control on?"))

    def abort(self) -> None:
        """Close; the receiver is told nothing."""
        if self._file >= 0:
            asyncio.get_running_loop().remove_reader(self._file)
            with suppress(termios.error, OSError):
                fcntl.ioctl(self._file, termios.TIOCNXCL)
                termios.tcflush(self._file, termios.TCIOFLUSH)
            os.close(self._file)
            self._file = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._file, _MOST_BYTES)
        except BlockingIOError:
            return
        except OSError as exc:
            self._lost(exc)
            return
        if data:
            self._receiver.data_received(data)
        else:
            self._lost(None)

    def _lost(self, exc: Exception | None) -> None:
        self.abort()
        self._receiver.connection_lost(exc)


def _attributes(file: int, endpoint: ModbusEndpoint) -> list[int | list[bytes | int]]:
    """Raw mode with the endpoint's settings."""
    speed = getattr(termios, f"B{endpoint.baudrate}", None)
    if speed is None:
        raise ValueError(f"{endpoint.baudrate} is no rate of a serial port: give e.g. 9600, 19200 or 115200")
    wanted = "none" if _is_pseudo_terminal(file) else endpoint.parity
    parity = {"none": 0, "even": termios.PARENB, "odd": termios.PARENB | termios.PARODD}[wanted]
    stop = termios.CSTOPB if endpoint.stop_bits == 2 else 0
    control = termios.CS8 | termios.CREAD | termios.CLOCAL | parity | stop
    characters = termios.tcgetattr(file)[6]
    return [termios.INPCK if parity else 0, 0, control, 0, speed, speed, characters]


def _is_pseudo_terminal(file: int) -> bool:
    """It has no line, hence no parity, and refuses one; majors 136 to 143 by Linux' list of devices."""
    return 136 <= os.major(os.fstat(file).st_rdev) <= 143
