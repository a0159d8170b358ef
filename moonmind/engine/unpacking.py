"""Reads what compressed files hold, as much of it as is needed to look for secrets: bounded, and never onto the disk."""

import bz2
import io
import lzma
import zipfile
import zlib
from typing import IO

MEMBERS = 200
"""Files of one archive that are looked into."""
LIMIT = 8 * 1024 * 1024
"""Bytes that are unpacked of one file."""


def unpacked(data: bytes) -> bytes:
    """Return what a gzip, bzip2, xz or zip file holds, up to `LIMIT`; empty for other files and damaged ones.

    A damaged file is read up to its fault. One level is unpacked; a tar file inside is plain text with headers.
    """
    try:
        if data.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=zlib.MAX_WBITS | 16).decompress(data, LIMIT)
        if data.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(data, LIMIT)
        if data.startswith(b"\xfd7zXZ\0"):
            return lzma.LZMADecompressor(memlimit=8 * LIMIT).decompress(data, LIMIT)
        if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            return _members(data)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile):
        return b""
    return b""


def _members(data: bytes) -> bytes:
    found, left = [], LIMIT
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for entry in archive.infolist()[:MEMBERS]:
            try:
                with archive.open(entry) as member:
                    piece = _read(member, left)
            except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zlib.error, zipfile.BadZipFile):
                continue  # encrypted, damaged or packed in another way: the next one may be read
            found.append(piece)
            left -= len(piece)
    return b"\n".join(found)


def _read(member: IO[bytes], most: int) -> bytes:
    return member.read(most) if most > 0 else b""
