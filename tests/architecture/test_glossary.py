"""The glossary leads to files that exist, and has each word once."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = re.findall(r"^\| \*\*(.+?)\*\* \|.*\| (.*) \|$", (ROOT / "GLOSSARY.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("word", "where"), ROWS)
def test_a_word_is_where_the_glossary_says(word: str, where: str) -> None:
    places = re.findall(r"`([^`]+)`", where)
    assert places, word
    assert [place for place in places if not (ROOT / place).exists()] == []


def test_a_word_stands_once() -> None:
    words = [word for word, _ in ROWS]
    assert sorted(words) == sorted(set(words))


@pytest.mark.parametrize("word", ["Archive", "Finding", "Left-out file", "Verdict"])
def test_a_word_that_people_meet_in_a_pull_request_is_explained(word: str) -> None:
    assert word in [found for found, _ in ROWS]
