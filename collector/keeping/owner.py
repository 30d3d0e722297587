"""Whose record a data folder holds: two plants in one journal could never be told apart again."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

import orjson
import structlog

from collector.keeping.rescue import COPY
from collector.store.files import Connect, StoreError, connect
from collector.store.registry import Registry, site_of
from collector.terms import Json

log = structlog.get_logger()


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


class Owner:
    """In whose name a run records, and what `status` knows of it.

    A site's new name is put down once the record tells of it: a kill before that leaves the old one, and the next start
    tells of it again.
    """

    def __init__(self, registry: Registry, site: str, site_before: str) -> None:
        """`site_before`: as `known_site` said before the folder was opened."""
        self._registry, self._site, self._before = registry, site, site_before
        self._about: dict[str, Json] = {}

    def begin(self, about: Mapping[str, Json]) -> None:
        """Remember what is to be known of this run. Raises sqlite3.Error."""
        self._about = {"site": self._before or self._site, **about}
        self._remember()

    @property
    def new_name(self) -> dict[str, Json]:
        """What the record is told of it; empty where the name is the one of before."""
        return {"site": self._site, "site_before": self._before} if self._before not in ("", self._site) else {}

    def put_new_name(self) -> None:
        """For when the record has it for good."""
        if self._about["site"] == self._site:
            return
        self._about["site"] = self._site
        try:
            self._remember()
        except (sqlite3.Error, StoreError) as exc:  # collecting matters more
            log.error("the site's new name can't be remembered", cause=str(exc))
            self._about["site"] = self._before

    def _remember(self) -> None:
        self._registry.put_states("daemon", {"about": self._about})
