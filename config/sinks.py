"""Sinks: where the journal is streamed to. Secrets come from the environment or from files only."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from config.common import Model, Named, Seconds, server_address
from config.text import Text, as_written


class SecretError(Exception):
    """A secret that was promised is not there; the text says where it was looked for."""


_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Secret(Model):
    """Where a secret is found: `{env: NAME}` or `{file: PATH}`. Its value is in no model, log or message."""

    env: Text | None = None
    """Name of an environment variable."""
    file: Annotated[Path, BeforeValidator(as_written)] | None = None
    """A file that holds the secret alone; a relative path counts from the folder of the plant file."""

    @model_validator(mode="before")
    @classmethod
    def _never_literal(cls, value: object) -> object:
        if not isinstance(value, (dict, Secret)):
            raise ValueError("a secret is never written here: use {env: NAME} or {file: PATH}")
        return value

    @field_validator("env")
    @classmethod
    def _is_variable(cls, env: str | None) -> str | None:
        if env is not None and not _VARIABLE.fullmatch(env):
            raise ValueError(
                "env is the name of an environment variable, of letters, digits and _; the secret itself is never written here"
            )
        return env

    @field_validator("file")
    @classmethod
    def _beside_the_plant_file(cls, file: Path | None, info: ValidationInfo) -> Path | None:
        folder = info.context.get("folder") if isinstance(info.context, dict) else None
        return file if file is None or not isinstance(folder, Path) else folder / file

    @model_validator(mode="after")
    def _one_place(self) -> Secret:
        if (self.env is None) == (self.file is None):
            raise ValueError("give one of {env: NAME} or {file: PATH}")
        return self

    def reveal(self) -> str:
        """The secret itself, without the file's closing line feed. Raises SecretError."""
        if self.env is not None:
            if not (value := os.environ.get(self.env)):
                raise SecretError(f"environment variable {self.env} is not set or empty")
            return value
        assert self.file is not None
        try:
            value = self.file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as exc:
            raise SecretError(f"secret file {self.file} can't be read: {exc.strerror}") from None
        except ValueError:  # its text would quote the bytes
            raise SecretError(f"secret file {self.file} is no UTF-8 text") from None
        if not value:
            raise SecretError(f"secret file {self.file} is empty")
        return value


_EXAMPLE = "http://127.0.0.1:8086"


class _HttpSink(Named):
    url: Text
    """`http://host:port` or `https://host:port`; no user or password in it."""
    timeout_s: Seconds = 10.0
    """Deadline of a write, in seconds; one that takes longer is tried again."""
    backlog_rate: Annotated[float, Field(ge=100, allow_inf_nan=False)] = 100_000.0
    """Samples per second, the most, at which what the sink missed is sent; what is live comes first at any rate."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = server_address(url, _EXAMPLE)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{url!r} is no http:// or https:// address: write e.g. {_EXAMPLE}")
        return url.rstrip("/")


class InfluxDB2Sink(_HttpSink):
    """InfluxDB 2 or 3, v2 write path."""

    kind: Literal["influxdb2"]
    """InfluxDB 2 or 3."""
    org: Text = "-"
    """Organisation; `-` for InfluxDB 3, which has none."""
    bucket: Text
    """Bucket, or the database of InfluxDB 3."""
    token: Secret
    """Where the token is found that may write to the bucket."""


class InfluxDB1Sink(_HttpSink):
    """InfluxDB 1, `/write`."""

    kind: Literal["influxdb1"]
    """InfluxDB 1."""
    database: Text
    """Database, which must exist."""
    retention_policy: Text | None = None
    """The database's own default where it is left out."""
    user_name: Text | None = None
    """With `password`, or neither."""
    password: Secret | None = None
    """Where the password is found."""


class VictoriaMetricsSink(_HttpSink):
    """VictoriaMetrics: a lossy copy (millisecond stamps, about 12 digits, no texts)."""

    kind: Literal["victoriametrics"]
    """VictoriaMetrics."""
    token: Secret | None = None
    """Where the bearer token is found."""


Sink = Annotated[InfluxDB2Sink | InfluxDB1Sink | VictoriaMetricsSink, Field(discriminator="kind")]
