"""`reactorwatch`: the command line."""

from __future__ import annotations

import typer

from collector.commands.alarms import alarms
from collector.commands.backup import backup, restore
from collector.commands.browse import browse
from collector.commands.certs import certs
from collector.commands.check import check
from collector.commands.demo import demo
from collector.commands.diff import diff
from collector.commands.export import export
from collector.commands.init import init
from collector.commands.judge import judge
from collector.commands.letters import letters
from collector.commands.probe import probe
from collector.commands.quarantine import quarantine
from collector.commands.run import run
from collector.commands.schema import schema
from collector.commands.simulate import simulate
from collector.commands.sinks import sinks
from collector.commands.status import status
from collector.commands.upset import upset
from collector.commands.verify import verify
from collector.version import VERSION

app = typer.Typer(
    name="reactorwatch",
    help="Collects from reactor controllers, holds every value against its limits, and keeps the original record. "
    "Advisory: it never writes to a controller and is never the safety layer.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    *(demo, run, init, check, probe, diff, schema, simulate, upset),
    *(status, export, judge, verify, backup, restore, quarantine, browse),
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(certs, name="certs")
app.add_typer(letters, name="dead-letters")
app.add_typer(sinks, name="sinks")
app.add_typer(alarms, name="alarms")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"reactorwatch {VERSION}")
        raise typer.Exit


@app.callback()
def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """What goes before every command."""


def main() -> None:
    """Entry point."""
    app()


if __name__ == "__main__":
    main()
