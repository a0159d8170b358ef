import pytest

from moonmind.proof.python_pieces import python_pieces


def code_of(text: str) -> int:
    found = python_pieces(text)
    assert found is not None
    return sum(found.code.values())


@pytest.mark.parametrize(
    "text",
    [
        "'''Doc.'''\n",
        "pass\n",
        "...\n",
        "1\n",
        "def a(): pass\n",
        "class A:\n    '''Doc.'''\n",
        "raise NotImplementedError\n",
    ],
)
def test_what_does_nothing_is_no_piece(text: str) -> None:
    assert code_of(text) == 0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("a = 1\n", 1),
        ("def a():\n    return 1\n", 2),
        ("class A(B): pass\n", 1),
        ("try:\n    a()\nexcept E:\n    b()\nfinally:\n    c()\n", 4),
        ("match a:\n    case 1:\n        b()\n", 2),
        ("if a:\n    return_ = 1\nelse:\n    c()\n", 3),
    ],
)
def test_statements_are_pieces_with_those_inside_of_them(text: str, count: int) -> None:
    assert code_of(text) == count


def test_where_a_statement_stands_is_part_of_it() -> None:
    first, second = python_pieces("def a():\n    x = 1\n"), python_pieces("def b():\n    x = 1\n")
    assert first
    assert second
    assert not first.code & second.code


def test_a_condition_that_is_constant_skips_and_a_real_one_does_not() -> None:
    assert code_of("@pytest.mark.skipif(True)\ndef test_a():\n    assert b\n") == 0
    assert code_of("@pytest.mark.skipif(WINDOWS)\ndef test_a():\n    assert b\n") == 2


@pytest.mark.parametrize(
    "text", ["def a(:\n", "a" * 300_000, "(" * 10_000, "-" * 100_000 + "1", "a\0b", "x = " + "[" * 150]
)
def test_what_cannot_be_parsed_is_left_to_another_reader(text: str) -> None:
    assert python_pieces(text) is None
