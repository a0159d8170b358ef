"""How languages write comments, by a file's name; and a file's text without them. Linear in the text's length."""

import re
from dataclasses import dataclass
from typing import NamedTuple


class Token(NamedTuple):
    """A piece of a text that is no comment."""

    text: str
    quoted: bool
    """True for a string: its spaces matter."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """What to look for in a language's text."""

    name: str
    pattern: re.Pattern[str]
    braces: bool = False
    """Blocks stand in braces, and line ends inside of brackets mean nothing."""
    indented: bool = False
    """The space at a line's beginning matters."""
    code: bool = True
    """It holds statements; False for data, markup and prose."""


_KEPT = str.maketrans({" ": "\x01", "\n": "\x02", "\t": "\x03", "\r": "\x04"})
"""Stands for space inside of strings, where it is no layout."""
_STRING = r"\"(?:[^\"\\\n]++|\\.)*\"?|'(?:[^'\\\n]++|\\.)*'?"
_CHARACTER = r"\"(?:[^\"\\\n]++|\\.)*\"?|'(?:\\[^\n][^'\n]{0,8}|[^'\\\n])'"
_TRIPLE = r"\"\"\"(?s:.*?)(?:\"\"\"|\Z)|'''(?s:.*?)(?:'''|\Z)"
_BACKTICK = r"`(?:[^`\\]++|\\(?s:.))*`?"
_C_COMMENTS = r"//[^\n]*+|/\*(?s:.*?)(?:\*/|\Z)"
_HASH = r"(?:(?<=[\s;])|(?<![\s\S]))#[^\n]*+"
_MARKUP = r"<!--(?s:.*?)(?:-->|\Z)"


def _syntax(
    name: str, comments: str, strings: str, *, braces: bool = False, indented: bool = False, code: bool = True
) -> Syntax:
    return Syntax(
        name, re.compile(rf"(?P<comment>{comments})|(?P<string>{strings})", re.MULTILINE), braces, indented, code
    )


_SCRIPT = _syntax("script", _C_COMMENTS, rf"{_BACKTICK}|{_STRING}", braces=True)
_C = _syntax("c", _C_COMMENTS, _CHARACTER, braces=True)
_GO = _syntax("go", _C_COMMENTS, rf"{_BACKTICK}|{_CHARACTER}", braces=True)
_KOTLIN = _syntax("kotlin", _C_COMMENTS, rf"{_TRIPLE}|{_CHARACTER}", braces=True)
_DART = _syntax("dart", _C_COMMENTS, rf"{_TRIPLE}|{_STRING}", braces=True)
_PHP = _syntax("php", rf"{_C_COMMENTS}|#(?!\[)[^\n]*+|{_MARKUP}", _STRING, braces=True)
_STYLE = _syntax("style", r"/\*(?s:.*?)(?:\*/|\Z)|(?<![:\w])//[^\n]*+", _STRING, braces=True, code=False)
_SHELL = _syntax("shell", _HASH, rf"\$\{{[^}}\n]*+\}}?|\$#|{_STRING}", braces=True)
_RUBY = _syntax("ruby", rf"{_HASH}|^=begin\b(?s:.*?)(?:^=end\b|\Z)", _STRING)
_PYTHON = _syntax("python", r"#[^\n]*+", rf"{_TRIPLE}|{_STRING}", indented=True)
_YAML = _syntax("yaml", _HASH, _STRING, indented=True, code=False)
_WORDS = _syntax("words", _HASH, _STRING)
_PERL = _syntax("perl", _HASH, _STRING, braces=True)
_TOML = _syntax("toml", r"#[^\n]*+", rf"{_TRIPLE}|{_STRING}", code=False)
_JSON = _syntax("json", _C_COMMENTS, r"\"(?:[^\"\\\n]++|\\.)*\"?", code=False)
_SQL = _syntax("sql", r"--[^\n]*+|/\*(?s:.*?)(?:\*/|\Z)", _STRING, code=False)
_LUA = _syntax("lua", r"--\[\[(?s:.*?)(?:\]\]|\Z)|--[^\n]*+", _STRING)
_HASKELL = _syntax("haskell", r"--[^\n]*+|\{-(?s:.*?)(?:-\}|\Z)", _CHARACTER, indented=True)
_LISP = _syntax("lisp", r";[^\n]*+", r"\"(?:[^\"\\]++|\\(?s:.))*\"?")
_INI = _syntax("ini", r"(?:(?<=\n)|(?<![\s\S]))[ \t]*+[#;!][^\n]*+", r"\"(?:[^\"\\\n]++|\\.)*\"?", code=False)
_PERCENT = _syntax("percent", r"%[^\n]*+", r"\"[^\"\n]*+\"?")
_BATCH = _syntax("batch", r"(?im:^[ \t]*+(?:rem\b|::)[^\n]*+)", r"\"[^\"\n]*+\"?")
_POWERSHELL = _syntax(
    "powershell", r"<#(?s:.*?)(?:#>|\Z)|#[^\n]*+", r"\"(?:[^\"`\n]++|`.)*\"?|'[^'\n]*+'?", braces=True
)
_XML = _syntax("markup", _MARKUP, r"(?!)", code=False)
_COMPONENT = _syntax("component", rf"{_MARKUP}|{_C_COMMENTS}", rf"{_BACKTICK}|{_STRING}", braces=True)
_TEXT = _syntax("text", r"(?!)", r"(?!)", code=False)

_BY_EXTENSION = {
    _SCRIPT: "js jsx mjs cjs ts tsx mts cts",
    _C: "c h cc cpp cxx hh hpp hxx cs java rs swift scala groovy gradle m mm proto zig v sv d prisma glsl hlsl wgsl sol tf hcl cu",
    _GO: "go",
    _KOTLIN: "kt kts",
    _DART: "dart",
    _PHP: "php phtml",
    _STYLE: "css scss sass less",
    _SHELL: "sh bash zsh ksh fish bats",
    _RUBY: "rb rake gemspec ru cr",
    _PYTHON: "py pyi pyw pyx",
    _YAML: "yaml yml mk conf graphql gql nix env dockerfile justfile po",
    _WORDS: "ex exs r jl nim cmake coffee tcl",
    _PERL: "pl pm awk",
    _TOML: "toml lock",
    _JSON: "json jsonc json5 webmanifest ipynb",
    _SQL: "sql ddl psql",
    _LUA: "lua",
    _HASKELL: "hs elm purs",
    _LISP: "lisp el clj cljs cljc edn scm rkt asm s",
    _INI: "ini cfg properties editorconfig gitignore dockerignore gitattributes npmrc",
    _PERCENT: "tex erl hrl sty",
    _BATCH: "bat cmd",
    _POWERSHELL: "ps1 psm1 psd1",
    _XML: "html htm xml xhtml svg xaml csproj fsproj props targets sln plist resx",
    _COMPONENT: "vue svelte astro",
    _TEXT: "md mdx markdown txt rst adoc org csv tsv log",
}
_EXTENSIONS = {extension: syntax for syntax, names in _BY_EXTENSION.items() for extension in names.split()}
_BY_NAME = {
    "dockerfile": _YAML,
    "containerfile": _YAML,
    "makefile": _YAML,
    "procfile": _YAML,
    "justfile": _YAML,
    "jenkinsfile": _C,
    "gemfile": _RUBY,
    "rakefile": _RUBY,
    "codeowners": _INI,
}
_INTERPRETER = re.compile(r"#![^\n]{0,80}?\b(python|bash|zsh|sh|node|ruby|perl)")
_INTERPRETED = {"python": _PYTHON, "node": _SCRIPT, "ruby": _RUBY, "perl": _PERL}


def syntax_of(path: str, text: str = "") -> Syntax:
    """Return the syntax of a file by its name, else by its first line; plain text if neither says."""
    name = path.rpartition("/")[2].casefold()
    if name in _BY_NAME:
        return _BY_NAME[name]
    stem, dot, extension = name.rpartition(".")
    if dot and extension in _EXTENSIONS:
        return _EXTENSIONS[extension]
    if stem.rpartition(".")[2] in {"env", "dockerfile"} or name.startswith((".env", "dockerfile")):
        return _YAML
    if found := _INTERPRETER.match(text):
        return _INTERPRETED.get(found[1], _SHELL)
    return _TEXT


def tokens_of(text: str, syntax: Syntax) -> list[Token]:
    """Return the text's pieces in order, without comments."""
    found: list[Token] = []
    position = 0
    for piece in syntax.pattern.finditer(text):
        if piece.start() > position:
            found.append(Token(text[position : piece.start()], quoted=False))
        if piece["comment"] is None:
            found.append(Token(piece[0].translate(_KEPT), quoted=True))
        else:
            # `a/* */b` stays two words; a block comment keeps its lines apart.
            found.append(Token("\n" if "\n" in piece[0] else " ", quoted=False))
        position = piece.end()
    if position < len(text):
        found.append(Token(text[position:], quoted=False))
    return found
