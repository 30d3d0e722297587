"""Room on the disk: what is free, how long it lasts, and a reserve file that is given back when the disk is full.

DATA/reserve    takes room that nobody else can then take; deleting it always works
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def free_bytes(data: Path) -> int:
    """Free for us on the disk that holds `data`; what the reserve takes is not free. Raises OSError."""
    return shutil.disk_usage(data).free


def runway_hours(room_bytes: float, bytes_per_hour: float | None) -> float | None:
    """How long `room_bytes` last; None while the rate is not known, or nothing grows."""
    return max(0.0, room_bytes) / bytes_per_hour if bytes_per_hour else None


class Reserve:
    """The reserve file of a data folder. Blocking calls."""

    def __init__(self, data: Path, size_bytes: int) -> None:
        """`size_bytes` 0: none is wanted."""
        self._path, self._size_bytes = data / "reserve", size_bytes

    @property
    def missing_bytes(self) -> int:
        """What it should take and does not."""
        return max(0, self._size_bytes - self._taken())

    @property
    def held(self) -> bool:
        """There is one, be it too small."""
        return self._taken() > 0

    def make(self) -> bool:
        """Take the room; of another size before, it gets the one that is wanted now. False where the disk has not so much."""
        if self._taken() > self._size_bytes:
            self.give_back()
        if not self.missing_bytes:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                os.posix_fallocate(descriptor, 0, self._size_bytes)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError:
            with suppress(OSError):
                self.give_back()
            return False
        return True

    def give_back(self) -> None:
        """Free the room. Raises OSError."""
        self._path.unlink(missing_ok=True)

    def _taken(self) -> int:
        """Bytes that it really takes: a copy of it may have holes."""
        try:
            told = self._path.stat()
        except OSError:
            return 0
        return min(told.st_size, told.st_blocks * 512)
