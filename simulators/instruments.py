"""Instruments: between what is true in the process and what the controller shows.

    truth ──► first-order lag ──► + offset, drift, spike ──► + noise ──► cut-off ──► resolution ──► shown
              (the thermowell)                               (σ)         (0 below)   (rounded)

The lag is stepped each plant second, exactly: it is the solution for a truth that stands over the second. All else is
a function of the second. So what is shown at a second does not depend on how often anybody looked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from simulators.noise import Noise
from simulators.upset import KINDS, Upset

Vector = NDArray[np.float64]
"""float64[channel]"""


@dataclass(frozen=True, slots=True)
class Instrument:
    """What an instrument makes of the truth; engineering units. The default is perfect."""

    noise: float = 0.0
    """Standard deviation."""
    resolution: float = 0.0
    """Step of what is shown; 0: none."""
    lag_s: float = 0.0
    """Time constant of the first-order lag."""
    silent_at_zero: bool = False
    """It has a low cut-off: below five times its noise it shows exactly 0."""
    low: float = -math.inf
    """The least that it can show."""


_WELL_S, _PIPE_S = 10.0, 4.0
"""A Pt100 in a thermowell in a stirred vessel, and one in the heat transfer fluid's stream."""
INSTRUMENTS: dict[str, Instrument] = {
    "product_temperature": Instrument(0.03, 0.01, _WELL_S),
    "product_temperature_b": Instrument(0.04, 0.01, 1.5 * _WELL_S),
    "jacket_inlet_temperature": Instrument(0.06, 0.01, _PIPE_S),
    "jacket_outlet_temperature": Instrument(0.06, 0.01, _PIPE_S),
    "vapour_temperature": Instrument(0.05, 0.01, 8.0),
    "headspace_pressure": Instrument(0.0015, 0.0001),
    "jacket_pressure": Instrument(0.004, 0.001),
    "stirrer_speed": Instrument(0.15, 0.1, silent_at_zero=True),
    "stirrer_power": Instrument(0.012, 0.001, silent_at_zero=True),
    "contents_mass": Instrument(0.25, 0.1, low=0.0),
    "level": Instrument(0.05, 0.01, low=0.0),
    "dosing_rate": Instrument(0.35, 0.01, silent_at_zero=True),
    "distillate_rate": Instrument(0.3, 0.01, silent_at_zero=True),
    "nitrogen_flow": Instrument(0.02, 0.001, silent_at_zero=True),
    "jacket_flow": Instrument(0.05, 0.01, silent_at_zero=True),
    "oxygen": Instrument(0.02, 0.01, 12.0, low=0.0),
    "ph": Instrument(0.008, 0.001, 5.0),
}
"""By role. A setpoint, an output and a total are numbers in the controller: they have no instrument."""

PERFECT = Instrument()
_LEAST_NOISE = 0.01
"""EU; what the upset `noise` multiplies where an instrument has none."""


@dataclass(slots=True, eq=False)
class _Active:
    upset: Upset
    channel: int
    begun_s: int


@dataclass(slots=True)
class _Effect:
    """What all active upsets come to, float64[channel] each."""

    offset: Vector
    drift_per_s: Vector
    drift_origin: Vector
    lag_s: Vector
    noise: Vector
    cut_off: Vector
    noise_rows: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, dtype=np.intp))


class Instruments:
    """The analogue channels of one unit. Channels may be added until time goes on."""

    def __init__(self, seed: int, unit: str) -> None:
        self._seed, self._unit = seed, unit
        self.channels: dict[str, int] = {}
        self._instruments: list[Instrument] = []
        self._followed: Vector = np.empty(0)
        self._active: list[_Active] = []
        self._arrange()

    def add(self, channels: Iterable[tuple[str, Instrument, float]]) -> None:
        """Name, instrument and what is true now; the lag has settled there."""
        values: list[float] = []
        for name, instrument, value in channels:
            self.channels[name] = len(self._instruments)
            self._instruments.append(instrument)
            values.append(value)
        self._followed = np.append(self._followed, values)
        self._arrange()

    def follow(self, truth: Vector) -> None:
        """One plant second goes by, at whose end `truth` holds."""
        self._followed += self._gain * (truth - self._followed)

    def shown(self, plant_s: int) -> Vector:
        """What is shown at this second, which `follow` has reached."""
        effect = self._effect
        quiet = self._followed + effect.offset + (effect.drift_per_s * plant_s - effect.drift_origin)
        noisy = quiet.copy()
        noisy[effect.noise_rows] += effect.noise * self._noise.at(plant_s)
        noisy[quiet < effect.cut_off] = 0.0
        np.maximum(noisy, self._low, out=noisy)
        rows, steps = self._stepped, self._steps
        noisy[rows] = np.rint(noisy[rows] * steps) / steps
        return noisy

    def disturb(self, upset: Upset, channel: str, plant_s: int) -> Callable[[], None]:
        """Begin a spike, drift, offset, noise or lag at a second; the returned callable ends it."""
        active = _Active(upset, self.channels[channel], plant_s)
        self._active.append(active)
        self._arrange()

        def end() -> None:
            if active in self._active:
                self._active.remove(active)
                self._arrange()

        return end

    def _arrange(self) -> None:
        """Fold instruments and active upsets into vectors: they change seldom, seconds go by often."""
        column = self._column
        self._low = column(lambda instrument: instrument.low)
        resolution = column(lambda instrument: instrument.resolution)
        self._stepped = np.flatnonzero(resolution)
        self._steps = 1.0 / resolution[self._stepped]
        cut_off = column(lambda instrument: 5 * instrument.noise if instrument.silent_at_zero else -math.inf)
        zero = np.zeros(len(self._instruments))
        lag_s, sigma = column(lambda instrument: instrument.lag_s), column(lambda instrument: instrument.noise)
        self._effect = _Effect(zero, zero.copy(), zero.copy(), lag_s, sigma, cut_off)
        for active in self._active:
            self._fold(active)
        with np.errstate(divide="ignore"):
            self._gain = -np.expm1(-1.0 / self._effect.lag_s)
        rows = np.flatnonzero(self._effect.noise)
        self._effect.noise_rows, self._effect.noise = rows, self._effect.noise[rows]
        names = list(self.channels)
        self._noise = Noise(self._seed, self._unit, [names[row] for row in rows])

    def _column(self, of: Callable[[Instrument], float]) -> Vector:
        return np.array([of(instrument) for instrument in self._instruments], dtype=np.float64)

    def _fold(self, active: _Active) -> None:
        effect, at, value = self._effect, active.channel, KINDS[active.upset.kind].number_of(active.upset)
        match active.upset.kind:
            case "offset" | "spike":
                effect.offset[at] += value
            case "drift":
                effect.drift_per_s[at] += value / 3600.0
                effect.drift_origin[at] += value / 3600.0 * active.begun_s
            case "lag":
                effect.lag_s[at] += value
            case "noise":
                effect.noise[at] = value * (effect.noise[at] or _LEAST_NOISE)
        if effect.offset[at] or effect.drift_per_s[at]:
            effect.cut_off[at] = -math.inf  # it is off at zero, too


ANALOGUE = frozenset({"spike", "drift", "offset", "noise", "lag"})
"""Kinds that need a number to disturb."""


def instrument_of(role: str) -> Instrument:
    """The instrument behind a role of the model."""
    return INSTRUMENTS.get(role, PERFECT)
