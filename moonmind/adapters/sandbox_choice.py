"""Which sandbox this installation's jobs run in: what is set, or what `auto` found once and keeps to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from moonmind.errors import SandboxFailed, SandboxUnavailable
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import CHECK, MISSING, Sandbox, SandboxKind

AUTO = "auto"
NO_WALL = SandboxKind.CODEX
"""What `auto` keeps to where no wall can be built: Codex's own sandbox, and none for an agent that has none."""

_NAME = "MOONMIND_SANDBOX names a sandbox whatever was found."
_CHOOSE = f"Correct that, or have `moonmind sandbox reset` choose again. {_NAME}"


class Pin(Protocol):
    """Where an installation keeps what `auto` found: its database, or nowhere for agents without an installation."""

    def read(self) -> str | None:
        """Return the kind that is kept; None before one was found."""
        ...

    def keep(self, kind: str) -> str:
        """Keep a kind unless another process has kept one; return what is kept."""
        ...


class NoPin:
    """Keeps nothing."""

    def read(self) -> str | None:
        """Return nothing."""
        return None

    def keep(self, kind: str) -> str:
        """Return what was found."""
        return kind


@dataclass(frozen=True, slots=True)
class ChosenSandbox:
    """The sandbox of jobs that start now."""

    kind: SandboxKind
    wall: Sandbox | None
    """None for kinds without a wall of ours."""
    check: Check
    parts: tuple[Check, ...] = ()
    """What else the wall says of itself: its engine, its image."""

    def require(self) -> None:
        """Raise SandboxFailed, or SandboxUnavailable where nothing could be found out, unless it is proven."""
        if self.check.failed:
            raise SandboxFailed(self.check.message, remediation=self.check.remediation or SandboxFailed.remediation)
        if self.check.status is CheckStatus.UNKNOWN and self.wall is not None:
            raise SandboxUnavailable(self.check.message)


class SandboxChoice:
    """Chooses by MOONMIND_SANDBOX. With `auto`, once per installation: a container where an image is named, else bubblewrap."""

    def __init__(
        self,
        wanted: str,
        walls: Mapping[SandboxKind, Sandbox],
        pin: Pin,
        *,
        image_named: bool = False,
        of_image: Callable[[str], Sandbox] | None = None,
    ) -> None:
        """`of_image` returns the wall of containers for an image that a repository names, and raises ImageNotAllowed."""
        self._wanted = wanted
        self._walls = walls
        self._pin = pin
        self._image_named = image_named
        self._of_image = of_image

    def chosen(self, own: SandboxKind, *, keep: bool = False, image: str | None = None) -> ChosenSandbox:
        """Return the sandbox and what its probe says; with `auto` and nothing kept yet, what would be kept.

        `own` is what the agent brings along: `codex`, or `none`. `keep` is for a host that starts a job: others need not
        have what those have. `image` is what a repository names; only containers are of an image.

        Raises ImageNotAllowed, SandboxFailed, SandboxUnavailable where there is an image.
        """
        found = self._chosen(own, keep=keep)
        if image is None or found.kind is not SandboxKind.DOCKER or self._of_image is None:
            return found
        wall = self._of_image(image)
        return ChosenSandbox(found.kind, wall, *_of(found.kind, wall))

    def _chosen(self, own: SandboxKind, *, keep: bool) -> ChosenSandbox:
        if self._wanted != AUTO:
            return self._as_set(SandboxKind(self._wanted), own)
        kept = self._pin.read()
        return self._as_kept(kept, own) if kept is not None else self._found(own, keep=keep)

    def known(self) -> SandboxKind | None:
        """Return the kind that is set or kept, without trying it; None while none is, or none that this program knows."""
        kind = self._wanted if self._wanted != AUTO else self._pin.read()
        return SandboxKind(kind) if kind in list(SandboxKind) else None

    def wall(self, kind: SandboxKind) -> Sandbox | None:
        """Return the wall of a kind, which a job that still runs may have been given."""
        return self._walls.get(kind)

    def _as_set(self, kind: SandboxKind, own: SandboxKind) -> ChosenSandbox:
        wall = self._walls.get(kind)
        if wall is not None:
            return ChosenSandbox(kind, wall, *_of(kind, wall))
        if kind is SandboxKind.CODEX:
            kind = own
        return ChosenSandbox(kind, None, _plain(kind, f"{_WORDS[kind]} (MOONMIND_SANDBOX={self._wanted})"))

    def _as_kept(self, kept: str, own: SandboxKind) -> ChosenSandbox:
        if kept not in list(SandboxKind):
            return _unknown(kept, own)
        kind = SandboxKind(kept)
        wall = self._walls.get(kind)
        if wall is None:
            return ChosenSandbox(own, None, self._weaker(own))
        check, parts = _of(kind, wall)
        if check.failed:
            words = f"this installation's jobs run in {kind.value}, which does not hold here now: {check.message}"
            check = Check(CHECK, check.status, words, check.remediation or _CHOOSE, check.facts)
        return ChosenSandbox(kind, wall, check, parts)

    def _found(self, own: SandboxKind, *, keep: bool) -> ChosenSandbox:
        kind = SandboxKind.DOCKER if self._image_named else SandboxKind.BUBBLEWRAP
        wall = self._walls[kind]
        check, parts = _of(kind, wall)
        if check.status is CheckStatus.PASSED:
            found = ChosenSandbox(kind, wall, check, parts)
            return self._as_kept_by_all(kind, found, own) if keep else found
        if self._image_named or MISSING not in check.facts:
            # Nothing is kept and no job starts: who names an image wants containers, a setting can be corrected, a hole is one,
            # and what could not be tried now may hold later.
            return ChosenSandbox(kind, wall, check, parts)
        without = ChosenSandbox(own, None, self._weaker(own))
        return self._as_kept_by_all(NO_WALL, without, own) if keep else without

    def _weaker(self, own: SandboxKind) -> Check:
        """Return the check of jobs that are not behind a wall though nobody chose that: why, and what to do."""
        now = _of(SandboxKind.BUBBLEWRAP, self._walls[SandboxKind.BUBBLEWRAP])[0]
        if now.status is CheckStatus.PASSED:
            why, fix = "bubblewrap holds here now", "Have it chosen: `moonmind sandbox reset`."
        else:
            why, fix = now.message, f"{now.remediation} Then `moonmind sandbox reset` chooses again. {_NAME}".strip()
        return Check(CHECK, CheckStatus.UNKNOWN, f"{_WORDS[own]}: {why}", fix, {CHECK: own.value})

    def _as_kept_by_all(self, kind: SandboxKind, chosen: ChosenSandbox, own: SandboxKind) -> ChosenSandbox:
        kept = self._pin.keep(kind.value)
        return chosen if kept == kind.value else self._as_kept(kept, own)


def without_wall(own: SandboxKind, why: str) -> ChosenSandbox:
    """Return the sandbox of a job that no wall of ours can hold, with the reason."""
    return ChosenSandbox(own, None, _plain(own, f"{_WORDS[own]}, {why}"))


def set_to(kind: str) -> SandboxChoice:
    """Return the choice of a kind without a wall."""
    return SandboxChoice(kind, {}, NoPin())


NO_CHOICE = set_to("codex")
"""For agents without an installation: what they bring along."""

_WORDS: Mapping[SandboxKind, str] = {
    SandboxKind.CODEX: "jobs run in Codex's own sandbox",
    SandboxKind.NONE: "jobs run without a sandbox",
}


def _unknown(kept: str, own: SandboxKind) -> ChosenSandbox:
    words = f"this installation keeps to the sandbox {kept!r}, which this version of MoonMind does not know"
    fix = "Upgrade MoonMind on this host, or name a sandbox in MOONMIND_SANDBOX."
    return ChosenSandbox(own, None, Check(CHECK, CheckStatus.FAILED, words, fix))


def _of(kind: SandboxKind, wall: Sandbox) -> tuple[Check, tuple[Check, ...]]:
    """Return the wall's answer as the one check of this name, and the others as they are."""
    checks = wall.check()
    decisive = next((check for check in checks if check.status is not CheckStatus.PASSED), checks[-1])
    facts = {name: value for check in checks for name, value in check.facts.items()} | {CHECK: kind.value}
    answer = Check(CHECK, decisive.status, decisive.message, decisive.remediation, facts)
    return answer, tuple(check for check in checks if check is not decisive)


def _plain(kind: SandboxKind, message: str, remediation: str = "") -> Check:
    return Check(CHECK, CheckStatus.PASSED, message, remediation, {CHECK: kind.value})
