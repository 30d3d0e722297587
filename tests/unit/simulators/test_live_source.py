"""Tags of a live plant: roles the model knows, roles it does not, kinds that fit and kinds that cannot."""

import pytest

from config.model import OpcUaDevice
from config.tags import OpcUaTag
from simulators.live import Live, PlantTime
from simulators.programme import unit_plan
from simulators.source import BAD_OUT_OF_RANGE, SimulationError
from simulators.strangers import Sines, slow_sine
from simulators.unit import ReactorUnit


class Wall:
    """A clock that stands until it is told."""

    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


def device(**tags: dict[str, object]) -> OpcUaDevice:
    tags = {name: {"address": f"ns=2;s={name}", **fields} for name, fields in tags.items()}
    return OpcUaDevice.model_validate({"name": "plc", "unit": "R-1", "tags": tags})


def live(wall: Wall, speed: float = 1.0) -> Live:
    return Live([ReactorUnit(unit_plan("R-1"), seed=1)], PlantTime(speed, wall, lambda: wall.ns + 10**18))


def shown(source: Live, plc: OpcUaDevice, at: int = 0) -> object:
    return source.point(plc, plc.tags[at])().value


def test_the_source_moves_only_when_it_is_refreshed() -> None:
    wall, plc = Wall(), device(X={})
    source = live(wall)
    before = source.refresh()
    value = shown(source, plc)
    wall.ns = 5 * 10**9
    assert shown(source, plc) == value
    assert source.refresh() == 5 > before
    assert shown(source, plc) != value


def test_a_reading_is_stamped_with_the_moment_its_plant_second_began() -> None:
    wall, plc = Wall(), device(T={"role": "product_temperature"}, X={})
    source = live(wall, speed=4.0)
    wall.ns = 1_300_000_000
    source.refresh()
    for tag in plc.tags:
        assert source.point(plc, tag)().source_ns == 10**18 + 1_250_000_000


def test_a_model_value_takes_the_kind_of_its_tag() -> None:
    plc = device(
        V={"role": "dosing_valve_open", "kind": "integer"},
        N={"role": "phase_number", "kind": "text"},
        P={"role": "phase", "kind": "integer", "states": {7: "Inert"}},
        B={"role": "batch_state", "kind": "boolean"},
    )
    assert [shown(live(Wall()), plc, at) for at in range(4)] == [0, "1", 7, True]


def test_a_phase_without_a_number_is_bad_not_zero() -> None:
    plc = device(P={"role": "phase", "kind": "integer", "states": {1: "Boil"}})
    reading = live(Wall()).point(plc, plc.tags[0])()
    assert (reading.value, reading.status) == (None, BAD_OUT_OF_RANGE)


@pytest.mark.parametrize("kind", ["real", "integer", "boolean"])
def test_a_text_cannot_be_served_as_a_number(kind: str) -> None:
    plc = device(P={"role": "phase", "kind": kind})
    with pytest.raises(SimulationError, match="tag P: role phase is a text here"):
        live(Wall()).point(plc, plc.tags[0])


def test_unknown_roles_are_slow_constant_or_named_by_kind() -> None:
    plc = device(R={"range": [-5, 15]}, I={"kind": "integer", "range": [1000, 1010]}, B={"kind": "boolean"}, T={"kind": "text"})
    wall = Wall()
    source = live(wall, speed=1000.0)
    points = [source.point(plc, tag) for tag in plc.tags]
    rows = []
    for second in range(0, 2000, 20):
        wall.ns = second * 1_000_000
        source.refresh()
        rows.append(tuple(point().value for point in points))
    reals, integers, booleans, texts = zip(*rows, strict=True)
    assert -5 <= min(reals) < 0
    assert 10 < max(reals) <= 15
    assert set(integers) <= set(range(1000, 1011)) and len(set(integers)) > 5
    assert all(isinstance(value, int) for value in integers)
    assert (set(booleans), set(texts)) == ({False}, {"T"})


@pytest.mark.parametrize(("bounds", "low", "high"), [(None, 0, 100), ([None, -50], -150, -50), ([500, None], 500, 600)])
def test_a_sine_keeps_to_the_range_it_is_given(bounds: object, low: float, high: float) -> None:
    sines = Sines()
    sines.add(slow_sine(OpcUaTag.model_validate({"name": "X", "address": "i=1", "range": bounds})))
    values = [float(sines.at(second)[0]) for second in range(0, 3600, 7)]
    assert low <= min(values) < max(values) <= high
    assert max(values) - min(values) > 0.8 * (high - low)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf"), 3601.0])
def test_a_speed_is_positive_and_bounded(speed: float) -> None:
    with pytest.raises(SimulationError, match="no speed"):
        PlantTime(speed)
