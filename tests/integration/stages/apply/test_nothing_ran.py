"""Where no test command of `.moonmind.yml` can be run at all, a person is asked before anything is published, once per recipe."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from moonmind.engine.lease import LeaseLost
from moonmind.engine.stage_context import StageContext
from moonmind.ports.agent import JobState
from moonmind.ports.verification import TestJob, TestJobResult
from moonmind.proof.verification.test_results import RunEnd
from moonmind.runs import naming
from moonmind.runs.attention import TEXT_LENGTH
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, Outcome, Redo, Suspend, WaitingReason
from moonmind.stages.kit.stage_results import ApplyResult
from tests.support import git_repos
from tests.support.stage_world import World, failed
from tests.support.verified_world import A_TEST, TASKS, TOTAL, project

GOOD = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}
ABSENT = "environment: {}\nverify:\n  - run: no-such-runner --all\n"
PRESENT = "environment: {}\nverify:\n  - run: make test\n"
PHASES = f"{TASKS}\n## Phase 2: Taxes\n\n- [ ] T003 Add taxes in shop/tax.py\n"
WHY = "`no-such-runner --all`: its program is not there (exit code 127)"
NOT_FOUND, PASSED = TestJobResult(RunEnd.EXITED, 127), TestJobResult(RunEnd.EXITED, 0)


class ToldJobs:
    """Test jobs that end at once, as they are told to by what they run."""

    def __init__(self) -> None:
        self.ends: Callable[[str], TestJobResult] = lambda run: NOT_FOUND if "no-such" in run else PASSED
        self.jobs: dict[str, TestJobResult | None] = {}

    def why_not(self) -> str | None:
        return None

    def sandbox(self) -> str:
        return "bubblewrap"

    def foundation(self, image: str | None) -> str:
        return str(image)

    def start(self, job: TestJob) -> str | None:
        self.jobs.setdefault(job.key, self.ends(job.run))
        return None

    def state(self, key: str) -> JobState:
        return JobState.ENDED if key in self.jobs else JobState.ABSENT

    def result(self, key: str) -> TestJobResult | None:
        return self.jobs[key]

    def stop(self, run_id: UUID) -> None:
        self.jobs |= dict.fromkeys((key for key in self.jobs if naming.run_of_job(key) == run_id), None)

    def recall(self, name: str) -> bytes | None:
        assert name
        return None

    def remember(self, name: str, content: bytes) -> None:
        assert name
        assert content


class TestedWorld(World):
    __test__ = False

    def on_host(self, name: str) -> None:
        super().on_host(name)
        self.tests = ToldJobs()

    def context(self, stage: Stage) -> StageContext:
        return replace(super().context(stage), test_jobs=self.tests)

    def does(self, files: Mapping[str, str], *claim: str) -> "TestedWorld":
        """Let the agent write these files."""
        writes: list[dict[str, Any]] = [{"write": path, "content": content} for path, content in files.items()]
        self.plays(*writes, {"claim": list(claim)}, {"end": "completed", "message": "Done."})
        assert isinstance(self.step(Stage.DISCOVER), Done)
        assert isinstance(self.drive(Stage.SUBMIT), Done)
        return self

    def verified(self) -> Outcome:
        """Claim apply until it no longer waits for tests."""
        outcome = self.step(Stage.APPLY)
        while isinstance(outcome, Suspend) and outcome.reason is WaitingReason.VERIFICATION:
            outcome = self.step(Stage.APPLY)
        return outcome

    def asked(self) -> Ask:
        tip = self.tip()
        outcome = self.verified()
        assert isinstance(outcome, Ask), outcome
        assert outcome.kind == "finding"
        assert self.tip() == tip, "nothing is published before the answer"
        return outcome

    def applied(self) -> ApplyResult:
        outcome = self.verified()
        assert isinstance(outcome, Done), outcome
        return ApplyResult.read(outcome.result)

    def rejected(self, why: str | None = None) -> Any:
        """Reject what was asked, and return the error; an operator's retry may follow."""
        self.approves(False, why)
        error = failed(self.verified()).error
        self.attention = None
        return error

    def goes_on(self) -> None:
        """Begin a further attempt at apply that knows nothing of the one before."""
        self.attention = None
        self.numbers[Stage.APPLY] += 1
        self.checkpoints.pop(Stage.APPLY, None)

    def corrected(self, recipe: str = PRESENT) -> None:
        git_repos.commit_to(self.bare, "main", {".moonmind.yml": recipe}, "Correct the recipe")

    def next_one(self, number: int, path: str, task: str) -> "TestedWorld":
        other = TestedWorld(self.folder, number=number)
        other.services.approved, other.services.made = self.services.approved, self.services.made
        return other.does({path: TOTAL}, task)


Begin = Callable[..., TestedWorld]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    worlds: list[TestedWorld] = []

    def begun(recipe: str | None = ABSENT, files: Mapping[str, str] = GOOD, **more: str) -> TestedWorld:
        made = TestedWorld(tmp_path / str(len(worlds)), files=project(PHASES, recipe, **more))
        worlds.append(made)
        return made.does(files, "T001", "T002")

    yield begun
    for made in worlds:
        made.agent.forget(str(made.run_id))


def test_once_approved_for_a_recipe_it_is_told_and_not_asked_until_that_changes(begin: Begin) -> None:
    world = begin()
    question = world.asked()
    (patch,) = world.artifacts.of("codex_patch")
    assert question.text.splitlines() == [
        "None of the test commands that .moonmind.yml names could be run, so nothing shows whether the change works:",
        f"- {WHY}",
        f"The change is the artifact {patch}.",
        (
            "Approve it to open the pull request, with no box ticked as more than `changed`: while they and `environment` stay as they "
            "are in .moonmind.yml, just these commands are not asked about again in this repository. Reject it to publish nothing and keep the work: "
            "once .moonmind.yml is corrected on the branch main, a retry runs the tests and judges it again."
        ),
    ]
    assert [option.value for option in question.options] == ["approve", "reject"]
    world.approves(True, "the runner comes next week")
    done = world.applied()
    assert {one.verdict.value for one in done.verdicts} == {"changed"}
    assert done.ticked == ("T001", "T002")
    said = f".moonmind.yml: none of its test commands could be run: {WHY}"
    assert done.warnings[0] == f"{said}; approved by ana: the runner comes next week"
    assert "\nApproved: .moonmind.yml, by ana: the runner comes next week\n" in done.message
    output = json.loads(world.artifacts.read("apply/output.json"))
    assert output["approval"]["findings"] == [said]
    assert [(one["rule"], one["severity"]) for one in output["policy"]] == [("nothing_ran", "ask")]
    assert isinstance(world.step(Stage.PUBLISH), Done)
    (pull,) = world.pulls()
    assert "approved by ana: the runner comes next week" in pull.body
    assert not pull.draft

    second = world.next_one(2, "shop/tax.py", "T003")
    told = second.applied()
    assert told.approval is None
    assert "Approved:" not in told.message
    assert told.warnings[0] == (
        f"{said}; approved for these commands by ana in an earlier run: the runner comes next week"
    )
    assert isinstance(second.step(Stage.PUBLISH), Done)

    world.corrected(ABSENT.replace("--all", "--some"))
    second.goes_on()
    assert "- `no-such-runner --some`: " in second.asked().text


def test_rejected_the_work_is_kept_and_judged_again_once_the_recipe_is_corrected(begin: Begin) -> None:
    world = begin()
    world.asked()
    error = world.rejected("first the runner")
    assert error.code == "change_rejected"
    assert error.message.startswith(
        "ana rejected the change, since: first the runner. What was asked about: .moonmind.yml"
    )
    assert "Correct .moonmind.yml on the branch main, push, then retry" in error.remediation
    (patch,) = world.artifacts.of("codex_patch")
    assert b"shop/total.py" in world.artifacts.read(patch)
    world.notes = "Bring the runner along."
    outcome = world.verified()
    assert isinstance(outcome, Redo)
    assert "none of its test commands could be run" in outcome.note
    world.notes = None
    world.asked()
    world.rejected()
    world.services.approved = {world.checkpoints[Stage.APPLY]["nothingRan"]["recipe"]: {"by": "bo"}}
    assert world.asked(), "what was rejected here is not published since somebody approved elsewhere"
    world.rejected()
    world.corrected()
    done = world.applied()
    assert done.tests is not None
    assert [one.outcome for one in done.tests.commands] == ["passed"]
    assert (done.approval, done.warnings) == (None, ())


def test_what_pushing_does_is_asked_about_in_the_same_question_however_much_it_is(begin: Begin) -> None:
    verify = "".join(f"  - run: no-such-runner {number} {'x' * 60}\n" for number in range(8))
    pipelines = {f".circleci/{'a' * 80}-{number}.yml": "a: b\n" for number in range(8)}
    world = begin(f"environment: {{}}\nverify:\n{verify}", {**GOOD, **pipelines})
    text = world.asked().text
    assert len(text) <= TEXT_LENGTH
    harm, _, untested = text.partition("\nNone of the test commands that .moonmind.yml names could be run")
    assert harm.startswith("Pushing this change does what no review can undo:\n- '.circleci/aaa")
    for part in (harm, untested):
        assert " more, in the artifact apply/output.json" in part
    assert text.endswith("a retry runs the tests and judges it again.")
    world.approves(True)
    done = world.applied()
    assert done.approval is not None
    assert done.approval.paths == (*pipelines, ".moonmind.yml")

    world.goes_on()
    text = world.asked().text
    assert "None of the test commands" not in text
    world.approves(True)
    again = world.applied()
    assert again.approval is not None
    assert (again.approval.paths, again.approval.recipe) == (tuple(pipelines), None)
    assert "in an earlier run" in " ".join(again.warnings), "what was approved before is told here, too"


def test_killed_after_the_answer_it_ends_the_same_and_does_not_ask_again(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = begin()
    world.asked()
    world.approves(True)
    with monkeypatch.context() as patched:
        patched.setattr(world.vcs, "commit", killed)
        with pytest.raises(LeaseLost):
            world.verified()
    done = world.applied()
    assert done.approval is not None
    assert world.applied() == done
    world.checkpoints[Stage.APPLY]["asked"] = "another digest"
    world.services.approved.clear()
    assert world.asked(), "it counts for the files and findings that were asked about"


def killed(*_: object, **__: object) -> str:
    raise LeaseLost("killed")


def test_what_may_be_a_mishap_is_run_once_more_before_anybody_is_asked(begin: Begin) -> None:
    world = begin()
    world.tests.ends = lambda _: TestJobResult(RunEnd.HOST, message="too little is left on the disk")
    for number in (1, 2):
        first = world.verified()
        assert isinstance(first, Suspend)
        assert (first.reason, first.seconds) == (WaitingReason.BACKOFF, 60.0)
        assert "jobKey" not in (first.checkpoint or {})
        begun = len(world.tests.jobs)
        if number == 1:
            assert "`no-such-runner --all`: too little is left on the disk" in world.asked().text
            world.rejected()
        else:
            world.tests.ends = lambda _: PASSED
            assert world.applied().approval is None
        again = {key.rpartition("/")[2] for key in list(world.tests.jobs)[begun:]}
        assert again >= {f"verify-{number}-after-1.2", f"verify-{number}-before-1.2"}


def test_an_approved_recipe_is_run_once_more_after_a_mishap_as_any_other(begin: Begin) -> None:
    world = begin()
    world.asked()
    world.approves(True)
    world.applied()
    second = world.next_one(2, "shop/tax.py", "T003")
    second.tests.ends = lambda _: TestJobResult(RunEnd.SANDBOX, message="the engine went away")
    first = second.verified()
    assert isinstance(first, Suspend)
    assert first.reason is WaitingReason.BACKOFF
    second.tests.ends = lambda _: PASSED
    done = second.applied()
    assert done.tests is not None
    assert [one.outcome for one in done.tests.commands] == ["passed"]


def test_what_was_approved_of_one_command_is_asked_of_another_that_is_for_other_files(begin: Begin) -> None:
    verify = "".join(f"  - {{run: no-such-runner {part}, paths: '{part}/**'}}\n" for part in ("shop", "api"))
    world = begin(f"environment: {{}}\nverify:\n{verify}")
    question = world.asked().text
    assert question.startswith(
        "None of the test commands that .moonmind.yml names for the files that changed could be run, so"
    )
    assert "no-such-runner api" not in question
    world.approves(True)
    world.applied()
    told = world.next_one(2, "shop/tax.py", "T003").applied()
    assert "approved for these commands by ana in an earlier run" in told.warnings[0]
    assert "- `no-such-runner api`: " in world.next_one(3, "api/tax.py", "T003").asked().text


def test_an_answer_counts_where_the_same_work_is_tested_again_and_other_seconds_are_measured(begin: Begin) -> None:
    world = begin()
    world.tests.ends = lambda _: TestJobResult(RunEnd.SANDBOX, message="ended after 31 s")
    assert isinstance(world.verified(), Suspend)
    assert "ended after 31 s" in world.asked().text
    world.tests.stop(world.run_id)
    world.tests.ends = lambda _: TestJobResult(RunEnd.SANDBOX, message="ended after 32 s")
    world.checkpoints[Stage.APPLY]["askedOf"] = "the commit of another host"
    world.approves(True)
    done = world.applied()
    assert done.approval is not None
    assert "ended after 32 s" in done.approval.findings[0]


@pytest.mark.full
def test_one_command_that_can_be_run_is_enough_and_skipped_ones_do_not_count(begin: Begin) -> None:
    world = begin(f"{ABSENT}  - run: make test\n")
    assert world.applied().approval is None
    world.corrected(f"{ABSENT}  - {{run: make test, paths: ['docs/**']}}\n")
    world.goes_on()
    assert f"- {WHY}\nThe change" in world.asked().text
    world.corrected("policy: {tick: changed}\n")
    git_repos.commit_to(world.bare, "main", {"package.json": '{"scripts": {"test": "no-such-runner"}}'}, "Name a test")
    world.goes_on()
    assert world.applied().approval is None, "a command that was only found"
