"""Standard output and error, whatever they are: a pipe, a file on a disk that is full, a terminal of another character set."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from collector.commands.terms import FAILED

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Of an error without a file's name it is the streams that have none: what opens files says so itself."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Texts can always be written; where standard output refuses, that is said and the program ends with 1.

    UTF-8 into pipes and files, for machines read them; on a terminal of another character set, what it can't show is replaced.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it was closed
            stream.reconfigure(encoding=stream.encoding if stream.isatty() else "utf-8", errors="backslashreplace")
    try:
        try:
            yield
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as exc:
        if exc.filename is not None or exc.errno not in _REFUSALS:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter tries once more at its end
        if sys.stderr is not None:
            print(f"standard output can't be written: {exc.strerror}", file=sys.stderr)  # noqa: T201  the last word
        sys.exit(FAILED)
