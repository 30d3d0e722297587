"""The board: which upsets are active, since when and until when, and everything that ever happened.

Whoever begins an upset, the timeline or somebody at a keyboard, does it here; so what is logged, recorded and listed
is always the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import structlog

from simulators.source import SimulationError
from simulators.spans import span_text
from simulators.targets import Target, Targets
from simulators.upset import KINDS, End, Upset

_log = structlog.get_logger()
_REMEMBERED = 10_000

What = Literal["begins", "ends"]
By = Literal["timeline", "command"]


@dataclass(frozen=True, slots=True)
class Happening:
    """An upset began or ended at a plant second."""

    plant_s: int
    what: What
    upset: Upset
    by: By


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """An upset that goes on."""

    upset: Upset
    begun_s: int
    ends_s: float | None
    """The plant second at which it ends by itself."""
    by: By
    end: End


class Board:
    """Begins upsets at their targets and ends them. `apply` does it; `now_s` tells the plant second."""

    def __init__(self, targets: Targets, apply: Callable[[Upset, Target], End], now_s: Callable[[], int]) -> None:
        self.targets, self._apply, self._now_s = targets, apply, now_s
        self.active: list[Active] = []
        self.happenings: deque[Happening] = deque(maxlen=_REMEMBERED)
        self.version = 0
        """Grows with every beginning and end."""

    def begin(self, upset: Upset, by: By = "command") -> None:
        """Begin now. Raises SimulationError for what does not fit, or what the target cannot do."""
        target = self.targets.check(upset)
        kind, now_s = KINDS[upset.kind], self._now_s()
        once = target.level in kind.once
        if upset.duration_s is None and not once:
            upset = replace(upset, duration_s=kind.default_s)
        end = self._apply(upset, target)
        self._tell("begins", upset, by)
        if not once:
            ends_s = None if upset.duration_s is None else now_s + upset.duration_s
            self.active.append(Active(upset, now_s, ends_s, by, end))

    def end(self, kind: str, target: str, by: By = "command") -> int:
        """End all of this kind at this target; how many. Raises SimulationError where there is none."""
        ending = [active for active in self.active if (active.upset.kind, active.upset.target) == (kind, target)]
        if not ending:
            self.targets.check(replace(Upset(kind, target), value=_some_value(kind)))
            going = ", ".join(str(active.upset) for active in self.active) or "none"
            raise SimulationError(f"no {kind} of {target} is active; active are: {going}")
        for active in ending:
            self._end(active, by)
        return len(ending)

    def second(self, now_s: int) -> None:
        """End what is over at this plant second, in the order it began."""
        for active in [active for active in self.active if active.ends_s is not None and active.ends_s <= now_s]:
            self._end(active, active.by)

    def _end(self, active: Active, by: By) -> None:
        self.active.remove(active)
        active.end()
        self._tell("ends", active.upset, by)

    def _tell(self, what: What, upset: Upset, by: By) -> None:
        now_s = self._now_s()
        self.version += 1
        self.happenings.append(Happening(now_s, what, upset, by))
        shown = {"value": upset.value} if upset.value is not None else {}
        lasts = {"lasts": span_text(upset.duration_s)} if upset.duration_s is not None and what == "begins" else {}
        _log.info(f"upset {what}", kind=upset.kind, target=upset.target, **shown, **lasts, plant_s=now_s, by=by)


def _some_value(kind: str) -> float | str | None:
    """A value that the kind can take: only the target is asked about."""
    known = KINDS.get(kind)
    return 1.0 if known and known.needs_value else None
