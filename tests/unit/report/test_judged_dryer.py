"""`reactorwatch judge` on 71 recorded batches of a dryer, against what pandas makes of the same file.

The phases are those that a plant engineer sees: the jacket is heated or not, and of a heated batch the collector fills
(evaporation) or has stopped to (final drying). They are written into the file as a column, as a plant's own export would have it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from collector.__main__ import app

PERIOD_S = 60
FILLS = 0.3
"""Level of the collector per sample: less is no evaporation any more."""
LIMITS = {
    ("DryerTemp", "Evaporate"): (12.0, 28.0),
    ("DryerTemp", "Dry"): (20.0, 80.0),
    ("DryerTemp", "Cool"): (None, 75.0),
    ("JacketTemperature", "Evaporate"): (84.5, 86.5),
    ("JacketTemperature", "Dry"): (84.0, 86.2),
    ("DryerPressure", "Evaporate"): (None, 60.0),
    ("DryerPressure", "Dry"): (25.0, 40.0),
    ("AgitatorPower", "Evaporate"): (90.0, 140.0),
    ("AgitatorTorque", None): (5.0, 33.0),
}
"""PAR by role and phase."""


@pytest.fixture(scope="module")
def batches(recorded: Path) -> pd.DataFrame:
    path = recorded / "dryer.csv"
    return with_phases(pd.read_csv(path))


def with_phases(read: pd.DataFrame) -> pd.DataFrame:
    """Evaporate while the collector fills, then Dry, then Cool without heating; none comes back."""
    filled = read.groupby("batch_id")["CollectorTankLevel"].diff().fillna(FILLS)
    heated = read["JacketTemperatureSP"] > 0
    stopped = ((filled < FILLS) & (read["ClockTime"] > 5)).groupby(read["batch_id"]).cummax()
    cooled = (~heated).groupby(read["batch_id"]).cummax()
    read["phase"] = "Evaporate"
    read.loc[stopped, "phase"] = "Dry"
    read.loc[cooled, "phase"] = "Cool"
    return read


def excursions(
    batches: pd.DataFrame, role: str, phase: str | None, low: float | None, high: float | None
) -> Iterator[dict[str, Any]]:
    """As anybody would compute them: runs of samples outside; a single sample inside between two of them joins them."""
    inside_phase = batches if phase is None else batches[batches["phase"] == phase]
    for batch, course in inside_phase.groupby("batch_id", sort=False):
        whole = batches[batches["batch_id"] == batch]["ClockTime"]
        value, at = course[role].to_numpy(), course["ClockTime"].to_numpy()
        beyond = (course[role] - (high if high is not None else float("inf"))).clip(lower=0)
        beyond += ((low if low is not None else float("-inf")) - course[role]).clip(lower=0)
        outside = (beyond > 0).reset_index(drop=True)
        outside |= outside.shift(1, fill_value=False) & outside.shift(-1, fill_value=False)
        run = (outside != outside.shift()).cumsum()
        for _, rows in outside[outside].groupby(run[outside]):
            first, last = rows.index[0], rows.index[-1] + 1
            comes_back = last < len(at)
            over = [*beyond.to_numpy()[first:last], 0.0] if comes_back else list(beyond.to_numpy()[first:last])
            farthest = max(range(first, last), key=lambda row: beyond.to_numpy()[row])
            end = at[last] if comes_back else min(at[-1] + 1, whole.max())
            yield {
                "batch": str(batch),
                "role": role,
                "phase": course["phase"].iloc[first],
                "first": float(at[first] * PERIOD_S),
                "last": float(end * PERIOD_S),
                "duration_s": float((end - at[first]) * PERIOD_S),
                "peak": value[farthest],
                "area": sum((one + other) / 2 for one, other in pairwise(over)) * PERIOD_S,
            }


@pytest.fixture(scope="module")
def told(batches: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command says."""
    folder = tmp_path_factory.mktemp("dryer")
    batches.to_csv(folder / "dryer.csv", index=False)
    rows = [{"role": role, "phase": phase, "par": list(par)} for (role, phase), par in LIMITS.items()]
    (folder / "limits.yaml").write_text(json.dumps(rows), "utf-8")
    words = ["--data", str(folder / "dryer.csv"), "--limits", str(folder / "limits.yaml"), "--period", f"{PERIOD_S}s", "--json"]
    result = CliRunner().invoke(app, ["judge", *words])
    assert result.exit_code == 1, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def test_every_phase_of_the_dryer_is_met(batches: pd.DataFrame) -> None:
    assert batches.groupby("phase")["batch_id"].nunique().to_dict() == {"Evaporate": 71, "Dry": 71, "Cool": 71}


@pytest.mark.parametrize(("role", "phase"), LIMITS)
def test_excursions_are_those_that_pandas_finds(
    batches: pd.DataFrame, told: dict[str, Any], role: str, phase: str | None
) -> None:
    low, high = LIMITS[role, phase]
    wanted = sorted(excursions(batches, role, phase, low, high), key=lambda each: (int(each["batch"]), each["first"]))
    found = [each for each in told["excursions"] if each["role"] == role and phase in (None, each["phase"])]
    found.sort(key=lambda each: (int(each["batch"]), each["first_ns"]))
    assert len(wanted) > 5, "limits that nothing leaves prove nothing"
    assert [(each["batch"], each["phase"], float(each["first"]), float(each["last"])) for each in found] == [
        (each["batch"], each["phase"], each["first"], each["last"]) for each in wanted
    ]
    assert [(each["duration_s"], each["peak"]) for each in found] == [(each["duration_s"], each["peak"]) for each in wanted]
    assert [each["area"] for each in found] == pytest.approx([each["area"] for each in wanted], rel=1e-12, abs=1e-9)


def test_counts_are_those_of_pandas(batches: pd.DataFrame, told: dict[str, Any]) -> None:
    for role in {role for role, _ in LIMITS}:
        outside = pd.Series(data=False, index=batches.index)
        limited = pd.Series(data=False, index=batches.index)
        for (of, phase), (low, high) in LIMITS.items():
            if of == role:
                here = (batches["phase"] == phase) | (phase is None)
                limited |= here
                outside |= here & ~batches[role].between(*(-1e9 if low is None else low, 1e9 if high is None else high))
        verdicts = {each["batch"]: each for each in told["verdicts"] if each["role"] == role}
        for batch, rows in batches.groupby("batch_id"):
            assert verdicts[str(batch)]["samples_outside"] == outside[rows.index].sum()
            assert verdicts[str(batch)]["good"] == limited[rows.index].sum()
            assert verdicts[str(batch)]["coverage"] == 1.0
