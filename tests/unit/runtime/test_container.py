"""One process's services: what they refuse to start with, and what they give back at the end."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moonmind import bootstrap
from moonmind.db.unit_of_work import Database
from moonmind.engine import dispatch_loop
from moonmind.errors import NotConfigured
from moonmind.ports.check import CheckStatus
from moonmind.runtime import container as engine_container
from moonmind.runtime import server_file
from moonmind.runtime.container import Container
from moonmind.settings import load_settings
from tests.support.databases import add_run, claim_run, due, enrol, event_types, read_run

Build = Callable[[], Container]


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

    def one() -> Container:
        made.append(bootstrap.build(load_settings()))
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
        ("MOONMIND_STATE_DIR", "work/state"),
        ("SPEC_WORKFLOW_ARTIFACT_ROOT", "file/artifacts"),
    ],
)
def test_a_place_that_fails_later_is_refused_with_its_setting(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, value: str
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(setting, str(tmp_path / value))
    with pytest.raises(NotConfigured) as refused:
        build().check_start()
    assert setting in refused.value.advice


# --- the one embedded engine ---------------------------------------------------------------------------------------


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for a process that is not shutting down."""
    monkeypatch.setattr(engine_container, "_HANDOVER_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
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
    first.own_embedded_engine()
    ending = threading.Timer(0.3, first.close)
    ending.start()
    second.own_embedded_engine()
    ending.join()


@pytest.mark.usefixtures("impatient")
def test_it_is_the_database_that_has_one_owner_and_not_the_folder_of_a_process(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'var' / 'moonmind.db'}")
    build().own_embedded_engine()
    monkeypatch.setenv("MOONMIND_VAR_DIR", str(tmp_path / "another"))
    with pytest.raises(NotConfigured, match="another MoonMind"):
        build().own_embedded_engine()


@pytest.mark.usefixtures("impatient")
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


def test_an_api_process_heals_and_a_worker_wakes_too_each_once(build: Build) -> None:
    container = build()
    assert not {"janitor", "waker"} & threads()
    container.start_api()
    container.start_api()
    assert {"janitor", "waker"} & threads() == {"janitor"}
    container.start_engine()
    container.start_engine()
    names = [thread.name for thread in threading.enumerate()]
    assert (names.count("janitor"), names.count("waker")) == (1, 1)
    container.close()
    assert not {"janitor", "waker"} & threads()


def test_the_end_gives_leases_back(build: Build) -> None:
    container = build()
    database = container.database
    enrol(database)
    claim = claim_run(database, add_run(database).id)
    with container.keeper.keep(claim) as lease:
        container.close()
        assert lease.gone()
    assert event_types(database, claim.run.id)[-1] == "lease.returned"


def test_a_forked_child_goes_on_with_connections_of_its_own(build: Build) -> None:
    container = build()
    run = add_run(container.database)
    container.abandon()
    assert container.runs.get(run.id).id == run.id


# --- readiness -----------------------------------------------------------------------------------------------------


def test_a_process_that_can_work_is_ready(build: Build) -> None:
    checks = build().ready()
    assert [(check.name, check.status) for check in checks] == [
        ("database", CheckStatus.PASSED),
        ("publisher", CheckStatus.PASSED),
    ]


def test_what_a_process_misses_is_said_with_what_mends_it(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = build()
    monkeypatch.setattr(dispatch_loop, "MAX_ABANDONED", 0)
    container.database.dispose()
    container.database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    checks = {check.name: check for check in container.ready()}
    assert checks["database"].failed
    assert "alembic upgrade head" in checks["database"].remediation
    assert checks["publisher"].failed
    assert "broker" in checks["publisher"].remediation
