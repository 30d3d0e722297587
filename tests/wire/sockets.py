"""What the kernel of this machine knows of TCP connections."""

from __future__ import annotations

from pathlib import Path

_HELD = {"01", "02", "08"}
"""ESTABLISHED, SYN_SENT and CLOSE_WAIT: its process has not closed it yet."""

_LOOPBACK = "0100007F"


def held_sockets() -> dict[int, set[str]]:
    """The open sockets that processes hold, by the port of this machine at their other end.

    The list is no snapshot: while it is read one socket may close and the next open, and both stand in it. Only what is in
    two lists that follow each other was there at one time.
    """
    found: dict[int, set[str]] = {}
    for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        cells = line.split()
        address, _, port = cells[2].partition(":")
        if address == _LOOPBACK and cells[3] in _HELD and cells[9] != "0":
            found.setdefault(int(port, 16), set()).add(cells[9])  # the list is no snapshot: a socket may stand in it twice
    return found
