"""The plant file to begin with: it loads as it stands, with every setting taken in, and whatever names it was given."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import limits, model, sinks, tags
from config.load import examine
from config.starter import URLS, Protocol, starter

PROTOCOLS = st.sampled_from(sorted(URLS))
NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"]), min_size=1, max_size=12
)
NAMES = NAMES.filter(lambda name: not name.endswith("\\"))
_SETTING = re.compile(r"^( *)#(?=[a-zA-Z ]+[a-zA-Z_]*[a-z_]+ *:)", re.MULTILINE)


def loaded(text: str, folder: Path) -> model.Plant:
    file = folder / "plant.yaml"
    file.write_text(text, encoding="utf-8")
    examination = examine(file)
    assert examination.faults == ()
    assert examination.plant is not None
    return examination.plant


def with_every_setting(text: str) -> str:
    """A # that stands directly before a key is taken away."""
    return "\n".join(re.sub(r"^( *)#(?=\w| +\w+:)", r"\1", line) if _is_setting(line) else line for line in text.splitlines())


def _is_setting(line: str) -> bool:
    return re.match(r"^ *#(\w+:|  +\w+:)", line) is not None


@pytest.mark.parametrize("protocol", URLS)
def test_it_loads_as_it_stands_without_a_warning(protocol: Protocol, tmp_path: Path) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(starter(protocol), encoding="utf-8")
    examination = examine(file)
    assert (examination.faults, examination.warnings) == ((), ())


@pytest.mark.parametrize("protocol", URLS)
def test_every_setting_shown_is_one_that_there_is(protocol: Protocol, tmp_path: Path) -> None:
    text = starter(protocol)
    whole = with_every_setting(text)
    assert whole.count("\n#") < text.count("\n#")
    plant = loaded(whole, tmp_path)
    assert plant.sinks[0].kind == "influxdb2"
    assert plant.limits[0].alarm is not None


@pytest.mark.parametrize("protocol", URLS)
def test_a_setting_that_stands_there_as_a_default_is_the_default(protocol: Protocol, tmp_path: Path) -> None:
    plain, whole = (loaded(text, tmp_path) for text in (starter(protocol), with_every_setting(starter(protocol))))
    assert plain.endpoints[0].timeout_s == whole.endpoints[0].timeout_s
    assert plain.endpoints[0].backoff_limit_s == whole.endpoints[0].backoff_limit_s
    assert plain.web == whole.web
    assert plain.disk == whole.disk
    assert plain.units[0].context == whole.units[0].context
    assert [limit.min_coverage for limit in plain.limits] == [limit.min_coverage for limit in whole.limits]
    assert plain.limits[0].cpp == whole.limits[0].cpp
    assert next(plain.tags())[1] == next(whole.tags())[1]


@pytest.mark.parametrize("protocol", URLS)
def test_the_common_settings_are_shown(protocol: Protocol) -> None:
    text = starter(protocol)
    device = model.OpcUaDevice if protocol == "opcua" else model.ModbusDevice
    endpoint = model.OpcUaEndpoint if protocol == "opcua" else model.ModbusEndpoint
    common = [
        *model.Plant.model_fields,
        *endpoint.model_fields,
        *device.model_fields,
        *model.Unit.model_fields,
        *limits.Limit.model_fields,
    ]
    common += [*sinks.InfluxDB2Sink.model_fields, *tags.Tag.model_fields]
    missing = [key for key in common if f"{key}:" not in text and key not in ("name", "include", "templates", "use")]
    assert missing == []


@given(PROTOCOLS, NAMES, NAMES)
def test_any_name_is_taken_as_it_is(tmp_path_factory: pytest.TempPathFactory, protocol: Protocol, site: str, unit: str) -> None:
    plant = loaded(starter(protocol, None, site, unit), tmp_path_factory.mktemp("plant"))
    assert (plant.site, plant.units[0].name) == (site, unit)
    assert {device.unit_of(tag) for device, tag in plant.tags()} == {unit}


@pytest.mark.parametrize("protocol", URLS)
def test_comments_stand_below_each_other(protocol: Protocol) -> None:
    lines = starter(protocol, unit="REACTOR-4711").splitlines()
    code = [line.partition("  # ")[0].rstrip() for line in lines]
    pairs = [(line, written) for line, written in zip(lines, code, strict=True) if "  # " in line and 0 < len(written) <= 40]
    columns = [line.rindex("  # ") + 2 for line, _ in pairs]
    assert len(columns) > 15
    assert set(columns) == {42}
