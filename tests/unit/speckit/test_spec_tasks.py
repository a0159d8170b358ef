from moonmind.speckit.spec_tasks import Mark, Phase, SpecTask, TasksFile


def a_task(number: int, mark: Mark) -> SpecTask:
    return SpecTask(f"T{number:03}", number, mark, "Do it", box_offset=0)


def a_phase(*marks: Mark) -> Phase:
    return Phase("Phase 1: A", 1, tuple(a_task(number, mark) for number, mark in enumerate(marks, start=2)))


def test_a_phase_counts_what_is_done_and_lists_what_is_open() -> None:
    phase = a_phase(Mark.DONE, Mark.OPEN, Mark.SET_ASIDE)
    assert (phase.total, phase.completed, phase.pending) == (3, 1, (phase.tasks[1],))


def test_the_next_phase_is_the_first_with_an_open_task() -> None:
    done, open_, later = a_phase(Mark.DONE), a_phase(Mark.OPEN), a_phase(Mark.OPEN, Mark.OPEN)
    file = TasksFile((done, open_, later))
    assert (file.next_phase, file.all_complete, file.total, file.completed) == (open_, False, 4, 1)


def test_no_tasks_are_never_complete() -> None:
    assert not TasksFile(()).all_complete


def test_a_key_tells_two_tasks_with_one_id_apart() -> None:
    assert a_task(7, Mark.OPEN).key == "7:T007"
