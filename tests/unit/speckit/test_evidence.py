import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.evidence import Evidence, claims, denials, evidence_of, is_test, said_of
from moonmind.speckit.tasks_md import read_tasks

BEFORE = b"## Phase 1: A\n- [x] T001 a\n- [ ] T002 b\n- [ ] T003 Write src/a.py and tests/test_a.py\n- [ ] T012 d\n"


def said(report: str) -> set[str]:
    return set(claims(read_tasks(BEFORE), None, report))


def test_the_paths_that_a_task_names_are_its_evidence() -> None:
    found = evidence_of("T003", "Write src/a.py and tests/test_a.py per docs/x.md; remove old.py")
    assert found == Evidence(
        "T003", ("src/a.py", "tests/test_a.py", "old.py"), ("docs/x.md",), ("old.py",), ("old.py",)
    )


@pytest.mark.parametrize(
    ("line", "denied"),
    [
        ("T002: not done - there is no staging server", True),
        ("- **T002** could not be done", True),
        ("T002 — skipped: needs a device", True),
        ("Task T002: partially, the tests are missing", True),
        ("T002: ❌ blocked", True),
        ("T002: done - the test that failed now works", False),
        ("T002: done; nothing was skipped", False),
        ("T002 adds what was not there", False),
    ],
)
def test_an_agent_that_says_itself_that_a_task_is_not_done_is_heard(line: str, denied: bool) -> None:
    assert (denials(f"Report\n{line}\n") == {"T002"}) is denied


def test_the_last_word_on_a_task_decides_whether_it_is_denied() -> None:
    assert denials("T002: not done\nT002: done after all\n") == frozenset()


def test_what_is_said_of_a_task_is_the_words_after_its_id() -> None:
    assert said_of("T002: done - added `pay()`\nT003 see above\nT002 - and `refund`") == {
        "T002": ": done - added `pay()`  - and `refund`",
        "T003": "see above",
    }


@pytest.mark.parametrize(
    "path",
    ["tests/a.py", "test_a.py", "src/a_test.go", "src/a.test.ts", "src/a.spec.tsx", "src/__tests__/a.js", "src/UserTest.java",
     "App/UserTests.cs", "e2e/login.ts", "spec/models/user_spec.rb", "conf/test.yml"],
)  # fmt: skip
def test_tests_are_known_by_folder_or_name(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize(
    "path", ["src/a.py", "src/latest.py", "src/contest.py", "specs/042-x/spec_notes.txt", "docs/attestation.md"]
)
def test_other_files_are_not(path: str) -> None:
    assert not is_test(path)


def test_boxes_ticked_in_the_copy_are_claims() -> None:
    after = BEFORE.replace(b"[ ] T002", b"[x] T002")
    assert claims(read_tasks(BEFORE), after, "") == {"T002"}


def test_a_copy_that_cannot_be_read_claims_nothing() -> None:
    assert claims(read_tasks(BEFORE), b"\xff", "T012: done") == {"T012"}
    assert claims(read_tasks(BEFORE), b"", "") == set()


def test_tasks_done_before_or_unknown_are_no_claims() -> None:
    assert said("T001: done\nT099: done") == set()


@pytest.mark.parametrize(
    "line",
    ["T012: done", "T012: done - wrote it; no tests failed", "- **T012** - completed", "* [x] T012 d", "✅ T012", "T012 ✅",
     "Task T012: implemented", "`T012`: done", "1. T012 finished", "3) T012 (trivial): done"],
)  # fmt: skip
def test_a_line_that_says_done_is_a_claim(line: str) -> None:
    assert said(f"Summary\n\n{line}\n") == {"T012"}


@pytest.mark.parametrize(
    "line",
    ["T012: not done - no network", "T012", "T012: skipped", "T012: partially done", "- [ ] T012 done later", "❌ T012", "T012: blocked",
     "After T012 all was done", "T012-T015: done", "T012: could not be completed", "the T012: done", "T0123: done"],
)  # fmt: skip
def test_a_line_that_does_not_is_none(line: str) -> None:
    assert said(line) == set()


def test_a_task_both_claimed_and_denied_is_not_claimed() -> None:
    assert said("T012: done\nT012: not done after all") == set()


@given(st.binary(), st.text())
def test_claims_never_raise(after: bytes, report: str) -> None:
    assert claims(read_tasks(BEFORE), after, report) <= {"T002", "T003", "T012"}
