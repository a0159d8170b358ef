import pytest

from moonmind.proof.code_pieces import pieces_of, plain
from moonmind.proof.comment_syntax import syntax_of


def read(path: str, text: str) -> tuple[list[str], list[str]]:
    found = pieces_of(text, syntax_of(path, text))
    return sorted(found.code), sorted(found.stubs)


def test_blocks_and_statements_are_pieces() -> None:
    code, stubs = read("a.ts", "import x from 'y';\nfunction a(\n  b,\n) {\n  go(b);\n}\n")
    assert code == ["functiona(b,){", "go(b)", "importxfrom'y'"]
    assert stubs == []


@pytest.mark.parametrize(
    "text", ["function a() {}", "class A { b() { return null; } }", "it('a', () => { it.skip('b') })", "if (a) { }"]
)
def test_a_block_without_code_is_one_stub(text: str) -> None:
    code, stubs = read("a.ts", text)
    assert code == []
    assert len(stubs) == 1


@pytest.mark.parametrize(
    "text", ["a = {}", "go({})", "class A extends B {}", "constructor(private a: A) {}", "return {}"]
)
def test_braces_that_are_a_value_or_inherit_are_code(text: str) -> None:
    code, stubs = read("a.ts", text)
    assert len(code) == 1
    assert stubs == []


def test_what_only_prepares_is_the_frame() -> None:
    found = pieces_of("import a from 'b';\nconst logger = make();\nconst b = 1;\n", syntax_of("a.ts"))
    assert found.frame == {"importafrom'b'", "constlogger=make()"}


def test_data_is_not_judged_by_the_words_of_code() -> None:
    assert read("a.yml", "skip: true\nreturn: null\npass\n")[1] == []
    assert read("a.md", "Skip this.\nDescribe it.\n")[1] == []


def test_unclosed_and_too_many_braces_lose_nothing() -> None:
    assert read("a.ts", "a() {\n go(1)\n")[0] == ["a(){", "go(1)"]
    assert read("a.ts", "} } go(1)")[0] == ["go(1)"]
    deep = read("a.ts", "a {" * 5_000 + "go(1)" + "}" * 5_000)[0]
    assert any(piece.endswith("go(1)") for piece in deep)


def test_plain_text_keeps_words_apart() -> None:
    assert plain("  a \n  b ") == "a b"
