"""Reads what compressed files hold, as much of it as is needed to look for secrets: bounded, and never onto the disk."""

import bz2
import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

MEMBERS = 200
"""Files of one archive that are looked into."""
LIMIT = 8 * 1024 * 1024
"""Bytes that are unpacked of one file."""
_STEP = 64 * 1024
_LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a zip file's member: behind 26 bytes stand the lengths of its name and of what comes before its content."""


@dataclass(slots=True)
class Room:
    """What may still be unpacked of all files of a change together."""

    left: int = 8 * LIMIT
    """Bytes."""
    cut: bool = False
    """Something was left out since this was last set back."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_STREAMS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=8 * LIMIT)),
)
_METHODS: dict[int, Callable[[], _Decompressor]] = {
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(wbits=-zlib.MAX_WBITS),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
}


def unpacked(data: bytes, room: Room) -> bytes:
    """Return what a gzip, bzip2, xz or zip file holds, up to `LIMIT` and the room left; empty for other files.

    A damaged file is read up to its fault. One level is unpacked; a tar file inside is text between headers.
    """
    most = min(LIMIT, room.left)
    found = b""
    for magic, start in _STREAMS:
        if data.startswith(magic):
            found = _all_streams(data, start, most + 1)
    if not found and data.rfind(b"PK\x05\x06", -(1 << 16)) >= 0:
        found = _members(data, most + 1)
    room.cut = room.cut or len(found) > most
    room.left -= min(len(found), most)
    return found[:most]


def _all_streams(data: bytes, start: Callable[[], _Decompressor], most: int) -> bytes:
    """Unpack streams that stand one behind the other, as `cat a.gz b.gz` makes them."""
    found = b""
    while data and len(found) < most:
        piece, data = _stream(data, start, most - len(found))
        found += piece
    return found


def _stream(data: bytes, start: Callable[[], _Decompressor], most: int) -> tuple[bytes, bytes]:
    """Return what one stream holds, and what stands behind it."""
    finely_from = len(data)
    while True:
        packed, found, at = start(), bytearray(), 0
        try:
            while at < len(data) and len(found) < most and not packed.eof:
                step = _STEP if at < finely_from else 1
                found += packed.decompress(data[at : at + step], most - len(found))
                at += step
        except (OSError, EOFError, ValueError, MemoryError, zlib.error, lzma.LZMAError):
            if at < finely_from:  # once more, byte by byte where the fault is: what stands before it is worth a look
                finely_from = at
                continue
            return bytes(found), b""
        return bytes(found), (packed.unused_data + data[at:]) if packed.eof else b""


def _members(data: bytes, most: int) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()[:MEMBERS]
    except Exception:  # noqa: BLE001 - a file that somebody made to break this is no zip file
        return b""
    found = b""
    for entry in entries:
        if len(found) >= most:
            break
        found += _member(data, entry, most - len(found)) + b"\n"
    return found


def _member(data: bytes, entry: zipfile.ZipInfo, most: int) -> bytes:
    """Return a member's content without a look at its checksum; empty where it is encrypted or packed in another way."""
    try:
        name, extra = _LOCAL_HEADER.unpack_from(data, entry.header_offset)
    except struct.error:
        return b""
    begin = entry.header_offset + _LOCAL_HEADER.size + name + extra
    content = data[begin : begin + entry.compress_size]
    if entry.compress_type == zipfile.ZIP_STORED:
        return content[:most]
    if entry.compress_type == zipfile.ZIP_LZMA:
        return _lzma_member(data, entry, most)
    start = _METHODS.get(entry.compress_type)
    return b"" if start is None else _stream(content, start, most)[0]


def _lzma_member(data: bytes, entry: zipfile.ZipInfo, most: int) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, archive.open(entry) as member:
            return member.read(most)
    except Exception:  # noqa: BLE001 - encrypted, damaged, or made to break this
        return b""
