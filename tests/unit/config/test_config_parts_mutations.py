"""Whatever stands in the parts of a plant, loading gives a plant, or faults with a file and a line: nothing else, ever."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.load import examine
from config.model import Plant
from config.spreadsheet.columns import LIMIT_COLUMNS, TAG_COLUMNS, Columns
from tests.unit.config.plant_files import examined, told

EXAMPLES = Path(__file__).parents[3] / "config" / "examples"
PARTS = ["plant.yaml", "reactors.csv", "reactor-tags.csv", "limits.csv"]
TEXTS = {name: (EXAMPLES / name.replace("plant.yaml", "many-reactors.yaml")).read_text("utf-8") for name in PARTS}
ODD = st.text(st.sampled_from(" \n\t:-[]{}&*!|'\"%#,;?a1.0\0\x85\u2028~<\\=°"), max_size=6)
SECRET = "hunter2"


def judge(files: dict[str, str | bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        examination = examined(Path(folder), files)
        for fault in (*examination.faults, *examination.warnings):
            content = Path(fault.file).read_bytes().decode("utf-8", "replace")
            assert 1 <= fault.line <= len(content.splitlines()) + 1, fault
            assert (fault.what + fault.path + fault.row).isprintable(), fault
        assert (examination.plant is None) == bool(examination.faults)
        assert examination.plant is None or isinstance(examination.plant, Plant)


@given(name=st.sampled_from(PARTS), where=st.floats(0, 1), cut=st.integers(0, 20), text=ODD)
def test_a_part_with_another_text(name: str, where: float, cut: int, text: str) -> None:
    at = int(where * len(TEXTS[name]))
    judge({**TEXTS, name: (TEXTS[name][:at] + text + TEXTS[name][at + cut :]).encode()})


@given(name=st.sampled_from(PARTS), content=st.binary(max_size=80) | ODD.map(str.encode))
def test_a_part_of_anything(name: str, content: bytes) -> None:
    judge({**TEXTS, name: content})


@pytest.mark.parametrize(
    ("name", "columns", "column"),
    [
        ("reactor-tags.csv", TAG_COLUMNS, column)
        for column in ("Role", "Engineering unit", "Low", "High", "Kind", "States", "Group")
    ]
    + [
        ("limits.csv", LIMIT_COLUMNS, column)
        for column in ("Product", "Recipe version", "Statistic", "SP", "NOR low", "H;", "CPP")
    ],
)
def test_a_misspelt_column_is_never_a_silent_default(tmp_path: Path, name: str, columns: Columns, column: str) -> None:
    for part in PARTS:
        shutil.copy(EXAMPLES / part.replace("plant.yaml", "many-reactors.yaml"), tmp_path / part)
    wrong = TEXTS[name].replace(column, column.replace(";", "") + "q" + column[len(column.replace(";", "")) :], 1)
    (tmp_path / name).write_text(wrong, encoding="utf-8")
    examination = examine(tmp_path / "plant.yaml")
    assert examination.plant is None
    assert any("unknown column" in fault.what and fault.file.endswith(name) for fault in examination.faults), columns.what


@pytest.mark.parametrize("how", ["password: '{pw}'", "password: {'{pw}': a}", "password: {env: '{pw}!'}", "password: ['{pw}']"])
def test_a_secret_in_a_table_is_not_echoed(tmp_path: Path, how: str) -> None:
    plant = (
        "site: W\ntemplates: {t: {units: {'{u}': }, endpoints: {'{u}': {url: 'opc.tcp://h', user_name: r, "
        + how
        + ", devices: {'D{u}': {unit: '{u}', tags: {T: {address: i=1}}}}}}}}\nuse: [{template: t, table: t.csv}]\n"
    )
    lines = told(tmp_path, {"plant.yaml": plant, "t.csv": f"u,pw\nR,{SECRET}\n"})
    assert "never written here" in "\n".join(lines)
    assert SECRET not in "\n".join(lines)
