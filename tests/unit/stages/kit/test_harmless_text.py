import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.stages.kit.harmless_text import inert, markdown, one_line

HOSTILE = [
    "@octocat please look",
    "fixes #1",
    "Closes octo/repo#12",
    "resolves GH-7",
    "fix https://github.com/o/r/issues/3",
    "![x](https://evil.example/pixel.png)",
    "<script>alert(1)</script>",
    "<!-- hidden --> text",
    "www.evil.example",
    "a\nb\r\nc\x00d\u202e",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("render", [inert, markdown])
def test_hostile_text_mentions_nobody_closes_nothing_and_links_nowhere(text: str, render: Callable[[str], str]) -> None:
    shown = render(text)
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.", shown)
    assert "\n" not in shown
    assert "\x00" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("text", HOSTILE)
def test_a_body_holds_no_html_and_no_markup_of_others(text: str) -> None:
    shown = markdown(text)
    assert "<" not in shown
    assert not re.search(r"(?<!\\)[\[\]!`*_]", shown)


def test_people_read_the_text_as_it_was_written() -> None:
    assert markdown("Add docs/a.md") == "Add docs/a.md"
    assert markdown("see `a_b` & <c>") == "see \\`a\\_b\\` &amp; &lt;c&gt;"
    assert inert("Phase 1: Setup").replace("\u200b", "") == "Phase 1: Setup"


@given(st.text(max_size=300), st.integers(2, 100))
def test_a_line_never_exceeds_its_limit(text: str, limit: int) -> None:
    assert len(one_line(text, limit)) <= limit
