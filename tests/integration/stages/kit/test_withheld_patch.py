"""What is listed of a run stopped by a secret: nobody gets the secret back from it."""

import base64
import gzip
import io
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from moonmind.adapters.scanners.betterleaks import Betterleaks
from moonmind.errors import ScannerError
from moonmind.ports.scanner import Hit, Scanner
from moonmind.ports.vcs import Change
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.stages.kit.patches import Patch
from moonmind.stages.kit.withheld_patch import shown
from tests.integration.stages.apply.test_secret_findings import GHP, made, pem, refused, work
from tests.support.stage_world import World

KEY = pem("RSA PRIVATE KEY")
LINES = KEY.split("\n")
CUT = "\n".join(LINES[:-2]) + "\n"


def zipped(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("notes.txt", f"token {GHP}\n" * 3)
    return file.getvalue()


PLAIN = {"src/plain.txt": f"{GHP}\n"}
SHAPES: Mapping[str, Mapping[str, str | bytes]] = {
    "UTF-16 LE": {"a.txt": b"\xff\xfe" + f"t = {GHP}\n".encode("utf-16-le")},
    "UTF-16 BE": {"a.txt": b"\xfe\xff" + f"t = {GHP}\n".encode("utf-16-be")},
    "stored zip": {"a.zip": zipped(zipfile.ZIP_STORED)},
    "packed zip": {"a.zip": zipped(zipfile.ZIP_DEFLATED), **PLAIN},
    "gzip": {"a.gz": gzip.compress(GHP.encode()), **PLAIN},
    "key without END": {"a.pem": CUT},
    "key's lines elsewhere": {"a.pem": CUT, "b.txt": "\n".join(LINES[5:9])},
    "base64 of the key": {"a.pem": KEY, "b.txt": base64.encodebytes(KEY.encode())},
    "hexadecimal": {"b.txt": GHP.encode().hex(), **PLAIN},
    "base32": {"b.txt": base64.b32encode(GHP.encode()), **PLAIN},
    "split": {"b.py": f't = ("{GHP[:20]}"\n     "{GHP[20:]}")\n', **PLAIN},
    "a name that git quotes": {"ä\t.txt": f"t = {GHP}\n"},
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made_world = World(tmp_path)
    assert isinstance(made_world.step(Stage.DISCOVER), Done)
    yield made_world
    made_world.agent.forget(str(made_world.run_id))


def recovered(patch: bytes, folder: Path) -> bytes:
    """Return all that a reader makes of a listed patch: its text, what it applies to, decoded and unpacked."""
    folder.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply", "--include=*", "-"], cwd=folder, input=patch, check=False, capture_output=True)
    found = [patch]
    for path in folder.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            data = path.read_bytes()
            found += [data, data.replace(b"\0", b"")]
            for decode in (
                base64.b64decode,
                base64.b32decode,
                lambda one: bytes.fromhex(one.decode()),
                gzip.decompress,
            ):
                try:
                    found.append(decode(data))
                except (ValueError, OSError, EOFError):
                    continue
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    found += [archive.read(name) for name in archive.namelist()]
    return b"\n".join(found)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.in_every_run(3)
def test_no_secret_comes_back_from_what_is_listed(world: World, tmp_path: Path, shape: str) -> None:
    work(world, {**SHAPES[shape], "src/clean.py": "clean = 1\n"})
    refused(world)
    for number, path in enumerate(world.artifacts.of("codex_patch")):
        listed = world.artifacts.read(path)
        assert b"+clean = 1" in listed
        assert b"Withheld '" in listed or b"Withheld a file" in listed
        text = recovered(listed, tmp_path / f"try-{number}")
        parts = [GHP[:20], GHP[20:], GHP[8:24], *LINES[1:-2]]
        assert not [part for part in parts if part.encode() in text]


class Broken(Betterleaks):
    def scan(self, texts: Mapping[str, str]) -> tuple[Hit, ...]:
        raise ScannerError("It fails.")


@pytest.mark.parametrize("why", ["a file name or a link target", "the secret scanner failed"])
def test_nothing_is_shown_where_the_rest_cannot_be_judged(world: World, why: str) -> None:
    work(world, {"a.txt": f"{GHP}\n", "b.txt": f"{made(5)}\n"})
    refused(world)
    (path,) = world.artifacts.of("codex_patch")
    whole = world.artifacts.hidden(path) or b""
    assert GHP.encode() in whole
    changes = tuple(Change(name, "A", "000000", "100644", 1, 0) for name in ("a.txt", "b.txt"))

    def part(scanner: Scanner, *, names: bool) -> bytes:
        patch = Patch("o/r", "a", "b", changes, {}, whole, ())
        return shown(patch, whole, {"a.txt": "github-token"}, [GHP], scanner, names)

    assert b"diff --git a/b.txt" in part(Betterleaks(), names=False)
    fails = why == "the secret scanner failed"
    withheld = part(Broken() if fails else Betterleaks(), names=not fails)
    assert withheld.startswith(f"The whole patch is withheld: {why}".encode())
    assert withheld.count(b"\n") == 1
