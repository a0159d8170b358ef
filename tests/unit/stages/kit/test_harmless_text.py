import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from moonmind.stages.kit.harmless_text import code_block, inert, markdown, markdown_with_code, one_line

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
@pytest.mark.parametrize("render", [inert, markdown, markdown_with_code, lambda text: markdown_with_code(f"`{text}`")])
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


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("run `pip install x` now", "run `pip install x` now"),
        ("`a_b` and `c*d*`", "`a_b` and `c*d*`"),
        ("a lone ` stays a sign", "a lone \\` stays a sign"),
        ("``two`` are no code here", "\\`\\`two\\`\\` are no code here"),
        ("`cut in the mid", "\\`cut in the mid"),
        ("` `", "\\` \\`"),
        ("\\`a` b", "\\\\\\`a\\` b"),
        ("costs $5 to $6", "costs &dollar;5 to &dollar;6"),
    ],
)
def test_only_what_stands_between_single_backticks_is_code(text: str, shown: str) -> None:
    assert markdown_with_code(text) == shown


@given(st.text(alphabet=st.sampled_from("`ab\\<*_[]()$ "), max_size=60))
def test_nobody_leaves_a_code_span_or_begins_markup(text: str) -> None:
    tokens = MarkdownIt("commonmark").parseInline(markdown_with_code(f"x{text}", 600))[0].children or []
    assert {token.type for token in tokens} <= {"text", "code_inline", "text_special"}
    read = "".join(token.content for token in tokens)
    assert re.sub(r"[\s`]", "", read) == re.sub(r"[\s`]", "", one_line(f"x{text}", 300))


@given(st.text(max_size=300), st.integers(2, 100))
def test_a_line_never_exceeds_its_limit(text: str, limit: int) -> None:
    assert len(one_line(text, limit)) <= limit


@pytest.mark.parametrize("render", [markdown, markdown_with_code])
@pytest.mark.parametrize("limit", [20, 120, 500])
@pytest.mark.parametrize(
    "text", ["$" * 500, "&<>" * 200, "*_[]" * 200, "@a " * 200, "a" * 400 + "$" * 100, "`$` $" * 100]
)
def test_what_keeps_a_line_literal_does_not_make_it_longer(render: Callable[..., str], limit: int, text: str) -> None:
    shown = render(text, limit)
    assert limit - 20 <= len(shown) <= limit
    assert shown.endswith("…")


@pytest.mark.parametrize("render", [markdown, markdown_with_code])
@pytest.mark.parametrize(
    "text",
    [
        "# Approved by security",
        "###### x",
        "---",
        "- done",
        "+ done",
        "=====",
        "1. done",
        "12) done",
        "> said",
        "#",
        "* x",
        "```",
    ],
)
def test_a_line_begins_no_block(render: Callable[[str], str], text: str) -> None:
    for before in ("", "> ", "text\n"):
        tokens = [one.type for one in MarkdownIt("commonmark").parse(f"{before}{render(text)}\n")]
        quoted = ["blockquote_open", "blockquote_close"] if before == "> " else []
        assert sorted(tokens) == sorted([*quoted, "paragraph_open", "inline", "paragraph_close"])


@pytest.mark.parametrize(
    ("lines", "fence"),
    [
        (["a"], "```"),
        (["```"], "````"),
        (["x ````` y", "```"], "``````"),
        ([""], "```"),
        (["~~~", "    deep\tx"], "```"),
    ],
)
def test_a_block_of_code_keeps_its_lines_and_cannot_be_ended_by_them(lines: list[str], fence: str) -> None:
    shown = code_block(lines, 80, "  ")
    assert shown[0] == shown[-1] == f"  {fence}"
    assert [line.removeprefix("  ") for line in shown[1:-1]] == [line.replace("\t", " ") for line in lines]
    (token,) = [token for token in MarkdownIt().parse("\n".join(["- item", "", *shown])) if token.type == "fence"]
    assert token.content.splitlines() == [line.replace("\t", " ") for line in lines if line or len(lines) == 1][:9]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_acts_in_a_block_of_code(text: str) -> None:
    shown = "\n".join(code_block([text], 80))
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.|<!", shown)
    assert len(shown.splitlines()) == 3
