"""What the kernel knows of its clock: whether something synchronises it, and how wrong it may be (adjtimex(2), read only)."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

_STA_UNSYNC = 0x0040
_ERROR = -1


@dataclass(frozen=True, slots=True)
class KernelClock:
    """Of this moment."""

    synchronised: bool
    max_error_s: float
    """The bound that whoever synchronises it gives; without one it grows from hour to hour, to 16 s."""
    estimated_error_s: float


class _Timex(ctypes.Structure):
    """`struct timex` of <sys/timex.h>, up to what is read here, with room for all the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 256),
    )


def kernel_clock() -> KernelClock | None:
    """None where the system does not tell: another than Linux, or a sandbox."""
    if sys.platform != "linux":
        return None
    timex = _Timex()  # modes = 0: nothing is set
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    if state == _ERROR:
        return None
    return KernelClock(not timex.status & _STA_UNSYNC, timex.maxerror / 1e6, timex.esterror / 1e6)
