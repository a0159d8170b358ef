"""Skeletons of real Spec Kit projects, what a careful reader answers to each, and the judge of other answers.

`tests/fixtures/repositories` holds them: of each project the paths of its tree, the bytes of its tasks.md files and pointers,
and in `expected.json` the answers that can be accepted and those that never can.
"""

import functools
import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.git_repos import git

FOLDER = Path(__file__).parents[1] / "fixtures" / "repositories"
EXPECTED: dict[str, dict[str, Any]] = {
    one["id"]: one for one in json.loads((FOLDER / "expected.json").read_text("utf-8"))
}
_TOLD = re.compile(
    r"\bstale\b|already (?:there|exist|present)|\bexists?\b|are there\b|never ticked|not ticked", re.IGNORECASE
)
"""Words by which an answer says that boxes may not tell the truth."""
_NAMES = frozenset({"feature", "phase", "tasks", "left_for_people", "left"})


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One project's tree."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    """Paths of symbolic links, and what they say."""
    modules: tuple[str, ...]
    """Paths of submodules."""

    def lay_out(self, folder: Path) -> Path:
        """Write the tree as a checkout without git."""
        for path, data in self.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        for path, target in self.links.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).symlink_to(target)
        for path in self.modules:
            (folder / path).mkdir(parents=True, exist_ok=True)
        return folder

    def commit(self, bare: Path) -> None:
        """Make a bare repository whose branch `main` holds the tree."""
        bare.mkdir(parents=True)
        git(bare, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", ".")
        blobs = dict.fromkeys((*self.files.values(), *(text.encode() for text in self.links.values())), "")
        for data in blobs:
            blobs[data] = git(bare, "hash-object", "-w", "--stdin", data=data).decode().strip()
        entries = [
            *(f"100644 {blobs[data]}\t{path}" for path, data in self.files.items()),
            *(f"120000 {blobs[text.encode()]}\t{path}" for path, text in self.links.items()),
            *(f"160000 {'1' * 40}\t{path}" for path in self.modules),
        ]
        index = bare / "skeleton.index"
        git(bare, "update-index", "-z", "--index-info", data="\0".join([*entries, ""]).encode(), index=index)
        tree = git(bare, "write-tree", index=index).decode().strip()
        commit = git(bare, "commit-tree", tree, "-m", "Skeleton").decode().strip()
        git(bare, "update-ref", "refs/heads/main", commit)
        index.unlink()


def skeleton(name: str) -> Skeleton:
    """Return one of the skeletons by its number."""
    return _skeletons()[name]


@functools.cache
def _skeletons() -> Mapping[str, Skeleton]:
    with tarfile.open(FOLDER / "skeletons.tar.xz") as archive:
        held = {
            member.name: found.read()
            for member in archive.getmembers()
            if (found := archive.extractfile(member)) is not None
        }
    return {name: _read(name, held) for name in EXPECTED}


def _read(name: str, held: Mapping[str, bytes]) -> Skeleton:
    own = {
        path.removeprefix(f"{name}/files/"): data for path, data in held.items() if path.startswith(f"{name}/files/")
    }
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    modules: list[str] = []
    for line in io.StringIO(held[f"{name}/tree.txt"].decode()).read().splitlines():
        if line.endswith(" @"):
            modules.append(line[:-2])
        elif " -> " in line:
            path, target = line.split(" -> ", 1)
            links[path] = target
        else:
            files[line] = own.get(line, b"x\n")
    return Skeleton(files, links, tuple(modules))


def judge(name: str, report: Mapping[str, Any]) -> str:
    """Return "right" or "weak" for an answer that can be accepted, else "wrong" with the reason."""
    told = _TOLD.search(_words(report)) is not None
    for never in EXPECTED[name]["never"]:
        silent = never.get("silent") and told
        within = not never["tasks"] or bool(set(report["tasks"]) & set(never["tasks"]))
        if not silent and within and _is_about(never, report):
            return f"wrong: {never.get('reason', '')}"
    fitting = [one for one in EXPECTED[name]["accept"] if _fits(one, report, told)]
    if not fitting:
        return "wrong: not among the answers that can be defended"
    return "right" if any("grade" not in one for one in fitting) else str(fitting[0]["grade"])


def _is_about(wanted: Mapping[str, Any], report: Mapping[str, Any]) -> bool:
    return wanted["answer"] == report["answer"] and all(
        not wanted[part] or wanted[part] == report[part] for part in ("feature", "phase")
    )


def _fits(wanted: Mapping[str, Any], report: Mapping[str, Any], told: bool) -> bool:
    compared = {**wanted, "feature": wanted["feature"] if report["answer"] in {"work", "people_only"} else None}
    return (
        _is_about(compared, report)
        and (not wanted["tasks"] or set(report["tasks"]) <= set(wanted["tasks"]))
        and (not wanted.get("note") or told)
        and all(path in " ".join(_strings(report)) for path in wanted.get("candidates", ()))
    )


def _words(report: Mapping[str, Any]) -> str:
    return " ".join(_strings({name: value for name, value in report.items() if name not in _NAMES}))


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)
