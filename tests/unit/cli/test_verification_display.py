import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from moonmind.cli.verification_display import results, stage_words
from moonmind.db.unit_of_work import Database
from moonmind.stages.kit.stage_results import TestFinding, Verification, VerifiedCommand
from tests.support.plans import an_apply_result
from tests.support.terminal import keep, succeed

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
ID = UUID("11111111-2222-4333-8444-555555555555")
GREEN = VerifiedCommand("pytest -q", "passed", seconds=3.21, passed=14, passed_before=12)
RED = VerifiedCommand(
    "npm test",
    "failed",
    why="7 tests fail",
    root="web",
    seconds=9.0,
    passed=12,
    failed=7,
    passed_before=19,
    failed_before=0,
    broke=tuple(f"web/cart.test.js > {n}" for n in range(7)),
    gone=("web/old.test.js > a",),
    now_skipped=("web/new.test.js > b",),
    fails_as_before=("web/red.test.js > c",),
)
NOT_RUN = VerifiedCommand("e2e in api", "could not run", why="npx: not found", root="api")


def stored(*commands: VerifiedCommand, **more: Any) -> Any:
    """Return what apply's report has of them."""
    return an_apply_result(tests=Verification(commands, **more)).stored()["tests"]


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (None, ""),
        ("text of a newer server", ""),
        ({}, ""),
        ({"outcomes": {"passed": 2}, "passed": 14, "failed": 0}, "tests: 14 passed"),
        ({"outcomes": {"passed": 2}}, "tests: by exit codes"),
        (
            {"outcomes": {"failed": 1, "passed": 1}, "passed": 14, "failed": 2, "broke": 1, "draft": "why"},
            "1 test broke, tests: 14 passed, 2 failed, test commands: 1 failed; draft",
        ),
        ({"notRun": "no command was found"}, "no test was run: no command was found"),
        (
            {"outcomes": {"failed before": 1, "skipped": 2}, "passed": 3, "failed": 1},
            "tests: 3 passed, 1 failed, test commands: 1 failing as before, 2 skipped",
        ),
        ({"outcomes": {"could not run": 1}}, "test commands: 1 could not run"),
    ],
)
def test_a_stage_says_in_a_few_words_what_its_tests_said(tests: object, said: str) -> None:
    assert stage_words(tests) == said


def shown(tests: Any) -> list[str]:
    return "\n".join(line.plain for line in results(tests)).splitlines()


def test_each_command_is_shown_with_what_it_did_before_and_what_broke() -> None:
    assert shown(stored(GREEN, RED, NOT_RUN, source=".moonmind.yml", sandbox="bubblewrap")) == [
        "",
        "tests  from .moonmind.yml, sandbox bubblewrap",
        "  passed  pytest -q  12 → 14 passed, 3.2 s",
        "  failed  npm test in web  19 → 12 passed, 0 → 7 failed, 9.0 s  7 tests fail",
        *(f"    broke: web/cart.test.js > {n}" for n in range(5)),
        "    broke: and 2 more",
        "    ran before and does not run now: web/old.test.js > a",
        "    is skipped now: web/new.test.js > b",
        "    fails as before: web/red.test.js > c",
        "  could not run  e2e in api  npx: not found",
    ]


@pytest.mark.parametrize("tests", [None, [], {"commands": "x"}, {"commands": [1, None]}, {"findings": {}}])
def test_what_says_nothing_of_tests_is_not_shown(tests: Any) -> None:
    assert shown(tests) == []


def test_what_ran_nothing_says_why_and_a_draft_says_so_first(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    succeed(database, id=ID)
    finding = TestFinding("tests/a.py", "asserts less\x1b[2J")
    tests = stored(not_run="no command was found\x1b[2J", draft="nobody knows", findings=(finding,))
    held = {"id": "T002", "line": 2, "verdict": "passing", "because": "b.py", "held": "the repository asks for tested"}
    claimed = {
        "id": "T003",
        "line": 3,
        "verdict": "claimed",
        "because": "said",
        "held": "the repository asks for tested",
    }
    report = {
        "verdicts": [{"id": "T001", "line": 1, "verdict": "tested", "because": "a.py"}, held, claimed],
        "tests": tests,
    }
    keep(database, ID, "apply_output", "apply/apply_output.json", json.dumps(report).encode())
    assert moonmind("show", "1111") == 0
    out = capsys.readouterr().out
    assert "\ndraft: nobody knows\n\nno test was run: no command was found\n  tests/a.py: asserts less\n" in out
    assert "left open: 2 of 3 tasks\n  T002  passing: b.py; the repository asks for tested\n" in out
    assert "on the agent's word alone" not in out
    assert 'tick them in your name: moonmind accept 11111111 T002 T003 --why "REASON"' in out
