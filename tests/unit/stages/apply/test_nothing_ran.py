"""When a person is asked since none of the declared test commands could be run."""

from dataclasses import replace

import pytest

from moonmind.proof.recipe import RecipeFile
from moonmind.proof.recipe_reading import read_recipe
from moonmind.proof.verification.comparison import Fault, compare
from moonmind.proof.verification.test_commands import TestCommand, TestPlan, plan_tests
from moonmind.proof.verification.test_results import CommandRun, RunEnd, TestCase, TestOutcome, TestReport
from moonmind.runs.findings import Severity
from moonmind.stages.apply.nothing_ran import RULE, finding_of, found_in, may_run_later
from moonmind.stages.apply.verification_step import VerifiedChange
from moonmind.stages.kit.stage_results import NothingRan

UNIT, WEB = TestCommand("unit", "pytest -q"), TestCommand("web tests", "npm test", root="web")
EXITED = RunEnd.EXITED
CHANGED = ("shop/total.py",)
GREEN = CommandRun(EXITED, 0)
ABSENT = CommandRun(EXITED, 127, output="sh: pytest: not found")
BROKEN = CommandRun(EXITED, 1, output="./shop.go:3:2: undefined: foo\nFAIL\tshop [build failed]")


def recipe(text: str = "verify:\n  - run: pytest -q\n") -> RecipeFile:
    return read_recipe(text.encode())


def reporting(outcome: TestOutcome, end: RunEnd = EXITED, code: int | None = 1) -> CommandRun:
    return CommandRun(end, code, TestReport({"t.py::a": TestCase("t.py::a", outcome, "t.py")}, read=1))


def verified(
    *pairs: tuple[CommandRun | None, CommandRun], declared: bool = True, not_run: str = "", not_set_up: bool = False
) -> VerifiedChange:
    commands = (UNIT, WEB)[: len(pairs)]
    runs = {f"after-{number}": after for number, (_, after) in enumerate(pairs, 1)}
    runs |= {f"before-{number}": before for number, (before, _) in enumerate(pairs, 1) if before is not None}
    return VerifiedChange(
        TestPlan((UNIT, WEB), declared=declared),
        commands,
        not_run,
        not_set_up,
        comparisons=tuple(compare(before, after) for before, after in pairs),
        before=tuple(before for before, _ in pairs),
        runs=runs,
    )


STOPPED = {
    "not found": (ABSENT, "its program is not there (exit code 127)", False),
    "may not be run": (CommandRun(EXITED, 126), "its program is not there (exit code 126)", False),
    "no runner": (
        CommandRun(EXITED, 1, output="/bin/python3: No module named pytest"),
        "its program is not there (exit code 1)",
        False,
    ),
    "no service": (CommandRun(RunEnd.SERVICE, 70), "what it needs running did not start", True),
    "no sandbox": (
        CommandRun(RunEnd.SANDBOX, message="the engine went away"),
        "the sandbox ended under it: the engine went away",
        True,
    ),
    "no room": (CommandRun(RunEnd.HOST, message="too little is left on the disk"), "too little is left on the disk", True),
    "no memory": (CommandRun(RunEnd.STOPPED, message="ended by SIGKILL"), "ended by SIGKILL", True),
    "no space": (
        CommandRun(EXITED, 1, output="OSError: [Errno 28] No space left on device"),
        "there was no space left on the disk",
        True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STOPPED)
@pytest.mark.parametrize("before", ["the same", "unknown"])
def test_a_command_that_could_not_be_run_is_asked_about_with_its_reason(kind: str, before: str) -> None:
    run, why, passes = STOPPED[kind]
    old = run if before == "the same" else None
    if old is None and run.end is EXITED:
        why = (
            why
            if kind == "no space"
            else f"it fails (exit code {run.exit_code}), and it is not known whether it did before"
        )
    change = verified((old, run))
    found = found_in(change, recipe(), CHANGED)
    assert found is not None
    assert found.why == (f"`unit`: {why}",)
    assert may_run_later(change) is passes
    asked = finding_of(found)
    assert (asked.path, asked.rule, asked.severity) == (".moonmind.yml", RULE, Severity.ASK)
    assert asked.words == f"none of its test commands could be run: {found.why[0]}"


def test_each_of_several_commands_is_named_and_one_that_may_run_later_is_enough_to_try_again() -> None:
    service = CommandRun(RunEnd.SERVICE)
    change = verified((ABSENT, ABSENT), (service, service))
    found = found_in(change, recipe(), CHANGED)
    assert found is not None
    assert found.why[1] == "`web tests` in `web`: what it needs running did not start"
    assert finding_of(found).words.endswith("`unit`: its program is not there (exit code 127); and 1 more")
    assert may_run_later(change)


def test_what_the_tests_need_and_could_not_be_set_up_is_asked_about() -> None:
    found = found_in(verified(not_run="it could not be set up\n- again", not_set_up=True), recipe(), CHANGED)
    assert found is not None
    assert found.why == ("it could not be set up - again",)


@pytest.mark.parametrize("words", ["a\x00b", "a\ud800b", "a\n\x1b[31mb"])
def test_what_is_said_of_a_set_up_is_a_line_that_can_be_stored(words: str) -> None:
    found = found_in(verified(not_run=words, not_set_up=True), recipe(), CHANGED)
    assert found is not None
    assert found.why[0].isprintable()


def test_a_set_up_that_a_mishap_ended_may_go_well_later() -> None:
    change = verified(not_run="the engine went away", not_set_up=True)
    assert not may_run_later(change)
    assert may_run_later(replace(change, build_mishap="env/web-1"))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(verified((ABSENT, ABSENT), declared=False), id="a detected command"),
        pytest.param(verified(not_run="the operator runs no tests"), id="MOONMIND_VERIFICATION=off"),
        pytest.param(verified(not_run="tests are run behind a wall only"), id="no wall"),
        pytest.param(verified(not_run="none is for the files that changed"), id="all skipped"),
        pytest.param(verified((ABSENT, ABSENT), (GREEN, GREEN)), id="one of two passes"),
        pytest.param(
            verified((ABSENT, ABSENT), (CommandRun(EXITED, 1), CommandRun(EXITED, 1))), id="one fails as before"
        ),
        pytest.param(verified((GREEN, ABSENT)), id="the change broke it"),
        pytest.param(verified((GREEN, CommandRun(RunEnd.SANDBOX))), id="it passed before, without a report"),
        pytest.param(
            verified((reporting(TestOutcome.FAILED), CommandRun(RunEnd.HOST))), id="its tests ran on the code before"
        ),
        pytest.param(verified((None, reporting(TestOutcome.PASSED, RunEnd.SERVICE))), id="its tests ran on the change"),
        pytest.param(
            verified((ABSENT, ABSENT), (CommandRun(RunEnd.HOST), BROKEN)), id="one of two fails on the change"
        ),
    ],
)
def test_nobody_is_asked_where_something_ran_or_nothing_was_to_run(change: VerifiedChange) -> None:
    assert found_in(change, recipe(), CHANGED) is None


MISHAPS = {
    "sandbox": CommandRun(RunEnd.SANDBOX, message="the engine went away"),
    "host": CommandRun(RunEnd.HOST, message="too little is left on the disk"),
    "service": CommandRun(RunEnd.SERVICE, 70),
    "memory": CommandRun(RunEnd.STOPPED, message="ended by SIGKILL"),
}
RAN = {
    "does not compile": BROKEN,
    "ends with 1": CommandRun(EXITED, 1),
    "took too long": CommandRun(RunEnd.TIMED_OUT, seconds=600.0),
    "printed too much": CommandRun(RunEnd.STOPPED, message="it printed more than 64 MiB"),
    "a test is not loaded": reporting(TestOutcome.ERROR),
}


@pytest.mark.parametrize("after", RAN)
@pytest.mark.parametrize("before", ["sandbox", "host", "service", "unknown"])
def test_what_ran_on_the_change_and_failed_is_not_asked_about_whatever_kept_the_run_before(
    after: str, before: str
) -> None:
    change = verified((MISHAPS.get(before), RAN[after]))
    assert change.comparisons[0].fault is Fault.INFRASTRUCTURE, "it is not known whether it failed before"
    assert found_in(change, recipe(), CHANGED) is None


@pytest.mark.parametrize("kind", MISHAPS)
def test_what_kept_the_run_before_may_be_gone_when_all_is_run_again(kind: str) -> None:
    change = verified((MISHAPS[kind], ABSENT))
    assert found_in(change, recipe(), CHANGED) is not None
    assert may_run_later(change)
    assert not may_run_later(verified((ABSENT, ABSENT)))


def test_nobody_is_asked_without_a_recipe() -> None:
    assert found_in(verified((ABSENT, ABSENT)), None, CHANGED) is None


def test_tests_that_could_not_be_loaded_or_are_skipped_did_not_run() -> None:
    for outcome in (TestOutcome.ERROR, TestOutcome.SKIPPED):
        assert found_in(verified((None, reporting(outcome, RunEnd.HOST, None))), recipe(), CHANGED) is not None


def test_what_was_approved_before_is_told_and_not_asked() -> None:
    told = finding_of(NothingRan(("`unit`: it is not there",), "a" * 64, "approved by ana"))
    assert told.severity is Severity.WARN
    assert told.words.endswith("`unit`: it is not there; approved by ana")


SAME = "environment: {setup: [make]}\nverify:\n  - run: pytest -q\n"
PARTS = """environment: {setup: [make]}
verify:
  - {run: npx vitest, root: web, paths: ['web/**', 'shared/**']}
  - {run: pytest, root: api, paths: ['api/**', 'shared/**']}
  - {run: go test ./..., paths: '**/*.go'}
"""


def digest_of(text: str, *changed: str) -> str:
    """Return what is asked about where none of the commands for these files could be run."""
    found = recipe(text)
    commands = plan_tests(found, [], "", changed, lambda _: None)
    asked = found_in(VerifiedChange(commands, not_run="no", not_set_up=True), found, changed or CHANGED)
    assert asked is not None
    return asked.recipe


@pytest.mark.parametrize(
    "text",
    [
        "# with a comment\nverify:\n  - {run: 'pytest -q'}\nenvironment:\n  setup: make\n",
        f"{SAME}policy: {{tick: passing, protected: 'infra/**'}}\n",
    ],
)
def test_what_a_recipe_says_of_other_things_and_how_does_not_make_another_one(text: str) -> None:
    assert digest_of(text) == digest_of(SAME)


@pytest.mark.parametrize(
    "text",
    [
        "environment: {setup: [make]}\nverify:\n  - run: pytest\n",
        "environment: {setup: [make, pip install x]}\nverify:\n  - run: pytest -q\n",
        "environment: {setup: [make], start: service}\nverify:\n  - run: pytest -q\n",
        "environment: {}\nverify:\n  - run: pytest -q\n",
        "verify:\n  - run: pytest -q\n",
        f"{SAME}  - run: npm test\n",
        *(
            f"{SAME}    {more}\n"
            for more in ("paths: ['shop/**']", "root: shop", "timeout: 9", "name: unit", "reports: a.xml")
        ),
    ],
)
def test_another_command_or_environment_makes_another_recipe(text: str) -> None:
    assert digest_of(text) != digest_of(SAME)


@pytest.mark.parametrize(
    ("approved", "other"),
    [
        (["web/a.ts"], ["api/a.py"]),
        (["api/a.py"], ["api/a.go"]),
        (["web/a.ts"], ["web/a.ts", "api/a.py"]),
        (["shared/a.json"], ["web/a.ts"]),
    ],
)
def test_what_was_approved_of_some_commands_counts_for_no_others(approved: list[str], other: list[str]) -> None:
    assert digest_of(PARTS, *approved) != digest_of(PARTS, *other)


@pytest.mark.parametrize(
    ("approved", "same"),
    [
        (["web/a.ts"], ["web/b/c.css"]),
        (["shared/a.json"], ["web/a.ts", "api/a.py"]),
        (["a.go"], ["docs/a.md", "x/b.go"]),
    ],
)
def test_what_was_approved_counts_for_whatever_files_the_same_commands_are_for(
    approved: list[str], same: list[str]
) -> None:
    assert digest_of(PARTS, *approved) == digest_of(PARTS, *same)
    assert digest_of(PARTS.replace("go test", "go test -race"), "web/a.ts") == digest_of(PARTS, "web/b.ts")


def test_it_says_where_other_commands_are_for_other_files() -> None:
    change = VerifiedChange(plan_tests(recipe(PARTS), [], "", ["a.go"], lambda _: None), not_run="no", not_set_up=True)
    some = found_in(change, recipe(PARTS), ["a.go"])
    assert some is not None
    assert finding_of(some).words == "none of its test commands for the files that changed could be run: no"
    every = found_in(change, recipe(PARTS), ["a.go", "shared/a.json"])
    assert every is not None
    assert finding_of(every).words == "none of its test commands could be run: no"
