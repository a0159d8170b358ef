"""Every message three times at once, too early, too late, or rubbish: the row decides, and a run succeeds once."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery

from moonmind import bootstrap
from moonmind.adapters.dispatchers.celery import CeleryDispatcher
from moonmind.ports.dispatcher import DispatchRequest
from moonmind.runs.chain import STAGES, Stage
from moonmind.runtime.container import Role
from moonmind.settings import load_settings
from moonmind.wire import CreateRun
from tests.support import git_repos
from tests.support.databases import at_once
from tests.support.engines import (
    SAMPLE,
    SHORT_LEASES,
    TEST_MODE,
    Engine,
    assert_published_once,
    attempts,
    engine_of,
    make_sample,
)
from tests.support.team import TERMINAL, Team, team
from tests.support.waiting import until


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    with engine_of("rabbitmq", request, TEST_MODE | SHORT_LEASES) as made:
        yield made


class Floods:
    """Publishes what MoonMind publishes, only far too much of it."""

    def __init__(self, members: Team) -> None:
        self._queue = members.env["SPEC_WORKFLOW_CODEX_QUEUE"]
        self._app = Celery("flood", broker=members.env["CELERY_BROKER_URL"])
        self._app.conf.update(task_default_queue=self._queue, task_ignore_result=True)

    def chain(self, run_id: str, stage: Stage) -> None:
        CeleryDispatcher(self._app, self._queue).dispatch(DispatchRequest(UUID(run_id), stage, uuid4(), 60.0))

    def three_of_each(self, run_id: str) -> None:
        """Publish three chains from every stage, the late stages as well as the early ones, all at once."""
        wanted = [stage for stage in reversed(STAGES) for _ in range(3)]
        assert at_once(len(wanted), lambda number: self.chain(run_id, wanted[number])) == [None] * len(wanted)

    def rubbish(self) -> None:
        """Publish ids that are none, ids of nobody, and arguments that fit no task."""
        for stage in STAGES:
            for arguments in (["no id"], [str(uuid4())], [None], [{"run": 1}], [], ["a", "b"]):
                self._app.send_task(stage.task_name, args=arguments, queue=self._queue)
        # And what no Celery would send: each of these would end a worker that reads as Celery does, and the next one.
        bodies = ("null", "[]", "[1]", '{"id": 7}', '"abc"', '[["no id"], {}, 3]', "{", "")
        headers: list[dict[str, Any]] = [
            {"task": Stage.DISCOVER.task_name, "id": str(uuid4())},
            {"task": Stage.DISCOVER.task_name},
            {"task": ["no", "name"], "id": str(uuid4())},
            {"task": Stage.DISCOVER.task_name, "id": str(uuid4()), "timelimit": "soon", "expires": [], "eta": {}},
            {},
        ]
        with self._app.connection_for_write() as connection:
            producer = connection.Producer()
            for body, about in itertools.product(bodies, headers):
                producer.publish(
                    body, routing_key=self._queue, headers=about,
                    content_type="application/json", content_encoding="utf-8",
                )  # fmt: skip

    @contextmanager
    def all_along(self, run_id: str) -> Iterator[Callable[[], int]]:
        """Publish three of each again and again while the block runs; returns the count of rounds."""
        ended, rounds, broken = threading.Event(), [0], list[BaseException]()

        def go() -> None:
            try:
                while not ended.is_set():
                    self.three_of_each(run_id)
                    rounds[0] += 1
                    ended.wait(0.3)  # the pace of the flood; nothing depends on it
            except BaseException as error:  # noqa: BLE001 - raised below, in the test's own thread
                broken.append(error)

        thread = threading.Thread(target=go)
        thread.start()
        try:
            yield lambda: rounds[0]
        finally:
            ended.set()
            thread.join()
            self._app.close()
        assert not broken, broken


def slow_push(bare: Path) -> Path:
    """Make every push to a repository take a moment, so that twins of publish would meet; returns the record of pushes."""
    pushes = bare.with_suffix(".pushes")
    git_repos.install_hook(bare, "pre-receive", f"echo push >> {pushes}; sleep 0.5")
    return pushes


def waiting_agent(members: Team) -> Path:
    """Let the agent wait until a file exists; returns the file."""
    release = members.folder / "release"
    steps = [{"wait_for": str(release)}, {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}]
    (members.folder / "script.json").write_text(json.dumps({"version": 1, "steps": steps}))
    members.env["MOONMIND_SCRIPT"] = str(members.folder / "script.json")
    return release


@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_three_deliveries_of_every_message_on_two_workers_publish_a_run_once(engine: Engine) -> None:
    release, floods = waiting_agent(engine.team), Floods(engine.team)
    pushes = slow_push(make_sample(engine.team))
    run_id = engine.team.create()
    floods.rubbish()
    floods.three_of_each(run_id)
    workers = [engine.start(), engine.start()]
    with floods.all_along(run_id) as rounds:
        engine.team.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the suspension")
        seen = rounds()
        until(lambda: rounds() > seen + 1, "deliveries to a suspended run")
        release.touch()
        run = engine.team.succeed(run_id)
        seen = rounds()
        until(lambda: rounds() > seen, "deliveries to an ended run")
    assert_published_once(engine.team, run)
    assert pushes.read_text() == "push\n"
    assert {stage.value: attempts(engine.team, run, stage.value) for stage in STAGES} == {
        stage.value: {1} for stage in STAGES
    }
    assert all(worker.alive for worker in workers)
    # Both drew from the queue: two workers really met.
    assert all("moonmind.speckit." in worker.text() for worker in workers)
    # And what was published last is still taken: the rubbish has stopped nobody.
    release.unlink()
    again = engine.team.create("moonmind/another")
    release.touch()
    engine.team.succeed(again)


@pytest.mark.postgres
@pytest.mark.rabbitmq
@pytest.mark.full
def test_deliveries_of_many_runs_at_once_keep_them_apart(engine: Engine) -> None:
    floods = Floods(engine.team)
    repositories = [f"moonmind/several-{number}" for number in range(3)]
    pushes = [slow_push(make_sample(engine.team, repository)) for repository in repositories]
    runs = [engine.team.create(repository) for repository in repositories]
    for run_id in runs:
        floods.three_of_each(run_id)
    engine.start()
    engine.start()
    for run_id, repository in zip(runs, repositories, strict=True):
        run = engine.team.succeed(run_id)
        assert_published_once(engine.team, run, repository=repository)
    assert [each.read_text() for each in pushes] == ["push\n"] * len(runs)


@pytest.mark.sqlite
def test_stages_called_from_many_threads_at_once_are_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with team(**TEST_MODE, MOONMIND_AGENT_RELOOK_SECONDS="0.2") as members:
        for name, value in members.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(members.work)
        pushes = slow_push(make_sample(members))
        container = bootstrap.build(load_settings(), publishes=False)
        container.prepare(Role.SERVER)
        try:
            run_id = container.runs.create(CreateRun(repository=SAMPLE)).id

            def all_stages() -> bool:
                answers = at_once(15, lambda number: container.executor.execute(run_id, STAGES[number % 5]))
                assert not [answer for answer in answers if isinstance(answer, Exception)], answers
                return container.runs.get(run_id).status.value in TERMINAL

            until(all_stages, "the run's end", 60)
            run = container.runs.get(run_id)
            events = container.runs.events(run_id, limit=1000)
        finally:
            container.close()
        assert run.status.value == "succeeded", run.error
        done = [event.task_name for event in events if event.type.value == "attempt.succeeded"]
        assert done == ["discover", "submit", "apply", "publish"]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert members.pulls()["creates"] == 1
        assert pushes.read_text() == "push\n"
        assert len(git_repos.log_of(members.bare(), f"main..{run.branch_name}")) == 1
