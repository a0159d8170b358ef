import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.spec_tasks import Mark
from moonmind.speckit.task_line import Fault, is_about_tasks, is_placeholder, read_item


@pytest.mark.parametrize(
    ("line", "parallel", "story", "text"),
    [
        ("- [ ] T001 Do it", False, None, "Do it"),
        ("- [ ] T001 [P] Do it", True, None, "Do it"),
        ("- [ ] T001 [P] [US1] Do it", True, "US1", "Do it"),
        ("- [ ] T001 [P][US1] Do it", True, "US1", "Do it"),
        ("- [ ] T001 [US1, US2] Do it", False, "US1, US2", "Do it"),
        ("- [ ] [P] [US3] T001 Do it", True, "US3", "Do it"),
        ("- [ ] **T001** [P] Do it", True, None, "Do it"),
        ("- [ ] **T001 [P] Do it** with care", True, None, "Do it with care"),
        ("- [ ] **T001**: Do it", False, None, "Do it"),
        ("- [ ] T001 - Do it", False, None, "Do it"),
        ("- [ ] T001 — **Do** it", False, None, "**Do** it"),
        ("- [ ] T001 **[PRIORITY]** Do it", False, None, "**[PRIORITY]** Do it"),
        ("- [ ] T001", False, None, ""),
    ],
)
def test_labels_are_taken_off_the_text(line: str, parallel: bool, story: str | None, text: str) -> None:
    item = read_item(line)
    assert item
    assert (item.id, item.parallel, item.story, item.text) == ("T001", parallel, story, text)


@pytest.mark.parametrize(
    ("line", "family"),
    [
        ("- [ ] T012 a", "T"),
        ("- [ ] T-012 a", "T"),
        ("- [ ] T-AI-01 a", "T-AI"),
        ("- [ ] M001 a", "M"),
        ("- [ ] words", ""),
    ],
)
def test_an_item_knows_the_kind_of_its_id(line: str, family: str) -> None:
    item = read_item(line)
    assert item
    assert item.family == family


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("- [] T001 a", Fault.EMPTY_BOX),
        ("- [  ] T001 a", Fault.EMPTY_BOX),
        ("- [\t] T001 a", Fault.ODD_SPACE),
        ("- T001 a", Fault.NO_BOX),
    ],
)
def test_a_line_that_means_to_be_a_task_says_what_is_wrong(line: str, fault: Fault) -> None:
    item = read_item(line)
    assert item
    assert item.fault is fault


@pytest.mark.parametrize(
    "line",
    [
        "text",
        "-[ ](a.md)",
        "-[P] T001",
        "- [P] T001",
        "- [US1] a",
        "- [ ](a.md)",
        "- [x][ref]",
        "# T001",
        "",
        "- plain",
        "T001 a",
    ],
)
def test_other_lines_are_no_items(line: str) -> None:
    assert read_item(line) is None


def test_an_unknown_mark_is_set_aside_and_remembered() -> None:
    item = read_item("- [?] T001 a")
    assert item
    assert (item.mark, item.odd_mark) == (Mark.SET_ASIDE, "?")


@pytest.mark.parametrize("line", ["- [ ] TXXX a", "- [ ] **TXXX** [P] a", "- [ ] T### a"])
def test_placeholders_are_known(line: str) -> None:
    assert is_placeholder(line)


@pytest.mark.parametrize("line", ["- [ ] T001 a", "- [ ] TXXXL shirts", "TXXX"])
def test_other_lines_are_no_placeholders(line: str) -> None:
    assert not is_placeholder(line)


@pytest.mark.parametrize(
    "words", ["T001-T005 in parallel", "T001 → T002", "**T001** blocks T002", "T001, T002", "T001 and T002"]
)
def test_words_about_tasks_are_told(words: str) -> None:
    assert is_about_tasks(words)


@pytest.mark.parametrize("words", ["T001 Create it", "**T018** b", "T001: Do it", "T001 - Do it"])
def test_from_words_that_are_a_task(words: str) -> None:
    assert not is_about_tasks(words)


@given(st.text(), st.sampled_from(["- ", "- [ ] ", "- [x] T001", "* **T001 ", "1. "]))
def test_the_column_is_that_of_the_mark(text: str, start: str) -> None:
    line = (start + text).replace("\n", " ").replace("\r", " ")
    item = read_item(line)
    if item and item.column >= 0 and item.fault is None:
        assert line[item.column - 1] == "["
        assert (line[item.column] == " ") == (line[item.column : item.column + 2] == " ]")
