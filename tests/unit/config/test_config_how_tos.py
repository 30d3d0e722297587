"""The files that the how-tos show load as they are shown."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.config.plant_files import plant_of

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "config" / "examples"


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / "docs" / "how-to" / page).read_text("utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_spreadsheet_page(tmp_path: Path) -> None:
    (plant, _), (tags, limits) = blocks("keep-tags-in-a-spreadsheet.md", "yaml"), blocks("keep-tags-in-a-spreadsheet.md", "csv")
    loaded = plant_of(tmp_path, {"plant.yaml": plant, "tags.csv": tags, "limits.csv": limits})
    assert [tag.name for _, tag in loaded.tags()] == ["TT-201A", "PT-201", "PHASE"]
    assert len(loaded.limits) == 2


def test_the_template_page(tmp_path: Path) -> None:
    page = "many-reactors-from-one-template.md"
    (template, more), (rows,) = blocks(page, "yaml"), blocks(page, "csv")
    tags = (EXAMPLES / "reactor-tags.csv").read_text("utf-8").replace(";fast", ";").replace(";slow", ";")
    template = template[: template.index("use:")] + more
    loaded = plant_of(tmp_path, {"plant.yaml": "site: W\n" + template, "reactor-tags.csv": tags, "reactors.csv": rows})
    assert [unit.name for unit in loaded.units] == ["R-201", "R-202", "R-250"]
    assert [limit.alarm.h for limit in loaded.limits if limit.alarm] == [1450, 1450, 90]
