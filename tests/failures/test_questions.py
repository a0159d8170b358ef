"""A run that waits for a person: whatever is killed meanwhile, the question stays, and one answer counts."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from moonmind.os_user import own_name
from moonmind.sample import source as sample
from tests.support import git_repos
from tests.support.asking.sitecustomize import QUESTION
from tests.support.crashes import Crashes
from tests.support.engines import Engine, assert_published_once, attempts, script_that_waits
from tests.support.processes import PYTHON, ROOT
from tests.support.waiting import until

FEATURE, OTHER = "specs/spec-42-refresh-docs", "specs/001-elsewhere"


@pytest.fixture
def engine(engine: Engine) -> Engine:
    """An engine whose discover asks which feature is meant."""
    engine.team.env |= {
        "PYTHONPATH": f"{ROOT / 'tests/support/asking'}:{ROOT}",
        "MOONMIND_TEST_ASKS": f"{OTHER},{FEATURE}",
    }
    return engine


def asked(engine: Engine, run_id: str) -> dict[str, Any]:
    """Wait until the run asks, and return its attention."""
    run = engine.team.await_run(run_id, lambda run: run["attention"] is not None, "the question")
    assert run["waiting"] == {"reason": "needs_attention", "until": run["attention"]["until"]}
    return dict(run["attention"])


def answer(engine: Engine, run_id: str, **body: Any) -> httpx.Response:
    return engine.team.post(f"/{run_id}/answer", **body)


def commanded(engine: Engine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `moonmind` of this installation."""
    command = [PYTHON, "-m", "moonmind.cli.main", *arguments]
    return subprocess.run(
        command, check=False, cwd=engine.team.work, env=engine.team.env, capture_output=True, text=True, timeout=60
    )


def told(engine: Engine, run_id: str, kind: str) -> list[dict[str, Any]]:
    """Return what the events of a kind say; answers and their like name this user."""
    events = [event for event in engine.team.events(run_id) if event["type"] == kind]
    assert {event["actor"] for event in events} <= {None if kind == "run.asked" else own_name()}
    return [event["data"] for event in events]


def assert_asked_and_answered_once(engine: Engine, run: dict[str, Any]) -> None:
    assert_published_once(engine.team, run)
    assert run["attention"] is None
    (question,), (given,) = (told(engine, run["id"], kind) for kind in ("run.asked", "run.answered"))
    assert [option["value"] for option in question["options"]] == [OTHER, FEATURE]
    assert (given["kind"], given["choice"], given["by"]) == ("choose_feature", FEATURE, own_name())
    shown = commanded(engine, "show", run["id"])
    assert f"answered by {own_name()}: {FEATURE}" in shown.stdout, shown
    assert attempts(engine.team, run, "discover") == {1}


def test_a_question_outlives_the_process_that_asked_it_and_is_answered_to_the_next(engine: Engine) -> None:
    first = engine.start()
    run_id = engine.team.create()
    question = asked(engine, run_id)
    assert question["text"] == QUESTION
    first.kill()
    engine.start()
    assert asked(engine, run_id) == question
    accepted = answer(engine, run_id, choice=FEATURE, why="it is first")
    assert accepted.status_code == 202, accepted.text
    assert accepted.json()["attention"] is None
    assert_asked_and_answered_once(engine, engine.team.succeed(run_id))


def test_an_answer_that_comes_while_nothing_runs_is_followed_when_something_does(engine: Engine) -> None:
    first = engine.start()
    run_id = engine.team.create()
    asked(engine, run_id)
    first.kill()
    done = commanded(engine, "answer", run_id, FEATURE)
    assert done.returncode == 0, done.stderr
    late = commanded(engine, "answer", run_id, OTHER, "--json")
    assert late.returncode == 3, late.stdout
    assert json.loads(late.stdout)["details"]["answered"]["choice"] == FEATURE
    engine.start()
    assert_asked_and_answered_once(engine, engine.team.succeed(run_id))


def test_of_many_answers_at_once_one_counts_and_every_other_is_told_which(engine: Engine) -> None:
    engine.start()
    run_id = engine.team.create()
    asked(engine, run_id)
    with ThreadPoolExecutor(8) as people:
        answers = list(people.map(lambda why: answer(engine, run_id, choice=FEATURE, why=why), map(str, range(8))))
    assert sorted(one.status_code for one in answers) == [202] + [409] * 7
    assert_asked_and_answered_once(engine, engine.team.succeed(run_id))
    (given,) = told(engine, run_id, "run.answered")
    for one in answers:
        if one.status_code == 409:
            assert one.json()["code"] == "answer_not_awaited"
            assert one.json()["details"]["awaited"] is None
            assert one.json()["details"]["answered"] == given


@pytest.mark.full
def test_a_question_without_an_answer_ends_the_run_and_its_retry_asks_again(engine: Engine) -> None:
    engine.team.env["MOONMIND_ATTENTION_HOURS"] = str(4 / 3600)
    first = engine.start()
    run_id = engine.team.create()
    question = asked(engine, run_id)
    first.kill()
    # Nobody is there to end it; it asks nothing any more all the same.
    over = datetime.fromisoformat(question["until"])
    if not engine.embedded:
        until(lambda: engine.team.show(run_id)["attention"] is None, "the end of the time")
    engine.start()
    run = engine.team.finish(run_id)
    assert (run["status"], run["error"]["code"]) == ("failed", "unanswered")
    assert QUESTION in run["error"]["message"]
    assert f"moonmind retry {run_id}" in run["error"]["remediation"]
    assert datetime.fromisoformat(run["completedAt"]) >= over
    refused = answer(engine, run_id, choice=FEATURE)
    assert (refused.status_code, refused.json()["details"]["awaited"]) == (409, None)
    assert engine.team.post(f"/{run_id}/retry").status_code == 202
    again = asked(engine, run_id)
    assert datetime.fromisoformat(again["until"]) > over + timedelta(seconds=1)
    stale = answer(engine, run_id, choice=FEATURE, question=question["question"])
    assert (stale.status_code, stale.json()["details"]["awaited"]) == (409, again)
    assert answer(engine, run_id, choice=FEATURE, question=again["question"]).status_code == 202
    assert engine.team.succeed(run_id)["featureKey"] == "spec-42-refresh-docs"
    assert len(told(engine, run_id, "run.asked")) == 2


def test_discovery_asks_which_of_two_open_features_is_meant_and_does_the_one_that_is_named(engine: Engine) -> None:
    del engine.team.env["MOONMIND_TEST_ASKS"]
    tasks = b"# Tasks: Elsewhere\n\n## Phase 1: Setup\n\n- [ ] T001 Write the page docs/elsewhere.md\n"
    git_repos.make_bare(engine.team.bare(), {**sample.files(), f"{OTHER}/tasks.md": tasks})
    first = engine.start()
    run_id = engine.team.create()
    question = asked(engine, run_id)
    assert question["kind"] == "choose_feature"
    assert sorted(option["value"] for option in question["options"]) == [OTHER, FEATURE]
    first.kill()
    engine.start()
    assert asked(engine, run_id) == question
    done = commanded(engine, "answer", run_id, "001-elsewhere", "--why", "it is short")
    assert done.returncode == 0, done.stderr
    run = engine.team.succeed(run_id)
    assert (run["featureKey"], run["branchName"]) == ("001-elsewhere", "moonmind/001-elsewhere")


def test_a_run_that_asks_is_cancelled_at_once_also_while_no_worker_is_there(engine: Engine) -> None:
    first = engine.start()
    run_id = engine.team.create()
    asked(engine, run_id)
    first.kill()
    done = commanded(engine, "cancel", run_id)
    assert done.returncode == 0, done.stderr
    assert "is cancelled" in done.stdout
    engine.start()
    run = engine.team.finish(run_id)
    assert (run["status"], run["attention"], run["waiting"]) == ("cancelled", None, None)
    assert answer(engine, run_id, choice=FEATURE).status_code == 409


@pytest.mark.full
def test_while_a_feature_is_to_be_chosen_another_run_may_take_it(engine: Engine, tmp_path: Path) -> None:
    script, release = tmp_path / "script.json", tmp_path / "release"
    script_that_waits(script, release)
    engine.team.env["MOONMIND_SCRIPT"] = str(script)
    engine.start()
    run_id = engine.team.create()
    asked(engine, run_id)
    assert engine.team.post(repository="moonmind/spec-kit-reference").json()["details"] == {"runId": run_id}
    named = engine.team.create(featureKey="spec-42-refresh-docs")
    asked(engine, named)
    assert answer(engine, named, choice=FEATURE).status_code == 202
    taken = answer(engine, run_id, choice=FEATURE)
    assert (taken.status_code, taken.json()["code"]) == (409, "run_active")
    assert taken.json()["details"] == {"runId": named}
    assert engine.team.show(run_id)["attention"] is not None
    release.touch()
    engine.team.succeed(named)
    assert answer(engine, run_id, choice=FEATURE).status_code == 202
    engine.team.finish(run_id)


@pytest.fixture
def guarded(engine: Engine) -> Engine:
    """An engine whose repository has each change of its tests approved by a person."""
    del engine.team.env["MOONMIND_TEST_ASKS"]
    recipe = b"policy: {protected: 'tests/**', protected_is: ask}\n"
    git_repos.make_bare(engine.team.bare(), {**sample.files(), ".moonmind.yml": recipe})
    return engine


@pytest.mark.timeout(300)  # what it waits for may take longer than the usual 120 s on a busy machine
def test_a_change_that_waits_for_approval_outlives_the_process_and_is_asked_about_once(guarded: Engine) -> None:
    first = guarded.start()
    run_id = guarded.team.create()
    question = asked(guarded, run_id)
    assert question["kind"] == "finding"
    assert "'tests/test_setup.py': the repository protects it" in question["text"]
    first.kill()
    done = commanded(guarded, "answer", run_id, "--approve", "--why", "they only check versions")
    assert done.returncode == 0, done.stderr
    guarded.start()
    run = guarded.team.succeed(run_id)
    assert_published_once(guarded.team, run)
    (asking,), (given,) = (told(guarded, run_id, kind) for kind in ("run.asked", "run.answered"))
    assert asking["kind"] == given["kind"] == "finding"
    assert (given["approve"], given["why"], given["by"]) == (True, "they only check versions", own_name())
    assert attempts(guarded.team, run, "apply") == {1}
    (commit, *_) = git_repos.log_of(guarded.team.bare(), f"refs/heads/{run['branchName']}")
    assert f"Approved: tests/test_setup.py, by {own_name()}: they only check versions" in str(commit)


def playing(engine: Engine, path: str, *claim: str) -> None:
    """Let the agent of the next run write a file and claim tasks."""
    steps = [{"write": path, "content": "made = true\n"}, {"claim": claim}, {"end": "completed", "message": "done"}]
    script = engine.team.folder / "script.json"
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    engine.team.env["MOONMIND_SCRIPT"] = str(script)


@pytest.mark.timeout(300)
def test_that_no_test_can_be_run_is_asked_once_for_a_recipe_whatever_is_killed(engine: Engine, tmp_path: Path) -> None:
    del engine.team.env["MOONMIND_TEST_ASKS"]
    crashes = Crashes(tmp_path / "crashes")
    engine.team.env |= crashes.env | {"MOONMIND_VERIFICATION": "auto"}
    playing(engine, "refresh_docs/__init__.py", "T002")
    recipe = b"environment: {}\nverify:\n  - run: no-such-runner\n"
    git_repos.make_bare(engine.team.bare(), {**sample.files(), ".moonmind.yml": recipe})
    first = engine.start()
    run_id = engine.team.create()
    question = asked(engine, run_id)
    assert question["kind"] == "finding"
    assert "\n- `no-such-runner`: its program is not there (exit code 127)\n" in question["text"]
    crashes.arm("before-commit")
    assert answer(engine, run_id, approve=True, why="it comes next week").status_code == 202
    crashes.await_kill(first, "before-commit")
    engine.start()
    run = engine.team.succeed(run_id)
    assert_published_once(engine.team, run)
    assert len(told(engine, run_id, "run.asked")) == 1
    assert attempts(engine.team, run, "apply") == {1}
    playing(engine, "pyproject.toml", "T003")
    other = engine.team.succeed(engine.team.create())
    assert told(engine, other["id"], "run.asked") == []
    (later, commit, *_) = git_repos.log_of(engine.team.bare(), f"refs/heads/{run['branchName']}")
    approved = f"Approved: .moonmind.yml, by {own_name()}: it comes next week"
    assert (approved in str(commit), approved in str(later)) == (True, False)
    (pull,) = engine.team.pulls()["pulls"]
    assert f"approved for these commands by {own_name()} in an earlier run: it comes next week" in pull["body"]


@pytest.mark.full
@pytest.mark.timeout(300)
def test_a_change_that_is_rejected_is_published_by_nobody_and_its_retry_asks_again(guarded: Engine) -> None:
    guarded.start()
    run_id = guarded.team.create()
    question = asked(guarded, run_id)
    assert answer(guarded, run_id, reject=True, why="not these").status_code == 202
    run = guarded.team.finish(run_id)
    assert (run["status"], run["error"]["code"]) == ("failed", "change_rejected")
    assert "not these" in run["error"]["message"]
    assert git_repos.branches_of(guarded.team.bare()) == ["main"]
    assert guarded.team.post(f"/{run_id}/retry").status_code == 202
    again = asked(guarded, run_id)
    assert (again["kind"], again["question"]) == ("finding", question["question"] + 1)
    assert answer(guarded, run_id, approve=True).status_code == 202
    assert_published_once(guarded.team, guarded.team.succeed(run_id))
