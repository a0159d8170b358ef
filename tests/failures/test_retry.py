"""A run that failed is fixed by a person and goes on where it was, with what it had."""

import json
from typing import Any

import httpx
import pytest

from moonmind.sample import source as sample
from tests.support import git_repos
from tests.support.databases import at_once
from tests.support.engines import SAMPLE, TASKS, Engine, assert_published_once, attempts, make_sample
from tests.support.team import RUNS, Team

REFUSAL = "echo 'the rule of this repository says no' >&2; exit 1"
WORK: list[dict[str, Any]] = [{"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}, {"end": "completed"}]
QUOTA = {"end": "quota", "message": "You've hit your usage limit."}


def scripted(members: Team, *plays: list[dict[str, Any]]) -> None:
    place = members.folder / "script.json"
    place.write_text(json.dumps({"version": 1, "attempts": [{"steps": play} for play in plays]}))
    members.env["MOONMIND_SCRIPT"] = str(place)


def refused_push(engine: Engine) -> dict[str, Any]:
    """Bring a run to a push that the repository refuses."""
    members = engine.team
    scripted(members, WORK)
    git_repos.install_hook(make_sample(members), "pre-receive", REFUSAL)
    engine.start()
    run = members.finish(members.create())
    assert (run["status"], run["error"]["code"], run["currentTaskName"]) == ("failed", "push_rejected", "publish")
    assert "the rule of this repository says no" in run["error"]["message"]
    assert run["error"]["remediation"]
    assert members.pulls()["creates"] == 0
    return run


def patches(run: dict[str, Any]) -> dict[str, str]:
    return {each["path"]: each["digest"] for each in run["artifacts"] if each["artifactType"] == "codex_patch"}


def counted(members: Team, run: dict[str, Any]) -> dict[str, set[int]]:
    return {stage: attempts(members, run, stage) for stage in ("discover", "submit", "apply", "publish")}


def test_a_refused_push_is_retried_with_the_stored_patch_and_nothing_is_done_again(engine: Engine) -> None:
    failed = refused_push(engine)
    before = patches(failed)
    assert before
    (engine.team.bare() / "hooks/pre-receive").unlink()
    answer = engine.team.post(f"/{failed['id']}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "retrying"), answer.text
    assert answer.json()["currentTaskName"] == "publish"
    assert answer.json()["error"] is None
    run = engine.team.succeed(failed["id"])
    assert_published_once(engine.team, run)
    assert patches(run) == before
    assert counted(engine.team, run) == {"discover": {1}, "submit": {1}, "apply": {1}, "publish": {1, 2}}
    assert run["codexTaskId"] == failed["codexTaskId"]
    retries = [task for task in run["tasks"] if task["taskName"] == "retry"]
    assert [task["message"] for task in retries] == [{"stage": "publish", "attempt": 2}]


def test_a_retry_before_the_cause_is_fixed_fails_the_same_way_and_can_be_retried_again(engine: Engine) -> None:
    failed = refused_push(engine)
    assert engine.team.post(f"/{failed['id']}/retry").status_code == 202
    again = engine.team.finish(failed["id"])
    assert (again["status"], again["error"]["code"]) == ("failed", "push_rejected")
    (engine.team.bare() / "hooks/pre-receive").unlink()
    assert engine.team.post(f"/{failed['id']}/retry").status_code == 202
    run = engine.team.succeed(failed["id"])
    assert_published_once(engine.team, run)
    assert counted(engine.team, run) == {"discover": {1}, "submit": {1}, "apply": {1}, "publish": {1, 2, 3}}


@pytest.mark.full
def test_a_restart_from_discovery_does_everything_again(engine: Engine) -> None:
    failed = refused_push(engine)
    (engine.team.bare() / "hooks/pre-receive").unlink()
    answer = engine.team.post(f"/{failed['id']}/retry", mode="restart_from_discovery", notes="Begin afresh.")
    assert (answer.status_code, answer.json()["status"]) == (202, "retrying"), answer.text
    assert answer.json()["currentTaskName"] == "discover"
    run = engine.team.succeed(failed["id"])
    assert counted(engine.team, run) == {"discover": {1, 2}, "submit": {1, 2}, "apply": {1, 2}, "publish": {1, 2}}
    assert engine.team.pulls()["creates"] == 1
    assert len(git_repos.log_of(engine.team.bare(), f"main..{run['branchName']}")) == 1
    assert run["notes"] == "Begin afresh."


def test_of_two_retries_at_once_one_is_accepted(engine: Engine) -> None:
    failed = refused_push(engine)
    (engine.team.bare() / "hooks/pre-receive").unlink()
    answers = at_once(4, lambda _: engine.team.post(f"/{failed['id']}/retry"))
    plain = [answer for answer in answers if isinstance(answer, httpx.Response)]
    assert sorted(answer.status_code for answer in plain) == [202, 409, 409, 409], answers
    assert {answer.json()["code"] for answer in plain if answer.status_code == 409} == {"not_retryable"}
    run = engine.team.succeed(failed["id"])
    assert_published_once(engine.team, run)
    assert attempts(engine.team, run, "publish") == {1, 2}
    late = engine.team.post(f"/{failed['id']}/retry")
    assert (late.status_code, late.json()["code"]) == (409, "not_retryable")


def test_a_quota_without_a_reset_fails_and_its_retry_goes_on_in_the_same_thread(engine: Engine) -> None:
    half = {"write": "refresh_docs/half.py", "content": "HALF = True\n"}
    scripted(engine.team, [half, QUOTA], WORK)
    engine.start()
    failed = engine.team.finish(engine.team.create())
    assert (failed["status"], failed["error"]["code"], failed["currentTaskName"]) == ("failed", "quota", "submit")
    assert failed["error"]["remediation"]
    assert failed["codexTaskId"]
    answer = engine.team.post(f"/{failed['id']}/retry")
    assert (answer.status_code, answer.json()["status"]) == (202, "retrying"), answer.text
    run = engine.team.succeed(failed["id"])
    assert_published_once(engine.team, run)
    assert run["codexTaskId"] == failed["codexTaskId"]
    assert counted(engine.team, run) == {"discover": {1}, "submit": {1, 2}, "apply": {1}, "publish": {1}}
    # What was done before the limit is part of what was published.
    succeeded = git_repos.tree_of(engine.team.bare(), run["branchName"])
    assert succeeded["refresh_docs/half.py"] == b"HALF = True\n"
    assert succeeded["refresh_docs/__init__.py"] == b"MADE = True\n"


@pytest.mark.full
def test_a_quota_with_a_reset_suspends_and_goes_on_by_itself(engine: Engine) -> None:
    scripted(engine.team, [QUOTA | {"resetsInSeconds": 3}], WORK)
    engine.start()
    run_id = engine.team.create()
    suspended = engine.team.await_run(
        run_id, lambda run: (run["waiting"] or {}).get("reason") == "quota", "the suspension", 30
    )
    assert suspended["status"] == "running"
    run = engine.team.succeed(run_id)
    assert_published_once(engine.team, run)
    assert run["codexTaskId"] == suspended["codexTaskId"] is not None
    # A limit with a known end costs no attempt.
    assert attempts(engine.team, run, "submit") == {1}


def test_a_run_without_work_can_only_begin_again(engine: Engine) -> None:
    members, open_tasks = engine.team, sample.files()[TASKS]
    make_sample(members, tasks_md=open_tasks.replace(b"- [ ]", b"- [x]"))
    engine.start()
    idle = members.finish(members.create())
    assert (idle["status"], idle["currentTaskName"]) == ("no_work", None)
    assert idle["reason"]
    refused = members.post(f"/{idle['id']}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_retryable")
    assert refused.json()["remediation"]
    assert members.show(idle["id"])["status"] == "no_work"
    git_repos.commit_to(members.bare(), "main", {TASKS: open_tasks}, "Open the tasks again")
    scripted(members, WORK)
    assert members.post(f"/{idle['id']}/retry", mode="restart_from_discovery").status_code == 202
    run = members.succeed(idle["id"])
    assert attempts(members, run, "discover") == {1, 2}
    assert members.pulls()["creates"] == 1
    assert httpx.get(f"{members.url}{RUNS}", params={"repository": SAMPLE}, timeout=30).json()["items"][0]["id"] == str(
        run["id"]
    )
