"""Makes a large repository, the same each time: many commits to many files that hardly compress, and one feature."""

import base64
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from moonmind.sample import source

COMMITS = 16_000
FILES = 2_400
_FOLDERS = 48
_FILE_BYTES = 3_860
"""Before base64; what compresses back to about as much makes a pack of some 68 MB."""
_SEED = 42


class Measured(NamedTuple):
    """What git says of a repository."""

    commits: int
    files: int
    pack_megabytes: float


def make(place: Path, commits: int = COMMITS) -> Measured:
    """Write the repository bare, in one pack, with `main` as its branch."""
    place.mkdir(parents=True)
    _git(place, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", ".")
    _git(place, "config", "http.receivepack", "true")
    importer = subprocess.Popen(
        ["git", "fast-import", "--quiet", "--depth=50"], cwd=place, stdin=subprocess.PIPE, env=_ENVIRONMENT
    )
    assert importer.stdin is not None
    for piece in _stream(commits):
        importer.stdin.write(piece)
    importer.stdin.close()
    if importer.wait() != 0:
        raise SystemExit("git fast-import failed")
    return measured(place)


def measured(place: Path) -> Measured:
    """Count commits, files and the size of the packs."""
    counted = dict(line.split(": ") for line in _git(place, "count-objects", "-v").splitlines())
    files = len(_git(place, "ls-tree", "-r", "--name-only", "main").splitlines())
    return Measured(int(_git(place, "rev-list", "--count", "main")), files, int(counted["size-pack"]) / 1024)


def _stream(commits: int) -> Iterator[bytes]:
    chance = random.Random(_SEED)
    yield _commit(0, source.files())
    for number in range(1, commits):
        path = f"src/part{number % FILES % _FOLDERS:02d}/file{number % FILES:04d}.txt"
        yield _commit(number, {path: base64.encodebytes(chance.randbytes(_FILE_BYTES))})
    yield b"done\n"


def _commit(number: int, files: dict[str, bytes]) -> bytes:
    message = f"Change {number}\n".encode()
    head = f"commit refs/heads/main\nmark :{number + 1}\ncommitter A Person <person@example.invalid> {1767225600 + number} +0000\n"
    parts = [head.encode(), b"data %d\n%s" % (len(message), message)]
    if number:
        parts.append(f"from :{number}\n".encode())
    for path, content in files.items():
        parts += [f"M 100644 inline {path}\ndata {len(content)}\n".encode(), content, b"\n"]
    return b"".join([*parts, b"\n"])


_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
}


def _git(place: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=place, env=_ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout
