"""What the words of a task mention: paths, and other tasks it waits for."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.task_line import ID

_CODE = lazy_pattern(r"`([^`]{1,300})`")
_SPACE = lazy_pattern(r"\s")
_GLUED = lazy_pattern(r"^[\u3000-\u9fff\uac00-\ud7af]+(?=[A-Za-z._])")
"""Words of a language without spaces, right before a path."""
_WORD = lazy_pattern(r"(?:[^\s\"'`<>,;|，、。；：（）()“”‘’]|(?<=/)\([\w.@-]{1,60}\)(?=/))+")
"""Words; a folder such as `(auth)` belongs to its path."""
_DUNDER = lazy_pattern(r"__\w+__[/.]")
"""`__tests__/` and `__init__.py` are names; other underscores around a word are emphasis."""
_LINE_NUMBER = lazy_pattern(r"(?::\d+(?:-\d+)?|#L?[\w-]*)$")
_EXTENSION = lazy_pattern(r"[^/.][^/]*\.[A-Za-z][A-Za-z0-9]{0,9}$|\.[A-Za-z][\w.-]{1,30}$")
_PLAIN_NAMES = frozenset(
    {"Dockerfile", "Makefile", "Procfile", "Justfile", "Gemfile", "Rakefile", "LICENSE", "CODEOWNERS"}
)
_MAY_BE_PATH = lazy_pattern("|".join(("[./]", *sorted(_PLAIN_NAMES))))
"""What a word holds that is a path; most words are done with after a look for it."""
_NO_PATH = frozenset("*?<>|{}=\\:")
_ROOTS = """
api app apps backend cmd components config crates docs frontend infra internal lib libs migrations packages pkg scripts
server services src test tests tools web
"""
_KNOWN_EXTENSIONS = """
bash c cc cfg cjs conf cpp cs css csproj csv dart env ex exs go gradle graphql h hpp html ini ipynb java js json jsx kt
kts lock lua md mdx mjs php pl prisma properties proto ps1 psd1 psm1 py pyi rb rs rst scss sh sln sql svelte svg swift
tf toml ts tsx txt vue xml yaml yml zig dockerignore editorconfig eslintignore eslintrc gitattributes gitignore gitkeep
npmrc nvmrc prettierignore prettierrc
"""
_PRODUCTS = """
asp.net chart.js d3.js discord.js express.js next.js node.js nuxt.js react.js socket.io three.js vue.js
"""
_ROOT_FOLDERS = frozenset(_ROOTS.split())
_EXTENSIONS = frozenset(_KNOWN_EXTENSIONS.split())
_PRODUCT_NAMES = frozenset(_PRODUCTS.split())

_WAITS = lazy_pattern(r"\b(?:depend(?:s|ing|ent)? (?:up)?on|requires|blocked by|after)[ :]{1,3}", re.IGNORECASE)
_JOIN = lazy_pattern(r"\s*(?:,|;|&|\+|/|、|\band\b)?\s*(?:and )?")


@dataclass(frozen=True, slots=True)
class Mention:
    """A path where a text names it."""

    path: str
    start: int
    end: int
    command: bool = False
    """True inside of quoted code that is more than the path: `pytest tests/a.py`."""


def paths_in(text: str) -> tuple[str, ...]:
    """Find the files and folders that a text names, in its order, safe to join to a root."""
    return tuple(dict.fromkeys(mention.path for mention in mentions_in(text)))


def mentions_in(text: str) -> tuple[Mention, ...]:
    """List every place where a text names a file or folder, in its order."""
    found: list[Mention] = []
    commands: list[tuple[int, int]] = []

    def take(code: re.Match[str]) -> str:
        spaced = _SPACE.search(code[1]) is not None
        path = None if spaced else clean_path(code[1])
        if path is None or not _is_path(path, quoted=True):
            if spaced:
                commands.append(code.span())
            return code[0]
        found.append(Mention(path, *code.span()))
        return " " * len(code[0])

    inside = 0
    for token in _WORD.finditer(_CODE.sub(take, text)):
        if not _MAY_BE_PATH.search(token[0]):
            continue
        word = _GLUED.sub("", token[0]).strip("*~[]{}!?").rstrip("_")
        word = (word if _DUNDER.match(word) else word.lstrip("*_~[]{}!?")).rstrip("*_~[]{}!?").rstrip(".,:")
        path = clean_path(word)
        if path and _is_path(path, quoted=False):
            while inside < len(commands) and commands[inside][1] <= token.start():
                inside += 1
            command = inside < len(commands) and commands[inside][0] <= token.start()
            start = token.start() + token[0].find(path)
            found.append(Mention(path, start, start + len(path), command))
    return tuple(sorted(found, key=lambda mention: mention.start))


def clean_path(word: str) -> str | None:
    """Bring a word to a relative posix path; None when it is no path or leads out of the tree."""
    word = _LINE_NUMBER.sub("", word.strip()).removeprefix("./")
    if not word or "://" in word or word[0] in "/~\\$@-" or not _NO_PATH.isdisjoint(word):
        return None
    parts = word.split("/")
    if any(part in {".", "..", ".git"} or part.casefold() == ".git" for part in parts):
        return None
    if not word.isprintable() or "" in parts[:-1]:
        return None
    return word


def _is_path(path: str, *, quoted: bool) -> bool:
    folder, _, name = path.rpartition("/")
    if not folder:
        return _is_file_name(name, quoted=quoted)
    if not name or name in _PLAIN_NAMES or _EXTENSION.match(name):
        return True
    return path.partition("/")[0] in _ROOT_FOLDERS or (quoted and path.count("/") > 1)


def _is_file_name(name: str, *, quoted: bool) -> bool:
    if name in _PLAIN_NAMES:
        return True
    if not _EXTENSION.match(name) or name.casefold() in _PRODUCT_NAMES:
        return False
    extension = name.rpartition(".")[2]
    return extension in _EXTENSIONS or (quoted and name.startswith("."))


def waits_in(text: str) -> tuple[str, ...]:
    """List the ids after words such as "depends on"."""
    return tuple(dict.fromkeys(_ids_after_waits(text)))


def _ids_after_waits(text: str) -> Iterator[str]:
    for waits in _WAITS.finditer(text):
        position = waits.end()
        while found := ID.match(text, position):
            yield found[0]
            join = _JOIN.match(text, found.end())
            position = join.end() if join else found.end()
