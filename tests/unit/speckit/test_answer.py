"""Which feature is taken up, on what evidence, and when a person is asked."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import FeatureMissing, FeatureUnclear, SpecUnreadable
from moonmind.speckit.answer import CHOOSE_FEATURE, STALE_BOXES, Answer, AnswerKind, Repository, answer
from moonmind.speckit.features import find_features
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.speckit.tasks_md import read_tasks

OPEN = "- [ ] T001 Write a.py\n- [x] T002 Write b.py\n"
DONE = "- [x] T001 Write a.py\n- [x] T002 Write b.py\n"
PEOPLE = "- [x] T001 Write a.py\n- [ ] T002 Deploy to production\n- [ ] T003 Check (manual)\n"
A, B, C = "specs/001-a", "specs/002-b", "specs/003-c"


def repository(
    texts: dict[str, str],
    *more: str,
    pointer: str | None = None,
    branch: str | None = None,
    unreadable: tuple[str, ...] = (),
) -> Repository:
    paths = (*(f"{path}/tasks.md" for path in (*texts, *unreadable)), *more)
    pointers = {} if pointer is None else {"": json.dumps({"feature_directory": pointer})}
    return Repository(
        find_features(paths),
        {path: read_tasks(text.encode()) for path, text in texts.items()},
        (*paths, *([".specify/feature.json"] if pointer is not None else [])),
        {path: SpecUnreadable(f"{path} line 3 is a merge conflict marker.") for path in unreadable},
        pointers,
        branch,
    )


def path_of(found: Answer) -> str | None:
    return found.feature.path if found.feature is not None else None


def test_the_request_comes_first_even_when_the_feature_is_complete() -> None:
    found = answer(repository({A: OPEN, B: DONE}, pointer=A, branch="001-a"), requested="002")
    assert (found.kind, path_of(found)) == (AnswerKind.NOTHING_LEFT, B)
    assert "requested" in found.reasons[0]


def test_the_pointer_comes_before_the_branch_and_the_branch_before_the_only_one() -> None:
    texts = {A: OPEN, B: OPEN, C: OPEN}
    found = answer(repository(texts, pointer="specs\\003-c", branch="002-b"))
    assert (found.kind, path_of(found)) == (AnswerKind.WORK, C)
    assert ".specify/feature.json" in found.reasons[0]
    found = answer(repository(texts, branch="002-b"))
    assert (found.kind, path_of(found)) == (AnswerKind.WORK, B)


@pytest.mark.parametrize("branch", ["002-b", "refs/heads/002-b", "ada/shop/002-b", "002-another-slug"])
def test_the_branch_names_the_feature(branch: str) -> None:
    found = answer(repository({A: OPEN, B: OPEN}, branch=branch))
    assert path_of(found) == B
    assert branch in found.reasons[0]


@pytest.mark.parametrize("branch", ["main", "002", "bot/phase-3", "2-b", "", None])
def test_without_evidence_a_person_is_asked_with_each_candidates_facts(branch: str | None) -> None:
    found = answer(repository({A: OPEN, "specs/0021-b": OPEN, C: PEOPLE}, "a.py", branch=branch))
    assert (found.kind, found.asks, found.feature) == (AnswerKind.ASK, CHOOSE_FEATURE, None)
    assert [(one.feature, one.open, one.named, one.there, one.phase) for one in found.candidates] == [
        (A, 1, 1, 1, "Tasks"),
        ("specs/0021-b", 1, 1, 1, "Tasks"),
        (C, 2, 0, 0, None),
    ]


def test_a_person_has_chosen_and_is_not_asked_again() -> None:
    found = answer(repository({A: OPEN, B: OPEN}), chosen=B)
    assert (found.kind, path_of(found)) == (AnswerKind.WORK, B)
    assert "chosen by a person" in found.reasons[0]


def test_a_feature_with_only_tasks_for_people_does_not_make_the_only_other_one_a_question() -> None:
    found = answer(repository({A: PEOPLE, B: OPEN}))
    assert (found.kind, path_of(found)) == (AnswerKind.WORK, B)


def test_when_only_people_have_tasks_left_it_is_said_who_does_what() -> None:
    found = answer(repository({A: PEOPLE, B: DONE}))
    assert (found.kind, path_of(found)) == (AnswerKind.PEOPLE_ONLY, A)
    assert 'T002: a person who may deploy or release (deploy: "Deploy to production")' in found.reasons
    assert 'T003: a person (manual: "(manual")' in found.reasons
    assert found.text.startswith("Only tasks for people are left in specs/001-a: T002 (deploy), T003 (manual).")
    found = answer(repository({A: PEOPLE, B: PEOPLE}))
    assert (found.kind, found.feature) == (AnswerKind.PEOPLE_ONLY, None)
    assert found.text.count("Only tasks for people are left in specs/") == 2


def test_when_all_is_done_the_reason_says_so_and_newer_specs_are_named() -> None:
    found = answer(repository({A: DONE, B: DONE}, "specs/004-d/spec.md"))
    assert (found.kind, found.feature) == (AnswerKind.NOTHING_LEFT, None)
    assert found.reasons == ("every task of specs/001-a, specs/002-b is done (4 tasks)",)
    assert found.notes == ("specs/004-d has a spec.md and no tasks.md yet",)


@pytest.mark.parametrize("name", ["tasks-phase2.md", "Tasks_v2.md", "backend-tasks.md"])
def test_another_list_of_tasks_beside_the_one_that_is_read_is_told(name: str) -> None:
    found = answer(repository({A: DONE}, f"{A}/{name}", "docs/tasks-old.md", f"{A}/tasks.md.bak"))
    assert found.notes == (f"only tasks.md is read, not {A}/{name}",)


@pytest.mark.parametrize(
    ("pointer", "note"),
    [
        ("specs/009-z", "names specs/009-z, which matches no feature"),
        ("specs/004-d", "names specs/004-d, which has no tasks.md"),
        (
            "specs/archive/001-x",
            "names specs/archive/001-x, which is left out: its folder is called like one of copies",
        ),
        (B, "names specs/002-b, which has no open task"),
        (C, "names specs/003-c, whose tasks.md cannot be read"),
    ],
)
def test_a_pointer_that_helps_nothing_is_said_and_passed_over(pointer: str, note: str) -> None:
    found = answer(
        repository(
            {A: OPEN, B: DONE}, "specs/004-d/spec.md", "specs/archive/001-x/tasks.md", pointer=pointer, unreadable=(C,)
        )
    )
    assert (found.kind, path_of(found)) == (AnswerKind.WORK, A)
    assert any(note in one for one in found.notes)


def test_nested_pointers_that_name_different_features_are_a_question() -> None:
    paths = tuple(f"{part}/{name}" for part in "ab" for name in ("specs/001-x/tasks.md", ".specify/feature.json"))
    files = {f"{part}/specs/001-x": read_tasks(OPEN.encode()) for part in "ab"}
    texts = dict.fromkeys("ab", '{"feature_directory": "specs/001-x"}')
    found = answer(Repository(find_features(paths), files, paths, pointers=texts))
    assert found.asks == CHOOSE_FEATURE
    assert found.reasons[0].startswith("a/.specify/feature.json and b/.specify/feature.json name different features")
    found = answer(Repository(find_features(paths), files, paths, pointers={"b": texts["b"]}))
    assert path_of(found) == "b/specs/001-x"


def test_an_unreadable_feature_blocks_only_those_who_ask_for_it() -> None:
    found = answer(repository({A: OPEN}, unreadable=(B,)))
    assert (found.kind, path_of(found)) == (AnswerKind.WORK, A)
    assert any("merge conflict" in note for note in found.notes)
    found = answer(repository({A: OPEN}, unreadable=(B,)), requested="002")
    assert found.kind is AnswerKind.REFUSE
    assert isinstance(found.error, SpecUnreadable)
    # Whether anything is left cannot be said then.
    assert isinstance(answer(repository({A: DONE}, unreadable=(B,))).error, SpecUnreadable)


def test_a_request_that_fits_nothing_or_several_is_refused_with_a_list() -> None:
    twins = {"specs/001-a": OPEN, "specs/001-b": OPEN}
    found = answer(repository(twins), requested="001")
    assert isinstance(found.error, FeatureUnclear)
    assert found.error.message == "'001' matches 2 features equally: specs/001-a, specs/001-b."
    found = answer(repository(twins), requested="099")
    assert isinstance(found.error, FeatureMissing)
    assert found.error.details["features"] == ["specs/001-a", "specs/001-b"]
    assert isinstance(answer(Repository((), {}, ())).error, FeatureMissing)


def test_the_exact_name_wins_over_the_number_and_the_root_over_a_sub_project() -> None:
    texts = {"specs/001-a": OPEN, "web/specs/001-a": OPEN, "specs/001-b": OPEN}
    for asked, path in (("001-b", "specs/001-b"), ("001-a", "specs/001-a"), ("web/specs/001-a", "web/specs/001-a")):
        assert path_of(answer(repository(texts), requested=asked)) == path


# --- the rules of Spec Kit below 0.10: the branch's prefix finds the folder ------------------------------------------

OLD = ("specs/002-cart", "specs/003-pay", "specs/1000-large", "specs/20260101-120000-audit")


@pytest.mark.parametrize(
    ("branch", "path"),
    [
        ("003-pay", "specs/003-pay"),
        ("003-another-slug", "specs/003-pay"),
        ("1000-x", "specs/1000-large"),
        ("20260101-120000-another-slug", "specs/20260101-120000-audit"),
        ("refs/heads/003-pay", "specs/003-pay"),
        ("ada/shop/003-pay", "specs/003-pay"),
        # None of these has the form that names a feature: a person is asked.
        ("12-pay", None),
        ("3-pay", None),
        ("bot/phase-3", None),
        ("20260101-pay", None),
        ("main", None),
        ("004-new", None),
    ],
)
def test_a_branch_finds_its_feature_by_the_prefix_as_old_scripts_do(branch: str, path: str | None) -> None:
    assert path_of(answer(repository(dict.fromkeys(OLD, OPEN), branch=branch))) == path


def test_a_prefix_that_two_folders_have_is_a_question() -> None:
    texts = dict.fromkeys(("specs/003-pay", "specs/003-pray", "specs/002-cart"), OPEN)
    found = answer(repository(texts, branch="003-other"))
    assert found.asks == CHOOSE_FEATURE
    assert "specs/003-pay, specs/003-pray" in found.reasons[0]
    assert path_of(answer(repository(texts, branch="003-pray"))) == "specs/003-pray"


# --- stale boxes ------------------------------------------------------------------------------------------------------

MAKES = "".join(f"- [ ] T{number:03} Create src/shop/part{number}.py\n" for number in range(1, 8))
THERE = tuple(f"src/shop/part{number}.py" for number in range(1, 7))


def asks(text: str, *there: str, selection: Selection = EVERYTHING, go_on: bool = False) -> str | None:
    return answer(repository({A: text}, *there), selection=selection, go_on=go_on).asks


def test_open_tasks_whose_files_are_there_are_not_started_without_a_question() -> None:
    found = answer(repository({A: MAKES, B: DONE}, *THERE))
    assert (found.kind, found.asks, path_of(found)) == (AnswerKind.ASK, STALE_BOXES, A)
    assert "6 of 7 open tasks name files that are there" in found.text
    assert "none of its 7 boxes is ticked" in found.text
    assert [one.feature for one in found.candidates] == [A]
    assert answer(repository({A: MAKES}, *THERE), requested="001").asks == STALE_BOXES


def test_who_names_phase_or_tasks_or_goes_on_has_looked_and_is_told() -> None:
    for selection, go_on in (
        (Selection.read(tasks=["T007"]), False),
        (Selection.read(phase="Tasks"), False),
        (EVERYTHING, True),
    ):
        found = answer(repository({A: MAKES}, *THERE), selection=selection, go_on=go_on)
        assert found.kind is AnswerKind.WORK
        assert any(note.startswith("boxes may be stale: 6 of 7") for note in found.notes)
    assert asks(MAKES, *THERE, selection=Selection.read(skip=["T001"])) == STALE_BOXES


@pytest.mark.parametrize(
    "phase",
    [
        # A refactoring names files that are there.
        "".join(f"- [ ] T{n:03} Refactor src/shop/part{n}.py\n" for n in range(1, 7)),
        "".join(f"- [ ] T{n:03} 修改 src/shop/part{n}.py\n" for n in range(1, 7)),
        "".join(f"- [ ] T{n:03} src/shop/part{n}.py を修正する\n" for n in range(1, 7)),
        # Files of a project's first day.
        (
            "- [ ] T001 Create package.json\n- [ ] T002 Create README.md\n- [ ] T003 Create .github/workflows/ci.yml\n"
            "- [ ] T004 Create src/\n- [ ] T005 Create src/new/a.ts\n"
        ),
        # Ticked tasks account for the files.
        "".join(f"- [x] T{n:03} Create src/shop/part{n}.py\n" for n in range(1, 5))
        + "".join(f"- [ ] T1{n:02} Implement rule {n} in src/shop/part{n}.py\n" for n in range(1, 5)),
        # Most of it is new.
        "".join(f"- [ ] T{n:03} Create src/shop/part{n}.py\n" for n in range(4, 16)),
        # One file says little.
        "".join(f"- [ ] T{n:03} Write test {n} in src/shop/part1.py\n" for n in range(1, 9)),
        # Some lines in old files, some new files.
        (
            "- [ ] T001 Add a field to src/shop/part1.py\n- [ ] T002 Add a route to src/shop/part2.py\n"
            "- [ ] T003 Create src/shop/new.py\n- [ ] T004 Create tests/shop/test_new.py\n"
        ),
    ],
)
def test_files_that_are_there_naturally_are_no_question(phase: str) -> None:
    there = (*THERE, "package.json", "README.md", ".github/workflows/ci.yml", "src/index.ts")
    assert asks(f"## Phase 1: A\n\n{phase}", *there) is None


def test_files_that_another_features_ticked_tasks_made_are_no_question() -> None:
    made = "".join(f"- [x] T{n:03} Create src/shop/part{n}.py\n" for n in range(1, 8))
    again = "".join(f"- [ ] T{n:03} Implement rule {n} in src/shop/part{n}.py\n" for n in range(1, 8))
    assert answer(repository({A: made, B: again}, *THERE)).kind is AnswerKind.WORK


@pytest.mark.parametrize(
    "words",
    [
        "Handle empty input in",
        "Show an error toast in",
        "Support dark mode in",
        "Return 404 for unknown users in",
        "Log slow queries in",
        "Paginate the results in",
        "Cache the responses when create fails in",
        "Avoid overwrites in",
        "Unterstütze Sprachen in",
    ],
)
def test_verbs_that_ask_for_no_new_file_are_no_question(words: str) -> None:
    assert asks("".join(f"- [ ] T{n:03} {words} src/shop/part{n}.py\n" for n in range(1, 7)), *THERE) is None


@pytest.mark.parametrize(
    "words",
    [
        "Write the rules in ",
        "[US1] Implementation of the rules in ",
        "Rules first: implement them in ",
        "Contract test for the rules in ",
        "Unit tests in ",
        "",
        "`{}`: rules",
        "Regeln schreiben in ",
        "Criar as regras em ",
        "实现规则 ",
        "后端单元测试 - ",
    ],
)
def test_words_that_ask_for_a_new_file_count(words: str) -> None:
    paths = [f"src/shop/part{n}.py" for n in range(1, 7)]
    lines = [words.format(path) if "{" in words else words + path for path in paths]
    assert asks("".join(f"- [ ] T{n:03} {line}\n" for n, line in enumerate(lines)), *paths) == STALE_BOXES


@pytest.mark.parametrize(
    "words", ["Implement archive support in", "Create the rules of", "Write the second part of", "Contract test for"]
)
def test_ticked_tasks_of_features_beside_the_one_asked_about_account_for_files(words: str) -> None:
    made = read_tasks("".join(f"- [x] T{n:03} Create src/shop/part{n}.py\n" for n in range(1, 8)).encode())
    again = "".join(f"- [ ] T{n:03} {words} src/shop/part{n}.py\n" for n in range(1, 8))
    given = repository({B: again}, f"{A}/tasks.md", *THERE)
    (beside,) = [one for one in given.features if one.path == A]
    assert answer(given, requested=B).asks == STALE_BOXES
    found = answer(replace(given, beside=((beside, made),)), requested=B)
    assert (found.kind, found.candidates) == (AnswerKind.WORK, ())


def test_a_phase_alone_can_be_stale() -> None:
    later = "".join(f"- [ ] T{n:03} Create src/later/part{n}.py\n" for n in range(10, 40))
    text = f"## Phase 1: A\n\n{MAKES}\n## Phase 2: B\n\n{later}"
    found = answer(repository({A: text}, *THERE))
    assert found.asks == STALE_BOXES
    assert "in Phase 1: A of specs/001-a" in found.text


def test_a_last_open_task_before_ticked_phases_is_a_question_if_its_file_is_there() -> None:
    text = "## Phase 1: A\n- [ ] T001 Implement it in src/shop/a.py\n## Phase 2: B\n- [x] T002 Write src/shop/b.py\n"
    assert asks(text, "src/shop/a.py", "src/shop/b.py") == STALE_BOXES
    assert asks(text, "src/shop/b.py") is None
    assert asks(text.replace("[x]", "[ ]"), "src/shop/a.py") is None


def test_paths_are_looked_for_in_the_features_own_project_first() -> None:
    texts = {"backend/specs/001-a": MAKES}
    below = tuple(f"backend/{path}" for path in THERE)
    assert answer(repository(texts, *below)).asks == STALE_BOXES
    assert answer(repository({A: MAKES}, *(f"apps/web/{path}" for path in THERE))).asks == STALE_BOXES


def test_tasks_without_files_in_a_repository_of_code_cannot_be_compared() -> None:
    text = "".join(f"- [ ] T{n:03} Implement part {n}\n" for n in range(1, 7))
    code = tuple(f"shop/part{n}.py" for n in range(1, 9))
    assert asks(text, *code) == STALE_BOXES
    assert asks(text, *code[:4]) is None
    assert answer(repository({A: text, B: DONE}, *code)).kind is AnswerKind.WORK


# --- what must not matter ---------------------------------------------------------------------------------------------

CHECKS = (
    "## Phase 0: 프로젝트 (수동)\n\n- [ ] T001 `a.py` 생성\n\n## Phase 1: A\n\n- [ ] T002 Verify current branch is `001-a`\n"
    "- [ ] T003 Run the test suite\n- [ ] T004 （跳过）写 b.py\n\n## 阶段 2：基础\n\n- [ ] T005 实现 src/shop/part1.py\n"
)
TEXTS = st.sampled_from([OPEN, DONE, PEOPLE, MAKES, CHECKS, f"## Phase 1: A\n\n{PEOPLE}\n## Phase 2: B\n\n{MAKES}"])
NAMES = st.lists(
    st.sampled_from(
        [
            "specs/001-a",
            "specs/002-b",
            "specs/003-c",
            "specs/main",
            "specs/demo",
            "specs/done/004-d",
            "apps/web/specs/001-a",
            "demo/specs/001-x",
        ]
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


def outcome(found: Answer) -> tuple[object, ...]:
    work = found.work
    return (
        found.kind,
        found.asks,
        (path_of(found) or "").casefold(),
        [task.id for task in work.tasks] if work else [],
        [(one.feature.casefold(), one.open, one.named, one.there) for one in found.candidates],
    )


def shouted(path: str) -> str:
    above, specs, key = path.rpartition("specs/")
    return f"{above}{specs}{key.upper()}"


def asked(texts: dict[str, str], paths: list[str], pointer: str | None, branch: str | None) -> Answer:
    listing = (*(f"{path}/tasks.md" for path in texts), *paths, ".specify/feature.json")
    files: dict[str, TasksFile] = {path: read_tasks(text.encode()) for path, text in texts.items()}
    pointers = {} if pointer is None else {"": json.dumps({"feature_directory": pointer})}
    return answer(Repository(find_features(listing), files, listing, pointers=pointers, branch=branch))


@given(
    st.data(),
    NAMES,
    st.sampled_from([None, "specs/002-b", "specs/009-x", "apps/web/specs/001-a"]),
    st.sampled_from([None, "003-c", "main-line"]),
)
def test_the_choice_depends_on_neither_order_nor_letter_case_nor_line_endings(
    data: st.DataObject, names: list[str], pointer: str | None, branch: str | None
) -> None:
    texts = {name: data.draw(TEXTS) for name in names}
    there = list(data.draw(st.sets(st.sampled_from(THERE))))
    plain = outcome(asked(texts, there, pointer, branch))
    shuffled = dict(data.draw(st.permutations(list(texts.items()))))
    assert outcome(asked(shuffled, data.draw(st.permutations(there)), pointer, branch)) == plain
    for ends in ("\r\n", "\r"):
        assert outcome(asked({k: v.replace("\n", ends) for k, v in texts.items()}, there, pointer, branch)) == plain
    upper = {shouted(path): text for path, text in texts.items()}
    assert outcome(asked(upper, there, pointer, branch)) == plain
    assert outcome(asked(texts, [path.upper() for path in there], pointer and pointer.upper(), branch)) == plain
