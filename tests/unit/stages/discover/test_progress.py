from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from moonmind.engine.stage_services import EarlierRun
from moonmind.errors import AgentNoChange, MoonMindError, NoProgress, PatchRefused, SecretFound, VcsRefused
from moonmind.runs.chain import Stage
from moonmind.runs.verdict import Verdict
from moonmind.stages.discover.progress import broken_before, waits_for_acceptance, without_progress
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement, PublishResult, Verification
from tests.support.plans import a_plan, a_task, an_apply_result


def earlier(
    plan: Plan | None = None,
    notes: str | None = None,
    ticked: Sequence[str] = (),
    commit: str = "b" * 40,
    **changed: Any,
) -> EarlierRun:
    discovered = (plan or a_plan()).stored() | changed
    return EarlierRun(
        UUID(int=7),
        notes,
        {
            Stage.DISCOVER: discovered,
            Stage.APPLY: an_apply_result(ticked=ticked, commit=commit).stored(),
            Stage.PUBLISH: PublishResult(
                branch="b", pull_request_url="https://forge.test/1", pull_request_number=1, commit=commit
            ).stored(),
        },
        None,
    )


def test_the_same_request_in_the_same_state_is_not_tried_again() -> None:
    words = without_progress(a_plan(), None, earlier())
    assert words
    assert "T001" in words
    assert str(UUID(int=7)) in words


def test_the_earlier_runs_own_commit_is_no_new_state() -> None:
    assert without_progress(a_plan(starting_commit="b" * 40), "", earlier())


@pytest.mark.parametrize(
    ("plan", "notes", "before"),
    [
        (a_plan(), "try harder", earlier()),
        (a_plan(), None, earlier(ticked=["T001"])),
        (a_plan(starting_commit="c" * 40), None, earlier()),
        (a_plan(hashes={"spec": "new", "plan": None, "tasks": "3"}), None, earlier()),
        (a_plan(a_task("T001", text="Do it well")), None, earlier()),
        (a_plan(a_task(), a_task("T002", 11)), None, earlier()),
        (a_plan(), None, None),
    ],
)
def test_anything_new_is_worth_another_run(plan: Plan, notes: str | None, before: EarlierRun | None) -> None:
    assert without_progress(plan, notes, before) is None


@pytest.mark.parametrize(
    ("error", "judged"),
    [
        (PatchRefused("it writes into .git"), True),
        (SecretFound("it holds a secret"), True),
        (AgentNoChange("only boxes were ticked"), True),
        (NoProgress("nothing shows that a task is done"), True),
        (VcsRefused("git does not take it"), False),
        (None, False),
    ],
)
def test_a_run_whose_work_was_refused_ticked_nothing_and_one_that_broke_says_nothing(
    error: MoonMindError | None, judged: bool
) -> None:
    outputs = {Stage.DISCOVER: a_plan().stored()}
    before = EarlierRun(UUID(int=7), None, outputs, error.info() if error else None)
    assert bool(without_progress(a_plan(), None, before)) is judged


@pytest.mark.parametrize(("tip", "branch"), [(None, "main"), ("b" * 40, "moonmind/spec-42-refresh-docs")])
def test_a_person_is_told_on_which_branch_a_box_counts(tip: str | None, branch: str) -> None:
    outputs = {Stage.DISCOVER: a_plan().stored()}
    before = EarlierRun(UUID(int=7), None, outputs, NoProgress("nothing").info())
    said = without_progress(a_plan(branch_tip=tip), None, before)
    assert said is not None
    assert f"Tick what is done in specs/spec-42-refresh-docs/tasks.md on the branch {branch}," in said


@pytest.mark.parametrize("part", ["", "1 of 2 open tasks of Phase 1", "7 of 31 open tasks, divided because M is 10"])
def test_a_part_that_got_nowhere_is_said_to_be_one(part: str) -> None:
    said = without_progress(a_plan(part=part), None, earlier())
    assert said is not None
    assert (f" These are {part}; skip them in the request to go on with the others." in said) is bool(part)


CLAIMED = Judgement("T001", a_task().line, Verdict.CLAIMED, "the agent says it is done", held="too little")


def that_judged(plan: Plan, *judgements: Judgement, notes: str | None = None, draft: str = "") -> EarlierRun:
    applied = an_apply_result(verdicts=judgements, commit="b" * 40, tests=Verification(commands=(), draft=draft))
    results = earlier(plan, notes).results
    return EarlierRun(UUID(int=7), notes, {**results, Stage.APPLY: applied.stored()}, None)


@pytest.mark.parametrize(
    ("plan", "before", "waits"),
    [
        (a_plan(), that_judged(a_plan(), CLAIMED), True),
        (a_plan(starting_commit="d" * 40), that_judged(a_plan(), CLAIMED), True),
        (a_plan(a_task("T001", 40)), that_judged(a_plan(), CLAIMED), True),
        (a_plan(a_task("T001", text="Do it well")), that_judged(a_plan(), CLAIMED), False),
        (a_plan(a_task(), a_task("T002", 11)), that_judged(a_plan(a_task(), a_task("T002", 11)), CLAIMED), False),
        (a_plan(), that_judged(a_plan(), CLAIMED, notes="try harder"), False),
        (a_plan(), earlier(), False),
        (a_plan(), None, False),
    ],
    ids=["same", "base moved", "line moved", "other text", "more to do", "other notes", "nothing held", "no run"],
)
def test_tasks_that_a_person_only_has_to_accept_are_not_given_to_an_agent_again(
    plan: Plan, before: EarlierRun | None, waits: bool
) -> None:
    said = waits_for_acceptance(plan, None, before)
    assert bool(said) is waits
    if said is not None:
        assert "moonmind accept 00000000 T001 --why" in said


@pytest.mark.parametrize(
    ("as_published", "draft", "held"),
    [(True, "1 test fails", True), (False, "1 test fails", False), (True, "", False)],
    ids=["as it was left", "somebody pushed", "no draft"],
)
def test_nothing_is_added_to_a_change_that_breaks_tests(as_published: bool, draft: str, held: bool) -> None:
    before = that_judged(a_plan(), CLAIMED, draft=draft)
    said = broken_before(a_plan(branch_tip="b" * 40), before, as_published=as_published)
    assert bool(said) is held
    if said is not None:
        assert "https://forge.test/1" in said
        assert draft in said
    assert broken_before(a_plan(), None, as_published=True) is None
