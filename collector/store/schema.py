"""The schema of a daily file, and how an older one is brought up to it.

    version 1   scans, events and commits
    version 2   hash chain over commits; segments, blocks and chunks: what scans become when they are compacted

A file of version 1 is read as it is, and brought up to date by the daemon that next holds the folder: in place, in one
transaction. Its commits have no hash: the chain begins behind them.
"""

from __future__ import annotations

import sqlite3

SCHEMA_VERSION = 2
OLDEST_VERSION = 1
APPLICATION_ID = 0x52574A4C  # "RWJL"
MOST_VERSIONS = 1000
"""What is beyond is damage, not a newer program's."""
PAGE_BYTES = 16384
"""Chunks of an hour are some kilobytes: pages of 4 KiB would be half empty."""

_COMPACTED = """
CREATE TABLE segments (
  last_seq INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, samples INTEGER NOT NULL, scans INTEGER NOT NULL
) STRICT;
CREATE TABLE blocks (
  key INTEGER PRIMARY KEY, segment INTEGER NOT NULL, layout INTEGER NOT NULL, scans INTEGER NOT NULL,
  first_slot_ns INTEGER NOT NULL, last_slot_ns INTEGER NOT NULL, rows BLOB NOT NULL
) STRICT;
CREATE INDEX blocks_by_segment ON blocks (segment);
CREATE TABLE chunks (
  key INTEGER PRIMARY KEY, good INTEGER NOT NULL, low REAL, high REAL, total REAL, data BLOB NOT NULL
) STRICT;
"""

_SCHEMA = f"""
CREATE TABLE meta (
  first_seq INTEGER NOT NULL, samples_before INTEGER NOT NULL, scans_before INTEGER NOT NULL, hash_before BLOB
) STRICT;
CREATE TABLE layouts (key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
CREATE TABLE stamps (key INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE scans (
  seq INTEGER PRIMARY KEY, slot_ns INTEGER NOT NULL, received_ns INTEGER NOT NULL, layout INTEGER NOT NULL,
  stamps INTEGER NOT NULL, samples INTEGER NOT NULL, lost_status INTEGER NOT NULL, columns BLOB NOT NULL
) STRICT;
CREATE INDEX scans_by_slot ON scans (slot_ns);
CREATE TABLE events (
  seq INTEGER PRIMARY KEY, slot_ns INTEGER NOT NULL, kind TEXT NOT NULL, unit TEXT NOT NULL,
  stamps INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE commits (
  seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, samples_total INTEGER NOT NULL, scans_total INTEGER NOT NULL, hash BLOB
) STRICT;
{_COMPACTED}"""

_FROM_VERSION_1 = f"""
ALTER TABLE meta ADD COLUMN hash_before BLOB;
ALTER TABLE commits ADD COLUMN hash BLOB;
{_COMPACTED}"""


class UnknownSchema(Exception):
    """The database is none of ours, or of a version that never was; the text says which."""


class NewerSchema(UnknownSchema):
    """A later version of this program wrote it; the text says so."""


def make(connection: sqlite3.Connection, meta: tuple[int, int, int, bytes | None]) -> None:
    """Give an empty database the schema and its row of `meta`, in one transaction."""
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # what compaction frees can be given back to the disk
    connection.execute("BEGIN IMMEDIATE")
    _run(connection, _SCHEMA)
    connection.execute("INSERT INTO meta VALUES (?, ?, ?, ?)", meta)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make an older file one of this version, all of it or nothing. Raises UnknownSchema, sqlite3.Error."""
    if version_of(connection) == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version_of(connection) == 1:
            _run(connection, _FROM_VERSION_1)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def version_of(connection: sqlite3.Connection) -> int:
    """The schema version of a daily file. Raises UnknownSchema, sqlite3.Error."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise UnknownSchema("is no journal of reactorwatch")
    if SCHEMA_VERSION < version < MOST_VERSIONS:
        told = f"has schema version {version}, this program reads up to {SCHEMA_VERSION}"
        raise NewerSchema(f"{told}: a newer reactorwatch wrote it; use that one")
    if not OLDEST_VERSION <= version <= SCHEMA_VERSION:
        raise UnknownSchema(f"has schema version {version}, which never was one")
    return int(version)


def check_tables(connection: sqlite3.Connection, version: int) -> None:
    """Look into each table once. Raises sqlite3.Error when one is missing or its first page is damaged."""
    compacted = ("segments", "blocks", "chunks") if version > 1 else ()
    for table in ("layouts", "stamps", "scans", "events", "commits", *compacted):
        connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchone()  # noqa: S608  names of ours


def _run(connection: sqlite3.Connection, statements: str) -> None:
    """One by one: `executescript` would commit first."""
    for statement in statements.split(";\n"):
        if statement.strip():
            connection.execute(statement)
