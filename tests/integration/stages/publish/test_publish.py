import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local import LocalForge
from moonmind.engine.forge_cooldown import FORGE_COOLDOWN
from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.errors import CredentialInvalid, ForgeLimited, ForgeUnavailable, MoonMindError
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState, Repository, always
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, NothingToDo, Suspend, WaitingReason
from moonmind.stages.kit.stage_results import ApplyResult, Verification, VerifiedCommand
from moonmind.stages.publish.body_sections import marker, runs_in
from moonmind.stages.publish.publish import leftovers
from tests.support.git_repos import commit_to, delete_branch, log_of, merge
from tests.support.stage_world import BRANCH, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.succeed(through=Stage.APPLY)
    yield made
    made.agent.forget(str(made.run_id))


def published(world: World) -> Done:
    outcome = world.step(Stage.PUBLISH)
    assert isinstance(outcome, Done), outcome
    return outcome


def refused(world: World, code: str) -> Failed:
    outcome = world.step(Stage.PUBLISH)
    assert isinstance(outcome, Failed), outcome
    assert (outcome.error.code, outcome.transient) == (code, False)
    return outcome


def test_the_branch_and_its_pull_request_are_there(world: World) -> None:
    outputs = published(world).result
    assert world.tip() == outputs["commit"] == world.results[Stage.APPLY]["commit"]
    (pull,) = world.pulls()
    assert (pull.url, pull.number) == (outputs["pullRequestUrl"], outputs["pullRequestNumber"])
    assert (pull.base, pull.state) == ("main", PullState.OPEN)
    assert marker(world.run_id) in pull.body
    assert "- [x] **T001**" in pull.body
    assert pull.title == "Refresh Docs: Phase 1: Setup (Shared Infrastructure)"
    assert "Specified in `specs/spec-42-refresh-docs/spec.md` and `specs/spec-42-refresh-docs/plan.md`." in pull.body
    assert "**Scripted: " in pull.body
    payload = json.loads(world.artifacts.read("publish/pull-request.json"))
    assert payload["url"] == pull.url


def test_publishing_again_changes_nothing(world: World) -> None:
    first = published(world)
    pulls = world.pulls()
    assert published(world).result == first.result
    assert world.pulls() == pulls
    assert len(log_of(world.bare, f"refs/heads/{BRANCH}")) == 2


def fail_its_tests(world: World, why: str = "2 tests fail") -> None:
    """Let apply have found that the change may not be merged as it is."""
    tests = Verification((VerifiedCommand("pytest", "failed"),), draft=why)
    applied = ApplyResult.read(world.results[Stage.APPLY]).model_copy(update={"tests": tests})
    world.results[Stage.APPLY] = applied.stored()


def test_a_change_whose_tests_fail_is_a_draft_that_says_why(world: World) -> None:
    fail_its_tests(world)
    for _ in range(2):
        assert published(world).result["draft"] is True
        (pull,) = world.pulls()
        assert pull.draft
        assert "**Draft: 2 tests fail.**" in pull.body
    assert json.loads(world.artifacts.read("publish/pull-request.json"))["draft"] is True


def test_a_pull_request_that_is_open_already_stays_as_it_is_and_says_that_it_is_not_ready(world: World) -> None:
    assert "draft" not in published(world).result
    fail_its_tests(world)
    assert "draft" not in published(world).result
    (pull,) = world.pulls()
    assert not pull.draft
    assert "**Not ready to merge: 2 tests fail.** This pull request is not marked as a draft" in pull.body
    assert "**Draft" not in pull.body


def test_where_a_repository_has_no_drafts_the_text_says_that_it_is_not_ready(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure = world.forge.ensure_pull_request

    def without_drafts(repository: str, draft: PullRequestDraft, **more: Any) -> PullRequest:
        return ensure(repository, replace(draft, draft=False), **more)

    monkeypatch.setattr(world.forge, "ensure_pull_request", without_drafts)
    fail_its_tests(world)
    assert "draft" not in published(world).result
    (pull,) = world.pulls()
    assert "**Not ready to merge: 2 tests fail.**" in pull.body
    assert "**Draft" not in pull.body


@pytest.mark.parametrize("check", range(4))
@pytest.mark.in_every_run(2)
def test_a_worker_that_dies_before_an_effect_leaves_it_to_the_next(world: World, check: int) -> None:
    world.lease.break_after = world.lease.checks + check
    with pytest.raises(LeaseLost):
        world.step(Stage.PUBLISH)
    assert (world.tip() is not None) is (check == 3)
    assert world.pulls() == ()
    world.lease.break_after = None
    published(world)
    assert len(world.pulls()) == 1


def test_a_worker_that_loses_the_run_while_it_fetches_asks_the_forge_for_nothing_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch, asked = world.vcs.fetch, world.forge.pull_requests
    asks: list[str] = []

    def fetch_and_lose(repository: Repository) -> None:
        fetch(repository)
        world.lease.break_after = world.lease.checks

    def ask(repository: str, branch: str) -> tuple[PullRequest, ...]:
        asks.append(branch)
        return asked(repository, branch)

    monkeypatch.setattr(world.vcs, "fetch", fetch_and_lose)
    monkeypatch.setattr(world.forge, "pull_requests", ask)
    with pytest.raises(LeaseLost):
        world.step(Stage.PUBLISH)
    assert asks == []


def test_what_a_lost_worker_left_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> str:
        return leftovers(world.context(Stage.PUBLISH))

    assert found() == ""

    def lose(*_: Any, **__: Any) -> PullRequest:
        raise LeaseLost("lost")

    monkeypatch.setattr(world.forge, "ensure_pull_request", lose)
    with pytest.raises(LeaseLost):
        world.step(Stage.PUBLISH)
    assert found().startswith(f"The branch {BRANCH} is pushed")
    monkeypatch.undo()
    published(world)
    assert found() == f"What it published stays: {world.pulls()[0].url}"


def test_another_machine_publishes_the_very_same_commit(world: World) -> None:
    commit = world.results[Stage.APPLY]["commit"]
    world.on_host("two")
    assert published(world).result["commit"] == commit
    assert world.tip() == commit


def test_a_branch_that_was_made_meanwhile_is_not_touched(world: World) -> None:
    theirs = commit_to(world.bare, BRANCH, {"theirs": "x"}, "Theirs", start=world.tip("main"))
    error = refused(world, "branch_moved").error
    assert error.details["found"] == theirs
    assert "restart_from_discovery" in error.remediation
    assert world.tip() == theirs


@pytest.mark.parametrize("after", ["push", "look-up"])
def test_a_cancel_between_push_and_pull_request_says_what_there_is(
    world: World, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    push, ensure = world.vcs.push, world.forge.ensure_pull_request

    def push_and_cancel(*arguments: Any) -> None:
        push(*arguments)
        world.lease.cancelled = after == "push"

    def cancel_and_ensure(*arguments: Any, **named: Any) -> PullRequest:
        world.lease.cancelled = True  # the forge asks once more, right before it makes it
        return ensure(*arguments, **named)

    monkeypatch.setattr(world.vcs, "push", push_and_cancel)
    monkeypatch.setattr(world.forge, "ensure_pull_request", cancel_and_ensure)
    with pytest.raises(StopRequested) as stop:
        world.step(Stage.PUBLISH)
    assert stop.value.outside.startswith(f"The branch {BRANCH} is pushed")
    assert world.pulls() == ()
    assert world.tip() == world.results[Stage.APPLY]["commit"]


@pytest.mark.parametrize("answer", ["made", "away", "limited", "revoked"])
@pytest.mark.in_every_run(2)
def test_a_cancel_right_after_the_pull_request_was_made_names_it(
    world: World, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    ensure, found = world.forge.ensure_pull_request, world.forge.pull_requests
    problems: dict[str, MoonMindError] = {
        "away": ForgeUnavailable("no answer"),
        "limited": ForgeLimited("slow down", seconds=60.0),
        "revoked": CredentialInvalid("the token was revoked"),
    }

    def make_and_cancel(repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None]) -> PullRequest:
        ensure(repository, draft, allowed=allowed)
        world.lease.cancelled = True
        monkeypatch.setattr(world.forge, "pull_requests", look)
        allowed()  # before its labels
        raise AssertionError("it was cancelled")

    def look(repository: str, branch: str) -> tuple[PullRequest, ...]:
        if answer in problems:
            raise problems[answer]
        return found(repository, branch)

    monkeypatch.setattr(world.forge, "ensure_pull_request", make_and_cancel)
    with pytest.raises(StopRequested) as stop:
        world.step(Stage.PUBLISH)
    monkeypatch.undo()
    unknown = f"The branch {BRANCH} is pushed. Whether a pull request speaks of it could not be found out: "
    (pull,) = world.pulls()
    words = {"made": f"What it published stays: {pull.url}"}
    assert stop.value.outside == words.get(answer, f"{unknown}{problems.get(answer)}")
    assert (world.services.cooldown(FORGE_COOLDOWN) is not None) is (answer == "limited")


def test_a_commit_pushed_on_top_of_ours_is_left_where_it_is(world: World) -> None:
    published(world)
    theirs = commit_to(world.bare, BRANCH, {"theirs": "x"}, "Theirs")
    published(world)
    assert world.tip() == theirs


def test_a_pull_request_that_was_closed_meanwhile_ends_the_run(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    second = first.next_run(2)
    second.succeed(through=Stage.APPLY)
    delete_branch(second.bare, BRANCH)
    error = refused(second, "pull_request_closed").error
    assert "closed" in error.message
    assert second.tip() is None


def test_our_own_pull_request_merged_between_two_tries_is_done(world: World) -> None:
    first = published(world)
    merge(world.bare, BRANCH, "main")
    assert published(world).result == first.result


def test_the_second_phase_goes_to_the_same_pull_request_and_keeps_the_first_ones_words(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    second = first.next_run(2)
    second.succeed()
    (pull,) = second.pulls()
    assert runs_in(pull.body) == (str(first.run_id), str(second.run_id))
    assert pull.title == "Refresh Docs: 2 phases"
    assert len(log_of(second.bare, f"refs/heads/{BRANCH}")) == 3


def test_two_runs_of_one_phase_are_one_phase_in_the_title(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.plays(
        {"write": "refresh_docs/__init__.py", "content": "VERSION = 1\n"},
        {"end": "completed", "message": "T001: not done - no time\nT002: done\nT003: not done - no time"},
    )
    first.succeed()
    first.script.unlink()
    second = first.next_run(2)
    second.succeed()
    (pull,) = second.pulls()
    assert len(runs_in(pull.body)) == 2
    assert pull.title == "Refresh Docs: Phase 1: Setup (Shared Infrastructure)"


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        ({"elsewhere.py": "x = 1\n"}, "moonmind/spec-42-refresh-docs is 1 commit behind main and merges cleanly."),
        (
            {"pyproject.toml": "theirs = 1\n"},
            "moonmind/spec-42-refresh-docs is 1 commit behind main and does not merge cleanly: pyproject.toml.",
        ),
    ],
)
@pytest.mark.in_every_run(1)
def test_a_base_that_went_on_is_told_with_what_a_merge_would_meet(
    world: World, theirs: dict[str, str], said: str
) -> None:
    commit_to(world.bare, "main", theirs, "Go on")
    published(world)
    (pull,) = world.pulls()
    assert f"**Base:** {said}" in pull.body.replace("\\_", "_")
    later = world.next_run(2)
    assert isinstance(later.step(Stage.DISCOVER), Done)
    plan = later.results[Stage.DISCOVER]
    assert (plan["behindBase"], plan["warnings"][-1]) == (said, said)


@pytest.mark.full
def test_a_branch_that_has_all_of_its_base_says_nothing_of_it(world: World) -> None:
    published(world)
    assert "**Base:**" not in world.pulls()[0].body


def test_after_a_merge_the_next_phase_gets_a_new_branch_and_pull_request(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    merge(first.bare, BRANCH, "main")
    second = first.next_run(2)
    second.succeed()
    assert second.results[Stage.PUBLISH]["branchName"] == f"{BRANCH}-2"
    assert second.results[Stage.DISCOVER]["phase"].startswith("Phase 2")


def test_a_title_that_a_person_gave_stays(tmp_path: Path) -> None:
    first = World(tmp_path)
    first.succeed()
    (pull,) = first.pulls()
    first.rewrite_pull(pull.number, title="Docs, at last", body=f"My words.\n\n{pull.body}")
    second = first.next_run(2)
    second.succeed()
    (after,) = second.pulls()
    assert after.title == "Docs, at last"
    assert after.body.startswith("My words.")


@pytest.mark.full
def test_all_four_phases_of_the_sample_succeed_one_after_another(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.succeed()
    for number in (2, 3, 4):
        world = world.next_run(number)
        world.succeed()
    tasks = world.tree()["specs/spec-42-refresh-docs/tasks.md"]
    assert b"- [ ] T" not in tasks
    assert tasks.count(b"- [x] T") == 13
    assert isinstance(world.next_run(5).step(Stage.DISCOVER), NothingToDo)


def test_a_merge_of_the_runs_earlier_phase_is_not_taken_for_this_one(world: World) -> None:
    published(world)
    # An operator's restart_from_discovery: the same run goes on with the next phase.
    world.results.clear()
    world.checkpoints.clear()
    world.numbers = dict.fromkeys(world.numbers, 2)
    world.succeed(through=Stage.APPLY)
    assert world.results[Stage.DISCOVER]["phase"].startswith("Phase 2")
    merge(world.bare, BRANCH, "main")
    assert "merged" in refused(world, "pull_request_closed").error.message


def test_a_cooldown_holds_publishing_back(world: World) -> None:
    opens = world.services.extend_cooldown(FORGE_COOLDOWN, 60, "the forge asked to wait")
    outcome = world.step(Stage.PUBLISH)
    assert isinstance(outcome, Suspend)
    assert (outcome.reason, outcome.until) == (WaitingReason.RATE_LIMIT, opens)
    assert world.tip() is None


def test_a_repository_that_was_renamed_meanwhile_is_published_to_at_its_new_place(world: World) -> None:
    moved = world.bare.with_name("renamed.git")
    world.bare.rename(moved)
    world.forge = Renamed(world.forge_options, moved)
    published(world)
    assert log_of(moved, f"refs/heads/{BRANCH}")[0].commit == world.results[Stage.APPLY]["commit"]


class Renamed(LocalForge):
    """A forge that answers for the old name of a repository with its new place."""

    def __init__(self, options: ForgeOptions, place: Path) -> None:
        super().__init__(options)
        self._new = f"{place.parent.name}/{place.stem}"

    def repository(self, name: str) -> Repository:
        return super().repository(self._new)

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        return super().pull_requests(self._new, branch)

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        return super().ensure_pull_request(self._new, draft, allowed=allowed)
