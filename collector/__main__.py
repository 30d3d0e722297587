"""`reactorwatch`: the command line. Only the command that was typed is loaded: `run` is to scan soon after its start."""

from __future__ import annotations

import sys
from collections.abc import Collection
from importlib import import_module

import typer

from collector.commands.edge import edge
from collector.commands.guide import FIRST, PANELS, beneath
from collector.version import VERSION

COMMANDS = (
    *("demo", "run", "init", "check", "probe", "diff", "schema", "simulate", "upset", "status", "export", "judge", "verify"),
    *("backup", "restore", "archive", "quarantine", "browse"),
)
GROUPS = {"certs": "certs", "dead-letters": "letters", "sinks": "sinks", "alarms": "alarms"}
"""Commands that have commands themselves; their module, and its name in it."""
_MODULES = {"restore": "backup"}
"""Of a command whose module has another name."""


def application(names: Collection[str]) -> typer.Typer:
    """With these commands, in the order of the reference."""
    application = typer.Typer(
        name="reactorwatch",
        help="Collects from reactor controllers, holds every value against its limits, and keeps the original record. "
        "Advisory: it never writes to a controller and is never the safety layer.",
        epilog="\n\n".join(FIRST),
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    application.callback()(options)
    for name in filter(names.__contains__, COMMANDS):
        command = getattr(import_module(f"collector.commands.{_MODULES.get(name, name)}"), name)
        application.command(epilog=beneath(name), rich_help_panel=PANELS[name])(command)
    for name in filter(names.__contains__, GROUPS):
        group = getattr(import_module(f"collector.commands.{GROUPS[name]}"), GROUPS[name])
        for each in group.registered_commands:
            each.epilog = beneath(f"{name} {each.name or each.callback.__name__}")
        application.add_typer(group, name=name, epilog=beneath(name), rich_help_panel=PANELS[name])
    return application


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"reactorwatch {VERSION}")
        raise typer.Exit


def options(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """What goes before every command."""


def __getattr__(name: str) -> typer.Typer:
    """`app`: with every command, for who asks for it."""
    if name == "app":
        return application((*COMMANDS, *GROUPS))
    raise AttributeError(name)


def main() -> None:
    """Entry point."""
    every = (*COMMANDS, *GROUPS)
    typed = sys.argv[1] if len(sys.argv) > 1 else ""
    with edge():
        application((typed,) if typed in every else every)()


if __name__ == "__main__":
    main()
