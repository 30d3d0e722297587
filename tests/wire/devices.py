"""The test's end of a process of simulated devices: `tests.wire.device_process`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.servers import free_port

ROOT = Path(__file__).parents[2]


class Devices:
    """Asks one thing after the other."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._turn = asyncio.Lock()

    async def ask(self, do: str, **asked: Any) -> dict[str, Any]:
        """What the process answers. Raises EOFError when it is gone; see stderr."""
        assert self._process.stdin and self._process.stdout
        async with self._turn:
            self._process.stdin.write(json.dumps({"do": do} | asked).encode() + b"\n")
            line = await self._process.stdout.readline()
        if not line:
            raise EOFError(f"the devices are gone; asked to {do}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def serve(self, fields: dict[str, Any], **more: Any) -> int:
        """The port of a new endpoint, which it has again after a restart."""
        answer = await self.ask("serve", name=fields["name"], endpoint=fields, port=free_port(), **more)
        return int(answer["port"])

    async def begin(self, name: str, kind: str, value: float | str | None = None, target: str = "") -> int:
        """Begin an upset; its number ends it."""
        answer = await self.ask("begin", name=name, kind=kind, value=value, target=target)
        return int(answer["id"])

    async def end(self, number: int) -> None:
        await self.ask("end", id=number)

    def stop(self) -> None:
        """SIGSTOP: nobody there runs any more, the kernel keeps their sockets."""
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def devices(errors: Path | None = None) -> AsyncIterator[Devices]:
    """A process with no device yet; what it complains of goes to `errors`."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (errors or Path(os.devnull)).open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.wire.device_process",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=ROOT, env=environment,
        )  # fmt: skip
    try:
        yield Devices(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            assert process.stdin
            process.stdin.close()
            try:
                await asyncio.wait_for(process.wait(), 60)
            except TimeoutError:
                with suppress(ProcessLookupError):  # it has ended just now
                    process.kill()
                await process.wait()
        # The transport of a process that ended is closed by the loop once its pipes have ended.
        if process.stdout:
            await process.stdout.read()
