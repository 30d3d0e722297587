"""Files that commands write: each gets its name only when it is whole, and one that was there stays until then."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def written(output: Path) -> Iterator[IO[bytes]]:
    """To write to; `-` is standard output. Of a link its target is written; a device or a pipe is written to as it is, never
    replaced. Raises OSError."""
    if output == Path("-"):
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif output.exists() and not output.is_file() and not output.is_dir():
        with output.open("wb") as device:
            yield device
    else:
        with _begun(output.resolve()) as file:
            yield file


@contextmanager
def _begun(output: Path) -> Iterator[IO[bytes]]:
    if output.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(output))  # before the work, not after it
    unfinished = output.with_name(output.name + ".unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(output)
    except OSError as exc:
        if exc.filename == str(unfinished):
            exc.filename = str(output)
        raise
    finally:
        unfinished.unlink(missing_ok=True)
