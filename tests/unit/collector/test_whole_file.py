"""What commands write: whole or not at all, through links, and never in the place of a device."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from collector.commands.whole_file import written
from tests.command_line import typed


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    (file := tmp_path / "values.csv").write_text("before")
    with pytest.raises(RuntimeError), written(file) as out:
        out.write(b"half")
        raise RuntimeError
    assert (file.read_text(), names(tmp_path)) == ("before", ["values.csv"])
    with written(file) as out:
        out.write(b"after")
        assert file.read_text() == "before"
    assert (file.read_text(), names(tmp_path)) == ("after", ["values.csv"])


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    (link := tmp_path / "values.csv").symlink_to(tmp_path / "share" / "today.csv")
    with written(link) as out:
        out.write(b"after")
    assert link.is_symlink()
    assert (tmp_path / "share" / "today.csv").read_text() == "after"


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    ended = typed("schema", "-o", str(pipe))
    reader.join(60)
    assert ended.returncode == 0, ended.stderr
    assert read[0].startswith(b"{")
    assert pipe.is_fifo()


def test_a_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), written(tmp_path) as out:
        out.write(b"never")
    assert names(tmp_path) == []
    ended = typed("schema", "-o", str(tmp_path))
    assert (ended.returncode, ended.stderr) == (1, f"{tmp_path} can't be written: Is a directory\n")
