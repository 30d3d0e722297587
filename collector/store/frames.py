"""zstd frames with a checksum: what comes out is what went in, or DamagedRow."""

from __future__ import annotations

import threading

import zstandard

from collector.store.rows import DamagedRow

LEVEL = 3
_MOST_BYTES = 1 << 30
"""No part of a block is larger: a damaged length must not ask for all memory."""


class _Codec(threading.local):
    """A context serves one thread."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
        self.decompressor = zstandard.ZstdDecompressor()


_codec = _Codec()


def pack(payload: bytes) -> bytes:
    """A frame of `payload`."""
    return _codec.compressor.compress(payload)


def unpack(frame: bytes) -> bytes:
    """What `pack` was given. Raises DamagedRow."""
    try:
        if zstandard.frame_content_size(frame) > _MOST_BYTES:
            raise DamagedRow("a compressed part names a size that none has")
        return _codec.decompressor.decompress(frame)
    except zstandard.ZstdError as exc:
        raise DamagedRow(f"a compressed part is damaged: {exc}") from None
