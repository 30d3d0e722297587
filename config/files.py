"""Reads files as text, and remembers which: their hash names the configuration in the record."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from config.faults import ConfigError, Fault, did_you_mean, key_text

MAX_BYTES = 16 * 2**20
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_ZIPPED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How .xlsx, .ods and .xls begin."""


class Files:
    """The files of one plant. Relative names in the hash count from `folder`, so moving all of them changes nothing."""

    def __init__(self, folder: Path, most_bytes: int = MAX_BYTES, *, takes_code_page: bool = False) -> None:
        """A file of more than `most_bytes` is refused; so is CSV in an older code page, unless `takes_code_page`."""
        self._folder, self._most_bytes, self._takes_code_page = folder, most_bytes, takes_code_page
        self._digests: dict[Path, str] = {}
        self.told: list[str] = []
        """Of files that were read in a code page that nobody named."""

    @property
    def read(self) -> tuple[Path, ...]:
        """What was read, in order."""
        return tuple(self._digests)

    def yaml_text(self, path: Path) -> str:
        """UTF-8, with or without a mark. Raises ConfigError."""
        content, file = self._bytes(path), str(path)
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise _not_utf_8(file, content, exc.start, "save the file as UTF-8") from None

    def csv_text(self, path: Path) -> str:
        """UTF-8, or UTF-16 with its mark, as Excel's "Unicode text". Raises ConfigError.

        Bytes of an older code page are refused rather than guessed at: 0xB0 is ° in one and ∞ in another.
        """
        content = self._bytes(path)
        if self._takes_code_page and (text := in_code_page(content)) is not None:
            self.told.append(f"{path}: {AS_CODE_PAGE}")
            return text
        return text_of_csv(content, str(path))

    def digest(self) -> str:
        """SHA-256, hexadecimal: of the bytes of a lone file; of several, of the lines `digest  name`, sorted by name."""
        if len(self._digests) == 1:
            return next(iter(self._digests.values()))
        named = sorted((Path(os.path.relpath(path, self._folder)).as_posix(), digest) for path, digest in self._digests.items())
        return hashlib.sha256(
            "".join(f"{digest}  {name}\n" for name, digest in named).encode("utf-8", "surrogateescape")
        ).hexdigest()

    def _bytes(self, path: Path) -> bytes:
        file = str(path)
        try:
            with path.open("rb") as stream:
                content = stream.read(self._most_bytes + 1)
        except OSError as exc:
            raise ConfigError([Fault(file, 1, "", f"can't be read: {exc.strerror}; give the path of a file")]) from None
        except ValueError:
            raise ConfigError([Fault(repr(file), 1, "", "is no path: it holds a NUL character")]) from None
        if len(content) > self._most_bytes:
            raise ConfigError([Fault(file, 1, "", f"is longer than {self._most_bytes} bytes: is it the right file?")])
        self._digests[path] = hashlib.sha256(content).hexdigest()
        return content


CODE_PAGE = "cp1252"
AS_CODE_PAGE = f"is not UTF-8: letters beyond ASCII read as {CODE_PAGE} has them"


def in_code_page(content: bytes) -> str | None:
    """What a spreadsheet on Windows saved: digits and separators are the same in every such code page, only letters and signs may
    be others. None for what is UTF-8 or UTF-16, begins like a workbook, or has bytes of both."""
    if content.startswith((*_UTF_16, *_ZIPPED)):
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return content.decode(CODE_PAGE) if content.decode("utf-8", "ignore").isascii() else None
        except UnicodeDecodeError:
            return None
    return None


def text_of_csv(content: bytes, file: str, or_else: str = "") -> str:
    """As `Files.csv_text`; `or_else` is what may be done about bytes of an older code page. Raises ConfigError."""
    if content.startswith(_ZIPPED):
        raise ConfigError([Fault(file, 1, "", 'is a workbook, no text: save the table as "CSV UTF-8" and name that file')])
    if content.startswith(_UTF_16):
        try:
            return content.decode("utf-16")
        except UnicodeDecodeError:
            raise ConfigError([Fault(file, 1, "", "is no whole UTF-16 text: save it as CSV UTF-8")]) from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        how = 'save the table as "CSV UTF-8", in LibreOffice with character set Unicode (UTF-8)'
        raise _not_utf_8(file, content, exc.start, how + or_else) from None


def _not_utf_8(file: str, content: bytes, start: int, how: str) -> ConfigError:
    line = content.count(b"\n", 0, start) + 1
    return ConfigError([Fault(file, line, "", f"byte 0x{content[start]:02X} is not UTF-8: {how}")])


def beside(name: str, file: str) -> Path:
    """The path of a file that is named in `file`: relative to its folder, and plain where links allow it."""
    path = Path(file).parent / name
    try:
        plain = Path(os.path.normpath(path))
        return plain if plain != path and plain.samefile(path) else path
    except (OSError, ValueError):
        return path


def no_such_file(name: str, file: str) -> str:
    """That there is no such file beside `file`, and which one may be meant."""
    path = beside(name, file)
    try:
        if path.is_dir():
            return f"{key_text(name)!r} is a folder: name a file in it"
        there = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix == path.suffix)
    except (OSError, ValueError):
        return f"no file {key_text(name)!r}: the name counts from the folder of this file"
    near = did_you_mean(path.name, there)
    return f"no file {key_text(name)!r}{near or ': the name counts from the folder of this file'}"
