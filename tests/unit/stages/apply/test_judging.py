import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.runs.verdict import Verdict
from moonmind.speckit.evidence import said_of
from moonmind.stages.apply.judging import Word, judge
from moonmind.stages.kit.stage_results import ApplyResult, Judgement
from tests.support.changed_trees import FEATURE, a_spec_task, a_tree
from tests.support.plans import an_apply_result

OLD = "def old():\n    return 1\n"
NEW = "def old():\n    return 1\n\n\ndef new():\n    return 2\n"


def found(
    text: str, before: Mapping[str, str], after: Mapping[str, str], *, claimed: bool = False, denied: bool = False
) -> Judgement:
    task = a_spec_task(text)
    word = Word(claimed={"T001"} if claimed else (), denied={"T001"} if denied else ())
    (judgement,) = judge([task], a_tree(before, after, task), word)
    return judgement


def verdict(text: str, before: Mapping[str, str], after: Mapping[str, str], *, claimed: bool = False) -> Verdict:
    return found(text, before, after, claimed=claimed).verdict


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("Create src/a.py", {}, {"src/a.py": NEW}),
        ("Add new() to src/a.py", {"src/a.py": OLD}, {"src/a.py": NEW}),
        ("Create src/a.py per docs/rules.md", {"docs/rules.md": "x"}, {"docs/rules.md": "x", "src/a.py": NEW}),
        ("Create src/models/", {}, {"src/models/a.py": NEW}),
        ("Create models/a.py", {"backend/main.py": OLD}, {"backend/main.py": OLD, "backend/models/a.py": NEW}),
        ("Add `config.py` to `src/core/`", {"config.py": OLD}, {"config.py": OLD, "src/core/config.py": NEW}),
        ("Create src/pkg/__init__.py", {}, {"src/pkg/__init__.py": ""}),
        ("Create src/a.py and tests/test_a.py", {}, {"src/a.py": NEW, "tests/test_a.py": NEW}),
        ("Remove src/a.py", {"src/a.py": OLD}, {}),
        ("Move src/a.py to src/b.py", {"src/a.py": OLD}, {"src/b.py": OLD}),
        ("Replace src/a.js with src/a.ts", {"src/a.js": "go()"}, {"src/a.ts": "go()"}),
        ("Remove the dead code from src/a.py", {"src/a.py": NEW}, {"src/a.py": OLD}),
        ("Add docstrings to src/a.py", {"src/a.py": OLD}, {"src/a.py": '"""All."""\n' + OLD}),
        ("Write the guide docs/a.md", {}, {"docs/a.md": "# A\n"}),
    ],
)
def test_every_target_changed_is_changed_without_any_claim(
    text: str, before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    assert verdict(text, before, after) is verdict(text, before, after, claimed=True) is Verdict.CHANGED


@pytest.mark.parametrize(
    ("text", "before", "after", "because"),
    [
        ("Create src/a.py, src/b.py and src/c.py", {}, {"src/a.py": NEW}, "1 of 3 files; missing: src/b.py, src/c.py"),
        ("Update src/a.go and src/b.go", {"src/b.go": "go()"}, {"src/a.go": "x()", "src/b.go": "go()"}, "1 of 2 files; unchanged: src/b.go"),
        ("Create src/a.py and docs/", {}, {"src/a.py": NEW}, "1 of 2 paths; missing: docs/"),
        ("Add x to src/a.py", {"src/a.py": OLD}, {"src/a.py": OLD}, "unchanged: src/a.py"),
        ("Add x to src/a.py", {"src/a.py": OLD}, {"src/a.py": "# x\n" + OLD}, "only comments: src/a.py"),
        ("Add x to src/a.py", {"src/a.py": OLD}, {"src/a.py": OLD + "\n\n"}, "only blank lines or spaces: src/a.py"),
        ("Add x to src/a.py", {"src/a.py": OLD}, {"src/a.py": OLD + "def x(): pass\n"}, "only a stub: src/a.py"),
        ("Create src/a.py", {}, {"src/a.py": ""}, "empty: src/a.py"),
        ("Add x to src/a.py", {"src/a.py": NEW}, {"src/a.py": OLD}, "only lines removed: src/a.py"),
        ("Delete src/a.py", {"src/a.py": OLD}, {"src/a.py": NEW}, "still there: src/a.py"),
        ("Move src/a.py to src/b.py", {"src/a.py": OLD}, {"src/a.py": OLD, "src/b.py": OLD}, "1 of 2 files; still there: src/a.py"),
        ("Add new() to README.md", {"README.md": "a"}, {"README.md": "a", "docs/README.md": "b"}, "unchanged: README.md"),
        ("Create src/a.py per docs/x.md", {"docs/x.md": "x"}, {"src/a.py": NEW}, "the change deletes what the task refers to: docs/x.md"),
    ],
)  # fmt: skip
def test_a_task_is_open_while_a_target_is_not_done_and_the_reason_is_said(
    text: str, before: Mapping[str, str], after: Mapping[str, str], because: str
) -> None:
    judgement = found(text, before, after, claimed=True)
    assert (judgement.verdict, judgement.because) == (Verdict.OPEN, because)


@pytest.mark.parametrize(
    ("text", "before", "after", "because"),
    [
        ("Update src/a.py", {"src/a.py": OLD}, {}, "deleted: src/a.py, and the task does not ask for it"),
        ("Update src/a.ts and src/b.ts", {"src/a.ts": "a()", "src/b.ts": "b()"}, {"src/b.ts": "c()"}, "deleted: src/a.ts, and the task does not ask for it"),
        ("Fix tests/test_a.py", {"tests/test_a.py": OLD}, {"tests/test_a.py": ""}, "emptied: tests/test_a.py, and the task does not ask for it"),
        ("Extend pkg/a.go", {"pkg/a.go": "func A() { go() }"}, {"pkg/a.go": "// later\n"}, "emptied of code: pkg/a.go, and the task does not ask for it"),
        ("Improve the pages in docs/", {"docs/a.md": "a", "docs/b.md": "b"}, {"src/a.py": NEW}, "deleted: docs/, and the task does not ask for it"),
        ("Remove the flag from config/app.yml", {"config/app.yml": "a: 1"}, {}, "deleted: config/app.yml, and the task does not ask for it"),
        ("Create src/a.rs", {}, {"other.rs": "go();"}, "the agent says it is done, but nothing it names exists: src/a.rs"),
        ("Run scripts/check.sh", {}, {"other.rs": "go();"}, "the agent says it is done, but nothing it names exists: scripts/check.sh"),
    ],
)  # fmt: skip
def test_a_contradiction_is_said(text: str, before: Mapping[str, str], after: Mapping[str, str], because: str) -> None:
    judgement = found(text, before, after, claimed=True)
    assert (judgement.verdict, judgement.because) == (Verdict.CONTRADICTED, because)
    assert not judgement.ticks


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("Decide on a name", {}),
        ("Run scripts/check.sh", {"scripts/check.sh": "go"}),
        ("Verify the limits in src/a.py", {"src/a.py": OLD}),
        ("Run quickstart.md validation", {f"{FEATURE}/quickstart.md": "x"}),
        ("Complete contracts/api.yaml", {f"{FEATURE}/contracts/api.yaml": "x"}),
        ("Create src/a.py", {"src/a.py": OLD}),
        ("Cart model in src/a.py and src/b.py", {"src/a.py": OLD, "src/b.py": OLD}),
        ("Remove src/gone.py", {}),
    ],
)
def test_only_the_agents_word_is_claimed_and_without_it_open(text: str, before: Mapping[str, str]) -> None:
    after = {**before, "other.py": NEW}
    assert verdict(text, before, after, claimed=True) is Verdict.CLAIMED
    assert verdict(text, before, after) is Verdict.OPEN


@pytest.mark.parametrize(
    ("mode", "text"), [("100755", "Update scripts/a.sh"), ("100755", "Make scripts/a.sh executable")]
)
def test_a_mode_counts_only_where_the_task_asks_for_it(mode: str, text: str) -> None:
    task = a_spec_task(text)
    tree = a_tree({"scripts/a.sh": "go"}, {"scripts/a.sh": "go"}, task, mode=mode)
    expected = Verdict.CHANGED if "executable" in text else Verdict.OPEN
    assert judge([task], tree)[0].verdict is expected


def test_an_agent_that_says_not_done_gets_no_tick() -> None:
    judgement = found("Create src/a.py", {}, {"src/a.py": NEW}, denied=True)
    assert (judgement.verdict, judgement.because) == (Verdict.OPEN, "the agent says it is not done")


SHARED = [
    a_spec_task(f"Add {name} to src/a.py", f"T00{line}", line) for line, name in enumerate(("pay", "refund", "void"), 1)
]
REPORT = "T001: done - added `pay_now`\nT002: done - added refundAll()\nT003: done - added it\n"
SHARED_AFTER = OLD + "\n\ndef pay_now():\n    return 1\n\n\ndef refundAll():\n    return 2\n"


def shared(report: str, *claimed: str) -> list[Verdict]:
    tree = a_tree({"src/a.py": OLD}, {"src/a.py": SHARED_AFTER}, *SHARED)
    return [item.verdict for item in judge(SHARED, tree, Word(claimed, (), said_of(report)))]


def test_one_change_is_not_the_work_of_several_tasks_unless_each_names_its_own() -> None:
    assert shared(REPORT, "T001", "T002", "T003") == [Verdict.CHANGED, Verdict.CHANGED, Verdict.CLAIMED]
    assert shared("", "T001", "T002", "T003") == [Verdict.CLAIMED] * 3
    assert shared("", "T002") == [Verdict.OPEN, Verdict.CHANGED, Verdict.OPEN]
    assert shared("") == [Verdict.OPEN] * 3


def test_a_name_that_all_of_them_say_or_that_the_change_does_not_hold_is_no_own_change() -> None:
    assert shared("T001: done `pay_now`\nT002: done `pay_now`\n", "T001", "T002")[:2] == [Verdict.CLAIMED] * 2
    assert shared("T001: done `something_else`\nT002: done `refundAll`\n", "T001", "T002")[0] is Verdict.CLAIMED


@given(
    text=st.sampled_from(["Create a.py", "Update a.py and b/c.py", "Delete a.py", "Think", "Run a.py", "Fix b/"]),
    before=st.dictionaries(st.sampled_from(["a.py", "b/c.py", "z"]), st.sampled_from([OLD, NEW, "", "# x\n"])),
    after=st.dictionaries(st.sampled_from(["a.py", "b/c.py", "z"]), st.sampled_from([OLD, NEW, "", "# x\n"])),
)
def test_a_claim_never_turns_into_a_change(text: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
    with_claim, without = (verdict(text, before, after, claimed=claimed) for claimed in (True, False))
    assert (with_claim is Verdict.CHANGED) == (without is Verdict.CHANGED)
    assert without is not Verdict.CLAIMED


def test_a_judgement_survives_its_row() -> None:
    applied = an_apply_result(verdicts=(Judgement("T001", 3, Verdict.CLAIMED, "said so", claimed=True),))
    assert ApplyResult.read(json.loads(json.dumps(applied.stored()))) == applied


@pytest.mark.parametrize(
    ("word", "because", "words"),
    [
        ("proven", "changed: a.py", "changed: a.py"),
        ("attested", "the agent says so", "claimed: the agent says so"),
        ("unproven", "nothing it names was changed: a.py", "open: nothing it names was changed: a.py"),
        (
            "contradicted",
            "claimed, but nothing it names exists: a.py",
            "contradicted: claimed, but nothing it names exists: a.py",
        ),
    ],
)
def test_a_judgement_of_an_earlier_program_is_read(word: str, because: str, words: str) -> None:
    stored = {"id": "T001", "line": 3, "verdict": word, "because": because, "claimed": True}
    result = an_apply_result().stored() | {"v": 1, "verdicts": [stored], "unproven": ["T001"]}
    result.pop("leftOpen")
    applied = ApplyResult.read(result)
    assert [item.words for item in applied.verdicts] == [words]
    assert applied.left_open == ("T001",)


def test_repeated_ids_are_judged_line_by_line() -> None:
    tasks = [a_spec_task("Create a.py", line=1), a_spec_task("Create b.py", line=2)]
    judgements = judge(tasks, a_tree({}, {"a.py": NEW}, *tasks))
    assert [item.ticks for item in judgements] == [True, False]
    assert [item.key for item in judgements] == ["1:T001", "2:T001"]
