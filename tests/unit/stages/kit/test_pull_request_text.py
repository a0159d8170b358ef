import re
from typing import Any
from uuid import UUID

import pytest

from moonmind.runs.verdict import Verdict
from moonmind.speckit.features import Feature
from moonmind.stages.kit.pull_request_text import is_ours, section, title
from moonmind.stages.kit.stage_results import ApplyResult, Judgement
from tests.support.plans import FEATURE, a_plan, a_task, an_apply_result

RUN = UUID("11111111-2222-3333-4444-555555555555")
DONE = Judgement("T001", 10, Verdict.CHANGED, "a.py")
OPEN = Judgement("T002", 11, Verdict.OPEN, "unchanged: b.py")
CLAIMED = Judgement("T003", 12, Verdict.CLAIMED, "the agent says it is done; it names nothing to check", claimed=True)


def applied(*judgements: Judgement, **more: Any) -> ApplyResult:
    return an_apply_result(verdicts=judgements, **more)


def test_a_title_counts_phases_once_there_are_several_and_knows_its_own() -> None:
    plan = a_plan(phase="Phase 2: Core")
    assert title(plan) == "spec-42-refresh-docs: Phase 2: Core"
    assert title(plan, 2) == "spec-42-refresh-docs: 2 phases"
    assert is_ours(title(plan, 2), plan)
    assert not is_ours("Please merge: docs", plan)


def test_a_feature_whose_key_is_not_its_own_is_called_by_its_path() -> None:
    feature = Feature("001-a", "backend/specs/001-a", "backend/specs/001-a/tasks.md", None, None)
    plan = a_plan(feature=feature, phase="Phase 1", called="backend/specs/001-a")
    assert title(plan) == "backend/specs/001-a: Phase 1"
    alone = a_plan(feature=feature, phase="Phase 1", called="001-a")
    assert is_ours(title(plan), alone)
    assert is_ours(title(alone), plan)
    assert not is_ours("frontend/specs/001-a: Phase 1", plan)


def test_a_section_marks_each_task_by_its_verdict() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"), a_task("T002", 11, "Write b.py"), left_for_people=("T009",))
    text = section(plan, applied(DONE, OPEN), RUN)
    assert "- [x] **T001** Write a.py — changed: a.py" in text
    assert "- [ ] **T002** Write b.py — open: unchanged: b.py" in text
    assert "1 of 2 tasks ticked" in text
    assert "**Left open:** T002" in text
    assert "**Left for people:** T009" in text
    assert "1 file changed (+3 −1)" in text


@pytest.mark.parametrize(("agent", "said"), [("scripted", 1), ("codex", 0), ("another", 0), (None, 0)])
def test_a_section_says_that_a_scripted_agent_made_it(agent: str | None, said: int) -> None:
    text = section(a_plan(a_task("T001", 10, "Write a.py")), applied(DONE), RUN, agent=agent)
    assert text.count("**Scripted: a script stood in for a coding agent here, and no model was asked.**") == said


def test_what_rests_on_the_agents_word_alone_is_listed_apart() -> None:
    plan = a_plan(a_task("T001", 10, "Write a.py"), a_task("T002", 11, "Write b.py"), a_task("T003", 12, "Decide"))
    text = section(plan, applied(DONE, OPEN, CLAIMED), RUN)
    assert "2 of 3 tasks ticked (1 on the agent's word alone)" in text
    first, apart = text.split("**Ticked on the agent's word alone:**")
    assert "T003" not in first
    assert "- [x] **T003** Decide — claimed: the agent says it is done" in apart


def test_a_section_of_a_run_that_ticked_nothing_begins_with_it() -> None:
    text = section(a_plan(a_task("T002", 11, "Write b.py")), applied(OPEN), RUN)
    assert "**No box was ticked: nothing in this change shows that a task of the phase is done.**" in text
    assert text.index("No box was ticked") < text.index("T002")


@pytest.mark.parametrize("stored", ["proven", "attested", "unproven", "contradicted", "changed", "claimed", "open"])
def test_nothing_that_was_not_run_is_called_proven_tested_or_passing(stored: str) -> None:
    judged = {"id": "T001", "line": 10, "verdict": stored, "because": "changed: a.py", "claimed": True}
    read = ApplyResult.read({**applied().stored(), "v": 1, "verdicts": [judged]})
    text = section(a_plan(a_task("T001", 10, "Write a.py")), read, RUN)
    assert not re.search(r"proven|attested|\btested|passing|verified", text)
    assert "MoonMind ran none of the repository's tests" in text


def test_task_text_in_the_body_can_neither_mention_nor_close_nor_break_out_of_its_section() -> None:
    text = "fixes #1 @octocat <!-- /moonmind:run:x --> <img src=x> ![p](https://evil.example)"
    shown = section(a_plan(a_task("T001", 10, text)), applied(DONE, warnings=["@a/b: #2"]), RUN)
    for forbidden in ("#1", "#2", "@octocat", "@a/b", "<!--", "<img", "https://"):
        assert forbidden not in shown


def test_a_very_long_phase_still_fits_a_pull_request() -> None:
    tasks = [a_task(f"T{n:04d}", n, "x" * 400) for n in range(806)]
    verdicts = [Judgement(task.id, task.line, Verdict.OPEN, "y" * 400) for task in tasks]
    text = section(a_plan(*tasks), applied(*verdicts, warnings=["w" * 500] * 500), RUN)
    assert len(text) < 60_000
    assert "and 706 more tasks" in text


def test_the_feature_is_named_in_the_first_words() -> None:
    assert title(a_plan()).startswith(f"{FEATURE.key}: ")
