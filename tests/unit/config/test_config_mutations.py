"""Whatever a plant file holds, loading it gives a plant, or faults with lines: nothing else, ever."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.load import examine, load
from config.model import Plant

EXAMPLE = Path(__file__).parents[3] / "config" / "examples" / "pilot-plant.yaml"
TEXT = EXAMPLE.read_text("utf-8")
Node = dict[object, object] | list[object]
DATA = yaml.safe_load(TEXT)

QUICK = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
ODD_TEXTS = ["", " ", "R-201", "fast", "influxdb1", "text", "slope", "ph", "true", "i=99999999999", "b=?", "ns=1;g=x", "1-2"]
ODD_TEXTS += [
    "opc.tcp://",
    "modbus://[",
    "modbus://h:x",
    "http://[::1",
    "opc.tcp://ｈ℀",
    "holding:65535",
    "coil:1.2",
    "holding:5-3",
]
ODD_NODES: list[object] = [[], {}, [[]], [1], [1, 2], [2, 1], [None, None], [1, 2, 3], {"low": 1}, {"env": "A"}, {"name": "x"}]
ODD_NODES += [{1: 2}, {None: 1}]
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers().map(lambda n: 10 ** min(abs(n), 4000)),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(ODD_TEXTS),
    st.sampled_from(ODD_NODES),
)


def nodes(data: object) -> Iterator[Node]:
    """Every mapping and list."""
    if isinstance(data, dict | list):
        yield data
        for value in data.values() if isinstance(data, dict) else data:
            yield from nodes(value)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    data = copy.deepcopy(DATA)
    for _ in range(draw(st.integers(1, 4))):
        places = [node for node in nodes(data) if node]
        if not places:
            break
        node = draw(st.sampled_from(places))
        keys: list[object] = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = draw(st.sampled_from(keys))
        _mutate(draw, node, key)
    return data


def _mutate(draw: st.DrawFn, node: Node, key: object) -> None:
    action = draw(st.sampled_from(["drop", "retype", "rename", "copy"]))
    value = node[key]  # type: ignore[call-overload]
    if action == "drop":
        del node[key]  # type: ignore[arg-type]
    elif action == "retype":
        node[key] = draw(ODD)  # type: ignore[call-overload]
    elif isinstance(node, list):
        node.append(copy.deepcopy(value))
    else:
        other = draw(
            st.one_of(
                st.text(max_size=6),
                st.integers(),
                st.floats(allow_nan=False),
                st.booleans(),
                st.sampled_from(sorted(map(str, DATA))),
            )
        )
        node[other] = copy.deepcopy(value)
        if action == "rename" and other != key:
            del node[key]


def judge(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "plant.yaml"
    file.write_bytes(content)
    examination = examine(file)
    lines = content.count(b"\n") + content.count(b"\r") + 1
    for fault in (*examination.faults, *examination.warnings):
        assert 1 <= fault.line <= lines + content.decode("utf-8", "replace").count("\x85") + content.count(b"\xe2\x80")
        assert fault.what.isprintable(), fault
        assert fault.path.isprintable(), fault
        str(fault).encode()
    if examination.plant is None:
        assert examination.faults
    else:
        assert isinstance(examination.plant, Plant)
        assert examination.faults == ()


@QUICK
@given(data=mutated())
def test_a_plant_with_other_values(tmp_path: Path, data: object) -> None:
    judge(tmp_path, yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode("utf-8", "backslashreplace"))


@QUICK
@given(
    at=st.integers(0, len(TEXT)),
    cut=st.integers(0, 40),
    text=st.text(st.sampled_from(" \n\t:-[]{}&*!|>'\"%@`#,?ax1.0\0\x85\u2028~<\\"), max_size=8),
)
def test_a_file_with_another_text(tmp_path: Path, at: int, cut: int, text: str) -> None:
    judge(tmp_path, (TEXT[:at] + text + TEXT[at + cut :]).encode())


@QUICK
@given(first=st.integers(0, TEXT.count("\n")), second=st.integers(0, TEXT.count("\n")), indent=st.integers(0, 12))
def test_a_file_with_a_line_moved(tmp_path: Path, first: int, second: int, indent: int) -> None:
    lines = TEXT.split("\n")
    lines.insert(second, " " * indent + lines.pop(first).lstrip())
    judge(tmp_path, "\n".join(lines).encode())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "ignore"))))
def test_a_file_of_anything(tmp_path: Path, content: bytes) -> None:
    judge(tmp_path, content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(st.sampled_from(" \n\t:-[]{}&*!|>'\"%@`#,?ab12.0~<\\ux"), max_size=60))
def test_a_file_of_yamls_own_signs(tmp_path: Path, text: str) -> None:
    judge(tmp_path, text.encode())


def test_the_unchanged_data_is_the_plant(tmp_path: Path) -> None:
    """The mutations begin from a plant that loads, so that they tell something."""
    data = copy.deepcopy(DATA)
    data["units"]["SK-301"]["recipe_version"] = "1.10"  # PyYAML's own reading made it 1.1
    file = tmp_path / "plant.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), encoding="utf-8")
    beside = tmp_path / "example.yaml"  # its paths count from its folder
    beside.write_bytes(EXAMPLE.read_bytes())
    assert load(file) == load(beside)


@pytest.mark.parametrize("depth", [30, 50, 5000])
def test_depth_is_no_crash(tmp_path: Path, depth: int) -> None:
    for content in (
        "[" * depth + "]" * depth,
        "{a: " * depth + "}" * depth,
        "".join(" " * n + "a:\n" for n in range(min(depth, 300))),
    ):
        judge(tmp_path, f"site: {content}\n".encode())
        judge(tmp_path, content.encode())
