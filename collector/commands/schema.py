"""`reactorwatch schema`: the JSON Schema of plant files, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from collector.commands.terms import errors, failed
from collector.commands.whole_file import written


def schema(
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write; - for standard output.")] = Path("-"),
    part: Annotated[bool, typer.Option("--part", help="Of files that a plant file includes, which may hold less.")] = False,
) -> None:
    """Write the JSON Schema of plant files: editors then complete, explain and check keys."""
    from config.schema import json_schema

    text = orjson.dumps(json_schema(part=part), option=orjson.OPT_INDENT_2).decode()
    if output == Path("-"):
        typer.echo(text)
        return
    try:
        with written(output) as file:
            file.write(f"{text}\n".encode())
    except OSError as exc:
        failed(f"{output} can't be written: {exc.strerror}")
    errors.print(f"schema written to {output}", markup=False)
