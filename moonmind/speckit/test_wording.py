"""Whether a task only asks that the tests pass, which running them decides."""

import re

from moonmind.speckit.lazy_pattern import lazy_pattern
from moonmind.speckit.mentions import mentions_in
from moonmind.speckit.people_tasks import looks_only

_LONGEST = 300
"""Characters; a longer text asks for more than this."""
_LABELS = lazy_pattern(r"^(?:\s*\[[\w &/-]{1,24}\])+")
_WORD = lazy_pattern(r"[^\W_]+(?:[-'][^\W_]+)*")
_BEGINS = frozenset(["run", "rerun", "re-run", "execute", "verify", "confirm", "ensure", "make", "check", "validate"])
_TESTS = frozenset(["test", "tests", "suite", "suites", "pytest", "unittest", "jest", "vitest"])
_MORE = frozenset(
    [
        "a",
        "again",
        "all",
        "and",
        "any",
        "are",
        "before",
        "both",
        "by",
        "check",
        "complete",
        "confirm",
        "confirming",
        "do",
        "ensure",
        "entire",
        "every",
        "everything",
        "existing",
        "final",
        "full",
        "go",
        "green",
        "in",
        "including",
        "integration",
        "contract",
        "is",
        "it",
        "its",
        "keep",
        "make",
        "marking",
        "mvn",
        "no",
        "npm",
        "of",
        "once",
        "pass",
        "passed",
        "passes",
        "passing",
        "phase",
        "pnpm",
        "project",
        "project's",
        "repository",
        "run",
        "running",
        "s",
        "step",
        "still",
        "succeed",
        "succeeds",
        "sure",
        "that",
        "the",
        "their",
        "them",
        "then",
        "they",
        "this",
        "to",
        "unit",
        "until",
        "using",
        "verify",
        "verifying",
        "via",
        "whole",
        "with",
        "yarn",
        "cargo",
        "dotnet",
        "gradle",
        "new",
        "old",
    ]
)
_OTHER_LANGUAGES = lazy_pattern(
    r"(?:ejecutar|executar|rodar|correr) (?:todas as|todos os|todas las|todos los|las|los|as|os)? ?(?:pruebas|testes|tests)"
    r"|(?:运行|執行|执行)(?:所有|全部)?(?:的)?(?:测试|測試)|(?:すべて|全て)?の?テストを実行(?:する)?|(?:모든|전체)? ?테스트 실행",
    re.IGNORECASE,
)


def asks_for_tests(text: str) -> bool:
    """Return True if a task changes nothing and asks for nothing but that tests pass: "Run the full test suite".

    Each word has to be one of those that such a task is made of, so that nothing more is overlooked.
    """
    bare = _LABELS.sub("", text[: _LONGEST + 1]).strip()
    if len(text) > _LONGEST or not looks_only(bare, closing=True):
        return False
    if _OTHER_LANGUAGES.fullmatch(bare.rstrip(".。 ")):
        return True
    named = mentions_in(bare)
    for mention in reversed(named):
        bare = bare[: mention.start] + " " + bare[mention.end :]
    words = [word.casefold() for word in _WORD.findall(bare)]
    return bool(words) and words[0] in _BEGINS and _TESTS & {*words} != set() and {*words} <= _BEGINS | _TESTS | _MORE
