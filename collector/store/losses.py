"""What the journal has lost to damage: one record for each daily file that was set aside, or is gone.

    journal/quarantine/2026-11-26-20261126T141500Z.db     as it was found, with its -wal and -shm
    journal/quarantine/2026-11-26-20261126T141500Z.json   the record

    row    1 ......... 4000 | 4001 ....... 9000 .............. 1000009000 | 1000009001 ...
           older files        lost, known ones    never given               the file begun anew
                            ^ before                          ^ after

A record stands beside the file it tells of, so that it outlives the registry. The rows from `before` to `after` are in
no daily file: `read` counts their samples, and every sink that had not settled them counts them as damaged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from collector.store.daily import Totals
from collector.store.files import StoreError, sync_folder

FOLDER = "quarantine"


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that the journal had and has no more."""

    name: str
    """Of the record."""
    file: str
    """The daily file that had them."""
    kept: str
    """Under which name it lies in the quarantine; empty: it is gone."""
    cause: str
    found_ns: int
    before: Totals
    """Of the journal up to the last row before it."""
    after: Totals
    """Of the journal up to the last of its rows; the next file goes on from here."""
    from_ns: int
    """Plant time of the last commit before it."""
    to_ns: int
    """Plant time of the first commit behind it, or when it was found."""
    exact: bool = True
    """False: at least this much; what was committed last before it was found may not be known."""
    acknowledged_ns: int | None = None
    """When a person took note of it."""
    note: str = ""
    """What that person wrote."""

    @property
    def samples(self) -> int:
        """Lost."""
        return self.after.samples - self.before.samples

    @property
    def scans(self) -> int:
        """Lost."""
        return self.after.scans - self.before.scans

    def holds(self, seq: int) -> bool:
        """Row `seq` is one of the lost ones."""
        return self.before.seq < seq <= self.after.seq


def quarantine(data: Path) -> Path:
    """The folder."""
    return data / "journal" / FOLDER


def losses(data: Path) -> tuple[Loss, ...]:
    """Every record, by its rows. Raises StoreError for one that can't be read."""
    try:
        paths = sorted(path for path in quarantine(data).iterdir() if path.suffix == ".json")
        return tuple(sorted(map(_read, paths), key=lambda loss: (loss.before.seq, loss.after.seq)))
    except FileNotFoundError:
        return ()
    except OSError as exc:
        raise StoreError(f"{quarantine(data)} can't be read: {exc.strerror}") from None


def _read(path: Path) -> Loss:
    try:
        return loss_from_json(orjson.loads(path.read_bytes()))
    except (ValueError, TypeError, KeyError) as exc:
        raise StoreError(
            f"{path} is damaged ({exc}): it says which rows are lost; bring it back from a backup, or move it away "
            "to have them counted as queued"
        ) from None


def loss_from_json(fields: Mapping[str, Any]) -> Loss:
    """Of what `asdict` gave. Raises ValueError, TypeError, KeyError."""
    return Loss(**(dict(fields) | {"before": Totals(**fields["before"]), "after": Totals(**fields["after"])}))


def write(data: Path, loss: Loss) -> None:
    """Put a record on the disk, whole or not at all. Raises OSError."""
    folder = quarantine(data)
    folder.mkdir(exist_ok=True)
    unfinished = folder / f"{loss.name}.unfinished"
    with unfinished.open("wb") as file:
        file.write(orjson.dumps(asdict(loss), option=orjson.OPT_INDENT_2))
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(folder / f"{loss.name}.json")
    sync_folder(folder)


def acknowledge(data: Path, name: str, now_ns: int, note: str) -> Loss:
    """A person has taken note of a loss: it is told no more. Raises StoreError."""
    found = next((loss for loss in losses(data) if loss.name == name), None)
    if found is None:
        raise StoreError(f"{quarantine(data)} has no {name}")
    noted = replace(found, acknowledged_ns=now_ns, note=note)
    try:
        write(data, noted)
    except OSError as exc:
        raise StoreError(f"{quarantine(data)} can't be written: {exc.strerror}") from None
    return noted


def end_of(known: Sequence[Loss]) -> Totals:
    """Where the last of the lost rows was."""
    return max((loss.after for loss in known), key=lambda totals: totals.seq, default=Totals())
