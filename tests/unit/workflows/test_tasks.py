"""Five doorbells."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from celery.exceptions import Ignore

from moonmind import bootstrap
from moonmind.engine.stage import StageDefinition
from moonmind.engine.stage_context import StageContext
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import Done, Outcome, RunStatus
from moonmind.runtime.container import Container
from moonmind.settings import load_settings
from moonmind.wire import CreateRun
from moonmind.workflows.speckit_celery import tasks, worker
from tests.support.databases import everything, read_run
from tests.support.engine_room import Outage


def ring(stage: Stage, run_id: str) -> str:
    """Call a stage's task, as a worker does."""
    answer: str = getattr(tasks, stage.value).run(run_id)
    return answer


def done(context: StageContext) -> Outcome:
    return Done()


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_sqlite_file: Path) -> Iterator[Container]:
    """Put a container before the tasks whose stages do nothing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "moonmind.db").write_bytes(migrated_sqlite_file.read_bytes())
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'moonmind.db'}")
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(tmp_path / "state"))
    made = bootstrap.build(load_settings(), stages=dict.fromkeys(STAGES, StageDefinition(done)), publishes=False)
    monkeypatch.setattr(worker, "_container", made)
    yield made
    made.close()


def create(container: Container) -> UUID:
    return container.runs.create(CreateRun(repository="octo/demo")).id


def test_the_app_has_the_five_stages_under_their_public_names() -> None:
    ours = {name for name in tasks.app.tasks if not name.startswith("celery.")}
    assert ours == {
        "moonmind.speckit.discover",
        "moonmind.speckit.submit",
        "moonmind.speckit.apply",
        "moonmind.speckit.publish",
        "moonmind.speckit.finalize",
    }
    assert {stage.task_name for stage in STAGES} == ours


def test_the_workers_command_finds_the_app_and_its_settings() -> None:
    assert tasks.app is bootstrap.celery_app()
    assert tasks.app.conf.task_acks_late is True
    assert tasks.app.conf.task_reject_on_worker_lost is True
    assert "moonmind.workflows.speckit_celery.tasks" in tasks.app.conf.imports


def test_each_task_works_on_its_own_stage_and_lets_its_chain_go_on(container: Container) -> None:
    run_id = create(container)
    for stage in STAGES:
        assert read_run(container.database, run_id).stage is stage
        assert ring(stage, str(run_id)) == stage.value
    assert read_run(container.database, run_id).status is RunStatus.SUCCEEDED


def test_a_garbage_run_id_is_ignored_by_every_task(container: Container) -> None:
    before = everything(container.database)
    for stage in STAGES:
        for garbage in ("", "nonsense", "42", "../../etc/passwd", "0" * 33):
            with pytest.raises(Ignore):
                ring(stage, garbage)
    assert everything(container.database) == before


def test_a_message_for_no_run_and_one_out_of_turn_drop_their_chain(container: Container) -> None:
    with pytest.raises(Ignore):
        tasks.discover.run(str(uuid4()))
    run_id = create(container)
    with pytest.raises(Ignore):
        tasks.publish.run(str(run_id))
    assert read_run(container.database, run_id).fence == 0


def test_a_message_for_a_past_stage_lets_its_chain_go_on(container: Container) -> None:
    run_id = create(container)
    tasks.discover.run(str(run_id))
    assert tasks.discover.run(str(run_id)) == "discover"
    assert read_run(container.database, run_id).stage is Stage.SUBMIT


def test_the_root_of_the_chain_becomes_the_runs_chain_id(container: Container) -> None:
    run_id, root = create(container), uuid4()
    tasks.discover.push_request(id=str(root), root_id=str(root))
    try:
        tasks.discover.run(str(run_id))
    finally:
        tasks.discover.pop_request()
    assert read_run(container.database, run_id).chain_id == root


def test_a_root_id_that_is_none_of_ours_drops_the_message(container: Container) -> None:
    run_id = create(container)
    tasks.discover.push_request(id="mine", root_id="mine")
    try:
        with pytest.raises(Ignore):
            tasks.discover.run(str(run_id))
    finally:
        tasks.discover.pop_request()
    assert read_run(container.database, run_id).fence == 0


def test_an_outage_at_the_claim_drops_the_message_and_the_row_stays_due(
    container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = create(container)
    monkeypatch.setattr(container.executor, "_database", Outage(container.database, times=1))
    with pytest.raises(Ignore):
        tasks.discover.run(str(run_id))
    assert read_run(container.database, run_id).dispatch_after is not None
    assert tasks.discover.run(str(run_id)) == "discover"
