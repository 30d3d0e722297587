"""`verify` of an archive: without the original, and without a registry, held against its manifest alone.

An archive need not have every day: others may lie on another disk. What it has goes on from each other, where no day is between.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from collector.proof.record import FileProof, Finding, Proof, Show, prove_file
from collector.store.archive import ArchivedDay, Manifest, as_it_lies, read_manifest, sha256_on_disk
from collector.store.files import ARCHIVE, journal_files

_ANOTHER = "archive the day again into another folder, if the original is still there; else bring it back from another copy"


def prove_archive(folder: Path, show: Show = lambda rows: None) -> Proof:
    """Read all of an archive. Raises StoreError where its manifest can't be read."""
    manifest = read_manifest(folder)
    proof = Proof(lost=manifest.lost)
    for day in manifest.days:
        path = day.path(folder)
        if path.exists():
            found = prove_file(path, proof, show, as_it_lies)
            proof.files.append(found)
            proof.findings += _unlike(path, day, found)
        else:
            proof.findings.append(Finding(path.name, "it is gone", _ANOTHER))
    proof.findings += _without_entry(folder, manifest)
    proof.findings += _between(manifest)
    proof.findings += [
        Finding(loss.file, f"the record had lost it, with {loss.samples} samples: {loss.cause}", fault=False)
        for loss in manifest.lost
    ]
    return proof


def _unlike(path: Path, day: ArchivedDay, found: FileProof) -> Iterator[Finding]:
    """Where a file is not what its entry says."""
    try:
        sha256 = sha256_on_disk(path)
    except OSError as exc:
        yield Finding(path.name, f"it can't be read: {exc}", _ANOTHER)
        return
    told = (day.before, day.end, day.rows, day.commits, day.hash_before, day.hash)
    heads = ((head.hash or b"").hex() for head in (found.chain_before, found.chain_end))
    if sha256 != day.sha256:
        yield Finding(path.name, f"its SHA-256 is {sha256}, and was {day.sha256} when it was archived", _ANOTHER)
    elif (found.before, found.end, found.rows, found.commits, *heads) != told:
        yield Finding(path.name, f"its rows, totals or chain are not those of {ARCHIVE}", f"{ARCHIVE} was changed: {_ANOTHER}")


def _without_entry(folder: Path, manifest: Manifest) -> Iterator[Finding]:
    for path in journal_files(folder):
        if manifest.of(path.stem) is None:
            advice = "run `reactorwatch archive` again, which may have been ended before it was done; else move it away"
            yield Finding(path.name, f"{ARCHIVE} does not have it", advice)


def _between(manifest: Manifest) -> Iterator[Finding]:
    for older, newer in pairwise(manifest.days):
        where = f"{older.day}, {newer.day}"
        if newer.before.seq > older.end.seq:
            what = f"rows {older.last_seq + 1} to {newer.first_seq - 1}, between them, are not in this archive"
            yield Finding(where, what, fault=False)
        elif newer.before != older.end or newer.hash_before != older.hash:
            yield Finding(where, "the one does not go on from the other: they are not of one record", _ANOTHER)
