"""Recipes as data, their library, and the run of one. What others need of them is importable from here.

library/*.yaml ──file──► RecipeFile ──checks, plan──► Recipe
Run ──run──► Inputs of the reactor, context tags
Run + what instruments show + command ──advance──► Run one second later, by the table of states
"""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

from config.faults import ConfigError, Fault, did_you_mean
from config.load import load_model
from simulators.recipe.advance import advance, refusal
from simulators.recipe.checks import findings
from simulators.recipe.file import RecipeFile
from simulators.recipe.plan import Recipe, Step, planned
from simulators.recipe.run import Run, begun, context, inputs
from simulators.recipe.states import STATE_NAMES, TRANSITIONS, BatchState, Command, Event, commands_in

__all__ = [
    "STATE_NAMES", "TRANSITIONS", "BatchState", "Command", "Event", "Recipe", "Run", "Step",
    "advance", "begun", "commands_in", "context", "inputs", "library", "load_recipe", "refusal",
]  # fmt: skip

_SUFFIXES = (".yaml", ".yml")


@cache
def library() -> tuple[str, ...]:
    """The names of the recipes that come with the program."""
    names = (Path(entry.name) for entry in (files("simulators") / "recipes").iterdir())
    return tuple(sorted(name.stem for name in names if name.suffix in _SUFFIXES))


def load_recipe(name_or_path: str | Path, vessel: str | None = None) -> Recipe:
    """A recipe of the library by its name, or of a file by its path; scaled to a vessel, else for its own.

    Raises ConfigError with every fault, each with its line.
    """
    if isinstance(name_or_path, Path) or _is_path(name_or_path):
        return planned(_read(Path(name_or_path)), vessel)
    if name_or_path not in library():
        near = did_you_mean(name_or_path, library())
        what = f"is no recipe of the library{near}; there are {', '.join(library())}; a file of yours ends with .yaml"
        raise ConfigError([Fault(repr(name_or_path), 1, "", what)])
    return planned(_of_library(name_or_path), vessel)


def _is_path(text: str) -> bool:
    return text.lower().endswith(_SUFFIXES) or "/" in text or "\\" in text


@cache
def _of_library(name: str) -> RecipeFile:
    with as_file(files("simulators") / "recipes" / f"{name}.yaml") as path:
        return _read(path)


def _read(path: Path) -> RecipeFile:
    return load_model(path, RecipeFile, findings=findings)
