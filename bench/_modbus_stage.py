"""The stage of `bench.modbus`, a process of its own: a device whose holding registers move with every answer.

It never sleeps: waking a process on the same machine costs the one that sends as much CPU as all of its own work, and a real
device is no process of the client's machine. Ends when its standard input is closed.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from contextlib import suppress

REGISTERS = 125


def answer(request: bytes, moving: int) -> bytes:
    """To a read of holding registers."""
    transaction, _, _, unit, function, first, count = struct.unpack(">HHHBBHH", request)
    content = struct.pack(f">{count}H", *((address * 257 + moving) & 0x3FFF for address in range(first, first + count)))
    return struct.pack(">HHHBBB", transaction, 0, len(content) + 3, unit, function, len(content)) + content


def serve() -> None:
    """Print the port, as JSON, and answer all clients until nobody wants it any more."""
    ended = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    threading.Thread(target=_wait_for_the_end, args=(ended,), daemon=True).start()
    clients: list[socket.socket] = []
    moving = 0
    while not ended.is_set():
        with suppress(BlockingIOError):
            clients.append(listener.accept()[0])
            clients[-1].setblocking(False)
        for client in clients:
            with suppress(BlockingIOError, ConnectionError):
                if len(request := client.recv(12)) == 12:
                    moving = moving % 1000 + 1
                    client.sendall(answer(request, moving))


def _wait_for_the_end(ended: threading.Event) -> None:
    sys.stdin.read()
    ended.set()


if __name__ == "__main__":
    serve()
