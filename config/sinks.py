"""Sinks: where the journal is streamed to. Secrets come from the environment or from files only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from config.common import Model, Named, Seconds
from config.text import Text


class SecretError(Exception):
    """A secret that was promised is not there; the text says where it was looked for."""


class Secret(Model):
    """Where a secret is found: `{env: NAME}` or `{file: PATH}`. Its value is in no model, log or message."""

    env: Text | None = None
    file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _never_literal(cls, value: object) -> object:
        if not isinstance(value, (dict, Secret)):
            raise ValueError("a secret is never written here: use {env: NAME} or {file: PATH}")
        return value

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
        except (OSError, UnicodeDecodeError) as exc:
            raise SecretError(f"secret file {self.file} can't be read: {exc}") from None
        if not value:
            raise SecretError(f"secret file {self.file} is empty")
        return value


class _HttpSink(Named):
    url: Text
    timeout_s: Seconds = 10.0
    """A write that takes longer is tried again."""

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is no address of a server: write e.g. http://127.0.0.1:8086")
        if parts.username or parts.password:
            raise ValueError("no user or password in a url: use user_name and password, or token")
        return url.rstrip("/")


class InfluxDB2Sink(_HttpSink):
    """InfluxDB 2 or 3, v2 write path."""

    kind: Literal["influxdb2"]
    org: Text = "-"
    bucket: Text
    token: Secret


class InfluxDB1Sink(_HttpSink):
    """InfluxDB 1, `/write`."""

    kind: Literal["influxdb1"]
    database: Text
    retention_policy: Text | None = None
    user_name: Text | None = None
    password: Secret | None = None


class VictoriaMetricsSink(_HttpSink):
    """VictoriaMetrics: a lossy copy (millisecond stamps, about 15 digits, no texts)."""

    kind: Literal["victoriametrics"]
    token: Secret | None = None


Sink = Annotated[InfluxDB2Sink | InfluxDB1Sink | VictoriaMetricsSink, Field(discriminator="kind")]
