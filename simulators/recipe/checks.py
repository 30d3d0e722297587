"""What of a recipe is seen only with two of its parts in view: doubled names and numbers, what a gmp recipe must have."""

from __future__ import annotations

from collections.abc import Iterator

from config.findings import Finding, Loc
from simulators.recipe.file import Phase, RecipeFile

_IDLE = "Idle"


def findings(recipe: RecipeFile) -> Iterator[Finding]:
    """Every fault of a recipe whose parts are each sound."""
    placed = list(_placed(recipe))
    yield from _doubles(placed)
    if recipe.mode == "gmp":
        yield from _gmp(recipe, placed)
    if not recipe.idle.until and not recipe.idle.minimum_s:
        yield ("idle",), "nothing tells when the next batch may begin: give until, minimum_s or both"


def _placed(recipe: RecipeFile) -> Iterator[tuple[Loc, Phase]]:
    for unit_procedure, operations in recipe.procedure.items():
        for operation, phases in operations.items():
            for index, phase in enumerate(phases):
                yield ("procedure", unit_procedure, operation, index), phase


def _doubles(placed: list[tuple[Loc, Phase]]) -> Iterator[Finding]:
    names: dict[str, str] = {_IDLE: "the unit between batches"}
    numbers: dict[int, str] = {}
    for loc, phase in placed:
        if phase.name in names:
            yield loc, f"{phase.name} is the name of {names[phase.name]} already: limits go by it, give another"
        if phase.number in numbers:
            yield (*loc, "number"), f"number {phase.number} is phase {numbers[phase.number]} already: give another"
        names.setdefault(phase.name, f"a phase of {loc[2]}")
        numbers.setdefault(phase.number, phase.name)


def _gmp(recipe: RecipeFile, placed: list[tuple[Loc, Phase]]) -> Iterator[Finding]:
    if recipe.approval is None:
        yield ("approval",), "missing: a gmp recipe names author, approved_by, approved_on and document; or write mode: pilot"
    if recipe.restart.when:
        yield ("restart", "when"), "a gmp batch is restarted by a person: leave it out, or write mode: pilot"
    for loc, phase in placed:
        if phase.maximum_s is None:
            yield loc, "has no maximum_s: in a gmp recipe each phase has one"
        elif phase.at_maximum != "hold":
            yield (*loc, "at_maximum"), "a gmp phase that is late is held: write hold, or leave it out"
