"""A command typed into this process instead of one of its own: the same words in, the same words and exit code out."""

from __future__ import annotations

import subprocess

from typer.testing import CliRunner

from collector.__main__ import COMMANDS, GROUPS, application

_APPLICATION = application((*COMMANDS, *GROUPS))


def typed(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end. What a process would end with a traceback for is raised."""
    runner = CliRunner(env={"COLUMNS": "200", **environment})
    result = runner.invoke(_APPLICATION, arguments, prog_name="reactorwatch", catch_exceptions=False)
    return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)
