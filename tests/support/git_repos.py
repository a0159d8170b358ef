"""Small bare repositories for tests, made and read with plain git."""

import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    # Also those that are another user's.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    **{f"GIT_{role}_NAME": "A Person" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_EMAIL": "person@example.invalid" for role in ("AUTHOR", "COMMITTER")},
    **{f"GIT_{role}_DATE": "@1767225600 +0000" for role in ("AUTHOR", "COMMITTER")},
}

_PLACE = tempfile.gettempdir()
"""Where repositories to be copied lie, also while a test has a folder for temporary files of its own."""
_made: dict[str, tuple[Path, str]] = {}


@dataclass(frozen=True, slots=True)
class Logged:
    """One commit of a branch."""

    commit: str
    subject: str
    body: str
    author: str
    committed_at: int
    parents: tuple[str, ...]


def git(folder: Path, *arguments: str, data: bytes = b"", index: Path | None = None) -> bytes:
    """Run git in a repository and give what it says; fails the test when git fails."""
    environment = dict(_ENVIRONMENT) | ({"GIT_INDEX_FILE": str(index)} if index else {})
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, input=data, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.decode(errors='replace')}"
    return done.stdout


@cache
def _templates() -> "tempfile.TemporaryDirectory[str]":
    """Return the folder of repositories to be copied, made at first use by the user that uses it."""
    return tempfile.TemporaryDirectory(prefix="moonmind-bare-", dir=_PLACE)


def make_bare(path: Path, files: Mapping[str, bytes | str], branch: str = "main") -> str:
    """Make a bare repository whose `branch` is its default and holds `files`; returns the commit. No files: an empty one.

    Equal files make equal repositories, so git makes each one once in a process and the next ones are copies.
    """
    key = hashlib.sha256(repr((branch, sorted(files.items()))).encode()).hexdigest()
    if key not in _made:
        template = Path(_templates().name) / key
        template.mkdir()
        git(template, "init", "--quiet", "--bare", "--template=", f"--initial-branch={branch}", ".")
        _made[key] = (template, commit_to(template, branch, files, "First commit") if files else "")
    template, commit = _made[key]
    shutil.copytree(template, path)
    return commit


def commit_to(
    bare: Path,
    branch: str,
    files: Mapping[str, bytes | str | None],
    message: str,
    *,
    start: str | None = None,
    modes: Mapping[str, str] | None = None,
) -> str:
    """Put a commit on a branch: `files` added or replaced (None removes). A new branch begins at `start`, else at nothing.

    `modes` gives other octal modes than 100644; the content of a gitlink (160000) is its commit.
    """
    parent = tip_of(bare, branch) or start
    folder = Path(tempfile.mkdtemp())
    try:
        index = folder / "index"
        if parent:
            git(bare, "read-tree", parent, index=index)
        entries = []
        for name, content in files.items():
            mode = (modes or {}).get(name, "100644")
            raw = content.encode() if isinstance(content, str) else content
            if raw is None:
                mode, blob = "0", "0" * 40
            elif mode == "160000":
                blob = raw.decode()
            else:
                blob = git(bare, "hash-object", "-w", "--stdin", data=raw).decode().strip()
            entries.append(f"{mode} {blob}\t".encode() + name.encode("utf-8", "surrogateescape") + b"\0")
        git(bare, "update-index", "-z", "--index-info", data=b"".join(entries), index=index)
        tree = git(bare, "write-tree", index=index).decode().strip()
    finally:
        shutil.rmtree(folder)
    parents = ("-p", parent) if parent else ()
    commit = git(bare, "commit-tree", tree, *parents, "-F", "-", data=message.encode()).decode().strip()
    git(bare, "update-ref", f"refs/heads/{branch}", commit)
    return commit


def tip_of(bare: Path, branch: str) -> str | None:
    """Return the commit that a branch is at, None where there is no such branch."""
    return git(bare, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}").decode().strip() or None


def delete_branch(bare: Path, branch: str) -> None:
    """Delete a branch."""
    git(bare, "update-ref", "-d", f"refs/heads/{branch}")


def merge(bare: Path, branch: str, base: str) -> None:
    """Fast-forward `base` to `branch`, as a person who merges by git."""
    git(bare, "update-ref", f"refs/heads/{base}", tip_of(bare, branch) or "")


def tree_of(bare: Path, ref: str) -> dict[str, bytes]:
    """Read every file of a commit, content by path; a link reads as its target."""
    names = git(bare, "ls-tree", "-r", "-z", "--full-tree", ref).split(b"\0")
    entries = (entry.split(b"\t", 1) for entry in names if entry)
    blobs = ((head.split(), name.decode("utf-8", "surrogateescape")) for head, name in entries)
    return {name: git(bare, "cat-file", "blob", head[2].decode()) for head, name in blobs if head[1] == b"blob"}


def modes_of(bare: Path, ref: str) -> dict[str, str]:
    """Read the octal mode of every file of a commit."""
    names = git(bare, "ls-tree", "-r", "-z", "--full-tree", ref).split(b"\0")
    entries = (entry.split(b"\t", 1) for entry in names if entry)
    return {name.decode("utf-8", "surrogateescape"): head.split()[0].decode() for head, name in entries}


def log_of(bare: Path, ref: str) -> list[Logged]:
    """List the commits of a ref, newest first."""
    form = "%H%x1f%s%x1f%b%x1f%an <%ae>%x1f%ct%x1f%P%x1e"
    entries = git(bare, "log", f"--format={form}", ref).decode().split("\x1e")
    rows = (entry.strip("\n").split("\x1f") for entry in entries if entry.strip())
    return [
        Logged(commit, subject, body.strip(), author, int(when), tuple(parents.split()))
        for commit, subject, body, author, when, parents in rows
    ]


def install_hook(bare: Path, name: str, script: str) -> None:
    """Put a hook into a bare repository, which then acts as a forge with a rule."""
    folder = bare / "hooks"
    folder.mkdir(exist_ok=True)
    hook = folder / name
    hook.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    hook.chmod(0o755)


def branches_of(bare: Path) -> list[str]:
    """Name the branches of a repository."""
    return git(bare, "for-each-ref", "--format=%(refname:short)", "refs/heads/").decode().split()
