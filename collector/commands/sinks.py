"""`reactorwatch sinks`: what was taken out of the plant file."""

from __future__ import annotations

from typing import Annotated

import typer

from collector.commands.data_folder import DATA, Data
from collector.commands.letters import known, opened
from collector.commands.terms import output, wrong_input
from collector.store.files import is_locked

sinks = typer.Typer(help="Sinks that were taken out of the plant file.", no_args_is_help=True)


@sinks.callback()
def _group() -> None:
    """A group, though of one command."""


@sinks.command()
def forget(
    name: Annotated[str, typer.Argument(help="Name of the sink, as status shows it.", metavar="NAME")],
    data: Data = DATA,
) -> None:
    """Forget a sink that was taken out of the plant file: how far it had got, and its dead letters."""
    with opened(data, read_only=False) as registry:
        if known(registry, name)[name].removed_seq is None:
            wrong_input(f"sink {name} was in the plant file at the last start: take it out, and start the daemon, first")
        registry.ask_to_forget(name)
    when = "within seconds" if is_locked(data) else "when it starts again"
    output.print(f"the daemon forgets sink {name} {when}, and tells so in an event", markup=False)
