"""Settings in, a container out."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from celery import Celery

from moonmind import __version__, bootstrap
from moonmind.engine.executor import ChainSignal
from moonmind.engine.stage import StageDefinition
from moonmind.engine.stage_context import StageContext
from moonmind.errors import NotConfigured, SchemaMismatch, Unavailable
from moonmind.ports.check import Check, CheckStatus
from moonmind.preflight.machine_checks import speckit
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import NothingToDo, Outcome, RunStatus
from moonmind.runtime.container import Container
from moonmind.settings import Settings, load_settings
from moonmind.wire import CreateRun
from tests.support.databases import due, register_host

TOKEN = "a-github-token-for-the-test"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of an embedded process in test mode."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("GH_TOKEN", TOKEN)
    return load_settings()


def registered(container: Container) -> list[UUID]:
    with container.database.read() as unit:
        return [host.id for host in unit.hosts.list()]


def nothing(context: StageContext) -> Outcome:
    return NothingToDo("nothing in a test")


def test_every_stage_of_the_chain_has_its_function() -> None:
    assert list(bootstrap.STAGES) == list(STAGES)
    modules = {stage: definition.run.__module__ for stage, definition in bootstrap.STAGES.items()}
    assert modules == {stage: f"moonmind.stages.{stage}.{stage}" for stage in STAGES}


def test_an_embedded_process_brings_its_database_up_to_date_itself(settings: Settings, tmp_path: Path) -> None:
    container = bootstrap.build(settings)
    container.database.check_schema()
    assert (tmp_path / "var" / "moonmind.db").is_file()
    assert (container.agent.name, container.settings.forge) == ("scripted", "local")
    container.close()


def test_processes_that_start_at_once_take_turns_and_agree_on_host_and_installation(settings: Settings) -> None:
    with ThreadPoolExecutor(3) as pool:
        built = list(pool.map(lambda _: bootstrap.build(settings), range(3)))
    assert len({container.host.id for container in built}) == 1
    assert len({container.database.installation_id() for container in built}) == 1
    # Nobody runs stages there yet: a command line or an API must not pass for a worker.
    assert registered(built[0]) == []
    for container in built:
        container.close()


def test_several_processes_on_a_broker_do_not_migrate_behind_the_operators_back(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, tmp_path: Path
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://localhost//")
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path / 'shared.db'}")
    with pytest.raises(SchemaMismatch) as refused:
        bootstrap.build(load_settings())
    assert "alembic upgrade head" in refused.value.advice


def test_a_database_that_is_not_there_is_said_in_words(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://localhost//")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
    with pytest.raises(Unavailable, match="does not answer"):
        bootstrap.build(load_settings())


def test_an_adapter_that_does_not_exist_is_named_with_those_that_do(
    monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "0")
    monkeypatch.setenv("MOONMIND_FORGE", "local")
    monkeypatch.setenv("MOONMIND_AGENT", "nobody")
    with pytest.raises(NotConfigured, match=r"'nobody'.*scripted") as refused:
        bootstrap.build(load_settings())
    assert "MOONMIND_AGENT" in refused.value.advice


def test_the_services_secrets_are_known_to_its_redactor(settings: Settings) -> None:
    container = bootstrap.build(settings)
    assert container.redactor.text(f"Bearer {TOKEN}") == "Bearer [redacted]"
    container.close()


def test_stages_can_be_replaced_for_benchmarks_of_the_engine(settings: Settings) -> None:
    container = bootstrap.build(settings, stages=dict.fromkeys(STAGES, StageDefinition(nothing)), publishes=False)
    made = container.runs.create(CreateRun(repository="octo/demo"))
    assert container.executor.execute(made.id, Stage.DISCOVER) is ChainSignal.STOP
    assert container.runs.get(made.id).status is RunStatus.NO_WORK
    container.close()


def test_the_command_line_publishes_nothing_and_leaves_its_rows_due(settings: Settings) -> None:
    container = bootstrap.build(settings, publishes=False)
    made = container.runs.create(CreateRun(repository="octo/demo"))
    assert due(container.database) == [made.id]
    assert container.dispatch_loop._sender is None
    container.close()


def test_the_toolchain_is_probed_with_the_rest(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    container = bootstrap.build(settings)
    (found,) = [check for check in container.preflight.run() if check.name == "speckit"]
    assert (found.status, found.facts) == (CheckStatus.PASSED, {"speckit": __version__})
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    monkeypatch.setenv("PATH", "/nowhere")
    (missing,) = speckit()
    assert missing.failed
    assert missing.remediation
    container.close()


def test_several_hosts_are_told_that_artifacts_are_not_shared(settings: Settings) -> None:
    container = bootstrap.build(settings)

    def hosts() -> Check:
        (found,) = [check for check in container.preflight.run() if check.name == "hosts"]
        return found

    register_host(container.database)
    assert hosts().status is CheckStatus.PASSED
    register_host(container.database, uuid4())
    assert hosts().status is CheckStatus.UNKNOWN
    assert "each keeps artifacts on its own disk" in hosts().message
    container.close()


def test_there_is_one_celery_app_in_a_process() -> None:
    app = bootstrap.celery_app()
    assert app is bootstrap.celery_app()
    assert isinstance(app, Celery)


def test_a_login_that_codex_stored_is_a_known_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    key = "sk-stored-0123456789abcdef"
    home = tmp_path / "codex"
    home.mkdir()
    (home / "auth.json").write_text(json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": key}))
    monkeypatch.setenv("CODEX_HOME", str(home))
    monkeypatch.setenv("MOONMIND_VAR_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(tmp_path / "state"))
    container = bootstrap.build(load_settings())
    assert container.redactor.holds_known(f"KEY = {key!r}".encode())
    container.close()
