"""The one form of what a tasks.md says."""

import json
from pathlib import Path
from typing import Any

import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.features import Choice, find_features
from moonmind.speckit.report import feature_report, file_report, next_report
from moonmind.speckit.tasks_md import read_tasks
from moonmind.speckit.work import Work, next_work

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


def test_a_feature_says_which_it_is_and_what_comes_next_says_why() -> None:
    (feature,) = find_features(["specs/001-x/tasks.md"])
    file = read_tasks(b"## Phase 1: A\n\n- [ ] T001 Do a.py\n- [ ] T002 Deploy (manual)\n")
    assert list(feature_report(feature, file))[:3] == ["key", "path", "refused"]
    work = next_work(feature, file)
    assert isinstance(work, Work)
    assert next_report(Choice(feature, "it was asked for"), work, "") == {
        "feature": "specs/001-x",
        "choice": "it was asked for",
        "phase": "Phase 1: A",
        "tasks": ["T001"],
        "left_for_people": ["T002"],
        "reason": None,
    }
    assert next_report(None, None, "two are alike")["reason"] == "two are alike"
