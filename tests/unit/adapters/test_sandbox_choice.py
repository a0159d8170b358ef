"""Which sandbox jobs get, by what is set, what was kept, and what the walls say of themselves."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from moonmind.adapters.sandbox_choice import SandboxChoice
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.errors import SandboxFailed, SandboxUnavailable
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import BoxedCommand, Sandbox, SandboxKind, Wrapped

HOLDS, FAILS, UNKNOWN = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.UNKNOWN
DOCKER, BUBBLEWRAP, CODEX, NONE = SandboxKind
BOTH = (CODEX, NONE)


@dataclass
class Wall:
    kind: SandboxKind
    status: CheckStatus
    missing: bool = False
    user: tuple[int, int] | None = None

    def wrap(self, job: BoxedCommand) -> Wrapped:
        return Wrapped(job.command, job.environment)

    def end(self, mark: str) -> None:
        """Nothing runs."""

    def overlays(self) -> bool:
        return False

    def marks(self) -> tuple[str, ...]:
        return ()

    def foundation(self) -> str:
        return "programs"

    def check(self) -> tuple[Check, ...]:
        first = Check("sandbox.tool", HOLDS, "there is one", facts={"version": "1"})
        facts = {"missing": "yes"} if self.missing else {}
        return (first, Check("sandbox", self.status, f"{self.kind.value} says so", "fix it", facts))


@dataclass
class Kept:
    value: str | None = None
    first: str | None = None
    """What another process keeps just before."""
    asked: list[str] = field(default_factory=list)

    def read(self) -> str | None:
        return self.value

    def keep(self, kind: str) -> str:
        self.asked.append(kind)
        self.value = self.value or self.first or kind
        return self.value


def choice(
    wanted: str, docker: CheckStatus, bubblewrap: CheckStatus, kept: Kept, *, image: bool = False, missing: bool = True
) -> SandboxChoice:
    walls: dict[SandboxKind, Sandbox] = {
        DOCKER: Wall(DOCKER, docker),
        BUBBLEWRAP: Wall(BUBBLEWRAP, bubblewrap, missing),
    }
    return SandboxChoice(wanted, walls, kept, image_named=image)


@pytest.mark.parametrize("own", BOTH)
@pytest.mark.parametrize(
    ("image", "docker", "bubblewrap", "kind", "keeps"),
    [
        (False, FAILS, HOLDS, BUBBLEWRAP, "bubblewrap"),
        (False, HOLDS, HOLDS, BUBBLEWRAP, "bubblewrap"),
        (False, HOLDS, FAILS, None, "codex"),
        (False, FAILS, FAILS, None, "codex"),
        (True, HOLDS, HOLDS, DOCKER, "docker"),
        (True, HOLDS, FAILS, DOCKER, "docker"),
        (True, FAILS, HOLDS, DOCKER, None),
        (True, UNKNOWN, HOLDS, DOCKER, None),
    ],
)
def test_auto_chooses_once_and_keeps_to_it(
    own: SandboxKind,
    image: bool,
    docker: CheckStatus,
    bubblewrap: CheckStatus,
    kind: SandboxKind | None,
    keeps: str | None,
) -> None:
    kept = Kept()
    seen = choice("auto", docker, bubblewrap, kept, image=image).chosen(own)
    assert (seen.kind, kept.value) == (kind or own, None), "to look decides nothing"
    found = choice("auto", docker, bubblewrap, kept, image=image).chosen(own, keep=True)
    assert (found.kind, kept.value) == (kind or own, keeps)
    assert found.check.facts["sandbox"] == found.kind.value
    if keeps is not None:
        for changed in (HOLDS, FAILS):
            again = choice("auto", changed, changed, kept, image=not image).chosen(own)
            assert again.kind is found.kind, "what was chosen is never changed without a word"


@pytest.mark.parametrize("first", ["docker", "bubblewrap", "codex"])
def test_of_two_processes_that_choose_at_once_both_keep_to_the_first(first: str) -> None:
    kept = Kept(first=first)
    found = choice("auto", HOLDS, HOLDS, kept).chosen(CODEX, keep=True)
    assert (found.kind.value, kept.asked) == (first, ["bubblewrap"])


@pytest.mark.parametrize("kind", [DOCKER, BUBBLEWRAP])
@pytest.mark.parametrize("wanted", ["auto", "set"])
def test_a_wall_that_does_not_hold_any_more_stops_the_run(kind: SandboxKind, wanted: str) -> None:
    kept = Kept(kind.value)
    made = choice(kind.value if wanted == "set" else "auto", FAILS, FAILS, kept)
    found = made.chosen(CODEX)
    assert found.check.failed
    with pytest.raises(SandboxFailed, match=kind.value) as refused:
        found.require()
    assert refused.value.advice == "fix it"


def test_a_wall_that_could_not_be_tried_may_be_tried_later() -> None:
    with pytest.raises(SandboxUnavailable):
        choice("docker", UNKNOWN, HOLDS, Kept()).chosen(CODEX).require()


@pytest.mark.parametrize(
    ("wanted", "own", "kind"), [("codex", CODEX, CODEX), ("codex", NONE, NONE), ("none", CODEX, NONE)]
)
def test_a_kind_without_a_wall_is_what_the_agent_brings_along(wanted: str, own: SandboxKind, kind: SandboxKind) -> None:
    kept = Kept("bubblewrap")
    found = choice(wanted, HOLDS, HOLDS, kept).chosen(own)
    found.require()
    assert (found.kind, found.wall, kept.asked) == (kind, None, [])
    assert found.check.status is HOLDS
    assert "sandbox" in found.check.message


@pytest.mark.parametrize(
    ("wanted", "kept", "known"),
    [("auto", None, None), ("auto", "codex", CODEX), ("none", "docker", NONE), ("docker", None, DOCKER)],
)
def test_the_kind_is_known_without_trying_it(wanted: str, kept: str | None, known: SandboxKind | None) -> None:
    assert choice(wanted, FAILS, FAILS, Kept(kept)).known() is known


@pytest.mark.parametrize("status", [HOLDS, FAILS, UNKNOWN])
def test_what_a_wall_says_of_its_parts_is_said_too(status: CheckStatus) -> None:
    found = choice("docker", status, HOLDS, Kept()).chosen(CODEX)
    assert [check.name for check in found.parts] == ["sandbox.tool"]
    assert (found.check.name, found.check.status) == ("sandbox", status)
    assert found.check.facts == {"version": "1", "sandbox": "docker"}


@pytest.mark.parametrize("kept", ["firecracker", "", "Docker"])
def test_what_a_newer_program_keeps_is_refused_in_words(kept: str) -> None:
    made = choice("auto", HOLDS, HOLDS, Kept(kept))
    assert made.known() is None
    with pytest.raises(SandboxFailed, match="does not know"):
        made.chosen(CODEX).require()


@pytest.mark.parametrize("status", [FAILS, UNKNOWN])
def test_a_setting_to_correct_or_a_hole_never_takes_the_wall_away(status: CheckStatus) -> None:
    kept = Kept()
    found = choice("auto", HOLDS, status, kept, missing=False).chosen(CODEX, keep=True)
    assert (found.kind, found.check.status, kept.value) == (BUBBLEWRAP, status, None)
    with pytest.raises((SandboxFailed, SandboxUnavailable)):
        found.require()


@pytest.mark.parametrize(("now", "words"), [(HOLDS, "bubblewrap holds here now"), (FAILS, "bubblewrap says so")])
def test_nobody_is_left_without_a_wall_unawares(now: CheckStatus, words: str) -> None:
    found = choice("auto", FAILS, now, Kept("codex")).chosen(CODEX)
    found.require()
    assert found.check.status is UNKNOWN
    assert words in found.check.message
    assert "moonmind sandbox reset" in found.check.remediation


@pytest.mark.parametrize("own", BOTH)
def test_a_host_without_bwrap_still_runs_agents_and_says_what_is_missing(tmp_path: Path, own: SandboxKind) -> None:
    wall = Bubblewrap(SandboxOptions(tmp_path, "i", "h", {"PATH": str(tmp_path)}))
    kept = Kept()
    found = SandboxChoice("auto", {BUBBLEWRAP: wall}, kept, image_named=False).chosen(own, keep=True)
    found.require()
    assert (found.kind, kept.value, found.check.status) == (own, "codex", UNKNOWN)
    assert "there is no bwrap" in found.check.message
