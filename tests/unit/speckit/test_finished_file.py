import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import SpecUnreadable
from moonmind.speckit.answer import AnswerKind, Repository, answer
from moonmind.speckit.features import Feature, find_features
from moonmind.speckit.finished_file import FinishedFile, finished, read_or_count
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.speckit.tasks_md import read_tasks
from tests.support.skeletons import EXPECTED, Skeleton, skeleton

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tasks_md"
OWN = [(FIXTURES / case["file"]).read_bytes() for case in json.loads((FIXTURES / "expected.json").read_text())]
HEAD = "# Tasks\n\n## Phase 1: Setup\n\n- [x] T001 Write a.py\n- [X] T002b [P] [US1] Write b.py\n\n"

CERTAIN: Mapping[str, tuple[str, tuple[int, int]]] = {
    "nothing more": ("", (2, 2)),
    "no phase": ("- [x] T003 c\n", (3, 3)),
    "the same id twice": ("- [x] T001 c\n", (3, 3)),
    "tasks set aside": ("- [~] T003 c\n- [-] T004 d\n- [ ] ~~T005 e~~\n", (5, 2)),
    "unusual ticks and ids": ("- [✓] T003 c\n* [x] **T-AI-01** d\n1. [x] T1-001 e\n  - [x] `T004` f\n", (6, 6)),
    "a box behind the id": ("- **T003 [X]** c\n", (3, 3)),
    "boxes of a checklist": ("## Acceptance\n\n- [ ] all tests pass\n- [] it is fast\n- [x] it is small\n", (2, 2)),
    "a fence": ("```bash\n- [ ] T003 c\n# Notes\n<!--\n```\n- [x] T004 d\n", (3, 3)),
    "tasks that others name": ("## Dependencies\n\n- T001 before T002b\n- T002b\n1. US1 first\n", (2, 2)),
    "a rule": ("---\n\n## Phase 2: B\n- [x] T003 c\n", (3, 3)),
    "a sample in a sentence": ("The format is `- [ ] T009 text`.\n", (2, 2)),
    "a date in a list": ("- 2001-01-31 it was checked\n", (2, 2)),
    "HTML within a line": ("- [x] T003 c <!-- d -->\n", (3, 3)),
    "an aside that ends": ("## Notes\n\nNone.\n\n## Phase 2: B\n\n- [x] T003 c\n", (3, 3)),
}
HOSTILE: Mapping[str, str] = {
    "an open task": "- [ ] T003 c\n",
    "an open task deep in a list": "- a\n  - b\n    - [ ] T003 c\n",
    "an open task in a numbered list": "1. [ ] T003 c\n2) [ ] T004 d\n",
    "an open task behind a star": "* [ ] T003 c\n+ [ ] T004 d\n",
    "an open task behind a tab": "-\t[ ] T003 c\n",
    "an open task after the id": "- **T003** [ ] c\n",
    "an open task with a sign": "- [ ] 🔴 T003 c\n",
    "an open task with other line ends": "a\r- [ ] T003 c\r- [ ] T004 d",
    "an open task without a space": "-[ ] T003 c\n",
    "an open task that is indented as code": "    - [ ] T003 c\n",
    "an open task of another family": "- [ ] M003 c\n- [ ] M004 d\n",
    "an open task as a link": "- [ ](c) T003 c\n",
    "an open task in a quote": "> - [ ] T003 c\n",
    "an open task on the next line": "- [ ]\n  T003 c\n",
    "an id in brackets": "- [ ] [T003] c\n",
    "an edit in an open task": "- [ ] T003 ~~c~~ d\n",
    "a task without a box": "- T003 c\n",
    "a numbered task without a box": "1. **T003** c\n",
    "an empty box": "- [] T003 c\n",
    "a box with a hard space": "- [\u00a0] T003 c\n",
    "a wide box": "- [x ] T003 c\n- [ x] T004 d\n",
    "an unknown mark": "- [?] T003 c\n- [→] T004 d\n",
    "tasks of another family": "- [x] M003 c\n- [x] M004 d\n",
    "an id that is a mere word": "- [x] S3 c\n",
    "a long id": "- [x] T0000001 c\n- [x] T003_a d\n- [x] T004-AB e\n- [x] T005.1 f\n- [x] T006bc g\n",
    "digits of another script": "- [x] T٠٠٣ c\n",
    "a comment": "<!--\n- [x] T003 c\n-->\n",
    "a comment that never ends": "<!--\n- [x] T003 c\n",
    "a comment in a list": "- a\n  <!--\n  - [x] T003 c\n  -->\n",
    "raw HTML": "<pre>\n- [x] T003 c\n</pre>\n",
    "HTML that hides a heading": "## Format\n\n<div>\n## Phase 2: B\n</div>\n\n- [x] T003 c\n",
    "a fence that never ends": "```\n- [x] T003 c\n",
    "a fence of tildes": "~~~\n- [x] T003 c\n~~~\n",
    "a long fence": "````\n```\n- [x] T003 c\n````\n",
    "a fence in a fence": "```\n```bash\n- [x] T003 c\n```\n- [x] T004 d\n",
    "a fence that is no fence": "```a`b\n- [x] T003 c\n```\n",
    "an indented fence": "  ```\n  - [x] T003 c\n  ```\n",
    "a fence in a list": "- ```\n  - [x] T003 c\n  ```\n",
    "a fence far to the right": "      ```\n      - [x] T003 c\n      ```\n",
    "a fence in a quote": "> ```\n- [x] T003 c\n> ```\n- [x] T004 d\n```\n",
    "a fence that ends far to the right": "```\n    ```\n- [x] T003 c\n```\n",
    "an underlined title": "Notes\n---\n- [x] T001 Write a.py\n",
    "a title with two lines under it": "Format\n=\n\n- [x] T003 c\n\nPhase 1: A\n=\n\nPhase 2: B\n===\n",
    "an underlined title in a list": "- Format\n  ---\n- [x] T003 c\n",
    "an indented title": "  ## Notes\n- [x] T001 Write a.py\n",
    "a title in a list": "- ## Format\n- [x] T003 c\n",
    "a title in a quote": "## Format\n\n> ## Phase 2: B\n\n- [x] T003 c\n",
    "a title that is closed": "### T003 #\n",
    "a title that is a task": "### T003: Make c\n\n### T004: Make d\n",
    "a title that repeats a task": "- [x] T004 d\n### Notes\n### T001: Make a\n- [x] T001 Write a.py\n",
    "a title with a tab": "##\tFormat\n- [x] T003 c\n",
    "a title without words": "##\n- [x] T003 c\n#######\n- [x] T004 d\n",
    "tasks that notes repeat": "## Notes\n- [x] T001 Write a.py\n",
    "tasks that are samples": "## Format\n- [x] T003 c\n",
    "samples below two tops": "# Phase 2: B\n\n# Phase 3: C\n\n## Format\n- [x] T003 c\n\n# Phase 4: D\n- [x] T004 d\n",
    "a top that ends no aside": "## Format\n\n# More\n\n- [x] T003 c\n",
    "a phase in bold": "#### Format\n\n**Phase 2: B**\n\n- [x] T003 c\n",
    "lists in lists": f"## Format\n\n{'- ' * 11}a\n\n## Phase 2: B\n- [x] T003 c\n",
    "quotes in quotes": f"## Format\n\n{'>' * 21} a\n## Phase 2: B\n- [x] T003 c\n",
    "lists behind tabs": "## Format\n\n- - - - - a\n\t\t\t- - - - - - b\n\n## Phase 2: B\n- [x] T003 c\n",
    "a conflict": "```\n<<<<<<< HEAD\n=======\n>>>>>>> b\n```\n",
    "the begin of a conflict": "```\n<<<<<<< HEAD\n```\n",
    "the end of a conflict": ">>>>>>> b\n",
    "the middle of a conflict": "||||||| b\n",
    "a NUL": "- [x] T003 \0\n",
    "the template": "## [FEATURE NAME]\n",
    "other line ends": "Text\r- [x] T003 c\r\n- [x] T004 d\u2028- [ ] T005 e\n",
    "signs without ink": "\ufeff- [ ] T003 c\n\u200b- [ ] T004 d\n",
}
FRONT: Mapping[str, str] = {
    "none": "",
    "usual": "---\ndescription: a\n\n---\n",
    "with a task": "---\n- [x] T009 a\n---\n",
    "with an open task": "---\n- [ ] T009 a\n---\n",
    "with a numbered task": "---\n1. [x] T009 a\n\n---\n",
    "that ends with dots": "---\na: b\n...\n1. [x] T009 a\n\n---\n",
    "that ends indented": "---\na: b\n  ---\n1. [x] T009 a\n\n---\n",
    "that ends with more": "---\na: b\n-----\n- [x] T009 a\n---\n",
    "that begins with more": "----\na: b\n---\n- [x] T009 a\n----\n",
    "that begins with words": "--- a\n- [x] T009 a\n---\n",
    "that never ends": "---\na: b\n",
    "a mark of the byte order": "\ufeff---\na: b\n---\n",
    "a blank line": "\n---\n\n- [x] T009 a\n---\n",
}
PIECES = [
    *(text for text, _ in CERTAIN.values()),
    *HOSTILE.values(),
    *("\n", "a\n", "# A\n", "## Phase 2: B\n\n", "### US1\n", "- [x] T005 c\n", "- [X] T006 d\n", "- a\n", "  b\n"),
]


def in_full(data: bytes) -> tuple[int, int] | None:
    """Return what the reader counts in a file that it reads and that has no open task."""
    try:
        found = read_tasks(data)
    except SpecUnreadable:
        return None
    return (found.total, found.completed) if found.next_phase is None else None


def is_true(data: bytes) -> bool:
    """Return True if what is said without reading holds."""
    return (counts := finished(data)) is None or counts == in_full(data)


def of_skeleton(name: str) -> dict[str, bytes]:
    return {path: data for path, data in skeleton(name).files.items() if path.endswith("/tasks.md")}


@pytest.mark.parametrize(("more", "counts"), CERTAIN.values(), ids=CERTAIN)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_a_finished_file_is_counted(more: str, counts: tuple[int, int], end: str) -> None:
    data = (HEAD + more).replace("\n", end).encode()
    assert finished(data) == counts == in_full(data)


@pytest.mark.parametrize("more", HOSTILE.values(), ids=HOSTILE)
def test_no_file_is_counted_otherwise_than_it_is_read(more: str) -> None:
    assert is_true((HEAD + more).encode())
    assert is_true(f"{HEAD}## Phase 2: B\n\n{more}- [x] T007 e\n## Phase 3: C\n- [x] T008 f\n".encode())
    assert is_true((more + HEAD).encode())


@pytest.mark.parametrize("front", FRONT.values(), ids=FRONT)
def test_what_stands_before_the_title_counts_as_it_is_read(front: str) -> None:
    assert is_true((front + HEAD).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"# Tasks\n", b"- [x] a\n- [x] b\n", b"- [x] T001 \xff\n", HEAD.encode() + b"a" * (1 << 20)],
    ids=["empty", "blank", "no task", "no ids", "no text", "too large"],
)
def test_what_has_no_task_with_an_id_or_is_no_text_is_read(data: bytes) -> None:
    assert finished(data) is None


@given(st.lists(st.sampled_from(PIECES), max_size=6), st.sampled_from(list(FRONT.values())), st.sampled_from(PIECES))
def test_whatever_stands_together_is_counted_as_it_is_read(pieces: list[str], front: str, last: str) -> None:
    assert is_true(f"{front}{HEAD}{''.join(pieces)}## Phase 9: Z\n- [x] T010 f\n{last}".encode())


@given(st.data())
def test_a_real_file_with_a_change_is_counted_as_it_is_read(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(OWN)).replace(b"[ ]", b"[x]").decode().splitlines(keepends=True)
    start = data.draw(st.integers(0, max(0, len(lines) - 30)))
    part = lines[:8] + lines[start : start + 30]
    place = data.draw(st.integers(0, len(part)))
    part.insert(
        place, data.draw(st.sampled_from(("", "  ", "    ", "- ", "> ", "\t"))) + data.draw(st.sampled_from(PIECES))
    )
    assert is_true("".join(part).encode())


def test_own_files_are_counted_as_they_are_read() -> None:
    ticked = [data.replace(b"[ ]", b"[x]") for data in OWN]
    assert all(map(is_true, (*OWN, *ticked)))
    assert sum(finished(data) is not None for data in ticked) >= len(ticked) // 3


def test_no_file_of_a_large_finished_project_has_to_be_read() -> None:
    found = [finished(data) for data in of_skeleton("11").values()]
    assert len(found) == 28
    assert sum(counts[0] for counts in found if counts) == 4000
    assert None not in found


def test_a_finished_file_is_read_when_more_is_asked_for() -> None:
    data = f"{HEAD}- [?] T003 c\n".encode()
    found, full = read_or_count(data), read_tasks(data)
    assert isinstance(found, FinishedFile)
    assert (found.total, found.completed, found.next_phase, found.all_complete) == (3, 2, None, True)
    assert (found.phases, found.warnings, found.tasks) == (full.phases, full.warnings, full.tasks)
    assert found.warnings


@pytest.mark.parametrize("text", [f"{HEAD}- [ ] T003 c\n", "- [x] a\n- [x] b\n"])
def test_every_other_file_is_read_at_once(text: str) -> None:
    assert read_or_count(text.encode()) == read_tasks(text.encode())


def test_what_cannot_be_read_is_refused_at_once_by_its_name() -> None:
    with pytest.raises(SpecUnreadable, match="specs/001-a"):
        read_or_count(b"<<<<<<< HEAD\n", name="specs/001-a/tasks.md")


def refused() -> TasksFile:
    raise AssertionError("this file was to be left alone")


def test_a_repository_in_which_all_is_done_is_answered_without_reading() -> None:
    features = find_features(["specs/001-a/tasks.md", "specs/002-b/tasks.md"])
    files = {one.path: FinishedFile(7, 5, refused) for one in features}
    found = answer(Repository(features, files, ()))
    assert found.kind is AnswerKind.NOTHING_LEFT
    assert found.text == "Every task of specs/001-a, specs/002-b is done (14 tasks)."


def test_open_work_whose_files_are_not_there_is_handed_out_without_reading_finished_features() -> None:
    features = find_features(["specs/001-a/tasks.md", "specs/002-b/tasks.md"])
    opened = read_tasks(b"- [ ] T001 Create src/a.py\n- [ ] T002 Create src/b.py\n- [ ] T003 Create src/c.py\n")
    files = {"specs/001-a": FinishedFile(7, 7, refused), "specs/002-b": opened}
    found = answer(Repository(features, files, ("src/a.py", "src/b.py")))
    assert found.kind is AnswerKind.WORK


@pytest.mark.in_every_run(6)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_repository_is_answered_as_if_all_was_read(name: str) -> None:
    project = skeleton(name)
    paths = (*project.files, *project.links)
    features = find_features(paths)
    counted, full = (files_of(project, features, read) for read in (read_or_count, read_tasks))
    assert [counts_of(file) for file in counted.values()] == [counts_of(file) for file in full.values()]
    for asked in ("", features[0].path):
        assert answer(Repository(features, counted, paths), requested=asked) == answer(
            Repository(features, full, paths), requested=asked
        )


def files_of(
    project: Skeleton, features: Iterable[Feature], read: Callable[[bytes], TasksFile]
) -> dict[str, TasksFile]:
    found: dict[str, TasksFile] = {}
    for feature in features:
        with contextlib.suppress(SpecUnreadable):
            found[feature.path] = read(project.files[feature.tasks_path])
    return found


def counts_of(file: TasksFile) -> tuple[int, int, bool]:
    return file.total, file.completed, file.all_complete
