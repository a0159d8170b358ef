"""The one form of what a tasks.md says."""

import json
from pathlib import Path
from typing import Any

import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.answer import Repository, answer
from moonmind.speckit.features import find_features
from moonmind.speckit.report import answer_report, feature_report, file_report
from moonmind.speckit.tasks_md import read_tasks

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tasks_md"
EXPECTED: list[dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())


def report(data: bytes) -> dict[str, Any]:
    try:
        return file_report(read_tasks(data))
    except SpecUnreadable as error:
        return file_report(error)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: str(case["file"]))
def test_every_fixture_is_reported_as_a_person_reads_it(case: dict[str, Any]) -> None:
    found = report((FIXTURES / case["file"]).read_bytes())
    if case["must_refuse"] or (case["may_refuse"] and found["refused"]):
        assert found["refused"]
        assert found["reason"]
        assert (found["total"], found["phases"], found["all_complete"]) == (0, [], False)
        return
    assert not found["refused"]
    assert found["total"] in (case["acceptable_totals"] or [case["total"]])
    for name in ("completed", "phases", "next_phase", "next_pending", "all_complete"):
        assert found[name] == case[name]
    flagged = {flag["id"] for flag in found["flags"]}
    assert set(case.get("flags") or {}) & set(found["next_pending"]) <= flagged


def test_a_feature_says_which_it_is() -> None:
    (feature,) = find_features(["specs/001-x/tasks.md"])
    file = read_tasks(b"## Phase 1: A\n\n- [ ] T001 Do a.py\n- [ ] T002 Deploy (manual)\n")
    found = feature_report(feature, file)
    assert list(found)[:3] == ["key", "path", "refused"]
    assert found["flags"] == [{"id": "T002", "line": 4, "flags": ["manual"], "words": ["(manual"]}]


def test_an_answer_with_work_is_reported_with_what_is_left_and_who_does_it() -> None:
    features = find_features(["specs/001-x/tasks.md"])
    file = read_tasks(
        b"## Phase 1: A\n\n- [ ] T001 Do a.py\n- [ ] T002 Deploy (manual)\n- [ ] T003 Run the test suite\n"
    )
    found = answer(Repository(features, {"specs/001-x": file}, ("specs/001-x/tasks.md", "specs/002-y/spec.md")))
    assert answer_report(found) == {
        "feature": "specs/001-x",
        "choice": "specs/001-x is the only feature with open tasks",
        "phase": "Phase 1: A",
        "tasks": ["T001"],
        "left_for_people": ["T002", "T003"],
        "reason": None,
        "answer": "work",
        "asks": None,
        "left": [
            {"id": "T002", "line": 4, "kind": "manual", "words": "(manual", "who": "a person"},
            {
                "id": "T003",
                "line": 5,
                "kind": "verify",
                "words": "Run the test",
                "who": "whoever runs the checks; nothing is to be changed",
            },
        ],
        "reasons": ["specs/001-x is the only feature with open tasks"],
        "notes": ["specs/002-y has a spec.md and no tasks.md yet"],
        "candidates": [],
    }


def test_a_question_is_reported_with_its_candidates_and_no_tasks() -> None:
    paths = ("specs/001-x/tasks.md", "specs/002-y/tasks.md", "src/a.py")
    file = read_tasks(b"## Phase 1: A\n\n- [ ] T001 Write src/a.py\n- [x] T002 Write src/b.py\n")
    features = find_features(paths)
    found = answer_report(answer(Repository(features, {one.path: file for one in features}, paths)))
    assert (found["answer"], found["asks"], found["feature"], found["tasks"]) == ("ask", "choose_feature", None, [])
    assert found["reason"] == "2 features have open tasks, and nothing says which of them is meant."
    assert found["candidates"][0] == {
        "feature": "specs/001-x",
        "total": 2,
        "open": 1,
        "named": 1,
        "there": 1,
        "phase": "Phase 1: A",
        "changed_at": None,
        "pull_request": None,
    }
