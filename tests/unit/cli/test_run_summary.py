import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from moonmind.db.unit_of_work import Database
from tests.support.terminal import keep, succeed

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
ID = UUID("11111111-2222-4333-8444-555555555555")
REPORT = {
    "ticked": [],
    "leftOpen": ["T001", "T002"],
    "verdicts": [
        {"id": "T001", "line": 1, "verdict": "contradicted", "because": "docs/a.md is not there"},
        {
            "id": "T002",
            "line": 2,
            "verdict": "open",
            "because": "unchanged: b.py\x1b[2J",
            "said": "no server\x1b[2J here",
        },
    ],
}


def judged(database: Database, content: Any) -> None:
    succeed(database, id=ID)
    keep(database, ID, "apply_output", "apply/apply_output.json", json.dumps(content).encode())


@pytest.mark.parametrize("arguments", [(), ("--watch",)])
def test_each_task_without_its_tick_says_why(
    moonmind: Command, database: Database, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    judged(database, REPORT)
    assert moonmind("show", "1111", *arguments) == 0
    out = capsys.readouterr().out
    assert "left open: 2 of 2 tasks; no box was ticked" in out
    assert "T001  contradicted: docs/a.md is not there\n" in out
    assert "T002  open: unchanged: b.py (the agent: no server here)\n" in out
    assert "apply/apply_output.json, and in `moonmind logs 11111111`" in out


def test_a_report_of_an_earlier_program_is_read_in_todays_words(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    words = [("T001", "proven"), ("T002", "attested"), ("T003", "unproven")]
    verdicts = [{"id": key, "line": 1, "verdict": word, "because": "why"} for key, word in words]
    judged(database, {"ticked": ["T001", "T002"], "unproven": ["T003"], "verdicts": verdicts})
    assert moonmind("show", "1111") == 0
    out = capsys.readouterr().out
    assert "ticked on the agent's word alone: T002\n" in out
    assert "left open: 1 of 3 tasks\n  T003  open: why\n" in out


@pytest.mark.parametrize("content", [{**REPORT, "verdicts": []}, [], {"verdicts": "T001"}, {"verdicts": ["T001"]}])
def test_what_leaves_nothing_open_or_is_no_report_says_nothing(
    moonmind: Command, database: Database, capsys: Capture, content: Any
) -> None:
    judged(database, content)
    assert moonmind("show", "1111") == 0
    assert "left open" not in capsys.readouterr().out


def test_a_branch_of_the_local_forge_comes_with_the_command_that_shows_it(
    moonmind: Command, database: Database, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONMIND_LOCAL_REPOS", str(tmp_path / "my repositories"))
    succeed(database, id=ID, repository="acme/rockets", branch="moonmind/042-x")
    assert moonmind("show", "1111") == 0
    place = shlex.quote(str(tmp_path / "my repositories/acme/rockets.git"))
    assert f"git --git-dir {place} log moonmind/042-x\n" in capsys.readouterr().out


def test_a_branch_elsewhere_is_not_looked_for_here(
    moonmind: Command, database: Database, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "0")
    succeed(database, id=ID, branch="moonmind/042-x")
    assert moonmind("show", "1111") == 0
    assert "git --git-dir" not in capsys.readouterr().out


def test_what_the_policy_found_is_shown_gravest_first_with_who_approved(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    found = [
        {"path": "a.sh", "rule": "executable", "severity": "warn", "words": "it becomes executable"},
        *(
            {"path": f".vscode/{n}", "rule": "editor", "severity": "draft", "words": "it\x1b[2J runs"}
            for n in range(12)
        ),
        {"path": "ci.yml", "rule": "ci", "severity": "ask", "words": "it runs in CI"},
        7,
    ]
    judged(database, {"verdicts": [], "policy": found, "approval": {"by": "ana", "why": "tests\nonly"}})
    assert moonmind("show", "1111") == 0
    out = capsys.readouterr().out
    assert "ask: ci.yml: it runs in CI\ndraft: .vscode/0: it runs\n" in out
    assert "draft: and 2 more such findings\napproved by ana: tests only\n" in out
    assert "executable" not in out
