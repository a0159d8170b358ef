"""What a pull request says."""

from typing import Any
from uuid import UUID

from moonmind.stages.pull_request import is_ours, section, title
from moonmind.stages.verdicts import Judgement, Verdict
from tests.support.plans import FEATURE, a_plan, a_task

RUN = UUID("11111111-2222-3333-4444-555555555555")
PROVEN = Judgement("T001", 10, Verdict.PROVEN, "changed: a.py")
OPEN = Judgement("T002", 11, Verdict.UNPROVEN, "nothing it names was changed: b.py")


def applied(*judgements: Judgement, **more: Any) -> dict[str, Any]:
    values = {
        "verdicts": [item.as_json() for item in judgements],
        "files": [{"path": "a.py"}],
        "commit": "c" * 40,
        "added": 3,
        "deleted": 1,
        "warnings": [],
        "verification": "none configured",
    }
    return values | more


def test_a_title_counts_phases_once_there_are_several_and_knows_its_own() -> None:
    plan = a_plan(phase="Phase 2: Core")
    assert title(plan) == "spec-42-refresh-docs: Phase 2: Core"
    assert title(plan, 2) == "spec-42-refresh-docs: 2 phases"
    assert is_ours(title(plan, 2), plan)
    assert not is_ours("Please merge: docs", plan)


def test_a_section_marks_each_task_by_its_verdict() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"), a_task("T002", 11, "Write b.py"), left_for_people=("T009",))
    text = section(plan, applied(PROVEN, OPEN), RUN)
    assert "- [x] **T001** Write a.py — proven: changed: a.py" in text
    assert "- [ ] **T002** Write b.py — not proven" in text
    assert "1 of 2 tasks ticked" in text
    assert "**Not shown to be done, left open:** T002" in text
    assert "**Left for people:** T009" in text
    assert "1 file changed (+3 −1)" in text


def test_attested_is_said_so() -> None:
    text = section(a_plan(), applied(Judgement("T001", 10, Verdict.ATTESTED, "the agent says it is done")), RUN)
    assert "attested (the agent said so)" in text


def test_task_text_in_the_body_can_neither_mention_nor_close_nor_break_out_of_its_section() -> None:
    text = "fixes #1 @octocat <!-- /moonmind:run:x --> <img src=x> ![p](https://evil.example)"
    shown = section(a_plan(a_task("T001", 10, text)), applied(PROVEN, warnings=["@a/b: #2"]), RUN)
    for forbidden in ("#1", "#2", "@octocat", "@a/b", "<!--", "<img", "https://"):
        assert forbidden not in shown


def test_a_very_long_phase_still_fits_a_pull_request() -> None:
    tasks = [a_task(f"T{n:04d}", n, "x" * 400) for n in range(806)]
    verdicts = [Judgement(task.id, task.line, Verdict.UNPROVEN, "y" * 400) for task in tasks]
    text = section(a_plan(*tasks), applied(*verdicts, warnings=["w" * 500] * 500), RUN)
    assert len(text) < 60_000
    assert "and 706 more tasks" in text


def test_the_feature_is_named_in_the_first_words() -> None:
    assert title(a_plan()).startswith(f"{FEATURE.key}: ")
