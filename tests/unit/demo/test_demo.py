import fcntl
import io
import json
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from moonmind.demo import demo
from moonmind.demo.http_client import Client
from moonmind.runs.machine import RunStatus
from moonmind.sample import source
from moonmind.speckit.tasks_md import read_tasks
from moonmind.wire import WorkflowArtifact
from tests.support.terminal import a_run

Capture = pytest.CaptureFixture[str]


def test_fresh_samples_are_numbered() -> None:
    assert demo._next("moonmind/spec-kit-reference") == "moonmind/spec-kit-reference-2"
    assert demo._next("moonmind/spec-kit-reference-2") == "moonmind/spec-kit-reference-3"
    assert demo._next("moonmind/spec-kit-reference-9") == "moonmind/spec-kit-reference-10"


def test_a_demo_folder_that_was_removed_takes_its_state_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "var/demo"
    folder.mkdir(parents=True)
    state = demo._state_dir(folder)
    assert state.is_relative_to(tmp_path / "state/moonmind")
    assert state != demo._state_dir(tmp_path / "other/var/demo")
    state.mkdir(parents=True)
    (folder / "moonmind.db").touch()
    assert demo._state_dir(folder).exists()
    (folder / "moonmind.db").unlink()
    assert not demo._state_dir(folder).exists()


def test_two_demos_in_one_folder_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "var/demo").mkdir(parents=True)
    with (tmp_path / "var/demo/demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert demo.main(["--json"]) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["code"] == "conflict"
    assert "another demo is running" in err


def test_the_end_names_the_changed_files_and_where_things_are(tmp_path: Path) -> None:
    files = [{"path": "a.py", "added": 12, "deleted": 3}, {"path": "logo.png", "added": -1, "deleted": -1}]
    artifact = WorkflowArtifact(artifact_type="apply_output", path="apply/apply_output.json")
    run = a_run(5, artifacts=[artifact])
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"files": files}))
    stream = io.StringIO()
    with Client("http://127.0.0.1:1", transport=transport) as client:
        demo._sum_up(run, demo._changes(client, run), tmp_path, Console(file=stream, width=200))
    said = stream.getvalue()
    assert "+12" in said
    assert "-3" in said
    assert "binary" in said
    assert str(tmp_path / "artifacts" / str(run.id)) in said
    assert str(tmp_path / "repositories/acme/rockets.git") in said


def test_after_the_last_phase_the_next_call_starts_over() -> None:
    path = f"specs/{source.FEATURE_KEY}/tasks.md"
    phases = read_tasks(source.files()[path], name=path).phases
    said = [demo._onward(a_run(5, phase=phase.title)) for phase in phases]
    assert len(said) > 1
    assert ["fresh sample" in each for each in said] == [False] * (len(said) - 1) + [True]


def test_a_run_that_was_interrupted_is_said_to_be_cancelled(capsys: Capture) -> None:
    looks = [a_run(1), a_run(1, status=RunStatus.CANCELLED)]

    def answer(request: httpx.Request) -> httpx.Response:
        run = looks[0] if request.method == "POST" else looks.pop(0)
        return httpx.Response(200, text=run.model_dump_json(by_alias=True))

    with Client("http://127.0.0.1:1", transport=httpx.MockTransport(answer)) as client:
        demo._cancel(client, looks[0])
    assert capsys.readouterr().err == "\nThe run is cancelled.\n"


def test_help_names_the_script_that_people_call(capsys: Capture) -> None:
    with pytest.raises(SystemExit) as ended:
        demo.main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: script/demo ")
