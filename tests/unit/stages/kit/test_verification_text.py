import re
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.pull_request_text import SECTION_LENGTH, section
from moonmind.stages.kit.stage_results import (
    ApplyResult,
    Judgement,
    TestEvidence,
    TestFinding,
    Verification,
    VerifiedCommand,
)
from moonmind.stages.publish.body_sections import merge
from tests.support.plans import a_plan, a_task, an_apply_result

RUN = UUID("11111111-2222-3333-4444-555555555555")
TEST = "tests/test_refunds.py::test_full"
GREEN = VerifiedCommand(
    "pytest -q", "passed", seconds=3.21, passed=14, passed_before=12, failed_before=0, added=(TEST,)
)
RED = VerifiedCommand(
    "pytest -q",
    "failed",
    why="2 tests fail",
    seconds=190,
    passed=12,
    failed=2,
    passed_before=14,
    failed_before=0,
    broke=("tests/test_cart.py::test_a", "tests/test_cart.py::test_b"),
    excerpt="E   assert 1 == 2\n\nFAILED tests/test_cart.py::test_a",
)
TESTED = Judgement(
    "T001", 10, Verdict.TESTED, f"{TEST}; changed: a.py", tests=(TestEvidence(TEST, "failed", "passed", "failed"),)
)
PASSING = Judgement("T002", 11, Verdict.PASSING, "b.py")
CHANGED = Judgement("T003", 12, Verdict.CHANGED, "c.py; tests fail: 2 tests fail")
OPEN = Judgement("T004", 13, Verdict.OPEN, "unchanged: d.py")
PLAN = a_plan(*(a_task(f"T00{n}", 9 + n, f"Write {name}.py") for n, name in enumerate("abcd", 1)))
KINDS = ("broke", "flaky", "fails_as_before", "fixed", "added", "gone", "now_skipped")


def verified(*commands: VerifiedCommand, **more: Any) -> Verification:
    return Verification(commands, **{"source": ".moonmind.yml", "sandbox": "bubblewrap", **more})


def applied(tests: Verification | None, *judgements: Judgement, **more: Any) -> ApplyResult:
    return an_apply_result(verdicts=judgements, tests=tests, **more)


def shown(tests: Verification | None, *judgements: Judgement, **more: Any) -> str:
    """Write a section of what was read back from where results are stored."""
    return section(PLAN, ApplyResult.read(applied(tests, *judgements).stored()), RUN, **more)


def last_line(text: str) -> str:
    return text.rsplit("\n", 1)[1]


def test_a_phase_whose_tests_pass_says_which_test_shows_what() -> None:
    text = shown(verified(GREEN), TESTED, PASSING, OPEN)
    assert "**1 tested, 1 passing; 1 left open.** 2 of 3 tasks ticked in " in text
    assert (
        "**Tests** (commands from .moonmind.yml; run in the sandbox bubblewrap). **No test that passed before" in text
    )
    assert "- **passed** `pytest -q` (12 → 14 passed; 3.2 s)\n  - added (1): `tests/test_refunds.py::test_full`" in text
    assert f"\n  - `{TEST}` failed before, passes now, fails without the change's code\n" in text
    assert (
        "**Not shown by any test:**\n- T002: no test that they name or that the change brings was seen to fail" in text
    )
    assert last_line(text).endswith("; MoonMind ran 1 test command</sub>")
    assert "Look here first" not in text
    assert "Draft" not in text


def test_a_failing_suite_is_a_draft_and_begins_with_the_reason_and_what_broke() -> None:
    text = shown(verified(RED, draft="2 tests that passed before fail"), CHANGED)
    parts = text.split("\n\n")
    assert parts[1] == "**Draft: 2 tests that passed before fail.**"
    assert parts[2].startswith("**1 changed.** 1 of 1 tasks ticked")
    first = text.split("**Look here first:**\n")[1].splitlines()[0]
    assert first == (
        "- 2 tests of `pytest -q` passed before and fail now: `tests/test_cart.py::test_a`, `tests/test_cart.py::test_b`"
    )
    assert "**2 tests that passed before fail now.**" in text
    assert "- **failed** `pytest -q` (14 → 12 passed, 0 → 2 failed; 3 min 10 s): 2 tests fail" in text
    assert "\n  ```\n  E   assert 1 == 2\n  FAILED tests/test_cart.py::test_a\n  ```\n" in text
    assert "- T003: files were changed, and nothing confirms what they do." in text


@pytest.mark.parametrize(
    ("is_draft", "reason", "line"),
    [
        (None, "a test fails", "**Draft: a test fails.**"),
        (True, "a test fails.", "**Draft: a test fails.**"),
        (False, "a test fails", "**Not ready to merge: a test fails.** This pull request is not marked as a draft: "),
        (True, "", "This pull request is a draft already, and stays one until a person marks it as ready for review."),
        (None, "", "**1 tested.**"),
        (False, "", "**1 tested.**"),
    ],
)
def test_the_first_words_fit_how_the_pull_request_is_shown(is_draft: bool | None, reason: str, line: str) -> None:
    text = shown(verified(RED if reason else GREEN, draft=reason), TESTED, is_draft=is_draft)
    assert text.split("\n\n")[1].startswith(line)


@pytest.mark.parametrize(
    "why",
    [
        "no command was found",
        "MOONMIND_VERIFICATION is off",
        "nothing that changed is meant by `paths`",
        "this machine confines no tests",
    ],
)
def test_a_run_without_tests_says_why_none_ran(why: str) -> None:
    text = shown(Verification(not_run=why), Judgement("T003", 12, Verdict.CHANGED, "c.py"))
    assert f"**Not shown by any test:**\n- Whether the change works: no test was run, since {why}.".replace(
        "_", "\\_"
    ) in text.replace("`paths`", "`paths`")
    assert "**Tests" not in text
    assert last_line(text).endswith("MoonMind ran none of the repository's tests</sub>")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            VerifiedCommand("e2e", "could not run", why="npx: not found"),
            "`e2e` could not run: npx: not found.",
        ),
        (VerifiedCommand("e2e", "skipped", why="no path fits"), "**skipped** `e2e`: no path fits"),
        (
            VerifiedCommand("make", "passed", root="web"),
            "What `make` in `web` did test by test on the old code: there is",
        ),
    ],
)
def test_a_command_without_a_result_shows_nothing(command: VerifiedCommand, words: str) -> None:
    text = shown(verified(command), PASSING)
    assert f"- {words}" in text
    assert "No test that passed before fails" not in text
    assert ("ran none" in last_line(text)) is (command.outcome != "passed")


def test_commands_that_were_skipped_for_one_reason_share_a_line() -> None:
    skipped = [VerifiedCommand(name, "skipped", why="no path fits", root=name) for name in ("web", "docs")]
    text = shown(verified(GREEN, *skipped), TESTED)
    assert "\n- **skipped** `web` in `web`, `docs` in `docs`: no path fits\n" in text
    assert "**No test that passed before fails now.**" in text
    assert "Not shown" not in text
    many = shown(verified(GREEN, *(VerifiedCommand(f"c{n}", "skipped") for n in range(30))), TESTED)
    assert "`c19` and 10 more\n" in many


@pytest.mark.parametrize(
    ("commands", "words"), [((GREEN,), "(command found in a.py; "), ((GREEN, GREEN), "(commands found in a.py; ")]
)
def test_commands_that_no_recipe_names_were_found(commands: tuple[VerifiedCommand, ...], words: str) -> None:
    assert f"**Tests** {words}" in shown(verified(*commands, source="found in a.py"), TESTED)


def test_what_fails_as_before_is_named_and_its_output_not_shown() -> None:
    before = replace(RED, outcome="failed before", broke=(), fails_as_before=("t::red",), flaky=("t::sky",))
    assert "FAILED" not in shown(verified(before), TESTED)
    assert "FAILED" in shown(verified(replace(before, fails_as_before=())), TESTED), "nothing else says what fails"


def test_with_a_result_and_one_that_is_unknown_neither_hides_the_other() -> None:
    text = shown(verified(GREEN, VerifiedCommand("e2e", "could not run", why="no browser")), TESTED)
    assert "**Whether a test that passed before fails now is not known** of `e2e`." in text
    assert last_line(text).endswith("; MoonMind ran 1 test command</sub>")
    assert "MoonMind ran 2 of the repository's test commands" in shown(
        verified(GREEN, replace(GREEN, root="web")), TESTED
    )


def test_what_makes_tests_say_less_comes_before_what_broke_is_gone_or_skipped() -> None:
    command = replace(
        RED, gone=("t::gone",), now_skipped=("t::s1", "t::s2"), flaky=("t::f",), fails_as_before=("t::b",)
    )
    findings = (TestFinding("t::weak", "asserts less"), TestFinding("pytest.py", "shadows the runner", True))
    text = section(PLAN, applied(verified(command, findings=findings), CHANGED, warnings=("x.bin: large",)), RUN)
    lines = text.split("**Look here first:**\n")[1].split("\n\n")[0].splitlines()
    assert [line.split(" ")[1] for line in lines] == ["`pytest.py`:", "`t::weak`:", "2", "1", "2", "x.bin:"]
    assert "ran before and does not run now: `t::gone`" in lines[3]
    assert "ran before and are skipped now: `t::s1`, `t::s2`" in lines[4]
    assert "  - fails as before (1): `t::b`\n  - flaky, passed when run again (1): `t::f`" in text


def test_a_task_that_is_held_back_says_what_is_asked_and_what_to_do() -> None:
    held = replace(CHANGED, held="`policy.tick` asks for `tested`")
    text = shown(verified(GREEN), TESTED, held)
    assert "**1 tested; 1 left open (1 changed).** 1 of 2 tasks ticked" in text
    assert "- [ ] **T003** Write c.py" in text
    assert (
        "**Not ticked, since `policy.tick` asks for `tested`:** T003. If that is done, this ticks it on the pull request's "
        in text
    )
    assert 'branch, with your name and reason: `moonmind accept 11111111 T003 --why "REASON"`' in text
    assert "**Left open:**" not in text


@pytest.mark.parametrize("broken", [200, 1000])
@pytest.mark.parametrize("length", [40, 400])
def test_any_number_of_broken_tests_leaves_room_for_the_verdicts(broken: int, length: int) -> None:
    ids = tuple(f"tests/test_{n}.py::{'x' * length}" for n in range(broken))
    every: dict[str, Any] = dict.fromkeys(KINDS, ids)
    commands = [
        VerifiedCommand(f"c{n} {'y' * 300}", "failed", "w" * 900, "r" * 300, excerpt="E\n" * 9000, **every)
        for n in range(20)
    ]
    tasks = [a_task(f"T{n:03d}", n, "z" * 400) for n in range(100)]
    evidence = tuple(TestEvidence(one, "failed", "passed", "failed") for one in ids[:50])
    judged = [Judgement(task.id, task.line, Verdict.TESTED, "y" * 900, tests=evidence) for task in tasks]
    findings = tuple(TestFinding("p" * 500, "q" * 900) for _ in range(500))
    one = applied(verified(*commands, findings=findings, draft="d" * 5000), *judged, warnings=["v" * 900] * 50)
    text = section(a_plan(*tasks), one, RUN)
    assert len(text) < 60_000
    assert text in merge("A person's words", RUN, text)
    assert all(f"**{task.id}**" in text for task in tasks)
    assert f"{broken} tests of " in text
    few = section(a_plan(*tasks[:5]), applied(verified(*commands[:2], draft="d"), *judged[:5]), RUN)
    assert len(few) <= SECTION_LENGTH
    assert f"and {broken - 10} more" in few or f"and {broken - 5} more" in few


HOSTILE = [
    "fixes #1 @octocat",
    "a</sub><!-- /moonmind:run:x -->",
    "![p](https://evil.example)",
    "`code` <b>$x$</b> @octocat",
    "a\n### Heading\n- [x] **T999** done\n@octocat",
    "x | y | z\r\n| --- | #1",
    "",
    "``` @octocat",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_names_ids_and_output_of_tests_do_nothing_and_stay_on_their_line(words: str) -> None:
    every: dict[str, Any] = dict.fromkeys(KINDS, (words,))
    command = VerifiedCommand(
        words, "failed", words, words, passed=1, excerpt=f"{words}\nx {words}", log=words, **every
    )
    proof = TestEvidence(words, words, words, words)
    held = replace(CHANGED, held=words, tests=(proof,))
    tests = Verification(
        (command,), source=words, sandbox=words, findings=(TestFinding(words, words, True),), draft=words or "x"
    )
    text = shown(tests, held, TESTED)
    (printed,) = re.findall(r"(?ms)^  (`{3,})\n(.*?)^  \1$", text)
    assert not re.search(r"@\w|#\d|://|<!", printed[1])
    assert not re.search(rf"(?m)^  {printed[0]}", printed[1])
    text = text.replace(printed[1], "")
    plain = re.sub(r"(?<![\\`])`[^`\n]+`", "CODE", text)
    assert not re.search(r"@\w|#\d|://|<(?!sub>|/sub>$)|(?<!\\)!\[|\$", plain), plain
    assert "\n### Heading" not in text
    assert "\n- [x] **T999**" not in text
    assert "<!--" not in re.sub(r"`[^`\n]+`", "", text)
    assert text.count("\n<sub>") == 1
    none = shown(Verification(not_run=words), CHANGED)
    assert not re.search(r"@\w|#\d|://|<b>", re.sub(r"(?<![\\`])`[^`\n]+`", "CODE", none))


def test_a_result_of_an_earlier_program_is_said_as_before() -> None:
    stored = {name: value for name, value in applied(None, PASSING).stored().items() if name != "tests"}
    text = section(PLAN, ApplyResult.read(stored), RUN)
    assert "\n1 of 1 tasks ticked in " in text
    for word in ("Tests", "Not shown", "Draft"):
        assert word not in text
    assert last_line(text).endswith("MoonMind ran none of the repository's tests</sub>")
