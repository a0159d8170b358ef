"""Reads what compressed files hold, as much of it as is needed to look for secrets: bounded, and never onto the disk."""

import bz2
import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

MEMBERS = 200
"""Files of one archive, or streams of one file, that are looked into."""
LIMIT = 8 * 1024 * 1024
"""Bytes that are unpacked of one file."""
_DIRECTORY = 4 * 1024 * 1024
"""Bytes of a zip file's own list of members; one with a longer list is not looked into."""
_MEMORY = 96 * 1024 * 1024
"""Bytes that unpacking may take; the strongest setting of xz takes 65 MiB."""
_STEP = 64 * 1024
_NOT_ZERO = re.compile(rb"[^\0]")
_END = b"PK\x05\x06"
_END_LENGTH, _COMMENT = 22, 0xFFFF
_LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a zip file's member: behind 26 bytes stand the lengths of its name and of what comes before its content."""


@dataclass(slots=True)
class Room:
    """What may still be unpacked of all files of a change together."""

    left: int = 8 * LIMIT
    """Bytes."""
    cut: bool = False
    """Something was left out since this was last set back."""


@dataclass(slots=True)
class _Found:
    """What one file held so far, of at most so many bytes."""

    most: int
    content: bytearray = field(default_factory=bytearray)
    cut: bool = False

    @property
    def left(self) -> int:
        return self.most - len(self.content)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


_STREAMS: tuple[tuple[bytes, Callable[[], _Decompressor]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\0", lambda: lzma.LZMADecompressor(memlimit=_MEMORY)),
)
_FAULTS = (OSError, EOFError, ValueError, MemoryError, zlib.error, lzma.LZMAError)
_METHODS: dict[int, Callable[[], _Decompressor]] = {
    zipfile.ZIP_DEFLATED: lambda: zlib.decompressobj(wbits=-zlib.MAX_WBITS),
    zipfile.ZIP_BZIP2: bz2.BZ2Decompressor,
}


def unpacked(data: bytes, room: Room) -> bytes:
    """Return what a gzip, bzip2, xz or zip file holds, up to `LIMIT` and the room left; empty for other files.

    A damaged file is read up to its fault. One level is unpacked; a tar file inside is text between headers. The room
    notes where anything was left out.
    """
    most = min(LIMIT, room.left)
    found = _Found(most + 1)
    for magic, start in _STREAMS:
        if data.startswith(magic):
            _streams(data, magic, start, found)
    if not found.content and (end := data.rfind(_END, max(0, len(data) - _END_LENGTH - _COMMENT))) >= 0:
        _members(data, end, found)
    room.cut = room.cut or found.cut or len(found.content) > most
    room.left -= min(len(found.content), most)
    return bytes(found.content[:most])


def _streams(data: bytes, magic: bytes, start: Callable[[], _Decompressor], found: _Found) -> None:
    """Unpack streams that stand one behind the other, as `cat a.gz b.gz` makes them, with zeros between them or none."""
    at = 0
    for _ in range(MEMBERS):
        end = _stream(data, at, start, found)
        following = None if end is None else _NOT_ZERO.search(data, end)
        if following is None or found.left <= 0 or not data.startswith(magic, following.start()):
            return  # what stands behind the last one is read as it is
        at = following.start()
    found.cut = True


def _stream(data: bytes, begin: int, start: Callable[[], _Decompressor], found: _Found) -> int | None:
    """Unpack one stream and return where it ends; None where it does not, or was not read to its end."""
    kept, finely_from = len(found.content), len(data)
    while True:
        packed, at = start(), begin
        del found.content[kept:]
        try:
            while at < len(data) and found.left > 0 and not packed.eof:
                step = _STEP if at < finely_from else 1
                found.content += packed.decompress(data[at : at + step], found.left)
                at += step
        except _FAULTS:
            if at < finely_from:  # once more, byte by byte where the fault is: what stands before it is worth a look
                finely_from = at
                continue
            found.cut = True
            return None
        return min(at, len(data)) - len(packed.unused_data) if packed.eof else None


def _members(data: bytes, end: int, found: _Found) -> None:
    if data[max(0, end - 20) : end].startswith(b"PK\x06\x07") or _directory_length(data, end) > _DIRECTORY:
        found.cut = True
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            found.cut = found.cut or len(entries) > MEMBERS
            for entry in entries[:MEMBERS]:
                _member(data, archive, entry, found)
                found.content += b"\n"
    except Exception:  # noqa: BLE001 - a file that was made to break this, or one that only looks like a zip file
        found.cut = True


def _directory_length(data: bytes, end: int) -> int:
    length: tuple[int, ...] = struct.unpack("<I", data[end + 12 : end + 16].ljust(4, b"\xff"))
    return length[0]


def _member(data: bytes, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, found: _Found) -> None:
    """Unpack a member without a look at its checksum; one that is encrypted or packed in another way is left out."""
    if found.left <= 0:
        return
    start = _METHODS.get(entry.compress_type)
    try:
        if entry.flag_bits & 1:
            found.cut = True
        elif entry.compress_type == zipfile.ZIP_STORED:
            found.content += _packed(data, entry)[: found.left]
        elif start is not None:
            _stream(_packed(data, entry), 0, start, found)
        else:
            with archive.open(entry) as member:
                found.content += member.read(found.left)
    except Exception:  # noqa: BLE001 - damaged, of a method that Python does not know, or made to break this
        found.cut = True


def _packed(data: bytes, entry: zipfile.ZipInfo) -> bytes:
    name, extra = _LOCAL_HEADER.unpack_from(data, entry.header_offset)
    begin = entry.header_offset + _LOCAL_HEADER.size + name + extra
    return data[begin : begin + entry.compress_size]
