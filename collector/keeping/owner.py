"""Whose record a data folder holds: two plants in one journal could never be told apart again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import orjson

from collector.keeping.rescue import COPY
from collector.store.files import Connect, StoreError, connect
from collector.store.registry import site_of


class OtherSite(StoreError):
    """The record is another site's; the text says whose, and what to do."""


def known_site(data: Path, connect: Connect = connect) -> str:
    """The site whose daemon last wrote to `data`, by the registry or by its copy; empty where neither knows."""
    try:
        return site_of(data, connect)
    except (StoreError, sqlite3.Error, ValueError):  # new, damaged, or of an earlier version: opening it deals with that
        pass
    try:
        site = orjson.loads((data / COPY).read_bytes())["states"]["daemon"]["about"]["site"]
    except (OSError, ValueError, TypeError, KeyError):
        return ""
    return site if isinstance(site, str) else ""


def expect_site(data: Path, site: str, connect: Connect = connect) -> None:
    """Raises OtherSite where the record is known to be of another site."""
    if (known := known_site(data, connect)) and known != site:
        raise OtherSite(
            f"{data} holds the record of site {known!r}, and this plant is site {site!r}: nothing was written. "
            "Give another folder with --data"
        )
