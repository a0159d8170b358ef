import pytest

from moonmind.errors import SpecUnreadable
from moonmind.speckit.blocks import LARGEST, Blocks, read_blocks


def read(text: str) -> Blocks:
    return read_blocks(text.encode(), "tasks.md")


@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_knows_where_its_bytes_begin(start: str, end: str) -> None:
    data = (start + end.join(["é", "", "# Ü", "last"])).encode()
    lines = read_blocks(data, "tasks.md").lines
    assert [(line.number, line.text) for line in lines] == [(1, "é"), (2, ""), (3, "# Ü"), (4, "last")]
    for line in lines:
        raw = line.text.encode()
        assert data[line.offset : line.offset + len(raw)] == raw


def test_separators_that_are_no_line_ends_keep_the_numbers_right() -> None:
    assert [heading.number for heading in read("a\u2028b\x0bc\x0cd\x85e\n# Heading\n").headings] == [2]


def test_headings_in_quotes_and_fences_are_none() -> None:
    found = read("# A\n> ## B\n```\n## C\n```\nD\n---\n### E ###\n")
    assert [(heading.number, heading.level, heading.title) for heading in found.headings] == [
        (1, 1, "A"),
        (6, 2, "D"),
        (8, 3, "E"),
    ]


def test_a_checkpoint_above_a_rule_is_no_heading() -> None:
    assert read("**Checkpoint**: done\n---\n").headings == ()


def test_what_is_no_text_is_hidden_with_its_kind() -> None:
    found = read("---\na: b\n---\n\n<!-- x\n-->\n\n```\ny\n```\n\n<pre>\nz\n</pre>\n")
    assert [(block.kind, block.first, block.last, block.closed) for block in found.hidden] == [
        ("front matter", 1, 3, True),
        ("comment", 5, 6, True),
        ("fence", 8, 10, True),
        ("raw HTML", 12, 14, True),
    ]
    assert [line.text for line in found.visible() if line.text] == []


@pytest.mark.parametrize("text", ["```\na\n", "~~~~\na\n~~~\n", "```\na\n~~~\n", "<!-- a\nb\n", "```"])
def test_a_block_that_never_ends_is_known_as_such(text: str) -> None:
    (block,) = read(text).hidden
    assert not block.closed


def test_an_item_knows_how_deep_it_stands() -> None:
    assert [line.depth for line in read("- a\n  - b\n    text\n      1. c\n- d\n").lines] == [1, 2, 0, 3, 1, 0]


def test_the_largest_file_is_read_and_one_byte_more_is_not() -> None:
    assert len(read_blocks(b"a" * LARGEST, "tasks.md").lines) == 1
    with pytest.raises(SpecUnreadable, match="are read"):
        read_blocks(b"a" * (LARGEST + 1), "tasks.md")
