"""Follows environments until they are there, or their builds have failed: starts builds, waits for a turn, reads logs."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from moonmind.errors import EnvironmentFailed, MoonMindError
from moonmind.ports.environments import BuildState, EnvironmentOrder, Environments, EnvironmentStatus
from moonmind.proof.environments.environment_value import ROOT
from moonmind.redact import Redactor
from moonmind.services.outage_words import in_words

PACE_SECONDS = 0.4
_PIECE = 1 << 20


class BuildEvent(StrEnum):
    """What there is to tell of an environment whose build is followed."""

    WAITS = "waits"
    """As many builds run on this host as may."""
    BEGUN = "begun"
    JOINED = "joined"
    """Its build was under way already."""
    LOG = "log"
    """Its build printed a line."""
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BuildNews:
    """One of these events."""

    event: BuildEvent
    root: str
    key: str
    text: str = ""
    """The line that was printed, or why it failed."""
    seconds: float = 0.0
    size: int = 0


class FollowedBuild:
    """One environment that is to be there."""

    def __init__(self, environments: Environments, redactor: Redactor, order: EnvironmentOrder, key: str) -> None:
        self._environments = environments
        self._redactor = redactor
        self._order = order
        self._key = key
        self._job: str | None = None
        self._waits = False
        self._log = _LogTail()
        self.end: BuildNews | None = None
        """The last news: it is ready, or failed."""

    def look(self) -> Iterator[BuildNews]:
        """Yield what is new, and start the build if it is not there. Raises MoonMindError where that cannot be found out."""
        if self.end is not None:
            return
        status = self._environments.look(self._key)
        if self._job is None and status.state in (BuildState.ABSENT, BuildState.FAILED):
            yield from self._begin()
            return
        match status.state:
            case BuildState.READY:
                if self._job is not None:
                    yield from self._lines(status)
                yield self._ended(BuildEvent.READY, seconds=status.seconds, size=status.size)
            case BuildState.BUILDING:
                if self._job != status.job:
                    self._log = _LogTail()
                    yield self._news(BuildEvent.JOINED)
                self._job = status.job
                yield from self._lines(status)
            case BuildState.FAILED:
                yield from self._lines(status)
                yield self._ended(BuildEvent.FAILED, self._redactor.text(status.message) or "its setup failed")
            case _:
                yield self._ended(BuildEvent.FAILED, "its build was stopped, or ended with the machine")

    def _begin(self) -> Iterator[BuildNews]:
        try:
            status = self._environments.build(self._order)
        except MoonMindError as error:
            if error.retryable:
                raise
            yield self._ended(BuildEvent.FAILED, self._redactor.text(error.message))
            return
        if status.state is BuildState.BUILDING:
            self._job = status.job
            yield self._news(BuildEvent.BEGUN)
        elif status.state is BuildState.ABSENT and not self._waits:
            self._waits = True
            yield self._news(BuildEvent.WAITS)

    def _lines(self, status: EnvironmentStatus) -> Iterator[BuildNews]:
        for line in self._log.read(status.log, whole=status.state is not BuildState.BUILDING):
            yield self._news(BuildEvent.LOG, self._redactor.text(line))

    def _ended(self, event: BuildEvent, text: str = "", *, seconds: float = 0.0, size: int = 0) -> BuildNews:
        self.end = self._news(event, text, seconds=seconds, size=size)
        return self.end

    def _news(self, event: BuildEvent, text: str = "", *, seconds: float = 0.0, size: int = 0) -> BuildNews:
        return BuildNews(event, self._order.environment.root, self._key, text, seconds, size)


class FollowedBuilds:
    """Those that a repository needs. Whoever stops following leaves the builds at work."""

    def __init__(self, repository: str, builds: Sequence[FollowedBuild], redactor: Redactor) -> None:
        self.repository = repository
        self.count = len(builds)
        self._builds = builds
        self._redactor = redactor

    def news(self) -> Generator[BuildNews]:
        """Yield what happens to them until all are ready. Raises Unavailable, and at the end EnvironmentFailed if one failed."""
        while any(one.end is None for one in self._builds):
            for one in self._builds:
                with in_words(self._redactor):
                    found = list(one.look())
                yield from found
            if any(one.end is None for one in self._builds):
                time.sleep(PACE_SECONDS)
        failed = [one.end for one in self._builds if one.end is not None and one.end.event is BuildEvent.FAILED]
        if failed:
            raise _failure(failed)


def _failure(failed: Sequence[BuildNews]) -> EnvironmentFailed:
    first = failed[0]
    where = "" if first.root == ROOT else f" of {first.root}"
    more = f" Another {len(failed) - 1} failed, too." if len(failed) > 1 else ""
    return EnvironmentFailed(
        f"The environment{where} cannot be set up: {first.text.strip().removesuffix('.')}.{more}",
        remediation="Correct what sets it up (`setup` in .moonmind.yml, or the build files) and push, or allow the host that it "
        "could not reach (MOONMIND_ENVIRONMENT_HOSTS); then run the command again.",
        root=first.root,
    )


class _LogTail:
    """Reads on in a log that grows, and that moves when its build ends."""

    def __init__(self) -> None:
        self._position = 0
        self._rest = b""

    def read(self, log: Path | None, *, whole: bool) -> Iterator[str]:
        """Yield the lines that are new; with `whole` also the last one, without its end."""
        if log is None:
            return
        try:
            with log.open("rb") as file:
                file.seek(self._position)
                while piece := file.read(_PIECE):
                    self._position += len(piece)
                    *lines, self._rest = (self._rest + piece).split(b"\n")
                    yield from (line.decode("utf-8", "replace") for line in lines)
        except FileNotFoundError:
            return  # it moves just now
        if whole and self._rest:
            yield self._rest.decode("utf-8", "replace")
            self._rest = b""
