"""The worker's settings: the lines that people expect, and what the environment fills in."""

import ast
import runpy
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.beat import Service

from moonmind.runs.chain import STAGES

ROOT = Path(__file__).parents[3]
PLACE = ROOT / "moonmind/workflows/speckit_celery/celeryconfig.py"
AMQP = "pyamqp://guest:guest@localhost:5672//"
RESULTS = "db+postgresql://moonmind:secret@localhost:5432/moonmind"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """Read the settings afresh, as a worker that starts does."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(PLACE))


def literals(text: str) -> dict[str, object]:
    """Collect `name = literal` lines."""
    return {
        node.targets[0].id: node.value.value if isinstance(node.value, ast.Constant) else ast.literal_eval(node.value)
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant | ast.List)
        and not any(isinstance(part, ast.Call | ast.Name) for part in ast.walk(node.value))
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("task_acks_late", True),
        ("task_reject_on_worker_lost", True),
        ("worker_prefetch_multiplier", 1),
        ("task_serializer", "json"),
        ("result_serializer", "json"),
        ("accept_content", ["json"]),
    ],
)
def test_the_settings_that_people_look_for_stand_in_the_file_as_plain_lines(name: str, value: object) -> None:
    assert literals(PLACE.read_text("utf-8"))[name] == value


def test_the_lines_that_the_quickstart_shows_are_the_ones_in_force(monkeypatch: pytest.MonkeyPatch) -> None:
    quickstart = (ROOT / "docs/quickstart.md").read_text("utf-8")
    block = next(part for part in quickstart.split("```python\n")[1:] if "task_acks_late" in part).partition("```")[0]
    shown = literals(block)
    assert shown["broker_url"] == AMQP
    in_force = config(
        monkeypatch, CELERY_BROKER_URL=AMQP, CELERY_RESULT_BACKEND=str(shown["result_backend"]).replace("***", "secret")
    )
    masked = in_force | {"result_backend": in_force["result_backend"].replace("secret", "***")}
    assert {name: masked[name] for name in shown} == shown


def test_a_worker_on_rabbitmq_has_confirms_its_queue_and_results(monkeypatch: pytest.MonkeyPatch) -> None:
    found = config(
        monkeypatch, CELERY_BROKER_URL=AMQP, CELERY_RESULT_BACKEND=RESULTS, SPEC_WORKFLOW_CODEX_QUEUE="other"
    )
    assert (found["broker_url"], found["result_backend"], found["task_ignore_result"]) == (AMQP, RESULTS, False)
    assert found["broker_transport_options"] == {"confirm_publish": True}
    assert found["task_default_queue"] == "other"
    assert [queue.name for queue in found["task_queues"]] == ["other"]
    assert found["task_routes"] == {stage.task_name: {"queue": "other"} for stage in STAGES}


def test_without_a_backend_results_are_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = config(monkeypatch, CELERY_BROKER_URL=AMQP)
    assert (found["result_backend"], found["task_ignore_result"]) == (None, True)
    assert found["task_default_queue"] == "codex"


def test_without_a_broker_every_celery_command_is_refused_with_what_to_start_instead(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CELERY_BROKER_URL")
    with pytest.raises(SystemExit) as ended:
        config(monkeypatch)
    assert ended.value.code == 4
    said = capsys.readouterr().err
    assert said.startswith("moonmind worker: CELERY_BROKER_URL is not set")
    assert "moonmind up" in said


def test_what_would_lose_or_hold_a_run_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    found = config(monkeypatch)
    assert found["worker_pool"] == "threads"
    assert found["task_track_started"] is False
    assert found["worker_cancel_long_running_tasks_on_connection_loss"] is False
    assert found["broker_connection_max_retries"] is None
    assert found["task_publish_retry_policy"]["max_retries"] == 1


def test_beat_has_nothing_to_do_and_keeps_no_notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CELERY_RESULT_BACKEND", f"db+sqlite:///{tmp_path / 'results.db'}")
    found = config(monkeypatch)
    app = Celery("beat", broker=AMQP)
    app.config_from_object({name: value for name, value in found.items() if name.startswith(("beat_", "result_"))})
    service = Service(app, scheduler_cls=app.conf.beat_scheduler)  # as `worker -B` does
    assert service.scheduler.schedule == {}
    assert service.scheduler.tick() == service.scheduler.max_interval
    service.stop()
    assert [place.name for place in tmp_path.iterdir()] == []
