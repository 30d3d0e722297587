"""Alarms by ISA-18.2, held against a machine that is written from the standard's description and not from the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.monitor.alarms.alarm import Alarm, AlarmKey, Settings
from collector.monitor.alarms.alarms import LONGEST_SHELF_S, Alarms, Command, Refused
from collector.monitor.alarms.settings import Book
from collector.monitor.alarms.states import TRANSITIONS, Happening, State
from collector.terms import Event, EventKind, Stamp
from config.limits import Limit
from tests.unit.monitor.judged import DOSE, HOLD, SECOND_NS, START_NS, limit, text

KEY = AlarmKey("R-201", "t", "value", None, "PAR high")
BOOK = Book([limit(par=[0.0, 70.0], alarm={"hh": 90.0})], [("R-201", "t"), ("R-202", "t")])
A, B, C, D, E, F, G, H, I = State  # noqa: E741


class Fixed(Book):
    """All alarms behave alike."""

    def __init__(self, settings: Settings) -> None:
        super().__init__([limit(par=[0.0, 70.0])], [("R-201", "t")])
        self._fixed = settings

    def settings(self, key: AlarmKey, stamp: Stamp) -> Settings:
        return self._fixed


def transition(
    to: str, at: int, key: AlarmKey = KEY, value: float | None = 71.0, stamp: Stamp = DOSE, level: float = 70.0
) -> Event:
    body = {"role": key.role, "statistic": key.statistic, "window_s": key.window_s, "rule": key.rule, "to": to}
    return Event(EventKind.TRANSITION, START_NS + at * SECOND_NS, key.unit, stamp, {**body, "value": value, "level": level})


def did(what: Happening, reason: str = "known", lasts_s: float | None = 60.0, key: AlarmKey = KEY, by: str = "meier") -> Command:
    return Command(what, key, by, reason, lasts_s if what is Happening.SHELVED else None)


def now(at: int) -> int:
    return START_NS + at * SECOND_NS


def state(alarms: Alarms, key: AlarmKey = KEY) -> State:
    return alarms.now[key].state if key in alarms.now else A


# --- the oracle


@dataclass
class Machine:
    """One alarm, as people describe it: what is underneath, whether it waits for someone, and what hides it."""

    latching: bool
    realarm_s: float | None
    outside: bool = False
    acknowledged: bool = True
    """Nobody is awaited."""
    returned: bool = False
    """It has returned before it was acknowledged."""
    to_reset: bool = False
    shelved_until: int | None = None
    out: bool = False
    designed: bool = False
    acknowledged_at: int | None = None

    @property
    def letter(self) -> str:
        if self.out:
            return "I"
        if self.shelved_until is not None:
            return "G"
        if self.designed:
            return "H"
        if self.outside:
            return "C" if self.acknowledged else "B"
        if self.to_reset:
            return "F" if self.acknowledged else "E"
        return "D" if self.returned and not self.acknowledged else "A"

    @property
    def hidden(self) -> bool:
        return self.letter in "GHI"

    def comes(self) -> None:
        if not self.outside:
            self.outside, self.acknowledged, self.returned, self.acknowledged_at = True, False, False, None
            self.to_reset = self.to_reset or self.latching

    def goes(self) -> None:
        if self.outside:
            self.outside = False
            self.returned = not self.acknowledged and not self.hidden

    def shown_again(self) -> None:
        """What waited for someone before it was hidden waits no more, unless it stands or latches: then it calls anew."""
        if not self.hidden:
            self.acknowledged, self.returned, self.acknowledged_at = not (self.outside or self.to_reset), False, None

    def acknowledge(self, at: int) -> bool:
        if self.letter not in "BDE":
            return False
        self.acknowledged, self.returned, self.acknowledged_at = True, False, at
        return True

    def reset(self) -> bool:
        if self.letter != "F":
            return False
        self.to_reset = False
        return True

    def shelve(self, until: int) -> bool:
        if self.out:
            return False
        self.shelved_until = until
        return True

    def unshelve(self) -> bool:
        if self.letter != "G":
            return False
        self.shelved_until = None
        self.shown_again()
        return True

    def take_out(self) -> bool:
        if self.out:
            return False
        self.out, self.shelved_until = True, None
        return True

    def put_back(self) -> bool:
        if not self.out:
            return False
        self.out = False
        self.shown_again()
        return True

    def design(self, on: bool) -> None:
        was_hidden_by_it = self.letter == "H"
        self.designed = on
        if was_hidden_by_it and not on:
            self.shown_again()

    def tick(self, at: int) -> None:
        if self.letter == "G" and self.shelved_until is not None and self.shelved_until <= at:
            self.unshelve()
        elif self.letter == "C" and self.due(at):
            self.acknowledged, self.acknowledged_at = False, None

    def due(self, at: int) -> bool:
        return None not in (self.realarm_s, self.acknowledged_at) and at >= (self.acknowledged_at or 0) + (self.realarm_s or 0.0)


DEEDS = (
    "comes",
    "goes",
    "ended",
    "acknowledge",
    "reset",
    "shelve",
    "unshelve",
    "take out",
    "put back",
    "design",
    "no design",
    "tick",
)
_COMMANDS = {
    "acknowledge": Happening.ACKNOWLEDGED,
    "reset": Happening.RESET,
    "shelve": Happening.SHELVED,
    "unshelve": Happening.UNSHELVED,
    "take out": Happening.TAKEN_OUT,
    "put back": Happening.PUT_BACK,
}
STEPS = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 40)), max_size=60)
SETTINGS = st.builds(Settings, latching=st.booleans(), realarm_s=st.sampled_from([None, 30.0]))


def play(alarms: Alarms, deed: str, at: int) -> tuple[list[Event], bool]:
    """What came of it, and whether it was possible."""
    if deed in ("comes", "goes", "ended"):
        return alarms.observe([transition({"comes": "outside", "goes": "inside", "ended": "ended"}[deed], at)]), True
    if deed == "tick":
        return alarms.tick(now(at)), True
    if deed in ("design", "no design"):
        return alarms.suppress(KEY, "valve is shut" if deed == "design" else "", now(at), DOSE), True
    try:
        return alarms.command(did(_COMMANDS[deed]), now(at), DOSE), True
    except Refused:
        return [], False


def imagine(machine: Machine, deed: str, at: int) -> bool:
    acts: dict[str, Callable[[], bool | None]] = {
        "comes": machine.comes,
        "goes": machine.goes,
        "ended": machine.goes,
        "reset": machine.reset,
        "unshelve": machine.unshelve,
        "take out": machine.take_out,
        "put back": machine.put_back,
        "acknowledge": lambda: machine.acknowledge(at),
        "shelve": lambda: machine.shelve(at + 60),
        "design": lambda: machine.design(True),
        "no design": lambda: machine.design(False),
        "tick": lambda: machine.tick(at),
    }
    return acts[deed]() is not False


@given(STEPS, SETTINGS)
def test_an_alarm_is_where_the_standard_says(steps: list[tuple[str, int]], settings: Settings) -> None:
    alarms, machine, at = Alarms(Fixed(settings)), Machine(settings.latching, settings.realarm_s), 0
    for deed, later in steps:
        at += later
        before = state(alarms)
        events, possible = play(alarms, deed, at)
        assert (possible, state(alarms).name) == (imagine(machine, deed, at), machine.letter), deed
        assert len(events) <= 1
        for event in events:
            assert (event.body["from"], event.body["to"]) == (before.value, state(alarms).value)
            assert event.body["outside"] == machine.outside
        assert events or state(alarms) == before
        if KEY in alarms.now:
            assert alarms.now[KEY].outside == machine.outside


@given(STEPS, SETTINGS)
def test_a_journal_gives_the_same_alarms_back(steps: list[tuple[str, int]], settings: Settings) -> None:
    """By each alarm's newest event; and by all that the journal holds, from the beginning."""
    alarms, at, journal = Alarms(Fixed(settings)), 0, list[Event]()
    newest: dict[AlarmKey, Alarm] = {}
    replayed, again = Alarms(Fixed(settings)), list[Event]()
    for deed, later in steps:
        at += later
        events, _ = play(alarms, deed, at)
        journal += events
        if deed in ("comes", "goes", "ended"):
            again += replayed.observe([transition({"comes": "outside", "goes": "inside"}.get(deed, "ended"), at)])
        for event in events:
            newest[KEY] = Alarm.of_event(event)
            if deed not in ("comes", "goes", "ended"):
                again += _as_told(replayed, event)
        assert Alarms(Fixed(settings), newest.values()).now == alarms.now == replayed.now
    assert again == journal


def _as_told(alarms: Alarms, event: Event) -> list[Event]:
    """Do again what an alarm's event tells that people, the design or time did."""
    what = Happening(text(event, "happening"))
    if what in (Happening.SUPPRESSED, Happening.SUPPRESSION_OVER):
        return alarms.suppress(KEY, text(event, "suppression"), event.slot_ns, event.stamp)
    if what in (Happening.SHELF_OVER, Happening.REALARMS):
        return alarms.tick(event.slot_ns)
    until_ns = event.body["until_ns"]
    lasts_s = (until_ns - event.slot_ns) / 1e9 if isinstance(until_ns, int) else None
    return alarms.command(Command(what, KEY, text(event, "by"), text(event, "reason"), lasts_s), event.slot_ns, event.stamp)


def test_every_state_is_reached_and_none_is_a_dead_end() -> None:
    assert set(TRANSITIONS.values()) == set(State)
    assert {before for before, _ in TRANSITIONS} == set(State)


# --- what people see


def test_an_alarm_tells_what_it_is_about() -> None:
    limits = [limit(phase="Dose", par=[0.0, 70.0], cpp=True, consequence="runs away", action="cool"), limit(par=[0.0, 90.0])]
    alarms = Alarms(Book(limits, [("R-201", "t")]))
    (event,) = alarms.observe([transition("outside", 5)])
    alarm = alarms.now[KEY]
    assert (event.kind, event.slot_ns, event.stamp) == (EventKind.ALARM, now(5), DOSE)
    assert alarm == Alarm.of_event(event)
    assert alarm.settings == Settings("high", cpp=True, consequence="runs away", action="cool")
    assert (alarm.value, alarm.level, alarm.since_ns) == (71.0, 70.0, now(5))
    alarms.observe([transition("ended", 8), transition("outside", 8, stamp=HOLD, level=90.0, value=95.0)])
    assert (state(alarms), alarms.now[KEY].settings, alarms.now[KEY].level) == (B, Settings("high"), 90.0)


def test_a_row_says_how_its_alarms_behave() -> None:
    row = limit(par=[0.0, 70.0], priority="critical", latching=True, realarm_s=5.0)
    alarms = Alarms(Book([row], [("R-201", "t")]))
    alarms.observe([transition("outside", 0)])
    assert alarms.now[KEY].settings == Settings("critical", latching=True, realarm_s=5.0)
    alarms.command(did(Happening.ACKNOWLEDGED), now(1))
    assert (alarms.tick(now(5)), state(alarms)) == ([], C)
    alarms.tick(now(6))
    assert state(alarms) is B
    alarms.observe([transition("inside", 7)])
    assert state(alarms) is E


@pytest.mark.parametrize(
    ("rule", "priority"),
    [
        ("NOR low", "low"),
        ("NOR high", "low"),
        ("L", "medium"),
        ("H", "medium"),
        ("PAR low", "high"),
        ("LL", "critical"),
        ("HH", "critical"),
    ],
)
def test_priority_goes_by_the_rule(rule: str, priority: str) -> None:
    alarms = Alarms(
        Book([limit(nor=[20.0, 60.0], par=[10.0, 70.0], alarm={"ll": 1, "l": 2, "h": 80, "hh": 90})], [("R-201", "t")])
    )
    (event,) = alarms.observe([transition("outside", 0, replace(KEY, rule=rule))])
    assert event.body["priority"] == priority


def test_who_acknowledged_and_when_stays_until_it_calls_again() -> None:
    alarms = Alarms(BOOK)
    alarms.observe([transition("outside", 0)])
    alarms.command(did(Happening.ACKNOWLEDGED, "seen", by="huber"), now(9))
    assert (alarms.now[KEY].acknowledged_by, alarms.now[KEY].acknowledged_ns, alarms.now[KEY].reason) == ("huber", now(9), "seen")
    alarms.observe([transition("inside", 10), transition("outside", 20)])
    assert (state(alarms), alarms.now[KEY].acknowledged_by) == (B, "")


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (did(Happening.SHELVED, lasts_s=None), "a shelf lasts for a time"),
        (did(Happening.SHELVED, lasts_s=0.0), "a shelf lasts for a time"),
        (did(Happening.SHELVED, lasts_s=LONGEST_SHELF_S + 1), "at most 24 h"),
        (did(Happening.SHELVED, reason=""), "for a reason only"),
        (did(Happening.TAKEN_OUT, reason=""), "for a reason only"),
        (did(Happening.TAKEN_OUT, by=""), "nobody is named"),
        (did(Happening.RESET), "is unacknowledged and can't be reset; it can be acknowledged or shelved or taken out of service"),
        (did(Happening.OCCURS), "nothing that people do"),
        (did(Happening.SHELVED, key=replace(KEY, rule="H")), "no limit"),
    ],
)
def test_a_command_that_is_not_possible_changes_nothing(command: Command, why: str) -> None:
    alarms = Alarms(BOOK)
    alarms.observe([transition("outside", 0)])
    before = dict(alarms.now)
    with pytest.raises(Refused, match=why):
        alarms.command(command, now(1))
    assert alarms.now == before


def test_a_gmp_unit_wants_a_reason() -> None:
    alarms = Alarms(BOOK)
    alarms.observe([transition("outside", 0, stamp=replace(DOSE, mode="gmp"))])
    with pytest.raises(Refused, match="GMP"):
        alarms.command(did(Happening.ACKNOWLEDGED, ""), now(1))
    alarms.command(did(Happening.ACKNOWLEDGED, "cooling is on"), now(1))
    assert state(alarms) is C
    alarms.observe([transition("outside", 0, key=replace(KEY, unit="R-202"))])
    alarms.command(did(Happening.ACKNOWLEDGED, "", key=replace(KEY, unit="R-202")), now(1))


def test_the_shelf_of_one_alarm_is_not_that_of_another() -> None:
    alarms, other = Alarms(BOOK), replace(KEY, unit="R-202")
    alarms.command(did(Happening.SHELVED, lasts_s=10.0), now(0))
    alarms.command(did(Happening.SHELVED, lasts_s=20.0, key=other), now(0))
    assert alarms.tick(now(9)) == []
    (event,) = alarms.tick(now(10))
    assert (event.unit, event.body["happening"], event.slot_ns) == ("R-201", "shelf over", now(10))
    assert (KEY in alarms.now, state(alarms, other)) == (False, G)


def test_a_daemon_that_stops_ends_no_alarm_and_one_that_starts_raises_none_anew() -> None:
    alarms = Alarms(BOOK)
    alarms.observe([transition("outside", 0)])
    alarms.command(did(Happening.ACKNOWLEDGED), now(1))
    stopped, started = (Event(EventKind.DAEMON, now(5), body={"state": word}) for word in ("stopped", "started"))
    assert alarms.observe([stopped, transition("ended", 5), started, transition("outside", 9)]) == []
    assert state(alarms) is C
    (event,) = alarms.observe([transition("inside", 12)])
    assert event.body["to"] == A.value


def test_an_alarm_whose_limit_is_gone_returns_at_the_start() -> None:
    alarms = Alarms(BOOK)
    alarms.observe([transition("outside", 0), transition("outside", 0, replace(KEY, unit="R-202"))])
    later = Alarms(Book([limit(par=[0.0, 70.0])], [("R-202", "t")]), alarms.now.values())
    (event,) = later.retire(now(9))
    assert (event.unit, event.body["to"]) == ("R-201", D.value)
    assert state(later, replace(KEY, unit="R-202")) is B


def test_the_book_has_every_alarm_that_there_can_be() -> None:
    limits: list[Limit] = [
        limit(nor=[None, 60.0], unit="R-201"),
        limit(par=[1.0, 70.0], phase="Dose"),
        limit("p", alarm={"ll": 1.0}),
    ]
    slope = limit(statistic="slope", window_s=60.0, alarm={"h": 2.0})
    keys = Book([*limits, slope], [("R-201", "t"), ("R-202", "t"), ("R-202", "other")]).keys
    assert {key.id for key in keys} == {
        "R-201/t/NOR-high",
        *(f"{unit}/t/{rule}" for unit in ("R-201", "R-202") for rule in ("PAR-low", "PAR-high", "slope-60s/H")),
    }
