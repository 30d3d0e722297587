"""A secret's value is in no model, fault or traceback, however it was written."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.load import ConfigError, load
from config.model import OpcUaEndpoint, Plant
from config.sinks import InfluxDB2Sink, Secret, SecretError

SECRET = "hunter2"
PLANT = """\
site: Works
endpoints:
  r201:
    url: %s
    user_name: reader
    password: %s
    devices: {PLC: {unit: R, tags: {T: {address: i=1}}}}
units: {R: }
sinks:
  db: {kind: influxdb2, url: %s, bucket: b, token: %s}
"""
URL, ADDRESS, RIGHT = "opc.tcp://h", "http://h", "{env: RW_TEST_SECRET}"


def write(tmp_path: Path, *values: str) -> Path:
    file = tmp_path / "plant.yaml"
    file.write_text(PLANT % values)
    return file


def endpoint_and_sink(plant: Plant) -> tuple[OpcUaEndpoint, InfluxDB2Sink]:
    (endpoint,), (sink,) = plant.endpoints, plant.sinks
    assert isinstance(endpoint, OpcUaEndpoint)
    assert isinstance(sink, InfluxDB2Sink)
    return endpoint, sink


def test_secrets_come_from_the_environment_and_from_files_beside_the_plant_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RW_TEST_SECRET", SECRET)
    (tmp_path / "token").write_text(f"{SECRET}-token\n")
    plant = load(write(tmp_path, URL, RIGHT, ADDRESS, "{file: token}"))
    endpoint, sink = endpoint_and_sink(plant)
    assert endpoint.password is not None
    assert (endpoint.password.reveal(), sink.token.reveal()) == (SECRET, f"{SECRET}-token")
    assert sink.token.file == tmp_path / "token"
    for shown in (repr(plant), str(plant), plant.model_dump_json(), repr(endpoint.password), f"{sink.token}"):
        assert SECRET not in shown


def test_a_relative_plant_file_gives_an_absolute_secret_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, URL, RIGHT, ADDRESS, "{file: sub/token}")
    monkeypatch.chdir(tmp_path)
    _, sink = endpoint_and_sink(load(Path("plant.yaml")))
    assert sink.token.file == tmp_path / "sub" / "token"


def test_an_absolute_secret_file_stays_where_it_is(tmp_path: Path) -> None:
    _, sink = endpoint_and_sink(load(write(tmp_path, URL, RIGHT, ADDRESS, "{file: /etc/reactorwatch/token}")))
    assert sink.token.file == Path("/etc/reactorwatch/token")


LITERAL = "a secret is never written here: use {env: NAME} or {file: PATH}"
ONE_PLACE = "give one of {env: NAME} or {file: PATH}"
SHAPE = "give a secret as {env: NAME} or {file: PATH}; the secret itself is never written here"
VARIABLE = "env is the name of an environment variable, of letters, digits and _; the secret itself is never written here"


@pytest.mark.parametrize(
    ("written", "what"),
    [
        (SECRET, LITERAL),
        (f"'{SECRET}'", LITERAL),
        (f"[{SECRET}]", LITERAL),
        ("12345", LITERAL),
        ("", LITERAL),
        ("{}", ONE_PLACE),
        ("{env: A, file: b}", ONE_PLACE),
        (f"{{{SECRET}}}", SHAPE),
        (f"{{value: {SECRET}}}", SHAPE),
        (f"{{env:{SECRET}}}", SHAPE),
        (f"{{env: [{SECRET}]}}", SHAPE),
        (f"{{env: '{SECRET}!'}}", VARIABLE),
        (f"{{env: '${SECRET}'}}", VARIABLE),
    ],
)
def test_a_secret_written_wrong_is_told_without_it(tmp_path: Path, written: str, what: str) -> None:
    file = write(tmp_path, URL, RIGHT, ADDRESS, written)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert str(caught.value) == f"{file}:10: sinks.db.token: {what}"


WRITTEN_WRONG = st.sampled_from(
    [
        "{s}", "'{s}'", "[{s}]", "{{{s}}}", "{{env: {s}-}}", "{{value: {s}}}", "{{env: A, {s}: B}}", "*{s}", "!{s} a", "!{s}!a b",
        "@{s}", "%{s}", "&{s} {s}", "{s}: {s}", "'{s}", '"\\{s}"', "{{{s}", "[{s}", "|\n{s}", "{{env: {{a: {s}}}}}", "\t{s}",
        "{{<<: {s}}}", "{{env:{s}}}", "{{file: [{s}]}}", "{s}\0", "{{env: A, env: {s}}}", "{{? [{s}] : 1}}", "{s}\n    {s}",
        "opc.tcp://u:{s}@h", "http://u:{s}@h", "http://h/?token={s}", "h@{s}", "http://h#{s}", "tcp://u:{s}@h", "//u:{s}@[h",
    ]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(written=st.lists(WRITTEN_WRONG, min_size=4, max_size=4), wrong=st.sets(st.integers(0, 3), min_size=1, max_size=2))
def test_no_fault_and_no_traceback_shows_a_secret(tmp_path: Path, written: list[str], wrong: set[int]) -> None:
    right = [URL, RIGHT, ADDRESS, RIGHT]
    for place in wrong:
        for_url = any(sign in written[place] for sign in "@/#")
        if for_url == (place in (0, 2)):  # a secret in a url, or where a secret belongs
            right[place] = written[place].format(s=SECRET)
    try:
        plant = load(write(tmp_path, *right))
    except ConfigError as exc:
        shown = "".join(traceback.format_exception(exc)) + repr(exc) + repr(exc.faults)
        assert SECRET not in shown
        assert exc.__context__ is None
    else:
        assert SECRET not in repr(plant)


@pytest.mark.parametrize(
    "line", ["pasword: %s", "sinks: {db: {tokn: %s}}", "sinks: {db: %s}", "sinks: %s", "sinks: {db: {kind: influxdb1, token:%s}}"]
)
def test_a_secret_at_the_wrong_place_is_not_echoed(tmp_path: Path, line: str) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(line % SECRET)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert SECRET not in str(caught.value)


KEY_TWICE = "sinks: {db: {kind: influxdb1, url: 'http://h', database: d, password: {hunter2: a, hunter2: b}}}"
UNKNOWN_TAG = "sinks: {db: {kind: influxdb2, url: 'http://h', bucket: d, token: {hunter2: !x a}}}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (KEY_TWICE, "1: sinks.db.password: a key is written twice, first on line 1: keep one"),
        (UNKNOWN_TAG, "1: sinks.db.token: a tag (a word that begins with !) is not followed here: leave it out"),
        (UNKNOWN_TAG.replace("token", "tokn"), "1: sinks.db.tokn: a tag (a word that begins with !) is not followed here"),
        (KEY_TWICE.replace("password", "pasword"), "1: sinks.db.pasword: a key is written twice, first on line 1: keep one"),
    ],
)
def test_a_secret_as_a_key_is_not_echoed(tmp_path: Path, line: str, expected: str) -> None:
    file = tmp_path / "plant.yaml"
    file.write_text(line + "\n")
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert expected in str(caught.value)
    assert SECRET not in str(caught.value)


def test_pydantic_itself_shows_no_secret() -> None:
    with pytest.raises(ValueError, match="never written here") as caught:
        Secret.model_validate(SECRET)
    assert SECRET not in str(caught.value)


def test_a_secret_that_is_not_there_is_told_by_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RW_TEST_SECRET", raising=False)
    with pytest.raises(SecretError, match=r"^environment variable RW_TEST_SECRET is not set or empty$"):
        Secret(env="RW_TEST_SECRET").reveal()
    with pytest.raises(SecretError, match=r"can't be read: No such file or directory$"):
        Secret(file=tmp_path / "none").reveal()
    (tmp_path / "binary").write_bytes(b"hunter2\xff")
    with pytest.raises(SecretError, match=r"is no UTF-8 text$") as caught:
        Secret(file=tmp_path / "binary").reveal()
    assert SECRET not in str(caught.value)
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SecretError, match=r"is empty$"):
        Secret(file=tmp_path / "empty").reveal()
