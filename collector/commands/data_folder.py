"""`--data` of every command: the folder in which a daemon keeps its record."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

DATA = Path("data")
"""Where none is given."""


def folder(text: str | Path) -> Path:
    """Raises typer.BadParameter for an empty name, as `--data "$UNSET"` gives: it would be the folder one stands in."""
    if text == "":
        raise typer.BadParameter("the name is empty; give a folder, and . where you mean the one you are in")
    return Path(text)


def data_option(meaning: str) -> Any:
    """What `--data` is annotated with; `meaning` is its help."""
    return typer.Option("--data", help=meaning, parser=folder, metavar="<path>")


Data = Annotated[Path, data_option("The data folder of the daemon.")]
RunningData = Annotated[Path, data_option("The data folder of the daemon, which may run.")]
"""Of commands that only read it."""
