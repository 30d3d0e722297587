"""Recordings: what is read from a file, how it is held, what is served at its end."""

from pathlib import Path

import pytest

from config.model import ModbusDevice, OpcUaDevice
from simulators.replay import Recording, Replay, load_recording
from simulators.source import BAD_NO_DATA, GOOD, PerDevice, SimulationError

CSV = "\ufeffbatch_id,TT,OPEN,NOTE,COUNT\n7,1.10,0,ä,1\n7,,1,b,2\n8,1e-300,TRUE,,9007199254740993\n9,0.1,false,d,4\n"


def recording(path: Path, text: str = CSV) -> Recording:
    file = path / "run.csv"
    file.write_text(text, encoding="utf-8")
    return load_recording(file)


def device(**kinds: str) -> OpcUaDevice:
    tags = {name: {"address": f"ns=2;s={name}", "kind": kind} for name, kind in kinds.items()}
    return OpcUaDevice.model_validate({"name": "plc", "tags": tags})


PLC = device(TT="real", OPEN="boolean", NOTE="text", COUNT="integer", BATCH_ID="text", SAMPLE_NO="integer")


def values(replay: Replay, plc: OpcUaDevice = PLC) -> list[object]:
    return [replay.point(plc, tag)().value for tag in plc.tags]


def test_a_sample_is_held_until_advance(tmp_path: Path) -> None:
    replay = Replay(recording(tmp_path))
    version = replay.refresh()
    assert values(replay) == values(replay) == [1.1, False, "ä", 1, "7", 1]
    assert replay.advance()
    assert replay.refresh() > version
    assert values(replay) == [None, True, "b", 2, "7", 2]
    assert replay.advance()
    assert values(replay) == [1e-300, True, None, 9007199254740993, "8", 3]


def test_an_empty_cell_has_no_value(tmp_path: Path) -> None:
    replay = Replay(recording(tmp_path))
    replay.advance()
    assert replay.point(PLC, PLC.tags[0])()[:2] == (None, BAD_NO_DATA)


def test_after_the_last_sample_there_is_no_data(tmp_path: Path) -> None:
    replay = Replay(recording(tmp_path))
    assert [replay.advance() for _ in range(5)] == [True, True, True, False, False]
    readings = [replay.point(PLC, tag)() for tag in PLC.tags]
    assert [reading[:2] for reading in readings] == [(None, BAD_NO_DATA)] * 5 + [(0, GOOD)]
    assert replay.sample is None


def test_replays_of_some_batches_share_the_numbers_of_the_file(tmp_path: Path) -> None:
    source = recording(tmp_path)
    assert source.batches == ("7", "8", "9")
    first, second = Replay(source, {"7", "9"}), Replay(source, ["8"])
    assert [sample.number for sample in first.samples] == [1, 2, 4]
    assert [sample.number for sample in second.samples] == [3]
    left, right = (OpcUaDevice.model_validate({**PLC.model_dump(), "name": name, "tags": PLC.tags}) for name in "ab")
    both = PerDevice({"a": first, "b": second})
    assert (both.point(left, PLC.tags[5])().value, both.point(right, PLC.tags[5])().value) == (1, 3)
    version = both.refresh()
    second.advance()
    assert both.refresh() > version
    assert (both.point(left, PLC.tags[5])().value, both.point(right, PLC.tags[5])().value) == (1, 0)
    with pytest.raises(SimulationError, match="device plc has no source: there are a, b"):
        both.point(PLC, PLC.tags[0])


def test_a_sample_is_stamped_when_it_comes(tmp_path: Path) -> None:
    stamps = iter([100, 200])
    replay = Replay(recording(tmp_path), wall_ns=lambda: next(stamps))
    assert replay.point(PLC, PLC.tags[0])().source_ns == 100
    replay.advance()
    assert replay.point(PLC, PLC.tags[4])().source_ns == 200


def test_what_cannot_be_served_is_refused_at_the_start(tmp_path: Path) -> None:
    source = recording(tmp_path)
    with pytest.raises(SimulationError, match=r"plc/PT: run.csv has no such column; there are batch_id, TT, OPEN"):
        values(Replay(source), device(PT="real"))
    with pytest.raises(SimulationError, match=r"run.csv, sample 1: '1.10' is no integer for TT"):
        values(Replay(source), device(TT="integer"))
    with pytest.raises(SimulationError, match=r"sample 1: 'ä' is no real for NOTE"):
        values(Replay(source), device(NOTE="real"))
    with pytest.raises(SimulationError, match=r"sample 2: '2' is no boolean for COUNT"):
        values(Replay(source), device(COUNT="boolean"))
    with pytest.raises(SimulationError, match=r"run.csv has no batch 10, 6"):
        Replay(source, {"6", "7", "10"})


def test_an_integer_register_takes_a_decimal_and_rounds_it_itself(tmp_path: Path) -> None:
    fields = {
        "name": "plc",
        "tags": {"TT": {"address": "holding:0", "type": "int16"}, "COUNT": {"address": "input:0", "type": "int64"}},
    }
    plc = ModbusDevice.model_validate(fields)
    replay = Replay(recording(tmp_path))
    replay.advance()
    replay.advance()
    assert [replay.point(plc, tag)().value for tag in plc.tags] == [1e-300, 9007199254740993]


@pytest.mark.parametrize(
    ("text", "fault"), [("", "no samples"), ("a,b\n", "no samples"), ("a,b\n1,2\n3\n", "sample 2 has 1 cells, the header 2")]
)
def test_a_file_that_is_no_recording_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(SimulationError, match=fault):
        recording(tmp_path, text)
