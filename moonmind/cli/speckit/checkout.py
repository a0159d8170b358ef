"""A folder with Spec Kit files, as it lies on this disk: nothing is fetched, and no server is asked."""

import contextlib
import os
import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from moonmind.cli.speckit.bounded_reading import LARGEST, read_file, walk
from moonmind.errors import InvalidRequest, NotFound, SpecUnreadable
from moonmind.speckit.answer import Answer, Repository, answer
from moonmind.speckit.feature import Feature
from moonmind.speckit.features import survey
from moonmind.speckit.finished_file import read_or_count
from moonmind.speckit.pointer import names_of, pointers_in, with_named
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import SpecTask, TasksFile
from moonmind.speckit.work import Division

_PASSED_OVER = frozenset({".git", "node_modules", ".venv", "__pycache__"})
_LARGEST_POINTER = 1 << 16


@dataclass(frozen=True, slots=True)
class Asked:
    """Which feature is meant: said on the command line, else by Spec Kit's own two variables."""

    feature: str | None = None
    directory: str | None = None
    """`SPECIFY_FEATURE_DIRECTORY`: a path from the root, or an absolute one."""
    name: str | None = None
    """`SPECIFY_FEATURE`."""


@dataclass
class Checkout:
    """One project's files. Features are read once."""

    root: Path
    _files: dict[str, TasksFile | SpecUnreadable] = field(default_factory=dict)

    @classmethod
    def around(cls, place: Path) -> "Checkout":
        """Find the project that a folder belongs to: the nearest one above with `.specify/`, else the folder itself."""
        start = place.absolute()
        return cls(next((folder for folder in (start, *start.parents) if (folder / ".specify").is_dir()), start))

    @cached_property
    def listing(self) -> tuple[str, ...]:
        """List the files as git would name them; linked folders are passed over."""
        return tuple(sorted(walk(self.root, _PASSED_OVER)))

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        """Find the features there are; raises NotFound where there is none."""
        found, _ = self._survey
        if not found:
            raise NotFound(
                f"{self.root} holds no feature (specs/*/tasks.md)", remediation="Name the folder that holds specs/."
            )
        return found

    @cached_property
    def _survey(self) -> tuple[tuple[Feature, ...], tuple[Feature, ...]]:
        return survey(self.listing)

    def features_with(self, requested: str) -> tuple[Feature, ...]:
        """Find the features, with those otherwise set aside that a pointer, the branch or a request names."""
        names = (requested, *names_of(self.branch))
        return with_named((self.features, self._survey[1]), self.listing, self._text, names)

    def file(self, feature: Feature) -> TasksFile | SpecUnreadable:
        """Read a feature's tasks.md, or give why it cannot be read."""
        if feature.path not in self._files:
            try:
                data = read_file(self.root / feature.tasks_path)
                self._files[feature.path] = read_or_count(data, name=feature.tasks_path)
            except SpecUnreadable as error:
                self._files[feature.path] = error
        return self._files[feature.path]

    def answer(self, asked: Asked, selection: Selection = EVERYTHING, division: Division | None = None) -> Answer:
        """Answer what to do next as a run would, and as Spec Kit's variables say before that."""
        requested = asked.feature or self._directory(asked.directory) or asked.name or ""
        return answer(self.repository(requested), requested=requested, selection=selection, division=division)

    def repository(self, requested: str = "") -> Repository:
        """Return what the question what to do next is about; raises NotFound where there is no feature."""
        features = self.features_with(requested)
        read = {one.path: self.file(one) for one in features}
        places = pointers_in(self.listing, features)
        return Repository(
            features,
            {path: file for path, file in read.items() if isinstance(file, TasksFile)},
            self.listing,
            {path: file for path, file in read.items() if isinstance(file, SpecUnreadable)},
            {root: text for root, path in places.items() if (text := self._text(path)) is not None},
            self.branch,
        )

    @cached_property
    def branch(self) -> str | None:
        """Return the branch that is checked out, read from git's own file, also in a linked worktree."""
        head = self._text(".git/HEAD") or self._linked_head() or ""
        return head.removeprefix("ref: refs/heads/").strip() if head.startswith("ref: refs/heads/") else None

    def _linked_head(self) -> str | None:
        link = self._text(".git") or ""
        folder = link.removeprefix("gitdir:").strip()
        return self._text(f"{folder}/HEAD") if link.startswith("gitdir:") and folder else None

    def read(self, path: str, limit: int = LARGEST) -> bytes | None:
        """Read a file of the checkout, at most `limit` bytes and one more.

        Return None where there is none, or a link, which may lead out of it.
        """
        place = self.root / path
        try:
            return None if place.is_symlink() else read_file(place, limit)
        except SpecUnreadable:
            return None

    def _directory(self, given: str | None) -> str | None:
        if not given:
            return None
        place = Path(given.replace("\\", "/"))
        with contextlib.suppress(ValueError):
            return place.relative_to(self.root).as_posix() if place.is_absolute() else place.as_posix()
        raise InvalidRequest(
            f"SPECIFY_FEATURE_DIRECTORY names {given}, which is not below {self.root}",
            remediation="Set it to a folder of this project, or unset it.",
        )

    def _text(self, path: str) -> str | None:
        try:
            return read_file(self.root / path, _LARGEST_POINTER)[:_LARGEST_POINTER].decode("utf-8", "replace")
        except SpecUnreadable:
            return None


def find_task(file: TasksFile, task_id: str, line: int | None) -> SpecTask:
    """Find the task of an id, by its line where the id stands more than once; raises NotFound and InvalidRequest."""
    found = [task for task in file.tasks if task.id == task_id and line in {None, task.line}]
    if not found:
        where = f" on line {line}" if line is not None else ""
        raise NotFound(f"there is no task {task_id}{where}", remediation="`speckit status` shows the tasks there are.")
    if len(found) > 1:
        lines = ", ".join(str(task.line) for task in found)
        raise InvalidRequest(f"{task_id} is on lines {lines}", remediation="Say which one is meant with --line.")
    return found[0]


def rewrite(place: Path, before: bytes, after: bytes) -> None:
    """Put new bytes in a file's place, whole; raises SpecUnreadable when it is not what was read any more."""
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        if read_file(place) != before:
            raise SpecUnreadable(f"{place} changed while it was read.", remediation="Do it again.")
        Path(name).chmod(place.stat().st_mode & 0o7777)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
