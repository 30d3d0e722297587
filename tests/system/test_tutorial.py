"""The tutorial's commands, typed as they stand: in its terminals, in its order, with what it says one will see.

A block of `sh` is typed into the terminal that was named last; before the first name, into all of them. The block of
`text` behind it is awaited in what that terminal prints, `...` standing for anything. `simulate` and `run` go on until
the text says Ctrl-C, and must then end well.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.servers import ports_of_the_demo

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial" / "first-trend.md"
STAYS = re.compile(r"^reactorwatch (?:simulate|run) ", re.MULTILINE)
DEADLINE_S = 90
_PART = re.compile(
    r"^\*\*Terminal (?P<terminal>\d)|In\nterminal (?P<again>\d)|Ctrl-C in terminal (?P<ended>\d)"
    r"|^```(?P<kind>sh|text)\n(?P<body>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """What is typed where, and what is to be seen."""

    terminal: int
    """0: in all."""
    commands: str
    seen: tuple[str, ...]

    @property
    def stays(self) -> bool:
        return STAYS.search(self.commands) is not None


@dataclass(frozen=True)
class CtrlC:
    """Ends what stays."""

    terminal: int


def steps() -> list[Block | CtrlC]:
    found: list[Block | CtrlC] = []
    terminal = 0
    for part in _PART.finditer(TUTORIAL.read_text("utf-8")):
        if part["kind"] == "sh":
            found.append(Block(terminal, part["body"], ()))
        elif part["kind"] == "text":
            typed = found[-1]
            assert isinstance(typed, Block)
            found[-1] = replace(typed, seen=tuple(part["body"].splitlines()))
        elif part["ended"]:
            found.append(CtrlC(int(part["ended"])))
        else:
            terminal = int(part["terminal"] or part["again"])
    return found


class Terminal:
    """A shell, and all that it and its commands print."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            cwd=ROOT, env=environment, start_new_session=True,
        )  # fmt: skip
        self._printed = ""
        self._from = 0
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._typed = 0

    def type(self, block: Block) -> None:
        """Type it, see what is to be seen and, where it ends by itself, see it end well."""
        self._typed += 1
        self._from = len(self._printed)
        self._send(f"set -e\n{block.commands}\nset +e\necho done-{self._typed}\n")
        for line in block.seen:
            self.see(".*?".join(re.escape(piece.strip()) for piece in line.split("...")))
        if not block.stays:
            self.see(rf"^done-{self._typed}$")

    def interrupt(self) -> None:
        """Ctrl-C: what stays ends, and ends well."""
        os.killpg(self._shell.pid, signal.SIGINT)
        self.see(rf"^done-{self._typed}$")

    def see(self, pattern: str) -> None:
        def there() -> bool:
            return re.search(pattern, self._printed[self._from :], re.MULTILINE | re.DOTALL) is not None

        with self._more:
            seen = self._more.wait_for(lambda: there() or not self._reader.is_alive(), DEADLINE_S) and there()
        assert seen, f"waited for {pattern!r}, saw:\n{self._printed[self._from :]}"

    def close(self) -> None:
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait()
        self._reader.join()
        assert self._shell.stdin and self._shell.stdout
        self._shell.stdin.close()
        self._shell.stdout.close()

    def _send(self, text: str) -> None:
        assert self._shell.stdin
        self._shell.stdin.write(text.encode())
        self._shell.stdin.flush()

    def _read(self) -> None:
        assert self._shell.stdout
        while chunk := os.read(self._shell.stdout.fileno(), 65536):
            with self._more:
                self._printed += chunk.decode("utf-8", "replace")
                self._more.notify_all()
        with self._more:
            self._more.notify_all()


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[dict[int, Terminal]]:
    if not (ROOT / ".venv" / ".installed").exists():
        pytest.skip("no .venv made by make here, and making one takes a minute: make test")
    home = tmp_path / "home"
    home.mkdir()
    runtime = Path(tempfile.mkdtemp(prefix="rw-"))  # short: a socket's path has a limit
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "PYTHONPATH"}
    environment |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "COLUMNS": "120"}
    opened = {number: Terminal(environment) for number in (1, 2, 3)}
    yield opened
    for terminal in opened.values():
        terminal.close()
    shutil.rmtree(runtime)


@pytest.mark.timeout(400)
def test_the_tutorial_goes_as_it_is_written(terminals: dict[int, Terminal]) -> None:
    assert [type(step) for step in steps()].count(CtrlC) == sum(isinstance(step, Block) and step.stays for step in steps())
    for step in steps():
        if isinstance(step, CtrlC):
            terminals[step.terminal].interrupt()
            continue
        alone = step.terminal or (1 if step.commands.startswith("make") else None)
        with ports_of_the_demo() if "demo" in step.commands else nullcontext():
            for number in [alone] if alone else terminals:
                terminals[number].type(step)
        if step.terminal == 2 and step.stays:
            look_at_the_trend()


def look_at_the_trend() -> None:
    """What the page draws after the click; not there before the first commit."""
    drawn: dict[str, list[object]] = {"points": []}
    for _ in range(600):
        try:
            with urllib.request.urlopen("http://127.0.0.1:8480/trend?unit=R-201&tag=TT-201A&seconds=300") as answer:
                drawn = json.load(answer)
        except urllib.error.HTTPError as exc:
            assert exc.code == 404
            exc.close()
        if len(drawn["points"]) > 2:
            break
        threading.Event().wait(0.05)
    assert len([point for point in drawn["points"] if point]) > 2, drawn
