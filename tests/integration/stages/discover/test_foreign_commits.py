"""Commits on a run's branch that MoonMind did not make are named first, in words that do nothing."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from moonmind.ports.vcs import Commit
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.stages.discover.foreign_commits import MOST, foreign_commits
from moonmind.stages.kit.plan import Plan
from tests.support.git_repos import commit_to, git
from tests.support.stage_world import BRANCH, World

RUN = UUID("11111111-2222-4333-8444-555555555555")
SECRET = "ghp_" + "s3cret" * 6


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"), secrets=(SECRET,))


def a_commit(number: int = 1, **given: Any) -> Commit:
    values: dict[str, Any] = {
        "id": f"{number:040x}",
        "parents": ("0" * 40,),
        "author": "Mallory",
        "committer": "Mallory",
        "subject": "Add attacker.txt",
        "trailers": {},
    }
    return Commit(**(values | given))


def said(world: World, *commits: Commit) -> tuple[str, ...]:
    return foreign_commits(world.context(Stage.DISCOVER), BRANCH, commits)


def warnings_of(world: World) -> tuple[str, ...]:
    outcome = world.step(Stage.DISCOVER)
    assert isinstance(outcome, Done), outcome
    return tuple(Plan.read(outcome.result).warnings)


def test_a_branch_that_was_prepared_is_said_in_the_pull_request(tmp_path: Path) -> None:
    world = World(tmp_path)
    theirs = commit_to(world.bare, BRANCH, {"attacker.txt": "x"}, "Innocent, fixes #7", start=world.tip("main"))
    world.succeed(through=Stage.PUBLISH)
    (pull,) = world.pulls()
    first = pull.body.split("**Look here first:**\n")[1].splitlines()[0]
    assert theirs[:12] in first
    assert "A Person" in first
    assert "#7" not in pull.body
    assert theirs[:12] in world.artifacts.read("apply/output.json").decode()


def by_hand(world: World, own: str, change: str) -> str:
    """Put a commit of the kind on the branch, which is at our own commit again, and give its id."""
    bare, main = world.bare, world.tip("main") or ""
    message = git(bare, "log", "-1", "--format=%B", own).decode()
    git(bare, "update-ref", f"refs/heads/{BRANCH}", main if change == "amended" else own)
    if change != "merged":
        words = message if change in {"amended", "copied"} else "By hand"
        return commit_to(bare, BRANCH, {change: "x"}, words)
    base = commit_to(bare, "main", {"new": "x"}, "On the base")
    tree = git(bare, "rev-parse", f"{own}^{{tree}}").decode().strip()
    merged = git(bare, "commit-tree", tree, "-p", own, "-p", base, "-m", "Merge main").decode().strip()
    git(bare, "update-ref", f"refs/heads/{BRANCH}", merged)
    return merged


def test_the_commits_of_this_installations_runs_are_not_named_and_all_others_are(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    own = first.tip() or ""
    assert warnings_of(first.next_run(2)) == ()
    for change in ("on-top", "copied", "amended", "merged"):
        theirs = by_hand(first, own, change)
        (found,) = warnings_of(first.next_run(2))
        assert theirs[:12] in found, change
        assert found.startswith("Merge" if change == "merged" else "Commit"), change
        assert ("though it names run 00000000" in found) is (change in {"amended", "copied"}), change
    elsewhere = World(tmp_path, number=3)
    assert own[:12] in warnings_of(elsewhere)[-1]


@pytest.mark.parametrize(
    "trailers",
    [{"run-id": str(RUN)}, {"run-id": f"{{{RUN}}}"}, {"run-id": "1"}, {"run-id": ""}, {"feature": "specs/x"}],
)
def test_a_trailer_alone_makes_no_commit_ours(world: World, trailers: dict[str, str]) -> None:
    world.services.made = {RUN: ["f" * 40]}
    assert len(said(world, a_commit(trailers=trailers, author="MoonMind", committer="MoonMind"))) == 1
    assert said(world, a_commit(id="f" * 40, trailers={"run-id": str(RUN)})) == ()


@pytest.mark.parametrize(
    "text",
    ["\x1b[31mred\x1b[0m", "a\u202eb", "two\nlines", "\u200b\u200b", "x" * 5000, "", "\ufffd", SECRET],
)
def test_hostile_words_stay_one_short_line(world: World, text: str) -> None:
    (line,) = said(world, a_commit(author=text, committer=text, subject=text))
    assert line.isprintable()
    assert len(line) < 300
    assert "s3cret" not in line


def test_who_committed_is_said_where_it_is_another_person(world: World) -> None:
    (line,) = said(world, a_commit(committer="GitHub"))
    assert "by Mallory (committed by GitHub): Add attacker.txt" in line


@pytest.mark.parametrize(("count", "last"), [(10, None), (11, "1 more"), (MOST, f"at least {MOST - 10} more")])
def test_of_many_the_newest_are_named_and_the_rest_counted(world: World, count: int, last: str | None) -> None:
    found = said(world, *(a_commit(number) for number in range(count)))
    assert len(found) == 10 + (last is not None)
    assert last is None or last in found[-1]


def test_a_secret_in_a_subject_does_not_stop_the_run(tmp_path: Path) -> None:
    world = World(tmp_path, secrets=(SECRET,))
    commit_to(world.bare, BRANCH, {"x": "y"}, f"Use {SECRET}", start=world.tip("main"))
    assert "[redacted]" in warnings_of(world)[0]
