import pytest

from moonmind.proof.comment_syntax import syntax_of, tokens_of


def without_comments(path: str, text: str) -> str:
    return "".join(token.text for token in tokens_of(text, syntax_of(path, text)))


@pytest.mark.parametrize(
    ("path", "text", "left"),
    [
        ("a.py", "a = '#'  # c", "a = '#'   "),
        ("a.ts", 'a("//") // c', 'a("//")  '),
        ("a.sh", 'echo "${a#b}" $# # c', 'echo "${a#b}" $#  '),
        ("a.yml", "a: b#c # d", "a: b#c  "),
        ("a.sql", "select '--' -- c", "select '--'  "),
        ("a.rs", "fn a<'b>() {} // c", "fn a<'b>() {}  "),
        ("a.html", "<p>a</p><!-- c -->", "<p>a</p> "),
        ("a.md", "# a // b", "# a // b"),
        ("a.css", "a{} /* c */", "a{}  "),
        ("a.lua", "a --[[ c ]] b -- d", "a   b  "),
    ],
)
def test_comments_go_and_strings_stay(path: str, text: str, left: str) -> None:
    assert without_comments(path, text) == left


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("Dockerfile", "", "yaml"),
        ("Dockerfile.dev", "", "yaml"),
        (".env.example", "", "yaml"),
        ("bin/run", "#!/bin/sh\n", "shell"),
        ("bin/run", "#!/usr/bin/env python3\n", "python"),
        ("A.TS", "", "script"),
        ("unknown.zzz", "", "text"),
        ("LICENSE", "", "text"),
    ],
)
def test_a_syntax_is_known_by_the_name_or_the_first_line(path: str, text: str, name: str) -> None:
    assert syntax_of(path, text).name == name


def test_spaces_in_strings_are_marked_so_that_layout_does_not_hide_them() -> None:
    texts = [token.text for token in tokens_of("a = 'b c'", syntax_of("a.py")) if token.quoted]
    assert texts == ["'b\x01c'"]
