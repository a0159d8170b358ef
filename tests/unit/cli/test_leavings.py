import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moonmind.wire import WorkflowArtifact
from tests.support.terminal import Session, a_run

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
REPORT = {
    "ticked": [],
    "unproven": ["T001", "T002"],
    "verdicts": [
        {"id": "T001", "verdict": "contradicted", "because": "docs/a.md is not there"},
        {"id": "T002", "verdict": "unproven", "because": "nothing it names was changed\x1b[2J"},
    ],
}


def judged(session: Session, content: Any) -> None:
    artifact = WorkflowArtifact(artifact_type="apply_output", path="apply/apply_output.json")
    session.runs.add(a_run(5, artifacts=[artifact]))
    session.runs.files["apply/apply_output.json"] = json.dumps(content).encode()


@pytest.mark.parametrize("arguments", [(), ("--watch",)])
def test_each_task_without_its_tick_says_why(
    moonmind: Command, session: Session, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    judged(session, REPORT)
    assert moonmind("show", "1111", *arguments) == 0
    out = capsys.readouterr().out
    assert "not proven: 2 of 2 tasks; no box was ticked" in out
    assert "T001  contradicted: docs/a.md is not there\n" in out
    assert "T002  unproven: nothing it names was changed\n" in out
    assert "apply/apply_output.json, and in `moonmind logs 11111111`" in out


@pytest.mark.parametrize("content", [{**REPORT, "unproven": []}, [], {"unproven": "T001"}])
def test_what_proves_everything_or_is_no_report_says_nothing(
    moonmind: Command, session: Session, capsys: Capture, content: Any
) -> None:
    judged(session, content)
    assert moonmind("show", "1111") == 0
    assert "not proven" not in capsys.readouterr().out


def test_a_branch_of_the_local_forge_comes_with_the_command_that_shows_it(
    moonmind: Command, session: Session, capsys: Capture, tmp_path: Path
) -> None:
    session.settings = session.settings.model_copy(
        update={"forge_name": "local", "local_repos": tmp_path / "my repositories"}
    )
    session.runs.add(a_run(5, branch_name="moonmind/042-x"))
    assert moonmind("show", "1111") == 0
    place = shlex.quote(str(tmp_path / "my repositories/acme/rockets.git"))
    assert f"git --git-dir {place} log moonmind/042-x\n" in capsys.readouterr().out


def test_a_branch_elsewhere_is_not_looked_for_here(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.settings = session.settings.model_copy(update={"forge_name": "github"})
    session.runs.add(a_run(5, branch_name="moonmind/042-x"))
    assert moonmind("show", "1111") == 0
    assert "git --git-dir" not in capsys.readouterr().out
