import pytest

from moonmind.errors import Unexpected
from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.stage_results import Judgement
from tests.support.plans import a_plan, a_task

FILE = b"# Tasks: X\r\n\r\n## Phase 1: Things\r\n\r\n- [ ] T001 One\r\n- [ ] T001 Again\r\n- [ ] T002 Two\r\n"
PLAN = a_plan(a_task("T001", 5), a_task("T001", 6), a_task("T002", 7))


def test_only_what_the_verdicts_allow_is_ticked_and_every_other_byte_stays() -> None:
    verdicts = [
        Judgement("T001", 5, Verdict.OPEN, ""),
        Judgement("T001", 6, Verdict.CHANGED, ""),
        Judgement("T002", 7, Verdict.CLAIMED, ""),
    ]
    expected = FILE.replace(b"- [ ] T001 Again", b"- [x] T001 Again").replace(b"- [ ] T002", b"- [x] T002")
    assert PLAN.ticked(FILE, verdicts) == expected


def test_no_verdict_no_tick() -> None:
    assert PLAN.ticked(FILE, []) == FILE


def test_a_file_that_is_not_the_plans_is_never_written() -> None:
    with pytest.raises(Unexpected, match="7:T002"):
        PLAN.ticked(FILE.replace(b"- [ ] T002", b"- [ ] T003"), [])
