import pytest

from moonmind.proof.comment_syntax import syntax_of
from moonmind.proof.stub_words import does_nothing, holds_skip_mark, prepares, skips

CODE, PROSE = syntax_of("a.ts"), syntax_of("a.md")


@pytest.mark.parametrize(
    "words",
    ["pass", "...", "return", "return nil", "return None", "throw new Error('Not implemented')", 'panic!("todo")', "todo!()",
     "unimplemented!()", 'fatalError("implement me")', "assert True", "expect(true).toBe(true)", "console.log('TODO')", "TODO()",
     "throw new NotImplementedException()", 'die("not yet implemented")', "it.skip('a')", "t.Skip()", "xit('a')"],
)  # fmt: skip
def test_stubs(words: str) -> None:
    assert does_nothing(words, CODE)


@pytest.mark.parametrize(
    "words",
    ["return 1", "return nilValue", "passed()", "throw new Error('Not found')", "todos.push(a)", "todoList()", "assert a",
     "expect(a).toBe(true)", "console.log('done')", "skipper.go()", "panic(err)", "it('skips')", "const todo = 1"],
)  # fmt: skip
def test_code(words: str) -> None:
    assert not does_nothing(words, CODE)


def test_prose_is_a_stub_only_where_it_promises_to_be_written() -> None:
    assert does_nothing("TODO: write this", PROSE)
    assert not does_nothing("pass", PROSE)
    assert not does_nothing("Return to the list of todos", PROSE)


def test_skip_marks_and_calls() -> None:
    assert skips("describe.skip('a', () =>")
    assert not skips("describe('skip', () =>")
    assert holds_skip_mark("@Test @Disabled void a()")
    assert not holds_skip_mark("@Test void disabled()")


@pytest.mark.parametrize(
    "words", ["import a from 'b'", "use std::fs", "#include <a>", "@Override", "const log = make()", "package a"]
)
def test_what_prepares(words: str) -> None:
    assert prepares(words)


@pytest.mark.parametrize(
    "words", ["important()", "useState(a)", "logger.info(a)", "const login = 1", "packages.push(a)"]
)
def test_what_does_something(words: str) -> None:
    assert not prepares(words)
