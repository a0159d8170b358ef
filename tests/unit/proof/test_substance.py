"""What counts as a change, in the languages that phases are written in."""

import time
from dataclasses import dataclass

import pytest

from moonmind.proof.substance import Kind, substance_of
from moonmind.speckit.wording import Asked


@dataclass(frozen=True)
class Language:
    """Pieces of one language: `code` was there before, the rest is added to it."""

    path: str
    code: str
    real: str
    comment: str
    stubs: tuple[str, ...]


LANGUAGES = {
    "python": Language(
        "src/a.py",
        "import os\n\n\ndef area(x):\n    return x * x\n",
        "\n\ndef volume(x):\n    return area(x) * x\n",
        '# about it\n"""And more."""\n',
        (
            "\n\ndef volume(x):\n    raise NotImplementedError\n",
            "\n\ndef volume(x):\n    pass\n",
            '\n\ndef volume(x):\n    """Return the volume."""\n    ...\n',
            "\n\ndef volume(x):\n    return None\n",
            '\n\nclass Cube:\n    def volume(self):\n        raise NotImplementedError("later")\n',
            '\n\nimport math\n\n\ndef volume(x):\n    print("TODO")\n',
            '\n\nasync def volume(x):\n    raise Exception("not implemented yet")\n',
        ),
    ),
    "typescript": Language(
        "src/a.ts",
        "export function area(x: number): number {\n  return x * x;\n}\n",
        "export const volume = (x: number) => area(x) * x;\n",
        "// about it\n/* and\n more */\n",
        (
            "export function volume(x: number): number {\n  throw new Error('Not implemented');\n}\n",
            "export const volume = (x: number) => {};\n",
            "export function volume(\n  x: number,\n  y: number,\n): void {\n  // TODO\n}\n",
            "export class Cube {\n  volume() {\n    return null;\n  }\n}\n",
            "import { y } from './y';\nexport async function volume() { return undefined }\n",
            'export function volume() {\n  console.log("TODO: implement");\n}\n',
        ),
    ),
    "javascript": Language(
        "web/a.jsx",
        "export default function Page() {\n  return <p>one</p>;\n}\n",
        "export function Other() {\n  return <p>two {count}</p>;\n}\n",
        "/** about it */\n",
        ("export function Other() {\n  return null;\n}\n", "function other() {}\nmodule.exports = { other }\n"),
    ),
    "go": Language(
        "pkg/a.go",
        "package a\n\nfunc Area(x int) int {\n\treturn x * x\n}\n",
        "\nfunc Volume(x int) int {\n\treturn Area(x) * x\n}\n",
        "// Volume is the volume.\n",
        (
            '\nfunc Volume(x int) int {\n\tpanic("TODO")\n}\n',
            "\nfunc Volume(x int) error {\n\treturn nil\n}\n",
            "\nfunc Volume(x int) {\n}\n",
        ),
    ),
    "rust": Language(
        "src/a.rs",
        "pub fn area(x: u32) -> u32 {\n    x * x\n}\n",
        "pub fn volume(x: u32) -> u32 {\n    area(x) * x\n}\n",
        "/// The volume.\n//! More.\n",
        (
            "pub fn volume(x: u32) -> u32 {\n    todo!()\n}\n",
            "pub fn volume(x: u32) -> u32 {\n    unimplemented!(\"later\")\n}\n",
            "struct Cube {}\nimpl Cube {\n    fn volume<'a>(&'a self) {}\n}\n",
        ),
    ),
    "java": Language(
        "src/A.java",
        "package a;\n\npublic class A {\n  int area(int x) {\n    return x * x;\n  }\n}\n",
        "class B {\n  int volume(int x) {\n    return x * x * x;\n  }\n}\n",
        "/** The volume. */\n",
        (
            'class B {\n  int volume() {\n    throw new UnsupportedOperationException("Not implemented");\n  }\n}\n',
            "class B {\n  void volume() {\n  }\n}\n",
            "class B {\n  @Override\n  public Object volume() { return null; }\n}\n",
        ),
    ),
    "shell": Language(
        "scripts/a.sh",
        '#!/bin/sh\nset -eu\nprintf "%s" "${1#x}"\n',
        'volume() {\n  printf "%s" "$(( $1 * $1 ))"\n}\n',
        "# about it\n",
        ("volume() {\n  :\n}\n", "volume() {\n  echo TODO\n}\n", 'volume() {\n  echo "not implemented"\n}\n'),
    ),
    "c#": Language(
        "src/A.cs",
        "class A {\n  int Area(int x) => x * x;\n}\n",
        "class B {\n  int Volume(int x) { return x * x * x; }\n}\n",
        "/// <summary>More</summary>\n",
        ("class B {\n  int Volume(int x) { throw new NotImplementedException(); }\n}\n",),
    ),
    "kotlin": Language(
        "src/A.kt", "fun area(x: Int): Int {\n  return x * x\n}\n", "fun volume(x: Int) = x * x * x\n", "// more\n",
        ('fun volume(x: Int): Int {\n  TODO("later")\n}\n',),
    ),
    "swift": Language(
        "App/A.swift", "func area(x: Int) -> Int {\n  return x * x\n}\n", "func volume(x: Int) -> Int { x * x * x }\n", "// more\n",
        ('func volume(x: Int) -> Int {\n  fatalError("not implemented")\n}\n',),
    ),
    "php": Language(
        "src/A.php", "<?php\nfunction area($x) {\n  return $x * $x;\n}\n", "function volume($x) { return $x ** 3; }\n", "# more\n",
        ('function volume($x) {\n  throw new \\Exception("Not implemented");\n}\n',),
    ),
    "ruby": Language(
        "lib/a.rb", "def area(x)\n  x * x\nend\n", "def volume(x)\n  x ** 3\nend\n", "# more\n",
        ("def volume(x)\n  raise NotImplementedError\nend\n", "class Cube\n  def volume\n    nil\n  end\nend\n"),
    ),
    "yaml": Language("ci/a.yml", "on: push\n", "jobs:\n  test: {}\n", "# more\n", ()),
    "toml": Language("a.toml", "[tool]\nname = 'a#b'\n", "size = 1\n", "# more\n", ()),
    "sql": Language("db/a.sql", "create table a (id int);\n", "create table b (id int);\n", "-- more\n/* and */\n", ()),
    "css": Language("web/a.css", ".a { color: red }\n", ".b { color: blue }\n", "/* more */\n", (".b {\n}\n",)),
    "html": Language("web/a.html", "<p>one</p>\n", "<p>two</p>\n", "<!-- more -->\n", ()),
    "dockerfile": Language("Dockerfile", "FROM scratch\n", "COPY a /a\n", "# more\n", ()),
}  # fmt: skip
each_language = pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
STUBS = [
    pytest.param(language, stub, id=f"{name}-{number}")
    for name, language in LANGUAGES.items()
    for number, stub in enumerate(language.stubs)
]


def kind(path: str, before: str | None, after: str) -> Kind:
    return substance_of(path, None if before is None else before.encode(), after.encode()).kind


@each_language
def test_code_counts_in_a_new_file_and_in_an_old_one(language: Language) -> None:
    assert kind(language.path, None, language.code) is Kind.COUNTS
    assert kind(language.path, language.code, language.code + language.real) is Kind.COUNTS


@each_language
def test_comments_and_blank_lines_do_not(language: Language) -> None:
    code = language.code
    assert kind(language.path, code, code) is Kind.SAME
    assert kind(language.path, code, language.comment + code + "\n\n" + language.comment) is Kind.COMMENTS
    assert kind(language.path, code, code.replace("\n", "\n\n") + "  \n") is Kind.LAYOUT
    assert kind(language.path, code, code.replace("\n", "\r\n")) is Kind.LAYOUT
    assert kind(language.path, None, language.comment) is not Kind.COUNTS


@pytest.mark.parametrize(("language", "stub"), STUBS)
def test_a_stub_does_not_count_until_it_is_filled(language: Language, stub: str) -> None:
    assert kind(language.path, None, stub) is Kind.STUB
    assert kind(language.path, language.code, language.code + stub) is Kind.STUB
    assert kind(language.path, stub, stub + language.real) is Kind.COUNTS


@each_language
def test_a_file_without_its_code_is_emptied(language: Language) -> None:
    assert kind(language.path, language.code, "") is kind(language.path, language.code, "\n\n") is Kind.EMPTIED
    for left in (language.comment, *language.stubs):
        assert kind(language.path, language.real, left) is Kind.GUTTED


@each_language
def test_lines_that_only_go_count_where_the_task_asks_for_less(language: Language) -> None:
    found = substance_of(language.path, (language.code + language.real).encode(), language.code.encode())
    assert found.kind is Kind.LESS
    assert found.counts({Asked.LESS})
    assert not found.counts(set())


@pytest.mark.parametrize("name", ["__init__.py", ".gitkeep", "py.typed", "src/a/__init__.py", "data/.keep"])
def test_some_files_may_be_empty_when_they_are_new(name: str) -> None:
    assert kind(name, None, "") is Kind.COUNTS
    assert kind("src/empty.py", None, "") is Kind.EMPTY
    assert kind(name, "x = 1\n", "") is Kind.EMPTIED


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("src/a.py", "class Missing(Exception):\n    pass\n", "class Missing(Exception):\n    pass\n\n\nclass Late(Missing):\n    pass\n"),
        ("src/a.py", "", "from abc import ABC, abstractmethod\n\n\nclass Store(ABC):\n    @abstractmethod\n    def get(self): ...\n"),
        ("src/a.py", "", "from typing import Protocol\n\n\nclass Store(Protocol):\n    def get(self) -> int: ...\n"),
        ("src/a.pyi", "", "def get() -> int: ...\n"),
        ("src/a.py", "def a(x):\n    return x.y\n", "def a(x):\n    if x is None:\n        return None\n    return x.y\n"),
        ("src/a.py", "a = 1\nb = 2\n", "b = 2\na = 1\n"),
        ("src/__init__.py", "", "from src.a import b\n"),
        ("src/a.ts", "function a(x) {\n  go(x);\n}\n", "function a(x) {\n  if (!x) {\n    return;\n  }\n  go(x);\n}\n"),
        ("src/a.ts", "", "export class NotFound extends Error {}\n"),
        ("src/a.ts", "", "export const cache = {};\n"),
        ("src/a.ts", "", "export interface Cart {\n  total: number;\n}\n"),
        ("src/a.ts", "", "export { a } from './b';\n"),
        ("src/a.ts", 'const a = "one two";\n', 'const a = "one  two";\n'),
        ("src/a.ts", "const a = 'http://a';\n", "const a = 'http://b';\n"),
        ("src/a.go", "package a\n", "package a\n\ntype Store interface {\n\tGet() error\n}\n"),
        ("src/a.rs", "", "impl Error for Missing {}\n"),
        ("a.yml", "a:\n  b: 1\n", "a:\nb: 1\n"),
        ("a.json", '{"a": 1}\n', '{"a": 2}\n'),
        ("docs/a.md", "One.\n", "One.\n\n# Two\n"),
        ("README", "", "Words\n"),
        ("bin/tool", "", "#!/usr/bin/env bash\nrun\n"),
        ("a.png", "", "\0\1"),
    ],
)  # fmt: skip
def test_what_looks_slight_and_counts(path: str, before: str, after: str) -> None:
    assert kind(path, before or None, after) is Kind.COUNTS


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("src/a.ts", "go( a,b )\n", "go(a, b)\n"),
        ("src/a.ts", "a.b().c();\n", "a\n  .b()\n  .c();\n"),
        ("docs/a.md", "one two\nthree\n", "one\ntwo three\n"),
        ("a.json", '{"a": 1}\n', '{\n  "a": 1\n}\n'),
        ("src/a.py", "a = [1,\n  2]\n", "a = [1, 2]\n"),
    ],
)
def test_a_formatters_work_is_layout(path: str, before: str, after: str) -> None:
    found = substance_of(path, before.encode(), after.encode())
    assert found.kind is Kind.LAYOUT
    assert found.counts({Asked.LAYOUT})


@pytest.mark.parametrize("text", ["TODO\n", "# TODO: write this\n", "TBD\n", "- [ ] todo\n"])
def test_a_document_that_promises_to_be_written_is_a_stub(text: str) -> None:
    assert kind("docs/a.md", None, text) is Kind.STUB


HOSTILE = {
    "brackets": ("a.py", "(" * 100_000),
    "signs": ("a.py", "-" * 40_000 + "1"),
    "dots": ("a.py", "x" + ".a" * 20_000),
    "calls": ("a.py", "f" + "()" * 20_000),
    "elif": ("a.py", "if x:\n pass\n" + "elif y:\n pass\n" * 2_000),
    "open braces": ("a.ts", "{" * 50_000),
    "comment signs": ("a.ts", "/*" * 20_000),
    "quotes": ("a.ts", "`'" * 20_000),
    "constructors": ("a.ts", "constructor(" * 8_000 + "{}"),
    "errors": ("a.ts", "error '" * 7_000),
    "markup": ("a.html", "<!--" * 25_000),
    "not utf-8": ("a.py", "\udcff" * 1000),
}


@pytest.mark.parametrize(("path", "text"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_is_judged_in_bounded_time(path: str, text: str) -> None:
    before = time.process_time()
    substance_of(path, b"x = 1\n", text.encode("utf-8", "surrogateescape"))
    assert time.process_time() - before < 2


def test_what_is_too_large_to_look_into_counts_by_its_bytes() -> None:
    assert kind("a.py", "x = 1\n", "#" * 600_000) is Kind.COUNTS


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "export function total(prices) {\n  return prices.length;\n}\n"),
        ("a.py", "const total = (prices: number[]): number => prices.length;\n"),
        ("a.js", "def total(prices):\n    return sum(prices)\n"),
        ("a.ts", "from x import y\n\n\nclass A:\n    b = 1\n"),
    ],
)
def test_code_of_another_language_than_the_name_says_does_not_count(path: str, text: str) -> None:
    assert substance_of(path, None, text.encode()).kind is Kind.LANGUAGE
    # What was so before is the repository's own way.
    assert (
        substance_of(path, text.encode(), (text + "\n\n" + text.replace("total", "other")).encode()).kind
        is not Kind.LANGUAGE
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "total = (prices:\n"),
        ("a.py", "print 'of Python 2'\n"),
        ("a.py", "import {{ cookiecutter.name }}\n\n\ndef total():\n    return 1\n"),
        ("a.js", "const a = <p>b</p>\nconst c = @@@\n"),
        ("a.ts", "let a: number = 1;\n"),
        ("a.rb", "def total(prices)\n  prices.sum\nend\n"),
    ],
)
def test_code_that_cannot_be_read_at_all_is_not_of_another_language(path: str, text: str) -> None:
    assert substance_of(path, None, text.encode()).kind is Kind.COUNTS
