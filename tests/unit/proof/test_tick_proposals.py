"""Boxes are proposed for tasks whose files are all there and do something, and for no others."""

from collections.abc import Mapping

import pytest

from moonmind.proof.tick_proposals import tick_proposals
from moonmind.speckit.feature import Feature
from moonmind.speckit.features import find_features
from moonmind.speckit.tasks_md import read_tasks
from moonmind.speckit.tree import Tree

CODE = b"def work():\n    return compute(41) + 1\n"
STUB = b"def work():\n    raise NotImplementedError\n"


def look(tasks: str, files: Mapping[str, bytes], feature: str = "specs/001-a") -> tuple[list[str], dict[str, str]]:
    """Return the ids that are proposed, and of the others that were looked at why they are not."""
    paths = [*files, f"{feature}/tasks.md"]
    found: Feature
    (found,) = find_features(paths)
    file = read_tasks(f"## Phase 1: Setup\n\n{tasks}\n".encode(), name="tasks.md")
    proposals, doubts = tick_proposals(found, file, Tree(paths), files.get)
    return [one.task.id for one in proposals], {one.task.id: one.because for one in doubts}


@pytest.mark.parametrize(
    ("task", "files"),
    [
        ("Create `src/a.py`", {"src/a.py": CODE}),
        ("Create src/a.py with the model", {"src/a.py": CODE}),
        ("Implement `src/a.py` and `src/b.py`", {"src/a.py": CODE, "src/b.py": CODE}),
        ("Create `Src/A.py`", {"src/a.py": CODE}),
        ("Create package `src/p/__init__.py`", {"src/p/__init__.py": b""}),
        ("Create a stub in `src/a.py`", {"src/a.py": STUB}),
        ("Create folder `src/models/`", {"src/models/a.py": CODE}),
    ],
)
def test_a_task_whose_files_are_all_there_is_proposed(task: str, files: Mapping[str, bytes]) -> None:
    assert look(f"- [ ] T001 {task}", files) == (["T001"], {})


@pytest.mark.parametrize(
    ("task", "files", "because"),
    [
        ("Create `src/a.py` and `src/b.py`", {"src/a.py": CODE}, "src/b.py is not there"),
        ("Create `src/a.py`", {"src/a.py": b""}, "src/a.py is empty"),
        ("Create `src/a.py`", {"src/a.py": STUB}, "src/a.py is only a stub"),
        ("Create `src/a.py`", {"src/a.py": b"# later\n"}, "src/a.py is only comments"),
        (
            "Update `src/a.py`",
            {"src/a.py": CODE},
            "it asks to change what was there before, which a file does not show",
        ),
        ("Fix the parser in `src/a.py`", {"src/a.py": CODE}, "it asks to change"),
    ],
)
def test_a_task_that_files_do_not_show_is_not(task: str, files: Mapping[str, bytes], because: str) -> None:
    proposed, doubts = look(f"- [ ] T001 {task}", files)
    assert proposed == []
    assert doubts["T001"].startswith(because)


@pytest.mark.parametrize(
    "task",
    [
        "- [x] T001 Create `src/a.py`",
        "- [~] T001 Create `src/a.py`",
        "- [ ] T001 [manual] Create `src/a.py`",
        "- [ ] T001 Create something",
        "- [ ] T001 Create `src/other.py`",
    ],
)
def test_what_is_not_open_or_names_nothing_that_is_there_is_passed_over(task: str) -> None:
    assert look(task, {"src/a.py": CODE}) == ([], {})


def test_paths_are_looked_for_below_the_features_own_project() -> None:
    files = {"backend/src/a.py": CODE, "backend/package.json": b"{}"}
    assert look("- [ ] T001 Create `src/a.py`", files, "backend/specs/001-a") == (["T001"], {})


def test_an_id_that_stands_on_several_open_lines_is_not_proposed_unless_all_are_done() -> None:
    twice = "- [ ] T001 Create `src/a.py`\n- [ ] T001 Create `src/b.py`"
    assert look(twice, {"src/a.py": CODE}) == ([], {"T001": "its id stands on other open lines too"})
    assert look(twice, {"src/a.py": CODE, "src/b.py": CODE}) == (["T001", "T001"], {})


def test_a_file_that_is_too_large_to_look_into_is_said() -> None:
    feature = Feature("001-a", "specs/001-a", "specs/001-a/tasks.md")
    file = read_tasks(b"## Phase 1: Setup\n\n- [ ] T001 Create `src/a.py`\n")
    proposals, (doubt,) = tick_proposals(feature, file, Tree(["src/a.py"]), lambda _: None)
    assert (proposals, doubt.because) == ((), "src/a.py is no file that can be looked into")
