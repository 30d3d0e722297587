"""`reactorwatch schema`: the JSON Schema of plant files, for editors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from collector.commands.terms import errors, failed


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
    unfinished = output.with_name(f"{output.name}.unfinished")
    try:
        unfinished.write_text(f"{text}\n", encoding="utf-8")
        unfinished.replace(output)
    except OSError as exc:
        unfinished.unlink(missing_ok=True)
        failed(f"{output} can't be written: {exc.strerror}")
    errors.print(f"schema written to {output}", markup=False)
