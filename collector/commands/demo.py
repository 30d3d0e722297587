"""`reactorwatch demo`: two simulated reactors and the whole daemon, to see what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from collector.commands.data_folder import data_option
from collector.commands.terms import seconds


def demo(
    for_: Annotated[str | None, typer.Option("--for", help="End after this long, e.g. 20s or 5m; else on Ctrl-C.")] = None,
    speed: Annotated[float, typer.Option(help="Plant seconds per second.", min=0.01, max=3600)] = 60.0,
    data: Annotated[
        Path | None,
        data_option("Data folder; default: a new one among the temporary files."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port of the page; 0 takes any free one.", min=0, max=65535)] = 8480,
) -> None:
    """Watch a pilot batch on two simulated reactors, one behind OPC UA and one behind Modbus."""
    span_s = seconds(for_) if for_ else None
    from collector.commands.demonstration import demonstrate

    demonstrate(span_s, speed, data, port)
