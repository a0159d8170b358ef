import pytest

from moonmind.adapters.supervisor.printout import Printout
from moonmind.redact import MASK, Redactor

SECRET = "correct-horse-battery"


def printed(*lines: str) -> Printout:
    made = Printout(Redactor((SECRET,)))
    for line in lines:
        made.take(line.encode())
    return made


@pytest.mark.parametrize(
    ("line", "cut", "logged"),
    [
        (b"  as it is \t", 0, b"  as it is \t"),
        (b"", 0, b""),
        (b"\x1b[31mred\x1b[0m", 0, b"\x1b[31mred\x1b[0m"),
        (b"token " + SECRET.encode(), 0, f"token {MASK}".encode()),
        (b"\xff\xfe", 0, "\N{REPLACEMENT CHARACTER}".encode() * 2),
        (b"long", 7, b"long [7 more bytes were left out]"),
        (b'{"type": "turn.completed"}', 0, b'{"type": "turn.completed"}'),
    ],
)
def test_a_line_is_logged_as_it_is_but_for_secrets(line: bytes, cut: int, logged: bytes) -> None:
    assert Printout(Redactor((SECRET,))).take(line, cut) == (logged, True)


def test_the_last_lines_are_kept_without_blank_ones() -> None:
    assert printed("first", "", "  ", "last").facts() == {"output": "first\nlast"}
    assert printed(*(str(number) for number in range(100))).facts()["output"].split("\n")[0] == "80"


def test_the_last_characters_are_kept_and_a_secret_over_two_lines_is_not() -> None:
    assert printed("a" * 5000, "b" * 3000).facts()["output"] == "a" * 999 + "\n" + "b" * 3000
    assert SECRET[10:] not in printed(f"key: {SECRET[:10]}", SECRET[10:]).facts()["output"]
