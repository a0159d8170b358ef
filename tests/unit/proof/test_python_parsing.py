import ast
import resource
import time

import pytest

from moonmind.proof.python_parsing import parse_python

HOSTILE = {
    "a name of many parts": "import " + "a." * 200_000 + "a",
    "a name over lines": "import " + "a\\\n." * 60_000 + "a",
    "attributes": "a" + ".b" * 150_000,
    "expressions in a string": "f'" + "{a}" * 100_000 + "'",
    "brackets": "(" * 100_000,
    "signs": "-" * 300_000 + "1",
    "sums": "1+" * 200_000 + "1",
    "calls": "f" + "()" * 100_000,
    "branches": "if a:\n pass\n" + "elif a:\n pass\n" * 30_000,
    "no Python": "def a(:\n",
    "zero bytes": "a\0b",
    "a large file": "a\n" * 300_000,
    "a long number": "1" * 300_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_would_cost_the_parser_much_is_not_parsed(text: str) -> None:
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    assert parse_python(text) is None
    assert time.process_time() - began < 3
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB


@pytest.mark.parametrize(
    "text",
    [
        "import a.b.c\n" * 300,
        "x = f'{a}{b}'\n" * 5_000,
        "x = [" + "{'a': 1}," * 30_000 + "]\n",
        "x = (((((((1)))))))\n",
        "# :( :( :(\n" * 100,
        "'" + "A word. " * 500 + "'\n",
        "",
    ],
)
def test_ordinary_text_is_parsed(text: str) -> None:
    assert isinstance(parse_python(text), ast.Module)
