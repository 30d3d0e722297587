"""What people are shown: one snapshot of the plant for the page, the terminal and JSON, words and digits included.

Invariants: a value is shown as good only while its quality is good, it is a number, and its group still gives scans; what
is not evaluable is never `ok`. No figure is rounded across a limit that holds now. Texts from the plant are made of
visible characters only, so neither a page nor a terminal can be steered by a tag's value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from collector.monitor.alarms.alarm import ADVISORY
from collector.show.words import (
    Severity,
    Side,
)
from config.limits import Priority

State = Literal["ok", "alert", "action", "not evaluable", "no limits"]
"""alert: outside NOR, or beyond L or H. action: outside PAR, or beyond LL or HH."""


@dataclass(frozen=True, slots=True)
class Span:
    """Two levels, engineering units; None leaves a side open."""

    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class LimitPicture:
    """One row of the limit set that holds now."""

    statistic: str
    """`value`, or for people: `slope over 60 s`."""
    sp: float | None
    nor: Span | None
    par: Span | None
    alarm: Span | None
    """L and H."""
    alarm_far: Span | None
    """LL and HH."""
    state: State


@dataclass(frozen=True, slots=True)
class BreachPicture:
    """A limit that is left now, or was when the value could last be evaluated."""

    rule: str
    statistic: str
    severity: Literal["action", "alert"]
    side: Side
    level: float
    since: str
    text: str
    """`above NOR 67 °C`"""


@dataclass(frozen=True, slots=True)
class TagPicture:
    """A tag and its newest value."""

    name: str
    role: str
    engineering_unit: str
    value: float | int | str | bool | None
    """None: there is none, or it is no finite number."""
    shown: str
    """The value for people, the name of an enumeration's state included; without engineering unit."""
    quality: Literal["good", "uncertain", "bad", "stale"]
    status: str
    """Why it is not good; empty when it is."""
    age_s: float | None
    """Since the slot of a good value; while it is not good, since the last good one, None when there was none."""
    range: Span | None
    limits: tuple[LimitPicture, ...]
    breaches: tuple[BreachPicture, ...]
    """The worst first."""
    state: State
    relation: str = ""
    """What it is made of, where it is no tag but a deviation or an expression."""


@dataclass(frozen=True, slots=True)
class UnitPicture:
    """A unit, its batch and its tags."""

    name: str
    description: str
    batch: str
    phase: str
    product: str
    recipe_version: str
    mode: str
    seconds_in_phase: float | None
    """None: not known, the phase began before this daemon did."""
    context: Literal["told", "last known", "not told"]
    """Whether its controller tells batch and phase now, did so once, or has no such tags."""
    state: State
    """The worst of its tags and relations."""
    tags: tuple[TagPicture, ...]
    relations: tuple[TagPicture, ...] = ()
    """Limited deviations and expressions."""


@dataclass(frozen=True, slots=True)
class ExcursionPicture:
    """A stretch outside PAR; `ended` is empty while it is open."""

    unit: str
    tag: str
    role: str
    engineering_unit: str
    batch: str
    phase: str
    first: str
    last: str
    duration_s: float
    """From the first sample outside to `last`: what is proven, not what may be."""
    peak: str
    area: str
    par: Span
    par_shown: str
    not_evaluable_s: float
    cpp: bool
    ended: str
    consequence: str = ""
    action: str = ""
    coverage: float = 1.0
    """Share of its slots that had a good sample."""
    statistic: str = "value"
    """`deviation` where PAR is about the distance from a setpoint."""


@dataclass(frozen=True, slots=True)
class AlarmPicture:
    """An alarm that is not normal."""

    id: str
    unit: str
    tag: str
    rule: str
    statistic: str
    """`value`, or for people: `slope over 60 s`."""
    priority: Priority
    state: str
    calls: bool
    """Somebody has to acknowledge it."""
    hidden: bool
    """Shelved, suppressed or out of service: it calls nobody."""
    outside: bool
    """The condition underneath."""
    since: str
    """When the condition went outside last; empty: it never did."""
    value: str
    """With which it did."""
    limit: str
    """`above PAR 70 °C`"""
    batch: str
    phase: str
    cpp: bool
    handled: str
    """`acknowledged by meier 15:04:05: cooling is on`, with the day where that is not today; empty: nobody did anything."""
    consequence: str
    action: str


@dataclass(frozen=True, slots=True)
class AlarmsPicture:
    """All alarms that are not normal."""

    shown: tuple[AlarmPicture, ...] = ()
    """The most urgent first."""
    calling: int = 0
    """How many somebody has to acknowledge."""
    hidden: int = 0
    left_out: int = 0
    """How many more there are than are shown."""
    calls: int = 0
    """How often one called in the last `counted_s`: 1 in ten minutes is acceptable, 2 the most that is manageable."""
    counted_s: float = 0.0
    """Ten minutes, or less after a start."""
    flood_since: str = ""
    """More than ten called in ten minutes, and it is not over; empty: no flood."""
    advice: str = ADVISORY


@dataclass(frozen=True, slots=True)
class EventPicture:
    """Something that happened, in human words."""

    time: str
    unit: str
    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class DevicePicture:
    """A controller; `since` is empty before it was tried."""

    name: str
    endpoint: str
    answers: bool | None
    since: str
    cause: str


@dataclass(frozen=True, slots=True)
class SinkPicture:
    """A sink; samples, by the ledger."""

    name: str
    taking: bool
    accepted: int
    queued: int
    dead_lettered: int
    cause: str


@dataclass(frozen=True, slots=True)
class GatewayPicture:
    """What the daemon did since it started; samples, but for the scans."""

    read: int
    scans: int
    lost_scans: int
    committed: int
    """All that the journal holds, of earlier runs too."""
    pending: int | None
    overflowed: int
    disk_fault: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything that people are shown, at one moment of plant time."""

    site: str
    time: str
    units: tuple[UnitPicture, ...]
    excursions: tuple[ExcursionPicture, ...]
    """Open ones, the oldest first."""
    closed_excursions: tuple[ExcursionPicture, ...]
    """The newest first."""
    events: tuple[EventPicture, ...]
    """The newest first."""
    devices: tuple[DevicePicture, ...]
    sinks: tuple[SinkPicture, ...]
    gateway: GatewayPicture
    alarms: AlarmsPicture = field(default_factory=AlarmsPicture)
