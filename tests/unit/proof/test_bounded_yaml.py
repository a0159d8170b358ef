import contextlib
import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.bounded_yaml import LARGEST, YamlRefused, read_yaml


def refusal(text: str | bytes) -> YamlRefused:
    with pytest.raises(YamlRefused) as found:
        read_yaml(text if isinstance(text, bytes) else text.encode())
    return found.value


def test_each_part_knows_its_line() -> None:
    whole = read_yaml(b"\n# a comment\na:\n  - b\n  - c: 1\n    d: 'x'\n")
    assert whole is not None
    assert whole.value == {"a": ("b", {"c": 1, "d": "x"})}
    assert [whole.at("a").line, whole.at("a", 1).line, whole.at("a", 1, "d").line] == [4, 5, 6]
    assert whole.at("a", 1).keys == {"c": 5, "d": 6}


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n# nothing\n"])
def test_a_file_without_content_holds_nothing(text: str) -> None:
    whole = read_yaml(text.encode())
    assert whole is None or whole.value is None


@pytest.mark.parametrize("text", ["\ufeffa: b\n", "a: b\r\n", "a: b", "{a: b}", "---\na: b\n...\n", '"a": "b"\n'])
def test_one_document_may_be_written_in_several_ways(text: str) -> None:
    whole = read_yaml(text.encode())
    assert whole is not None
    assert whole.value == {"a": "b"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: b\nc: &x [1]\n", 2, "an anchor"),
        ("a: b\nc: *x\n", 2, "an alias"),
        ("a: &a [*a, *a]", 1, "an anchor"),
        ("a: b\n\nc: !!python/object/apply:os.system [id]\n", 3, "a tag"),
        ("a: !local b\n", 1, "a tag"),
        ("a: b\nc: d\na: e\n", 3, "`a` is there already, on line 1"),
        ("a: {b: c, b: d}\n", 1, "`b` is there already"),
        ("a:\n  <<: {b: c}\n", 2, "a key that is no plain word"),
        ("? [a]\n: b\n", 1, "a key that is no plain word"),
        ("1: b\n", 1, "a key that is no plain word"),
        ("a: b\n---\nc: d\n", 2, "a second document"),
        ("a: 2024-01-01\n", 1, "no text in YAML"),
        (f"a: {'9' * 5000}\n", 1, "no text in YAML"),
        ("a: [b\nc: d\n", 2, "is not YAML"),
        ("a: b\n\tc: d\n", 2, "is not YAML"),
        ("a: 'b\n", 2, "is not YAML"),
        ("a: b\nc: d\x07\n", 2, "the control character U+0007"),
        ("a: b\n\0\n", 2, "the control character U+0000"),
        (b"a: b\nc: \xff\n", 2, "is not UTF-8"),
        ("a: " + "[" * 30 + "]" * 30, 1, "nested deeper"),
        ("a:\n" + "- b\n" * 6_000, 4_999, "more than 5000 values"),
        (b"#" * (LARGEST + 1), None, "more than 64 KiB"),
    ],
    ids=range(22),
)  # fmt: skip
def test_what_is_not_plain_data_is_refused_by_its_line(text: str | bytes, line: int | None, words: str) -> None:
    found = refusal(text)
    assert words in found.text
    assert found.fix.endswith(".")
    assert found.line == line


def test_lines_are_counted_as_editors_count_them() -> None:
    assert refusal("a: 'b\u2028c\x85d'\ne: &f g\n").line == 2


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "piece",
    [
        "[",
        "{",
        "- ",
        "? ",
        "a: ",
        "*a ",
        "&a ",
        '"',
        "'",
        "|\n",
        "!!",
        "%",
        "a,",
        "[a, ",
        "1:",
        "0.",
        "_",
        "\n",
        " ",
        "-\n ",
        "a:\n b:\n",
    ],
)
def test_hostile_yaml_is_refused_or_read_at_once(piece: str) -> None:
    text = (piece * LARGEST)[:LARGEST]
    for begin in ("", "a: ["):
        with contextlib.suppress(YamlRefused):
            read_yaml((begin + text)[:LARGEST].encode())


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(YamlRefused):
        whole = read_yaml(data)
        assert whole is None or not isinstance(whole.value, dt.date)


@given(st.text(alphabet="ab:-[]{}#&*!|>'\"%@`?,\n \t0.1~<", max_size=60))
def test_any_signs_of_yaml_are_read_or_refused(text: str) -> None:
    with contextlib.suppress(YamlRefused):
        read_yaml(text.encode())
