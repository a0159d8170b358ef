"""The pull requests of one local repository: a record file beside it, and what git says about them."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from moonmind.adapters.files import locked, replace_file
from moonmind.errors import ForgeError
from moonmind.ports.forge import PullRequestDraft, PullState

_VERSION = 1
_LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request as it is recorded; `head` is the tip that its branch was last seen at."""

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str
    state: PullState = PullState.OPEN
    labels: tuple[str, ...] = ()
    draft: bool = False


@dataclass
class Register:
    """All pull requests of a repository, by number, and how often one was created."""

    creates: int = 0
    pulls: dict[int, Pull] = field(default_factory=dict)

    def create(self, draft: PullRequestDraft, head: str) -> Pull:
        """Add a pull request under the next number."""
        self.creates += 1
        number = max(self.pulls, default=0) + 1
        pull = Pull(
            number, draft.branch, draft.base, draft.title, draft.body, head, labels=draft.labels, draft=draft.draft
        )
        self.pulls[number] = pull
        return pull

    def update(self, pull: Pull, **changes: Any) -> Pull:
        """Record what has changed of a pull request."""
        changed = replace(pull, **changes)
        self.pulls[pull.number] = changed
        return changed

    def of_branch(self, branch: str) -> list[Pull]:
        """List a branch's pull requests, newest first."""
        return [pull for _, pull in sorted(self.pulls.items(), reverse=True) if pull.branch == branch]


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Register]:
    """Hold the record file; what has changed when the block ends well is written, whole."""
    try:
        with locked(path.with_suffix(".lock"), _LOCK_SECONDS):
            register = _read(path)
            before = _as_bytes(register)
            yield register
            after = _as_bytes(register)
            if after != before:
                replace_file(path, after)
    except (TimeoutError, OSError) as error:
        raise ForgeError(f"the record of pull requests cannot be written: {error}", path=str(path)) from error


def _read(path: Path) -> Register:
    try:
        stored = json.loads(path.read_bytes())
        pulls = [
            Pull(**{**body, "state": PullState(body["state"]), "labels": tuple(body["labels"])})
            for body in stored["pulls"]
        ]
        return Register(int(stored["creates"]), {pull.number: pull for pull in pulls})
    except FileNotFoundError:
        return Register()
    except (ValueError, KeyError, TypeError) as error:
        raise ForgeError(
            f"the record of pull requests {path.name} cannot be read: {error}",
            remediation="Correct the file or remove it; pull requests then start again at 1.",
            path=str(path),
        ) from error


def _as_bytes(register: Register) -> bytes:
    pulls = [asdict(pull) for _, pull in sorted(register.pulls.items())]
    body = {"version": _VERSION, "creates": register.creates, "pulls": pulls}
    return (json.dumps(body, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
