"""One process's services: what they refuse to start with, and what they give back at the end."""

import gc
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from moonmind import bootstrap
from moonmind.db.unit_of_work import Database
from moonmind.engine.dispatch_loop import DispatchLoop
from moonmind.engine.lease import LeaseLost
from moonmind.engine.stage import StageDefinition
from moonmind.engine.stage_context import StageContext
from moonmind.errors import NotConfigured
from moonmind.ports.check import CheckStatus
from moonmind.runs.chain import FIRST, STAGES, Stage
from moonmind.runs.machine import Done, Outcome, RunStatus
from moonmind.runtime import container as engine_container
from moonmind.runtime import server_file
from moonmind.runtime.container import Container, Role
from moonmind.settings import load_settings
from moonmind.wire import CreateRun
from tests.support.databases import add_run, claim_run, due, event_types, read_run, register_host
from tests.support.engine_room import Outbox
from tests.support.waiting import PATIENCE, until


class Build(Protocol):
    """Builds a container, with other stages where they are given."""

    def __call__(self, stages: Mapping[Stage, StageDefinition] = bootstrap.STAGES) -> Container: ...


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_sqlite_file: Path) -> Iterator[Build]:
    """Build containers of one installation, as embedded processes in test mode do."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    for folder in ("tmp", "work", "var"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    (tmp_path / "var" / "moonmind.db").write_bytes(migrated_sqlite_file.read_bytes())
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")
    monkeypatch.setenv("MOONMIND_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SPEC_WORKFLOW_ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    made: list[Container] = []

    def one(stages: Mapping[Stage, StageDefinition] = bootstrap.STAGES) -> Container:
        made.append(bootstrap.build(load_settings(), stages=stages))
        made[-1].grace_seconds = 0.5
        made[-1].handover_seconds = 0.1  # none of them is shutting down
        return made[-1]

    yield one
    for container in made:
        container.close()


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_what_changed_is_said_once_where_runs_were_made_before(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []
    monkeypatch.setattr(engine_container, "announce", lambda _folder, *, used_before: told.append(used_before))
    container = build()
    container.announce_changes()
    add_run(container.database)
    container.announce_changes()
    assert told == [False, True]


# --- what is refused -----------------------------------------------------------------------------------------------


def test_good_places_are_made_and_accepted(build: Build, tmp_path: Path) -> None:
    build().check_start()
    assert (tmp_path / "artifacts").is_dir()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("MOONMIND_STATE_DIR", "tmp/state"),
        ("MOONMIND_STATE_DIR", "checkout/state"),
        ("SPEC_WORKFLOW_ARTIFACT_ROOT", "file/artifacts"),
    ],
)
def test_a_place_that_fails_later_is_refused_with_its_setting(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "checkout/.git").mkdir(parents=True)
    monkeypatch.setenv(setting, str(tmp_path / value))
    with pytest.raises(NotConfigured) as refused:
        build().check_start()
    assert setting in refused.value.advice


# --- the one embedded engine ---------------------------------------------------------------------------------------


def test_one_process_at_a_time_owns_the_embedded_engine(build: Build, tmp_path: Path) -> None:
    first, second = build(), build()
    first.own_embedded_engine()
    with pytest.raises(NotConfigured, match="another MoonMind runs the embedded engine") as refused:
        second.own_embedded_engine()
    assert "CELERY_BROKER_URL" in refused.value.advice
    server_file.announce(tmp_path / "var", "http://127.0.0.1:8123")
    with pytest.raises(NotConfigured, match=r"at http://127\.0\.0\.1:8123"):
        second.own_embedded_engine()
    first.close()
    second.own_embedded_engine()


def test_a_process_takes_over_from_one_that_is_just_ending(build: Build) -> None:
    first, second = build(), build()
    second.handover_seconds = 8.0
    first.own_embedded_engine()
    ending = threading.Timer(0.3, first.close)
    ending.start()
    second.own_embedded_engine()
    ending.join()


def test_it_is_the_database_that_has_one_owner_and_not_the_folder_of_a_process(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'var' / 'moonmind.db'}")
    build().own_embedded_engine()
    monkeypatch.setenv("MOONMIND_VAR_DIR", str(tmp_path / "another"))
    with pytest.raises(NotConfigured, match="another MoonMind"):
        build().own_embedded_engine()


def test_a_refused_process_takes_no_lease_back(build: Build) -> None:
    first, second = build(), build()
    first.own_embedded_engine()
    claim = claim_run(first.database, add_run(first.database).id)
    with pytest.raises(NotConfigured):
        second.own_embedded_engine()
    assert read_run(first.database, claim.run.id).lease_owner == claim.owner


def test_the_new_owner_frees_what_its_dead_predecessor_held_and_counts_nothing(build: Build) -> None:
    container = build()
    claim = claim_run(container.database, add_run(container.database).id)
    with capture_logs() as logs:
        container.own_embedded_engine()
    run = read_run(container.database, claim.run.id)
    assert (run.lease_owner, run.crashes, due(container.database)) == (None, 0, [run.id])
    assert [(entry["event"], entry["count"]) for entry in logs] == [("leases.released", 1)]


# --- start and end -------------------------------------------------------------------------------------------------


HEALING = {"janitor", "periodic-jobs"}
WORKING = {"job-poller", *(f"stages-{number}" for number in range(8))}


def test_a_process_without_a_broker_heals_and_runs_the_stages_until_it_is_closed(build: Build) -> None:
    container = build()
    assert not (HEALING | WORKING) & threads()
    container.open(Role.SERVER)
    assert threads() >= (HEALING | WORKING)
    assert hosts(container) == [container.host.id]
    container.close()
    until(lambda: not (HEALING | WORKING) & threads(), "the threads' end")


@pytest.mark.parametrize(("role", "runs_stages"), [(Role.SERVER, False), (Role.WORKER, True)])
def test_with_a_broker_every_process_heals_and_workers_look_after_agents(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, role: Role, runs_stages: bool
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:1//")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'var' / 'moonmind.db'}")
    container = build()
    container.open(role)
    assert (HEALING | WORKING) & threads() == HEALING | ({"job-poller"} if runs_stages else set())
    assert hosts(container) == ([container.host.id] if runs_stages else [])
    container.close()
    assert not (HEALING | WORKING) & threads()


def hosts(container: Container) -> list[UUID]:
    with container.database.read() as unit:
        return [host.id for host in unit.hosts.list()]


def test_a_refused_process_starts_nothing(build: Build) -> None:
    build().own_embedded_engine()
    with pytest.raises(NotConfigured):
        build().open(Role.SERVER)
    assert not (HEALING | WORKING) & threads()


@dataclass(slots=True)
class Stages:
    """Five stages, of which the first waits for the test."""

    released: threading.Event = field(default_factory=threading.Event)
    begun: threading.Event = field(default_factory=threading.Event)
    refused: list[Exception] = field(default_factory=list)

    def wait(self, context: StageContext) -> Outcome:
        self.begun.set()
        assert self.released.wait(30), "the test left a stage waiting"
        try:
            context.lease.check()
        except LeaseLost as error:
            self.refused.append(error)
            raise
        return Done()

    def chain(self) -> dict[Stage, StageDefinition]:
        done = dict.fromkeys(STAGES, StageDefinition(lambda _: Done()))
        return {**done, FIRST: StageDefinition(self.wait)}


def opened(build: Build, stages: Stages) -> Container:
    container = build(stages.chain())
    container.open(Role.SERVER)
    return container


def test_a_stage_that_ends_in_time_is_recorded_before_the_process_ends(build: Build) -> None:
    stages = Stages()
    container = opened(build, stages)
    container.grace_seconds = 10.0
    run_id = container.runs.create(CreateRun(repository="octo/demo")).id
    assert stages.begun.wait(PATIENCE)
    threading.Timer(0.2, stages.released.set).start()
    container.close()
    run = read_run(container.database, run_id)
    assert (run.stage, run.lease_owner) == (STAGES[1], None)


def test_a_stage_that_takes_longer_gives_its_lease_back_and_the_next_process_goes_on(build: Build) -> None:
    stages = Stages()
    container = opened(build, stages)
    run_id = container.runs.create(CreateRun(repository="octo/demo")).id
    assert stages.begun.wait(PATIENCE)
    began = time.monotonic()
    container.close()
    assert 0.4 < time.monotonic() - began < 5
    run = read_run(container.database, run_id)
    assert (run.stage, run.lease_owner, run.crashes) == (FIRST, None, 0)
    assert event_types(container.database, run_id)[-1] == "lease.returned"

    stages.released.set()
    until(lambda: stages.refused, "the late stage's refusal")
    opened(build, stages)
    until(lambda: read_run(container.database, run_id).status is RunStatus.SUCCEEDED, "the run's end")


def test_the_end_gives_leases_back(build: Build) -> None:
    container = build()
    database = container.database
    register_host(database)
    claim = claim_run(database, add_run(database).id)
    with container.keeper.keep(claim) as lease:
        container.close()
        assert lease.gone()
    assert event_types(database, claim.run.id)[-1] == "lease.returned"


@pytest.mark.filterwarnings("ignore:Exception ignored.*sqlite3:pytest.PytestUnraisableExceptionWarning")
def test_a_forked_child_goes_on_with_connections_of_its_own(build: Build) -> None:
    container = build()
    run = add_run(container.database)
    container.abandon()
    assert container.runs.get(run.id).id == run.id
    gc.collect()  # the parent's connections, which no parent is here to close: Python 3.13 warns of them


# --- readiness -----------------------------------------------------------------------------------------------------


def test_a_process_that_can_work_is_ready(build: Build) -> None:
    checks = build().ready()
    assert [(check.name, check.status) for check in checks] == [
        ("database", CheckStatus.PASSED),
        ("publisher", CheckStatus.PASSED),
    ]


def test_what_a_process_misses_is_said_with_its_fix(build: Build, tmp_path: Path) -> None:
    container = build()
    container.dispatch_loop = DispatchLoop(container.database, Outbox().dispatcher, max_abandoned=0)
    container.database.dispose()
    container.database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    checks = {check.name: check for check in container.ready()}
    assert checks["database"].failed
    assert "alembic upgrade head" in checks["database"].remediation
    assert checks["publisher"].failed
    assert "broker" in checks["publisher"].remediation
