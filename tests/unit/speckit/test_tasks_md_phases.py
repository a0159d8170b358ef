"""Phases: how they are found and in which order."""

from moonmind.speckit.tasks_md import SpecTask, TasksFile, read_tasks


def read(text: str) -> TasksFile:
    return read_tasks(text.encode())


def ids(tasks: tuple[SpecTask, ...]) -> list[str]:
    return [task.id for task in tasks]


def test_order_is_the_documents_and_a_stray_title_ends_no_phase() -> None:
    text = (
        "# Tasks\n## Phase 9: Nine\n- [x] T001 a\n# Note\n- [ ] T002 b\n## Phase 8: Eight\n- [ ] T003 c\n"
        "### Tests for Phase 2\n- [ ] T004 d\n## Polish\n- [ ] T005 e\n"
    )
    found = read(text)
    assert [(phase.title, ids(phase.tasks)) for phase in found.phases] == [
        ("Phase 9: Nine", ["T001", "T002"]),
        ("Phase 8: Eight", ["T003", "T004"]),
        ("Polish", ["T005"]),
    ]
    assert found.next_phase == found.phases[0]


def test_phases_may_be_headings_of_level_one_or_bold_lines() -> None:
    tops = read("# Tasks\n# Phase 1: A\n- [x] T001 a\n# Phase 2: B\n- [ ] T002 b\n")
    bold = read("## Tasks\n**Phase 1: A**\n- [x] T001 a\n\n**Phase 2: B**:\n- [ ] T002 b\n")
    for found in (tops, bold):
        assert [(phase.title, phase.total) for phase in found.phases] == [("Phase 1: A", 1), ("Phase 2: B", 1)]


def test_a_file_without_headings_is_one_phase() -> None:
    (phase,) = read("- [ ] T001 a\n- [x] T002 b\n").phases
    assert (phase.title, phase.line, phase.total, phase.completed) == ("Tasks", 1, 2, 1)


def test_a_phase_without_tasks_is_said_and_never_next() -> None:
    found = read("## Phase 1: A\nLater.\n## Phase 2: B\n- [ ] T001 a\n")
    assert [phase.title for phase in found.phases] == ["Phase 2: B"]
    assert found.warnings == ("'Phase 1: A' (line 1) has no task of its own.",)


def test_boxes_are_trusted_and_ticks_in_headings_are_not() -> None:
    found = read("## Phase 1: A ✅ COMPLETE\n- [ ] T001 a\n## Phase 2: B\n- [x] T002 b\n")
    assert found.next_phase == found.phases[0]
    assert any("boxes may be stale" in warning for warning in found.warnings)


def test_a_file_with_nothing_but_done_and_set_aside_tasks_has_nothing_next() -> None:
    found = read("## Phase 1: A\n- [x] T001 a\n- [~] T002 b\n")
    assert (found.total, found.completed, found.all_complete, found.next_phase) == (2, 1, True, None)
