"""What runs in a simulated unit: its vessel, its recipe, how far it is, read from a scenario."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from config.faults import ConfigError, did_you_mean
from config.tags import Tag
from simulators.reactor import VESSELS, Parameters
from simulators.recipe.recipe import Recipe, load_recipe

DEFAULT_VESSEL, DEFAULT_RECIPE = "production_1600l", "exothermic-dosing"
_USUAL_KG_PER_M3 = 700.0
"""Contents at the end of the library's recipes, by the vessel's volume."""


@dataclass(frozen=True, slots=True)
class UnitPlan:
    """What makes one simulated unit differ from the next."""

    name: str
    recipe: Recipe
    first_batch: int = 1
    """Number in its first batch id."""
    head_start_s: int = 0
    """Plant seconds that it has run when the simulation begins."""

    @property
    def parameters(self) -> Parameters:
        """What the reactor is made of and what is in it."""
        return self.recipe.parameters


def unit_plan(
    name: str,
    vessel: str = DEFAULT_VESSEL,
    recipe: str = DEFAULT_RECIPE,
    folder: Path = Path(),
    first_batch: int = 1,
    head_start_s: int = 0,
) -> UnitPlan:
    """By the names of the libraries. Raises ValueError for a name that is none."""
    return UnitPlan(name, recipe_named(recipe, folder).for_vessel(vessel_named(vessel)), first_batch, head_start_s)


def vessel_for(tags: Iterable[Tag]) -> str:
    """The largest vessel whose usual contents the range of the unit's balance takes; the default where there is none in kg."""
    highs = [
        tag.range.high
        for tag in tags
        if tag.role == "contents_mass" and tag.engineering_unit == "kg" and tag.range and tag.range.high is not None
    ]
    if not highs:
        return DEFAULT_VESSEL
    by_size = sorted(VESSELS.values(), key=lambda vessel: vessel.volume_m3)
    fits = [vessel.name for vessel in by_size if _USUAL_KG_PER_M3 * vessel.volume_m3 <= max(highs)]
    return fits[-1] if fits else by_size[0].name


def vessel_named(name: str) -> str:
    """The name itself. Raises ValueError."""
    if name not in VESSELS:
        raise ValueError(f"there is no vessel {name!r}{did_you_mean(name, VESSELS)}; there are: {', '.join(VESSELS)}")
    return name


def recipe_named(name: str, folder: Path = Path()) -> Recipe:
    """A recipe of the library, or of a file that counts from `folder`. Raises ValueError."""
    try:
        return load_recipe(folder / name if _is_file(name) else name)
    except ConfigError as exc:
        first, *others = exc.faults
        more = f" (and {len(others)} more)" if others else ""
        where = f"{first.file}:{first.line}: {first.path}: " if _is_file(name) else f"{name!r} "
        raise ValueError(f"{where}{first.what}{more}") from exc


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) or "/" in name


def phase_names(recipe: Recipe) -> list[str]:
    """In their order."""
    return [phase.name for phase in recipe.phases]
