"""What the kernel of this machine knows of TCP connections."""

from __future__ import annotations

from pathlib import Path

_HELD = {"01", "02", "08"}
"""ESTABLISHED, SYN_SENT and CLOSE_WAIT: its process has not closed it yet."""


def held_sockets() -> dict[int, int]:
    """How many open sockets processes hold, by the port at their other end."""
    found: dict[int, int] = {}
    for line in Path("/proc/self/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        cells = line.split()
        if cells[3] in _HELD and cells[9] != "0":
            port = int(cells[2].rpartition(":")[2], 16)
            found[port] = found.get(port, 0) + 1
    return found
