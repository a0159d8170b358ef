"""What an earlier program left, today's takes up: what was open goes on by itself, what had ended is retried."""

import json
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.databases import at_once
from tests.support.engines import SHORT_LEASES, TEST_MODE, Engine, assert_published_once, attempts, done
from tests.support.frozen import FOLDER, FOUNDATIONAL_PHASE, SCRIPT, WORK, finish_feature, play, repository_of, thawed
from tests.support.team import RUNS, Team, new_queue, rabbitmq_url, team

MARKS = {"embedded": [pytest.mark.sqlite], "rabbitmq": [pytest.mark.postgres, pytest.mark.rabbitmq]}
FILES = sorted(FOLDER.glob("*.tar.xz"))


RUN_ALWAYS = {"embedded": -1, "rabbitmq": 0}
"""The newest installation of one engine, and the oldest of the other: the others are further cases."""


def left(file: Path) -> pytest.ParameterSet:
    """Return the case of one installation."""
    name = file.name.split(".")[0]
    engine = name.rpartition("-")[2]
    always = [one for one in FILES if f"-{engine}." in one.name][RUN_ALWAYS[engine]]
    return pytest.param(file, marks=[*MARKS[engine], *([] if file == always else [pytest.mark.full])], id=name)


LEFT = [left(file) for file in FILES]


@dataclass
class Upgraded:
    """An installation of an earlier program under today's, not started; `runs` gives each case's run."""

    engine: Engine
    runs: dict[str, str]

    @property
    def team(self) -> Team:
        return self.engine.team


@pytest.fixture(params=LEFT)
def upgraded(request: pytest.FixtureRequest) -> Iterator[Upgraded]:
    embedded = "embedded" in request.param.name
    with team(**TEST_MODE, **SHORT_LEASES) as members:
        members.env["MOONMIND_SCRIPT"] = str(members.folder / SCRIPT)
        if embedded:
            url = f"sqlite:///{members.work / 'var/moonmind.db'}"
        else:
            url = members.env["DATABASE_URL"] = request.getfixturevalue("empty_postgres_url")
            members.env |= {"CELERY_BROKER_URL": rabbitmq_url(), "SPEC_WORKFLOW_CODEX_QUEUE": new_queue()}
        runs = thawed(members, request.param, url)
        play(members, [{"delete": ".gitmodules"}, *WORK])
        fix(members)
        engine = Engine(members, embedded=embedded)
        engine.prepare()
        yield Upgraded(engine, runs)


def fix(members: Team) -> None:
    """Put right what made runs fail, as their operators would."""
    finish_feature(members, "discover")
    for case in ("publish", "pushing"):
        (members.bare(repository_of(case)) / "hooks/pre-receive").unlink()


def published(members: Team, run_id: str) -> dict[str, Any]:
    """Wait for the end of a run that publishes what an earlier agent made; where that ticks nothing, the run says so."""
    run = members.finish(run_id)
    assert run["status"] == "succeeded" or (run["error"] or {})["code"] == "no_progress", json.dumps(run, indent=1)
    return run


def test_what_was_open_at_the_upgrade_goes_on_by_itself(upgraded: Upgraded) -> None:
    upgraded.engine.start()
    pushing = published(upgraded.team, upgraded.runs["pushing"])
    assert_published_once(upgraded.team, pushing, repository=repository_of("pushing"), status=pushing["status"])
    assert attempts(upgraded.team, pushing, "submit") == {1}
    working = upgraded.team.succeed(upgraded.runs["working"])
    assert_published_once(upgraded.team, working, repository=repository_of("working"))
    assert attempts(upgraded.team, working, "submit") == {1, 2}


@pytest.mark.in_every_run(1)
def test_what_waited_for_its_next_try_at_the_upgrade_goes_on_from_its_checkpoint(upgraded: Upgraded) -> None:
    cases = sorted({"retrying", "sent_back"} & set(upgraded.runs))
    upgraded.engine.start()
    for case in cases:
        before = upgraded.team.show(upgraded.runs[case])
        run = upgraded.team.succeed(upgraded.runs[case])
        submitted = ["submit"] * (2 if case == "sent_back" else 1)
        assert done(upgraded.team, run) == ["discover", *submitted, "apply", "publish"]
        assert upgraded.team.pulls(repository_of(case))["creates"] == 1
        assert run["codexTaskId"] == before["codexTaskId"] is not None
        assert attempts(upgraded.team, run, "discover") == {1}


@pytest.mark.in_every_run(1)
def test_runs_that_had_ended_go_on_at_their_stages_for_one_of_several_operators(upgraded: Upgraded) -> None:
    upgraded.engine.start()
    members = upgraded.team
    before = {case: members.show(upgraded.runs[case]) for case in ("submit", "publish", "cancelled")}

    def retry(run_id: str, _: int) -> httpx.Response:
        return members.post(f"/{run_id}/retry")

    for run in before.values():
        answers = at_once(3, partial(retry, run["id"]))
        codes = sorted(each.status_code for each in answers if isinstance(each, httpx.Response))
        assert codes == [202, 409, 409], answers
    for case, ended in before.items():
        run = published(members, ended["id"])
        assert_published_once(members, run, repository=repository_of(case), status=run["status"])
        assert run["codexTaskId"] == ended["codexTaskId"] is not None
        assert attempts(members, run, "discover") == {1}
        assert attempts(members, run, "submit") == ({1} if case == "publish" else {1, 2})


@pytest.mark.in_every_run(1)
def test_a_run_that_failed_at_the_start_or_on_its_patch_begins_again(upgraded: Upgraded) -> None:
    upgraded.engine.start()
    members = upgraded.team
    assert members.post(f"/{upgraded.runs['discover']}/retry").status_code == 202
    assert members.post(f"/{upgraded.runs['apply']}/retry", mode="restart_from_discovery").status_code == 202
    asked = members.succeed(upgraded.runs["discover"])
    assert asked["featureKey"].endswith("007-later")
    again = members.succeed(upgraded.runs["apply"])
    assert attempts(members, again, "submit") == {1, 2}
    assert members.pulls(repository_of("apply"))["creates"] == 1


@pytest.mark.in_every_run(1)
def test_what_had_succeeded_can_be_read_and_the_next_run_adds_to_its_pull_request(upgraded: Upgraded) -> None:
    upgraded.engine.start()
    members, run_id = upgraded.team, upgraded.runs["landed"]
    listed = httpx.get(f"{members.url}{RUNS}", params={"limit": 50}, timeout=30).json()["items"]
    assert {run["id"] for run in listed} == set(upgraded.runs.values())
    succeeded = members.show(run_id)
    assert_published_once(members, succeeded, repository=repository_of("landed"))
    for entry in succeeded["artifacts"]:
        answer = httpx.get(f"{members.url}{RUNS}/{run_id}/artifacts/{entry['path']}", timeout=30)
        assert (answer.status_code, len(answer.content)) == (200, entry["sizeBytes"]), entry
    assert [event["seq"] for event in members.events(run_id)] == list(range(1, len(members.events(run_id)) + 1))
    play(members, FOUNDATIONAL_PHASE)
    after = members.succeed(members.create(repository_of("landed")))
    assert after["pullRequestUrl"] == succeeded["pullRequestUrl"] is not None
    assert after["phase"] != succeeded["phase"]
    assert members.pulls(repository_of("landed"))["creates"] == 1


def test_installations_of_earlier_programs_are_at_hand() -> None:
    # Without them the tests above would pass by not being there.
    assert {file.name.rpartition("-")[2] for file in FOLDER.iterdir()} == {"embedded.tar.xz", "rabbitmq.tar.xz"}
    with tarfile.open(FOLDER / "2026-11-28-b-embedded.tar.xz") as archive:
        about = archive.extractfile("about.json")
        assert about is not None
        assert {"retrying", "sent_back"} <= set(json.load(about)["runs"])
