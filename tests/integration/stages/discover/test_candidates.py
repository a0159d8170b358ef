from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.git import Git
from moonmind.engine.lease import LeaseLost
from moonmind.errors import SpecUnreadable
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState
from moonmind.ports.vcs import TreeFile
from moonmind.runs.chain import Stage
from moonmind.speckit.answer import Answer, AnswerKind
from moonmind.stages.discover.candidates import MOST_FACTS, Candidates, Start
from moonmind.stages.discover.snapshot import LARGEST, Snapshot
from tests.support.git_repos import commit_to, merge
from tests.support.stage_world import BRANCH, KEY, TASKS, World


def feature(*lines: str) -> str:
    return "\n".join(["# Tasks: X", "", "## Phase 1: Things", "", *lines, ""])


def candidates_of(world: World) -> Candidates:
    repository = world.forge.repository("acme/demo")
    world.vcs.fetch(repository)
    return Candidates(
        world.context(Stage.DISCOVER), Snapshot(repository, world.vcs.branches(repository.full_name), world.vcs)
    )


def choice_of(world: World) -> tuple[Answer, Start]:
    candidates = candidates_of(world)
    found, base = candidates.choose()
    assert found.feature
    return found, candidates.start_of(found.feature, base)


def test_a_branch_pushed_without_a_pull_request_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    tip = commit_to(world.bare, BRANCH, {"x": "y"}, "Pushed, then crashed", start=world.tip("main"))
    _, start = choice_of(world)
    assert (start.branch, start.commit, start.branch_tip) == (BRANCH, tip, tip)
    assert "without a pull request" in start.reason


def test_a_branch_without_anything_new_is_not_gone_on_with(tmp_path: Path) -> None:
    world = World(tmp_path)
    merge(world.bare, "main", BRANCH)
    _, start = choice_of(world)
    assert (start.branch, start.branch_tip, start.commit) == (f"{BRANCH}-2", None, world.tip("main"))


def test_the_second_branch_of_one_feature_never_takes_the_name_of_another_feature(tmp_path: Path) -> None:
    files = {"specs/001-x/tasks.md": feature("- [ ] T001 a.py"), "specs/001-x-2/tasks.md": feature("- [ ] T001 b.py")}
    world = World(tmp_path, files=files)
    world.requested = "001-x"
    merge(world.bare, "main", "moonmind/001-x")
    choice, start = choice_of(world)
    assert choice.feature
    assert (choice.feature.key, start.branch) == ("001-x", "moonmind/001-x-3")


class Asked(LocalForge):
    """A forge that counts what it is asked, and knows pull requests of branches that are deleted by now."""

    asked: list[str]
    merged: tuple[str, ...] = ()

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        self.asked.append(branch)
        if branch in self.merged:
            return (PullRequest(1, "file:///1", PullState.MERGED, branch, "main", "t", "b"),)
        return super().pull_requests(repository, branch)


def asked_of(world: World, *merged: str) -> Asked:
    forge = Asked(world.forge_options)
    forge.asked, forge.merged = [], merged
    world.forge = forge
    return forge


@pytest.mark.parametrize("number", ["900000", "999999", "1001", "99999999999999999999"])
def test_a_branch_with_an_absurd_number_is_nobodys(tmp_path: Path, number: str) -> None:
    world = World(tmp_path)
    commit_to(world.bare, f"{BRANCH}-{number}", {"x": "y"}, "By hand", start=world.tip("main"))
    forge = asked_of(world)
    _, start = choice_of(world)
    assert (start.branch, start.branch_tip) == (BRANCH, None)
    assert forge.asked == [BRANCH]


def test_the_forge_is_asked_about_an_open_branch_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    tip = commit_to(world.bare, f"{BRANCH}-1000", {"x": "y"}, "Far out", start=world.tip("main"))
    forge = asked_of(world)
    _, start = choice_of(world)
    assert (start.branch, start.commit) == (f"{BRANCH}-1000", tip)
    assert forge.asked == [f"{BRANCH}-1000"]


def test_a_name_beyond_a_gap_that_only_a_pull_request_knows_is_not_used_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    merge(world.bare, "main", f"{BRANCH}-5")
    forge = asked_of(world, BRANCH, f"{BRANCH}-2", f"{BRANCH}-6")
    _, start = choice_of(world)
    assert (start.branch, start.branch_tip) == (f"{BRANCH}-7", None)
    # The fifth exists and holds nothing new: there is nothing to ask about it.
    assert sorted(forge.asked) == [BRANCH, *(f"{BRANCH}-{number}" for number in (2, 3, 6, 7))]


def test_a_lease_that_is_lost_ends_the_questions(tmp_path: Path) -> None:
    world = World(tmp_path)
    forge = asked_of(world, BRANCH, f"{BRANCH}-2", f"{BRANCH}-3")
    world.lease.break_after = 2
    with pytest.raises(LeaseLost):
        choice_of(world)
    assert len(forge.asked) == 2


def test_a_feature_that_lives_on_a_branch_of_its_name_has_that_branch_as_base(tmp_path: Path) -> None:
    world = World(tmp_path, files={"README.md": "x"})
    tip = commit_to(
        world.bare, "042-x", {"specs/042-x/tasks.md": feature("- [ ] T001 Write a.py")}, "Spec", start=world.tip("main")
    )
    for requested in ("042-x", "042", ""):
        world.requested = requested
        _, start = choice_of(world)
        assert (start.base, start.commit, start.branch) == ("042-x", tip, "moonmind/042-x")


@pytest.mark.parametrize(
    ("content", "mode"),
    [("../../README.md", "120000"), ("no task at all", "100644"), (b"\xff\xfe\0\0", "100644"), (b"", "100644")],
    ids=["a link", "no task", "no text", "empty"],
)
def test_a_feature_branch_that_cannot_be_read_hides_no_other(tmp_path: Path, content: bytes | str, mode: str) -> None:
    world = World(tmp_path, files={"README.md": "x"})
    path = "specs/001-a/tasks.md"
    commit_to(world.bare, "001-a", {path: content}, "Spec", start=world.tip("main"), modes={path: mode})
    world.requested = ""
    alone, base = candidates_of(world).choose()
    assert (type(alone.error), base) == (SpecUnreadable, "001-a")
    commit_to(world.bare, "002-b", {"specs/002-b/tasks.md": feature("- [ ] T001 Write a.py")}, "Spec")
    found, base = candidates_of(world).choose()
    assert (found.kind, base) == (AnswerKind.WORK, "002-b")


def test_without_evidence_a_person_is_asked_with_what_helps_to_choose(tmp_path: Path) -> None:
    files = {
        "specs/001-a/tasks.md": feature("- [x] T001 Write a.py"),
        "specs/002-b/tasks.md": feature("- [ ] T001 Write b.py"),
        "specs/003-c/tasks.md": feature("- [ ] T001 Write c.py"),
    }
    world = World(tmp_path, files=files)
    world.requested = ""
    tip = commit_to(world.bare, "moonmind/003-c", {"c.py": "y"}, "Begin", start=world.tip("main"))
    draft = PullRequestDraft("moonmind/003-c", "main", "C", "")
    opened = world.forge.ensure_pull_request("acme/demo", draft)
    forge = asked_of(world)
    candidates = candidates_of(world)
    found, base = candidates.choose()
    assert (found.kind, found.feature) == (AnswerKind.ASK, None)
    second, third = candidates.facts_of(found, base).candidates
    assert forge.asked == ["moonmind/003-c"]
    assert (second.feature, second.named, second.there, second.pull_request) == ("specs/002-b", 1, 0, None)
    # The files of the third are looked for where its work goes on.
    assert (third.feature, third.named, third.there) == ("specs/003-c", 1, 1)
    assert third.pull_request == opened.url
    changed = world.vcs.changed_at("acme/demo", tip, "specs")
    assert changed is not None
    assert second.changed_at == third.changed_at == changed.isoformat()


def many(count: int) -> dict[str, str]:
    return {f"specs/{n:03}-x/tasks.md": feature(f"- [ ] T001 Write x{n}.py") for n in range(1, count + 1)}


def test_a_long_list_of_candidates_is_looked_at_in_part_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, files=many(MOST_FACTS + 2))
    world.requested = ""
    candidates = candidates_of(world)
    found = candidates.facts_of(*candidates.choose())
    assert [one.changed_at is None for one in found.candidates] == [False] * MOST_FACTS + [True] * 2
    assert found.notes == ("of 22 candidates, the last change and the pull request of the first 20 are shown",)


def test_as_many_commands_are_started_for_many_features_as_for_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    real = Git.run

    def counted(git: Git, verb: str, *given: Any, **named: Any) -> Any:
        started.append(verb)
        return real(git, verb, *given, **named)

    monkeypatch.setattr(Git, "run", counted)
    counts = []
    for count in (2, 9):
        world = World(tmp_path / str(count), files=many(count))
        world.requested = ""
        forge = asked_of(world)
        candidates = candidates_of(world)
        started.clear()
        found, _ = candidates.choose()
        assert len(found.candidates) == count
        assert forge.asked == []
        counts.append(len(started))
    assert counts[0] == counts[1] <= 3


def test_branches_that_hold_no_feature_of_their_name_are_not_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, files={"README.md": "x"})
    for name in ("fix/a", "fix/b", "wip", "ana/043-y"):
        commit_to(world.bare, name, {f"{name}.py": "x"}, "Work", start=world.tip("main"))
    commit_to(world.bare, "ana/042-x", {"specs/042-x/tasks.md": feature("- [ ] T001 Write a.py")}, "Spec")
    world.requested = ""
    candidates = candidates_of(world)
    listed: list[str] = []
    real = world.vcs.listing

    def counted(repository: str, commit: str) -> tuple[TreeFile, ...]:
        listed.append(commit)
        return real(repository, commit)

    monkeypatch.setattr(world.vcs, "listing", counted)
    _, base = candidates.choose()
    assert base == "ana/042-x"
    assert len(listed) == 2


@pytest.mark.parametrize("place", ["specs/001-a/tasks.md", ".specify/feature.json", "specs/002-b/spec.md"])
def test_a_file_that_is_too_large_to_be_read_is_said_and_refuses_no_other_feature(tmp_path: Path, place: str) -> None:
    files: dict[str, bytes | str] = {
        "specs/001-a/tasks.md": feature("- [x] T001 Write a.py"),
        "specs/002-b/tasks.md": feature("- [ ] T001 Write b.py"),
        place: b"x" * (LARGEST + 1),
    }
    world = World(tmp_path, files=files)
    world.requested = ""
    choice, _ = choice_of(world)
    assert choice.feature
    assert choice.feature.path == "specs/002-b"
    assert any(place in note for note in choice.notes) is (place != "specs/002-b/spec.md")


def test_the_default_branch_decides_where_it_holds_what_is_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    commit_to(world.bare, KEY, {TASKS: feature("- [ ] T001 Write other.py")}, "Spec", start=world.tip("main"))
    _, start = choice_of(world)
    assert start.base == "main"


MADE = feature(*(f"- [x] T{n:03} Create src/app/models/m{n}.py" for n in range(1, 7)))
ARCHIVE = feature(*(f"- [ ] T{n:03} Implement archive support in src/app/models/m{n}.py" for n in range(1, 7)))
UNNAMED = feature(*(f"- [ ] T{n:03} Implement part {n}" for n in range(1, 7)))
MODELS = {f"src/app/models/m{n}.py": "x = 1\n" for n in range(1, 12)}


@pytest.mark.parametrize("requested", ["002", "002-b", "specs/002-b"])
@pytest.mark.parametrize("tasks", [ARCHIVE, UNNAMED])
@pytest.mark.parametrize("other", [MADE, MADE + "<<<<<<< x\n"], ids=["readable", "unreadable"])
def test_ticks_of_other_features_count_for_the_one_asked_for(
    tmp_path: Path, requested: str, tasks: str, other: str
) -> None:
    files = {"specs/001-a/tasks.md": MADE, "specs/002-b/tasks.md": tasks, "specs/003-c/tasks.md": other, **MODELS}
    world = World(tmp_path, files=files)
    world.requested = requested
    forge = asked_of(world)
    choice, _ = choice_of(world)
    assert (choice.kind, choice.candidates) == (AnswerKind.WORK, ())
    assert not any("003-c" in said for said in (*choice.notes, *choice.reasons))
    assert forge.asked == ["moonmind/002-b"]


def test_ticks_of_other_features_count_for_one_on_a_branch_of_its_name(tmp_path: Path) -> None:
    world = World(tmp_path, files={"specs/001-a/tasks.md": MADE, **MODELS})
    commit_to(world.bare, "002-b", {"specs/002-b/tasks.md": ARCHIVE}, "Spec", start=world.tip("main"))
    world.requested = "002-b"
    choice, start = choice_of(world)
    assert (choice.kind, start.base) == (AnswerKind.WORK, "002-b")
