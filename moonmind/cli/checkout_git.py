"""The git work tree around a folder: its remotes, and what was last fetched from one. Only ever read.

The tree's own configuration may be anybody's, so that no command is run that could start what it names: no filter, hook,
pager, transport or monitor.
"""

import contextlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from moonmind.runs.naming import repository_key

_SECONDS = 10.0
_LARGEST = 1 << 22
"""Bytes; no tasks.md comes near it."""
_TAKEN_OVER = ("PATH", "TMPDIR")
_FIXED = {
    "LC_ALL": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "GIT_SSH_COMMAND": "false",
    "GIT_PAGER": "cat",
}
_CONFIGURATION = ("protocol.allow=never", "core.fsmonitor=false", "core.hooksPath=/dev/null")
_NAMED = re.compile(r"(?:^|[/:])([^/:]+)/([^/:]+?)(?:\.git)?/*$")
"""The last two parts of an address: `https://host/owner/name.git`, `git@host:owner/name`, `/srv/owner/name.git`."""


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A git work tree, by its top folder."""

    top: Path
    environment: Mapping[str, str] = field(repr=False, compare=False)
    """The process's own; only PATH and TMPDIR are taken over."""

    @classmethod
    def around(cls, place: Path, environment: Mapping[str, str]) -> Self | None:
        """Find the work tree that a folder is in; None where it is in none."""
        start = place.absolute()
        top = next((folder for folder in (start, *start.parents) if (folder / ".git").exists()), None)
        return None if top is None else cls(top, environment)

    def remote_of(self, repository: str) -> str | None:
        """Return the remote that is this `owner/name`, `origin` before others; None where none is."""
        listed = self._git("config", "--null", "--get-regexp", r"^remote\..*\.url$")
        entries = (entry.split("\n", 1) for entry in (listed or b"").decode("utf-8", "replace").split("\0") if entry)
        found = [
            key.removeprefix("remote.").removesuffix(".url")
            for key, url in (entry for entry in entries if len(entry) == 2)
            if _name_in(url) == repository_key(repository)
        ]
        return next((name for name in found if name == "origin"), found[0] if found else None)

    def default_branch(self, remote: str) -> str | None:
        """Return the remote's default branch as the last clone or fetch knew it."""
        head = self._git("symbolic-ref", "--quiet", f"refs/remotes/{remote}/HEAD")
        return None if head is None else head.decode("utf-8", "replace").strip().removeprefix(f"refs/remotes/{remote}/")

    def fetched(self, remote: str, branch: str, path: str) -> bytes | None:
        """Return a file as the remote's branch had it at the last fetch or push; None where it had none."""
        return self.file_at(f"refs/remotes/{remote}/{branch}", path)

    def head(self) -> str | None:
        """Return the commit that is checked out; None where there is none yet."""
        found = self._git("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        return None if found is None else found.decode("ascii", "replace").strip()

    def file_at(self, commit: str, path: str) -> bytes | None:
        """Return a file of a commit; None where it has none."""
        name = f"{commit}:{path}"
        size = self._git("cat-file", "-s", name)
        return self._git("cat-file", "blob", name) if size is not None and int(size) <= _LARGEST else None

    def changed_at(self, folder: str, seconds: float) -> datetime | None:
        """Return when the history of what is checked out changed something below a folder last.

        None where it never did, where git does not say within so many seconds, and for a time that no calendar has.
        """
        form = ("log", "--max-count=1", "--no-show-signature", "--format=%ct", "HEAD")
        said = self._git(*form, "--", folder, seconds=seconds)
        try:
            return None if said is None else datetime.fromtimestamp(int(said), UTC)
        except (ValueError, OverflowError, OSError):
            return None

    def _git(self, *arguments: str, seconds: float = _SECONDS) -> bytes | None:
        """Return what a command prints; None where it fails or takes too long."""
        environment = {name: self.environment[name] for name in _TAKEN_OVER if name in self.environment} | _FIXED
        settings = (part for setting in _CONFIGURATION for part in ("-c", setting))
        program = shutil.which("git", path=environment.get("PATH"))
        if program is None:
            return None
        try:
            process = subprocess.Popen(
                [program, *settings, "-C", str(self.top), *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError:
            return None
        with contextlib.ExitStack() as ending:
            ending.enter_context(process)
            ending.callback(process.kill)
            try:
                printed, _ = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                return None
        return printed if process.returncode == 0 else None


def as_stored(data: bytes) -> bytes:
    """Return content as git stores it, whatever line endings a work tree has."""
    return data.replace(b"\r\n", b"\n")


def _name_in(url: str) -> str | None:
    found = _NAMED.search(url.strip())
    return repository_key(f"{found[1]}/{found[2]}") if found else None
