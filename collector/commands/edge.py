"""The edge of the program: what the machine refuses is said in words, on streams that take every text.

A traceback is for defects of ours. A disk that is full, a folder that is another user's and a terminal of another
character set are none.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

INTERRUPTED = 130
"""Exit code of Ctrl-C, as shells know it."""
_OF_A_STREAM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
"""Of an error without a file's name it is the streams that have none: what opens files says so itself."""
_OF_A_FILE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE, errno.ELOOP, errno.ENAMETOOLONG)
"""What a path that was typed may bring about, wherever it is looked at first."""


@contextmanager
def edge() -> Iterator[None]:
    """Around all that the program does. Ends it with 1 where standard output or a path refuses.

    Standard output is UTF-8 in pipes and files, for machines read them; a terminal of another character set is shown what it
    can show.
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
    except KeyboardInterrupt:  # while it loads; later on each command hears of it
        _end("Aborted!", INTERRUPTED)
    except OSError as exc:
        if exc.filename is None and exc.errno in _OF_A_STREAM:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter tries once more at its end
            _end(f"standard output can't be written: {exc.strerror}")
        if exc.filename is None or exc.errno not in _OF_A_FILE:
            raise
        from collector.commands.terms import in_words

        advice = ": what is the daemon's is for its user, e.g. sudo -u reactorwatch" if isinstance(exc, PermissionError) else ""
        _end(f"{in_words(exc)}{advice}")


def _end(text: str, code: int = 1) -> NoReturn:
    if sys.stderr is not None:
        print(text, file=sys.stderr)  # noqa: T201  the last word
    sys.exit(code)
