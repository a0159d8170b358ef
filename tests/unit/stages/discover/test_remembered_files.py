import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.discover import remembered_files
from moonmind.stages.discover.remembered_files import read_remembered

TEXT = b"# Tasks\n\n## Phase 1: A\n\n- [ ] T001 Write a.py\n"


@pytest.mark.parametrize(
    ("data", "again"), [(TEXT, True), (TEXT.replace(b"[ ]", b"[x]"), True), (TEXT + b"\n" * 1000, False)]
)
def test_the_same_bytes_are_read_once_unless_they_are_many(
    monkeypatch: pytest.MonkeyPatch, data: bytes, again: bool
) -> None:
    monkeypatch.setattr(remembered_files, "LARGEST", 1000)
    remembered_files.forget()
    first = read_remembered(data, name="tasks.md")
    full = read_tasks(data)
    assert (first.phases, first.warnings, first.completed) == (full.phases, full.warnings, full.completed)
    assert (read_remembered(data, name="tasks.md") is first) is again
    remembered_files.forget()
    assert read_remembered(data, name="tasks.md") is not first


@pytest.mark.parametrize("name", ["specs/001-a/tasks.md", "specs/002-b/tasks.md"])
def test_a_file_that_cannot_be_read_is_refused_every_time_by_its_own_name(name: str) -> None:
    for _ in range(2):
        with pytest.raises(SpecUnreadable, match=name):
            read_remembered(b"<<<<<<< HEAD\n", name=name)


def test_one_letter_makes_another_file() -> None:
    done = read_remembered(TEXT.replace(b"[ ]", b"[x]"), name="tasks.md")
    assert (read_remembered(TEXT, name="tasks.md").completed, done.completed) == (0, 1)
