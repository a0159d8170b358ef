"""Keeps files of an agent's folder that no patch can hold: a compressed archive of bounded size, our secrets masked."""

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterable
from typing import BinaryIO

from moonmind.adapters.vcs.work_tree import Kind, WorkTree
from moonmind.ports.vcs import Archived
from moonmind.redact import Redactor

LIMIT = 200 * 1024 * 1024
"""Bytes of all files together, before they are compressed."""
WHOLE = 16 * 1024 * 1024
"""Bytes of a file that is looked through for secrets at once; larger ones in pieces that overlap."""
_OVERLAP = 64 * 1024


def write_archive(
    tree: WorkTree,
    names: Iterable[bytes],
    into: BinaryIO,
    redactor: Redactor,
    *,
    limit: int = LIMIT,
    whole: int = WHOLE,
) -> Archived:
    """Write a `.tar.gz` of some files of a folder; what is too large, gone, or cannot be masked is counted.

    The same files give the same bytes. Raises OSError where it cannot be written.
    """
    files = total = dropped = 0
    with (
        gzip.GzipFile(filename="", fileobj=into, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive,
    ):
        for name in sorted(set(names)):
            size = _add(archive, tree, name, redactor, limit - total, whole)
            if size is None:
                dropped += 1
            else:
                files, total = files + 1, total + size
    return Archived(files, total, dropped)


def _add(
    archive: tarfile.TarFile, tree: WorkTree, name: bytes, redactor: Redactor, room: int, whole: int
) -> int | None:
    entry = tree.entry(name)
    if redactor.holds_known(name) or entry.kind not in {Kind.FILE, Kind.LINK} or entry.size > room:
        return None
    info = tarfile.TarInfo(os.fsdecode(name))
    try:
        if entry.kind is Kind.LINK:
            target = tree.link(name)
            if redactor.holds_known(target):
                return None
            info.type, info.linkname = tarfile.SYMTYPE, os.fsdecode(target)
            archive.addfile(info)
            return 0
        handle = tree.open(name)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        info.size = min(found.st_size, room)
        info.mode = 0o700 if found.st_mode & stat.S_IXUSR else 0o600
        if info.size > whole:
            if _holds_known(file, info.size, redactor, whole):
                return None
            file.seek(0)
            archive.addfile(info, io.BufferedReader(_Exactly(file, info.size)))
            return info.size
        content = _masked(file.read(info.size), redactor)
    if content is None:
        return None
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))
    return info.size


def _masked(content: bytes, redactor: Redactor) -> bytes | None:
    if not redactor.holds_known(content):
        return content
    masked = redactor.text(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
    return None if redactor.holds_known(masked) else masked


def _holds_known(file: BinaryIO, size: int, redactor: Redactor, piece_size: int) -> bool:
    before = b""
    while size > 0 and (piece := file.read(min(piece_size, size))):
        size -= len(piece)
        if redactor.holds_known(before + piece):
            return True
        before = piece[-_OVERLAP:]
    return False


class _Exactly(io.RawIOBase):
    """A file of exactly so many bytes: an archive that was promised more than it gets would be broken."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        wanted = min(len(buffer), self._left)
        piece = self._file.read(wanted)
        buffer[:wanted] = piece + b"\0" * (wanted - len(piece))
        self._left -= wanted
        return wanted
