"""Kill what runs the stages at every place where it hurts: one agent, one branch, one pull request, and the run succeeds."""

import json
from collections.abc import Iterator

import pytest

from moonmind.sample import source
from tests.support.crashes import Crashes
from tests.support.engines import (
    BRANCH,
    ENGINES,
    SHORT_LEASES,
    TEST_MODE,
    assert_published_once,
    attempts,
    place_of,
)
from tests.support.processes import Process
from tests.support.team import Team, team

FIRST = ["after-creation", "before-first-dispatch", "after-first-dispatch"]
"""In the process that takes the request."""
STAGES = {
    "a claim": ["after-claim-of-discover", "before-claim", "after-claim-of-finalize"],
    "a mirror": ["after-fetch", "after-discovery"],
    "a record": ["after-record-of-discover", "after-record", "after-publish", "between-stages"],
    "a slot": ["after-slot", "after-workspace"],
    "a job": ["after-supervisor", "before-supervisor", "after-start"],
    "a suspension": ["before-suspend", "after-suspend", "before-wake", "after-wake"],
    "a capture": ["after-capture", "after-result"],
    "a commit": ["after-commit", "before-commit", "after-apply"],
    "a push": ["after-push", "before-push"],
    "a pull request": ["after-pull-request", "before-pull-request"],
    "an end": ["before-close", "after-close"],
}
"""In the process that runs the stages, by what is made there: every run kills at the first place of each, --full at all."""


KILLS = [
    pytest.param(place, marks=[pytest.mark.full] if number else [])
    for kind in STAGES.values()
    for number, place in enumerate(kind)
]


class Room:
    """One installation for all places: what dies is started again, and finishes the run before the next one."""

    def __init__(self, members: Team, crashes: Crashes, *, embedded: bool) -> None:
        self.team, self.crashes, self.embedded = members, crashes, embedded
        self.api: Process | None = None
        self.worker: Process | None = None
        script = json.loads(source.script_for(source.FEATURE_PATH, "Phase 1: Setup") or b"")
        # The sample's pauses are for people who watch.
        script["steps"] = [step for step in script["steps"] if "run_for_seconds" not in step]
        place = members.folder / "script.json"
        place.write_text(json.dumps(script))
        members.env |= crashes.env | {"MOONMIND_SCRIPT": str(place)}

    def start(self) -> None:
        """Start what is not alive."""
        if self.embedded:
            if self.worker is None or not self.worker.alive:
                self.worker = self.api = self.team.up()
            return
        if self.api is None or not self.api.alive:
            self.api = self.team.api()
        if self.worker is None or not self.worker.alive:
            self.worker = self.team.worker()

    def repository(self, place: str) -> str:
        """Return a repository of the place's own."""
        return f"moonmind/{place}"

    def succeeded(self, run_id: str, place: str) -> None:
        """Let the run succeed, once, and with the agent that it started first."""
        run = self.team.succeed(run_id)
        assert_published_once(self.team, run, repository=self.repository(place))
        assert attempts(self.team, run, "submit") == {1}


@pytest.fixture(scope="module", params=ENGINES)
def room(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    with team(**place_of(request.param, request), **TEST_MODE, **SHORT_LEASES) as members:
        yield Room(members, Crashes(tmp_path_factory.mktemp("crashes")), embedded=request.param == "embedded")


@pytest.mark.parametrize("place", KILLS)
@pytest.mark.in_every_run(6)
def test_a_run_survives_a_kill_of_its_stage(place: str, room: Room) -> None:
    room.start()
    assert room.worker is not None
    room.crashes.arm(place)
    key = room.team.ask(room.repository(place))
    room.crashes.await_kill(room.worker, place)
    room.start()
    room.succeeded(room.team.asked(room.repository(place), key), place)


@pytest.mark.parametrize("place", FIRST)
@pytest.mark.in_every_run(2)
def test_a_run_survives_a_kill_of_whoever_takes_the_request(place: str, room: Room) -> None:
    room.start()
    assert room.api is not None
    room.crashes.arm(place)
    key = room.team.ask(room.repository(place))
    room.crashes.await_kill(room.api, place)
    room.start()
    room.succeeded(room.team.asked(room.repository(place), key), place)


def test_a_run_survives_a_kill_of_whoever_takes_it_back(room: Room) -> None:
    place = "after-release" if room.embedded else "after-expiry"
    room.start()
    assert room.worker is not None
    room.crashes.arm("after-fetch")
    key = room.team.ask(room.repository(place))
    room.crashes.await_kill(room.worker, "after-fetch")
    room.crashes.arm(place)
    if room.embedded:
        # It dies as it starts.
        dying = room.team.start("up", "moonmind.cli.main", "up", "--port", str(room.team.port))
    else:
        assert room.api is not None
        dying = room.api  # the one janitor there is
    room.crashes.await_kill(dying, place)
    room.start()
    room.succeeded(room.team.asked(room.repository(place), key), place)


@pytest.mark.parametrize(("place", "pulls"), [("after-push", 0), ("after-pull-request", 1)])
@pytest.mark.in_every_run(1)
def test_a_cancel_after_a_kill_names_what_the_killed_one_published(place: str, pulls: int, room: Room) -> None:
    room.start()
    assert room.worker is not None
    room.crashes.arm(place)
    repository = f"moonmind/cancelled-{place}"
    run_id = room.team.create(repository)
    room.crashes.await_kill(room.worker, place)
    if room.embedded:
        # Nobody serves now; the command line writes the same row.
        asked = room.team.start("cancel", "moonmind.cli.main", "cancel", run_id)
        assert asked.wait(30) == 0, asked.text()
    else:
        assert room.team.post(f"/{run_id}/cancel").status_code == 202
    room.start()
    run = room.team.finish(run_id)
    assert run["status"] == "cancelled"
    outside = room.team.pulls(repository)
    assert outside["creates"] == pulls
    said = f"What it published stays: local://{repository}/pull/1" if pulls else f"The branch {BRANCH} is pushed"
    assert said in run["error"]["message"]
