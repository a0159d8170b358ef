import json
from pathlib import Path
from typing import Any

import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks_md import Mark, SpecTask, TasksFile, read_tasks, tick, untick

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tasks_md"
EXPECTED: list[dict[str, Any]] = json.loads((FIXTURES / "expected.json").read_text())
READABLE = [case for case in EXPECTED if not case["must_refuse"] and not case["may_refuse"]]
TICKED = [
    # Each box is a reading of the whole file: the longest lists take seconds.
    pytest.param(case, marks=[pytest.mark.full] if case["total"] - case["completed"] > 60 else [])
    for case in READABLE
]
REFUSED = [case for case in EXPECTED if case["must_refuse"]]


def name_of(case: dict[str, Any]) -> str:
    return str(case["file"])


def read(text: str) -> TasksFile:
    return read_tasks(text.encode())


def ids(tasks: tuple[SpecTask, ...]) -> list[str]:
    return [task.id for task in tasks]


@pytest.mark.parametrize("case", READABLE, ids=name_of)
def test_a_real_file_is_read_as_a_person_reads_it(case: dict[str, Any]) -> None:
    found = read_tasks((FIXTURES / case["file"]).read_bytes())
    assert found.total in (case["acceptable_totals"] or [case["total"]])
    assert found.completed == case["completed"]
    assert [(p.title, p.total, p.completed) for p in found.phases] == [
        (p["title"], p["total"], p["completed"]) for p in case["phases"]
    ]
    assert (found.next_phase.title if found.next_phase else None) == case["next_phase"]
    assert ids(found.next_phase.pending if found.next_phase else ()) == case["next_pending"]
    assert found.all_complete == case["all_complete"]


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_a_file_without_a_certain_reading_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(SpecUnreadable):
        read_tasks((FIXTURES / case["file"]).read_bytes())


@pytest.mark.parametrize("case", [case for case in EXPECTED if case["may_refuse"]], ids=name_of)
def test_tasks_written_as_headings_are_refused_with_their_line(case: dict[str, Any]) -> None:
    with pytest.raises(SpecUnreadable, match=r"line \d+ writes a task as a heading"):
        read_tasks((FIXTURES / case["file"]).read_bytes())


def test_every_fixture_is_held_by_a_test() -> None:
    files = sorted(path.name for path in FIXTURES.glob("case-*.md"))
    assert files == sorted(case["file"] for case in EXPECTED)
    assert len(files) == 16


@pytest.mark.parametrize("case", TICKED, ids=name_of)
def test_a_real_file_is_ticked_in_its_open_boxes_only_and_unticked_to_the_byte(case: dict[str, Any]) -> None:
    data = (FIXTURES / case["file"]).read_bytes()
    pending = [task for task in read_tasks(data).tasks if task.mark is Mark.OPEN]
    ticked = tick(data, pending)
    changed = [position for position, (old, new) in enumerate(zip(data, ticked, strict=True)) if old != new]
    assert changed == [task.box_offset for task in pending]
    assert read_tasks(ticked).all_complete
    for task in pending[:: 1 + len(pending) // 10]:  # each costs two readings of the whole file
        box = slice(task.box_offset, task.box_offset + 1)
        assert untick(ticked, task) == ticked[: box.start] + data[box] + ticked[box.stop :]


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \n\t\n", "is empty"),
        ("# Tasks\n\nNothing here.\n", "no line such as"),
        ("````markdown\n- [x] T001 a\n- [x] T002 b\n````\n", "line 2 .* inside a fence"),
        ("<!--\n- [x] T001 a\n-->\n", "inside a fence or comment"),
        (
            "## Phase 1: A\n- [ ] T001 a\n```\n- [ ] T002 b\n",
            "line 3 opens a fence that is never closed and hides T002",
        ),
        ("## Phase 1: A\n- [ ] T001 a\n<!-- x\n- [ ] T002 b\n", "line 3 opens a comment that is never closed"),
        ("- [ ] T001 a\n<<<<<<< HEAD\n- [ ] T002 b\n", "line 2 is a merge conflict marker"),
        ("- [x] T001 a\n>>>>>>> b\n", "line 2 is a merge conflict marker"),
        ("- [x] T001 a\n- [] T002 b\n", r"line 2 \(T002\): its box is `\[\]`"),
        ("- [x] T001 a\n- [\u00a0] T002 b\n", r"line 2 \(T002\): its box contains a character other than a space"),
        ("7. [X] **T007** a\n8. **T018** b\n", r"line 2 \(T018\): it has no box"),
        ("- T001 a\n- T002 b\n", "line 1 names a task without a box"),
        ("## Acceptance Criteria\n- [ ] works\n", "from line 2 on, belong to checklists"),
        ("### T001: a\n- [ ] works\n### T002: b\n- [x] works\n", "line 1 writes a task as a heading"),
        ("## Phase 1: A\n### [X] T01 — a\n### T02 — b\n", "line 2 writes a task as a heading"),
        ("- [x] T001 a\0\n", "line 1 contains a NUL"),
        ("# Tasks: [FEATURE NAME]\n- [ ] T001 a\n", "line 1: the file is still the unfilled template"),
    ],
)
def test_what_cannot_be_read_with_certainty_is_refused_with_reason_and_line(text: str, reason: str) -> None:
    with pytest.raises(SpecUnreadable, match=reason):
        read(text)


def test_a_file_in_another_encoding_is_refused_with_the_line() -> None:
    with pytest.raises(SpecUnreadable, match="line 2 is not UTF-8"):
        read_tasks(b"# Tasks\n- [ ] T001 caf\xe9\n")


def test_a_refusal_names_the_file() -> None:
    with pytest.raises(SpecUnreadable, match=r"specs/042-x/tasks\.md is empty"):
        read_tasks(b"", name="specs/042-x/tasks.md")


def test_a_file_too_large_to_be_a_task_list_is_refused() -> None:
    with pytest.raises(SpecUnreadable, match="are read"):
        read_tasks(b"- [ ] T001 a\n" * 100_000)


# --- what is a task --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "task_id", "mark"),
    [
        ("- [ ] T001 a", "T001", Mark.OPEN),
        ("* [x] T001 a", "T001", Mark.DONE),
        ("+ [X] T001 a", "T001", Mark.DONE),
        ("7. [X] **T007** a", "T007", Mark.DONE),
        ("7) [ ] T007 a", "T007", Mark.OPEN),
        (" - [ ] T001 a", "T001", Mark.OPEN),
        ("- [ ] **T001** a", "T001", Mark.OPEN),
        ("- [ ] **T001 [P] [US1]** a", "T001", Mark.OPEN),
        ("- [ ] `T001` a", "T001", Mark.OPEN),
        ("- [ ] [T001] a", "T001", Mark.OPEN),
        ("- [ ] [P] T001 a", "T001", Mark.OPEN),
        ("- **T001 [X]** a", "T001", Mark.DONE),
        ("- **T001** [ ] a", "T001", Mark.OPEN),
        ("- [ ] T011b a", "T011b", Mark.OPEN),
        ("- [ ] T022-A a", "T022-A", Mark.OPEN),
        ("- [ ] T033-MIN a", "T033-MIN", Mark.OPEN),
        ("- [ ] T028' a", "T028'", Mark.OPEN),
        ("- [ ] T231.15 a", "T231.15", Mark.OPEN),
        ("- [ ] T-001 a", "T-001", Mark.OPEN),
        ("- [ ] T-AI-01 a", "T-AI-01", Mark.OPEN),
        ("- [ ] T1-001 a", "T1-001", Mark.OPEN),
        ("-[ ] T001 a", "T001", Mark.OPEN),
        ("*[x] **T001** a", "T001", Mark.DONE),
        ("- [ ] 🔴 T001 a", "T001", Mark.OPEN),
        ("- [x] ✅ **T001** a", "T001", Mark.DONE),
        ("- [ ] ⏳T001 a", "T001", Mark.OPEN),
        ("- [ ] **T12-03** a", "T12-03", Mark.OPEN),
        ("- [x] T2-014: a", "T2-014", Mark.DONE),
        ("- [ ] T1-100 a", "T1-100", Mark.OPEN),
        ("- [ ] T10-11 a", "T10", Mark.OPEN),
        ("- [ ] T01-02 a", "T01", Mark.OPEN),
        ("- [ ] T12-2025 a", "T12", Mark.OPEN),
        ("- [ ] M001 a", "M001", Mark.OPEN),
        ("- [ ] R001 a", "R001", Mark.OPEN),
        ("- [ ] T1006 a", "T1006", Mark.OPEN),
        ("- [ ] T001: a", "T001", Mark.OPEN),
        ("- [~] T001 a", "T001", Mark.SET_ASIDE),
        ("- [-] T001 a", "T001", Mark.SET_ASIDE),
        ("- [/] T001 a", "T001", Mark.SET_ASIDE),
        ("- [ ] ~~T012~~ a", "T012", Mark.SET_ASIDE),
        ("- [ ] ~~T012 a~~", "T012", Mark.SET_ASIDE),
        ("- [ ] ~~**T012** a~~", "T012", Mark.SET_ASIDE),
        ("- [x] ~~T012~~ a", "T012", Mark.DONE),
        ("- [ ] T012 ~~a~~ - not needed", "T012", Mark.SET_ASIDE),
        ("- [ ] T012 ~~Use A~~ Use B", "T012", Mark.OPEN),
        ("- [✅] T001 a", "T001", Mark.DONE),
    ],
)
def test_the_ways_people_write_a_task_are_known(line: str, task_id: str, mark: Mark) -> None:
    data = f"## Phase 1: A\n\n{line}\n".encode()
    (task,) = read_tasks(data).tasks
    assert (task.id, task.mark, task.line) == (task_id, mark, 3)
    inside = line.partition("[X]" if "[X]" in line else "[ ]")[1]
    if inside:
        assert data[task.box_offset - 1 : task.box_offset + 2] == inside.encode()


@pytest.mark.parametrize(
    "line",
    [
        "- [P] T002 = may run in parallel",
        "- **[P]**: Can run in parallel",
        "- [x](https://example.org) T002",
        "- [ ] Works in every browser",
        "- [ ] SC-002 is met",
        "- [ ] FR-002 is met",
        "- [ ] CHK002 is met",
        "> - [ ] T002 quoted",
        "Task: - [ ] T002 in prose",
        "`- [ ] T002`",
    ],
)
def test_what_only_looks_like_a_task_is_not_counted(line: str) -> None:
    assert ids(read(f"## Phase 1: A\n- [x] T001 a\n\n{line}\n").tasks) == ["T001"]


def test_front_matter_fences_and_comments_hold_no_tasks() -> None:
    text = (
        "---\n\ndescription: '- [ ] T100 x'\n---\n# Tasks\n<!--\n- [ ] T101 a\n-->\n## Phase 1: A\n- [x] T001 a\n"
        "```mermaid\nA --> B\n- [ ] T102 a\n```\n~~~\n```\n- [ ] T103 a\n~~~\n- [x] T002 b\n"
    )
    assert ids(read(text).tasks) == ["T001", "T002"]


def test_a_fence_far_to_the_right_hides_its_lines_too() -> None:
    text = "## Phase 1: A\n- [ ] T001 a\n      ```text\n      - [ ] T002 sample\n      ```\n- [ ] T003 b\n"
    assert ids(read(text).tasks) == ["T001", "T003"]


def test_a_fence_far_to_the_right_that_never_closes_hides_nothing() -> None:
    text = "## Phase 1: A\n- [ ] T001 a\n      ```text\n- [ ] T002 b\n## Phase 2: B\n- [ ] T003 c\n"
    assert ids(read(text).tasks) == ["T001", "T002", "T003"]


def test_bullets_that_speak_of_tasks_are_no_tasks() -> None:
    text = (
        "## Phase 1: A\n- [ ] T001 a\n- T005-T009 can run in parallel\n- T010 depends on T001\n- **T011**, T012: models\n"
        "- T013 → T014\n- T001 Create it\n"
    )
    assert ids(read(text).tasks) == ["T001"]


def test_a_placeholder_left_from_the_template_is_said_and_not_counted() -> None:
    found = read("## Phase 1: A\n- [x] T001 a\n- [ ] TXXX [P] Documentation updates\n")
    assert found.all_complete
    assert found.warnings == ("Line 3 is a placeholder of the template; it is not counted.",)


def test_a_box_for_several_ids_keeps_the_range_in_its_words() -> None:
    (task,) = read("## Phase 1: A\n- [ ] T001-T003 Do it\n").tasks
    assert (task.id, task.text) == ("T001", "-T003 Do it")


def test_full_width_signs_are_read() -> None:
    (task,) = read("## Phase 1：A\n- [ ] T001 【P】：做\n").tasks
    assert (task.parallel, task.text) == (True, "做")


def test_an_arrow_in_a_diagram_closes_no_comment() -> None:
    text = "## Phase 1: A\n```mermaid\nA --> B\n```\n- [ ] T001 a --> b\n- [ ] T002 b <!-- note --> c\n"
    assert ids(read(text).tasks) == ["T001", "T002"]


def test_a_file_without_ids_gives_its_top_level_boxes_by_line() -> None:
    text = "## Setup\n- [x] a\n- [ ] b\n  - [ ] detail\n## Acceptance Criteria\n- [ ] c\n"
    found = read(text)
    assert ids(found.tasks) == ["L2", "L3"]
    assert found.tasks[1].key == "3:L3"


def test_words_that_look_like_ids_do_not_make_the_other_boxes_vanish() -> None:
    assert ids(read("## Setup\n- [ ] S3 bucket\n- [ ] write code\n- [ ] E2E tests\n").tasks) == ["L2", "L3", "L4"]


@pytest.mark.parametrize("words", ["ES2022 target", "SHA256 sums", "ISO8601 dates", "UTC0000 offsets"])
def test_a_word_with_a_number_makes_no_task_of_the_others_vanish(words: str) -> None:
    assert ids(read(f"## Setup\n- [ ] {words}\n- [ ] write code\n- [x] write tests\n").tasks) == ["L2", "L3", "L4"]


def test_a_repeated_task_in_a_prose_section_is_counted_once_and_said() -> None:
    found = read("## Phase 1: A\n- [x] T001 a\n## Implementation Strategy\n- [ ] T001 a\n")
    assert found.all_complete
    assert found.warnings == ("Line 4 repeats T001 outside of the phases; it is not counted.",)


def test_an_id_used_twice_stays_two_tasks_and_is_said() -> None:
    found = read("## Phase 1: A\n- [x] T098 a\n- [ ] T098 b\n")
    assert [task.key for task in found.tasks] == ["2:T098", "3:T098"]
    assert "These IDs belong to more than one task: T098 (lines 2, 3)." in found.warnings


def test_a_task_carries_its_labels_text_paths_and_order() -> None:
    text = (
        "## Phase 3: User Story 1\n**Goal**: Log in\nby mail\n\n**Independent Test**: Try it\n\n"
        "- [ ] T012 [P] [US1] Create `src/models/user.py` and tests/test_user.py\n"
        "      with a migration (depends on T010, T011)\n\n**Checkpoint**: Users\n---\n"
    )
    (phase,) = read(text).phases
    (task,) = phase.tasks
    assert task.text == "Create `src/models/user.py` and tests/test_user.py with a migration (depends on T010, T011)"
    assert (task.parallel, task.story) == (True, "US1")
    assert task.paths == ("src/models/user.py", "tests/test_user.py")
    assert task.depends_on == ("T010", "T011")
    assert (phase.purpose, phase.independent_test, phase.checkpoint) == ("Log in by mail", "Try it", "Users")


@pytest.mark.parametrize("level", ["##", "###", "####"])
@pytest.mark.parametrize("mark", [" ", "x"])
def test_a_heading_that_repeats_the_id_of_a_box_is_the_title_of_that_task(level: str, mark: str) -> None:
    file = read_tasks(
        f"## Phase 1: A\n\n{level} T001 — Make a\n\n- [{mark}] T001 Write a.py\n\n{level} T002: Make b\n\n- [x] T002 Write b.py\n".encode()
    )
    assert [(phase.title, phase.total) for phase in file.phases] == [("Phase 1: A", 2)]


def test_a_heading_with_an_id_of_its_own_is_refused_still() -> None:
    with pytest.raises(SpecUnreadable, match="writes a task as a heading"):
        read_tasks(b"## Phase 1: A\n\n### T001: Make a\n\n### T002: Make b\n\n- [ ] T003 Write c.py\n")


def test_setup_without_continuous_integration_is_not_skipped() -> None:
    file = read_tasks(b"## Phase 1: Setup [skip ci]\n\n- [ ] T001 Write a.py\n")
    assert file.tasks[0].reasons == ()


@pytest.mark.parametrize("title", ["Spike: 技术验证", "Phase 0: Research", "阶段 1：调研"])
def test_finding_out_is_the_work_of_a_spike(title: str) -> None:
    text = "## {}\n\n- [ ] T001 Verify that the driver streams\n- [ ] T002 验证驱动\n"
    assert [task.flags for task in read_tasks(text.format(title).encode()).tasks] == [(), ()]
    assert [task.flags for task in read_tasks(text.format("Phase 9: Polish").encode()).tasks] == [("verify",)] * 2


@pytest.mark.parametrize(
    "title", ["Phase 9: Polish & Cross-Cutting Concerns", "Phase 7: Validation", "阶段 6：验收", "フェーズ5：検証"]
)
def test_among_the_last_checks_validating_and_testing_are_a_look(title: str) -> None:
    tasks = (
        "- [ ] T001 Validate error tracking\n- [ ] T002 Test the login flow\n- [ ] T003 Review the code, and fix findings\n"
        "- [ ] T004 Test limits in tests/test_limits.py\n- [ ] T005 Write a.py\n"
    )
    flags = [task.flags for task in read_tasks(f"## {title}\n\n{tasks}".encode()).tasks]
    assert flags == [("verify",), ("verify",), (), (), ()]
    assert [task.flags for task in read_tasks(f"## Phase 3: User Story 1\n\n{tasks}".encode()).tasks] == [()] * 5


@pytest.mark.parametrize("family", ["S3", "R1", "G1"])
def test_a_checklist_of_numbers_with_hyphens_is_no_list_of_tasks(family: str) -> None:
    lines = [f"- [ ] {family}-{number} upload x" for number in ("001", "01", "2024")]
    file = read_tasks("\n".join(["- [ ] T001 a", "- [ ] T002 b", *lines, ""]).encode())
    assert [task.id for task in file.tasks] == ["T001", "T002"]
