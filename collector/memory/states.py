"""What `status` and the next start know of the daemon: the states of a moment, put into the registry where they changed.

A plant of thousands of limits has hundreds of states, of which few change between two looks. So they are compared as they
are, which for one that stayed the very object costs nothing, and only those that changed are spelled out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING

from collector.store.registry import Registry
from collector.terms import Json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    State = DataclassInstance | Mapping[str, Json]
    """A frozen dataclass of plain values, or those values by name."""

States = Mapping[str, "Mapping[str, State]"]
"""By kind and name."""


class Remembered:
    """The states that a registry has."""

    def __init__(self, registry: Registry, kinds: Sequence[str]) -> None:
        """`kinds`: those of which the states of before a restart are forgotten when they are over."""
        self._registry = registry
        self._kept: dict[str, Mapping[str, State]] = {kind: registry.states(kind) for kind in kinds}

    def put(self, now: States) -> None:
        """Put what changed, in one transaction; blocking. What a disk refused is put again by the next call.

        Raises sqlite3.Error.
        """
        changed = {kind: _changed(self._kept.get(kind, {}), states) for kind, states in now.items()}
        if any(changed.values()):
            self._registry.put_kinds({kind: states for kind, states in changed.items() if states})
        self._kept.update(now)


def _changed(before: Mapping[str, State], now: Mapping[str, State]) -> dict[str, Mapping[str, Json] | None]:
    """What is not as before; None for what is over."""
    changed = [name for name, state in now.items() if name not in before or before[name] != state]
    return {**{name: _plain(now[name]) for name in changed}, **dict.fromkeys(before.keys() - now.keys())}


def _plain(state: State) -> Mapping[str, Json]:
    if isinstance(state, Mapping):
        return state
    return {name: getattr(state, name) for name in _names(type(state))}


@cache
def _names(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))
