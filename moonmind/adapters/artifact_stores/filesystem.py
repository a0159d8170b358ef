"""Keeps artifacts as files: `<root>/<run id>/<path>`, readable by the owner and the owner's group."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from uuid import UUID

from moonmind.adapters.trees import remove_tree
from moonmind.errors import NotFound, StoreError, StoreRefused
from moonmind.ports.artifact_store import PRIVATE, StoredFile
from moonmind.private import make_folder

PIECE = 64 * 1024
"""Bytes read at once."""

_FOLDER_MODE, _FILE_MODE, _PRIVATE_MODE = 0o750, 0o640, 0o600
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in a file's place must not hold us
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class FilesystemArtifactStore:
    """The `ArtifactStore` port over a folder, made at the first write. Folders are opened one inside the other, so no link is ever followed."""

    name = "filesystem"

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()

    def put(self, run_id: UUID, path: str, content: bytes) -> StoredFile:
        """Write a file whole: after any crash it is the old one or the new one."""
        *folders, name = _parts(path)
        with _told(path), self._folder(run_id, folders, make=True) as folder:
            _refuse_what_is_no_file(folder, name, path)
            beside = f".{secrets.token_hex(8)}.part"
            try:
                mode = _PRIVATE_MODE if path.startswith(PRIVATE) else _FILE_MODE
                handle = os.open(beside, _WRITE, mode, dir_fd=folder)
                with os.fdopen(handle, "wb") as file:
                    os.fchmod(handle, mode)  # whatever the umask
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(beside, dir_fd=folder)
                raise
            os.fsync(folder)
        return StoredFile(path, len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")

    def growing(self, run_id: UUID, path: str) -> Path:
        """Return the local path of a file that another process appends to; its folder is made."""
        *folders, name = _parts(path)
        with _told(path), self._folder(run_id, folders, make=True) as folder:
            _refuse_what_is_no_file(folder, name, path)
        return self._root.joinpath(str(run_id), *folders, name)

    def seal(self, run_id: UUID, path: str) -> StoredFile | None:
        """Measure a file that has stopped growing, and make it survive a loss of power."""
        size, digest = 0, hashlib.sha256()
        try:
            with self._open(run_id, path) as handle:
                while piece := _told_read(handle, PIECE, path):
                    size += len(piece)
                    digest.update(piece)
                with _told(path):
                    os.fsync(handle)
        except NotFound:
            return None
        return StoredFile(path, size, f"sha256:{digest.hexdigest()}")

    def size(self, run_id: UUID, path: str) -> int | None:
        """Return a file's size now."""
        try:
            with self._open(run_id, path) as handle:
                return os.fstat(handle).st_size
        except NotFound:
            return None

    def read(self, run_id: UUID, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Read a file or a range of it in pieces. NotFound comes from the call, not from the first piece."""
        if start < 0 or (length is not None and length < 0):
            raise StoreRefused(f"a range starts at 0 or later and is 0 bytes or longer, not {start}, {length}")
        with self._open(run_id, path):
            return self._pieces(run_id, path, start, length)

    def delete(self, run_id: UUID) -> None:
        """Remove everything of a run."""
        with _told(str(run_id)):
            remove_tree(self._root / str(run_id))

    def _pieces(self, run_id: UUID, path: str, start: int, length: int | None) -> Iterator[bytes]:
        with self._open(run_id, path) as handle:
            with _told(path):
                os.lseek(handle, start, os.SEEK_SET)
            left = length
            while left is None or left > 0:
                piece = _told_read(handle, PIECE if left is None else min(PIECE, left), path)
                if not piece:
                    return
                left = None if left is None else left - len(piece)
                yield piece

    @contextlib.contextmanager
    def _open(self, run_id: UUID, path: str) -> Iterator[int]:
        *folders, name = _parts(path)
        with contextlib.ExitStack() as stack:
            try:
                with _told(path):
                    folder = stack.enter_context(self._folder(run_id, folders, make=False))
                    handle = os.open(name, _READ, dir_fd=folder)
            except FileNotFoundError:
                raise NotFound(f"run {run_id} has no file {path}", path=path) from None
            stack.callback(os.close, handle)
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise StoreRefused(f"{path} is not a file", path=path)
            yield handle

    @contextlib.contextmanager
    def _folder(self, run_id: UUID, folders: list[str], *, make: bool) -> Iterator[int]:
        if make:
            make_folder(self._root, _FOLDER_MODE)
        # The root may be a link: it is the operator's. What lies in it may not.
        handle = os.open(self._root, _FOLDER & ~os.O_NOFOLLOW)
        try:
            for name in (str(run_id), *folders):
                made = False
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, _FOLDER_MODE, dir_fd=handle)
                        made = True
                        os.fsync(handle)
                inner = os.open(name, _FOLDER, dir_fd=handle)
                if made:
                    os.fchmod(inner, _FOLDER_MODE)  # whatever the umask
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if (
        "\0" in path
        or set(parts) & {"", ".", ".."}
        or any(len(part.encode("utf-8", "replace")) > 255 for part in parts)
    ):
        raise StoreRefused(f"not a path inside a run's folder: {path[:200]!r}")
    return parts


def _refuse_what_is_no_file(folder: int, name: str, path: str) -> None:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise StoreRefused(f"{path} is not a regular file", path=path)


def _told_read(handle: int, size: int, path: str) -> bytes:
    with _told(path):
        return os.read(handle, size)


@contextlib.contextmanager
def _told(path: str) -> Iterator[None]:
    """Turn the system's errors into ours; a missing file stays FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        _raise(path, error)


def _raise(path: str, error: OSError) -> NoReturn:
    # A link answers ELOOP where a file was asked for, and ENOTDIR where a folder was.
    if error.errno in {errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR}:
        raise StoreRefused(f"a link, or something else that does not belong there, is on the path to {path}") from error
    raise StoreError(f"{path} cannot be written or read: {error.strerror}", path=path) from error
