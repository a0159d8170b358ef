import pytest

from moonmind.speckit.wording import Asked, asked_in, asks_for_change


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Add docstrings to src/a.py", {Asked.COMMENTS}),
        ("Add a license header to src/a.go", {Asked.COMMENTS}),
        ("Add inline comments for the retry rule", {Asked.COMMENTS}),
        ("Format src/a.ts with prettier", {Asked.LAYOUT}),
        ("Create empty module files in src/", {Asked.STUB}),
        ("Add stubs for the gateway", {Asked.STUB}),
        ("Skip the flaky login test", {Asked.SKIPPED}),
        ("Make scripts/run.sh executable", {Asked.MODE}),
        ("Remove dead code", {Asked.LESS, Asked.REMOVAL}),
        ("Simplify the parser", {Asked.LESS}),
        ("Refactored store", {Asked.LESS}),
        # Words of the trade that only look like it.
        ("Create the Comment model", set()),
        ("Create a skeleton loader for the list", set()),
        ("Create TODO item model in src/todo.py", set()),
        ("Handle empty input", set()),
        ("Add a date format to the table header", set()),
        ("Create reducer and fixtures for movies", set()),
        ("Mark orders as paid", set()),
    ],
)
def test_what_the_words_ask_for(text: str, asked: set[Asked]) -> None:
    assert asked_in(text) == asked


@pytest.mark.parametrize(
    "text", ["Add x to a.py", "**Fix** a.py", "Extend a.py", "Wire the route", "Remove x", "`a.py` を更新"]
)
def test_a_change_to_what_is_there(text: str) -> None:
    assert asks_for_change(text)


@pytest.mark.parametrize(
    "text", ["Create a.py", "Implement a.py", "User model in a.py", "Test that it adds", "Write a.py"]
)
def test_something_new(text: str) -> None:
    assert not asks_for_change(text)
