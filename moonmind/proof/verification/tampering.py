"""Finds what keeps a change's tests from showing what they seem to show: tests gone or skipped, a runner that is replaced."""

import json
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from moonmind.proof.verification.assertion_counts import is_counted, weaker_tests
from moonmind.proof.verification.meddling import harmless_lines, meddling_in
from moonmind.proof.verification.tampering_finding import Tampering, TamperingFinding
from moonmind.speckit.evidence import is_test
from moonmind.speckit.wording import Asked, asked_in

MOST = 200
"""Findings that are returned; one is enough."""
_LARGEST = 512 * 1024
_MOST_COMPARED = 8 * 1024 * 1024
"""Bytes of test files that are compared, before and after together."""
_LONGEST_LINE = 2_000

_RENAMES = re.compile(r"\b(?:renam|mov|merg|split|consolidat|replac)\w*", re.IGNORECASE)
_RUNNER = frozenset(
    {
        *(
            "pytest",
            "_pytest",
            "unittest",
            "pluggy",
            "iniconfig",
            "xdist",
            "sitecustomize",
            "usercustomize",
            "coverage",
        ),
        *("py", "pytest_timeout", "builtins", "site", "importlib", "traceback", "doctest", "junitparser"),
    }
)
"""Python modules that a test run is made of."""
_IMPORT_ROOTS = frozenset({"", "src", "lib", "test", "tests", "python"})
_PYTHON = (".py", ".pyw", ".pyi")
_COMPILED = (".pyc", ".pyd", ".so")
_DESELECTS = re.compile(
    r"--(?:ignore|deselect|ignore-glob|exitfirst|maxfail|passWithNoTests|bail|testPathIgnorePatterns|testNamePattern|exclude|"
    r"continue-on-collection-errors|noconftest|collect-only|co|setup-only|setup-plan|last-failed|lf|stepwise|runxfail|override-ini)\b(?!-)"
    r"|(?:addopts|pytest|jest|vitest)\b[^\n]*[\s=\[,'\"]-[kmpo]\b|^\s*['\"]?-[kmpo]\b|-pno:"
    r"|\b(?:passWithNoTests|testPathIgnorePatterns|testNamePattern|collect_ignore\w*|norecursedirs|python_files|python_functions|usefixtures|"
    r"python_classes|PYTHONOPTIMIZE|PYTEST_ADDOPTS|NODE_OPTIONS|node-options|script-shell|runner|testRunner|testRegex|testMatch|globalSetup|resolver)\b|\b(?:bail|exclude|allowOnly|dangerouslyIgnoreUnhandledErrors)\s*[:=]"
)
_CONFIGURATION = re.compile(
    r"(?:\.?pytest\.(?:ini|toml)|tox\.ini|setup\.cfg|pyproject\.toml|noxfile\.py|\.coveragerc"
    r"|\.npmrc|(?:jest|vitest|vite|karma|playwright)\.(?:config|workspace)\.\w+|\.mocharc(?:\.\w+)?)"
)
_SELECTS = re.compile(r"\b(?:testpaths|roots|include|rootDir)\b\s*[:=]")
_JUNIT = re.compile(rb"<testsuites?[\s>/]")


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a change; None where it is not there."""

    path: str
    before: bytes | None
    after: bytes | None


def find_tampering(
    changes: Iterable[FileChange],
    *,
    gone: Collection[str] = (),
    now_skipped: Collection[str] = (),
    texts: Collection[str] = (),
) -> tuple[TamperingFinding, ...]:
    """Return what is found, at most `MOST`, what makes the run confirm nothing first.

    `gone` and `now_skipped` are ids of tests that ran on the base and do not run or are skipped now; `texts` are those
    of the phase's tasks, which may ask for just that.
    """
    asked = frozenset[Asked]().union(*(asked_in(text) for text in texts))
    found: list[TamperingFinding] = []
    may_go = Asked.REMOVAL in asked or any(_RENAMES.search(text[:_LONGEST_LINE]) for text in texts)
    found += (
        TamperingFinding(Tampering.GONE, test, "it ran before the change", confirms_nothing=not may_go) for test in gone
    )
    found += (
        TamperingFinding(Tampering.SKIPPED, test, "it ran before", confirms_nothing=Asked.SKIPPED not in asked)
        for test in now_skipped
    )
    left = _MOST_COMPARED
    for change in changes:
        if change.after is not None and change.after != change.before:
            found += _in_file(change.path, change.before, change.after)
            found += _weaker(change, left, may_go)
            left -= _compared(change)
        if len(found) >= 10 * MOST:
            break
    return tuple(sorted(found, key=lambda one: not one.confirms_nothing)[:MOST])


def _in_file(path: str, before: bytes | None, after: bytes) -> Iterator[TamperingFinding]:
    name = path.rpartition("/")[2]
    if words := _shadowed(path):
        yield TamperingFinding(Tampering.SHADOWS, path, words, confirms_nothing=True)
    elif before is None and (module := _module(path.split("/"), sys.stdlib_module_names)):
        words = f"it is imported in place of Python's own `{module}`"
        yield TamperingFinding(Tampering.SHADOWS, path, words, confirms_nothing=False)
    if name.casefold().endswith(".xml") and _JUNIT.search(after[:_LARGEST]):
        yield TamperingFinding(Tampering.REPORT, path, "only reports of this run are read", confirms_nothing=False)
    if name == "package.json":
        yield from _in_package(path, before, after)
    if len(after) > _LARGEST:
        return
    lines = _added(before, after)
    if _CONFIGURATION.fullmatch(name):
        yield from _lines(path, lines, _DESELECTS, Tampering.DESELECTS)
        if before is not None and (line := next((one for one in lines if _SELECTS.search(one)), None)):
            yield TamperingFinding(Tampering.DESELECTS, path, _quoted(line), confirms_nothing=False)
    harmless = harmless_lines(path, after)
    if line := meddling_in(path, (one for one in lines if one not in harmless)):
        yield TamperingFinding(Tampering.OUTCOMES, path, _quoted(line), confirms_nothing=True)


def _compared(change: FileChange) -> int:
    """Return how many bytes of a change are read to compare its tests; 0 where there is nothing to be compared."""
    if change.before is None or change.after is None or not (is_test(change.path) and is_counted(change.path)):
        return 0
    return len(change.before) + len(change.after)


def _weaker(change: FileChange, left: int, may_go: bool) -> Iterator[TamperingFinding]:
    """Yield the tests that assert less than before, or nothing any more; `left` bytes may be read."""
    path, size = change.path, _compared(change)
    if size > left:
        words = "more tests changed than are compared with those of before"
        yield TamperingFinding(Tampering.WEAKENED, path, words, confirms_nothing=not may_go)
    if change.before is None or change.after is None or not 0 < size <= left:
        return
    for one in weaker_tests(path, change.before, change.after):
        kind = Tampering.WEAKENED if one.after else Tampering.EMPTIED
        words = f"{one.before} assertions before, {one.after} now"
        if one.after == one.before:
            words = "it asserts something looser of the same value, or only on a condition"
        subject = f"{path}::{_quoted(one.test)}"
        yield TamperingFinding(kind, subject, words, confirms_nothing=not may_go)


def _shadowed(path: str) -> str:
    """Return what a file takes the place of; empty if of nothing."""
    parts = path.split("/")
    name = parts[-1].casefold()
    if "node_modules" in parts[:-1] or ".bin" in parts[:-1] or "site-packages" in parts[:-1]:
        return "it lies where installed packages do"
    if name.endswith(".pth"):
        return "Python runs it at each start"
    if module := _module(parts, _RUNNER):
        return f"it is imported in place of `{module}`"
    return ""


def _module(parts: list[str], names: Collection[str]) -> str:
    """Return which of the modules a path is, or is in the package of, where Python looks for modules."""
    name = parts[-1]
    if not name.casefold().endswith((*_PYTHON, *_COMPILED)):
        return ""
    for place, part in enumerate(parts):
        if "/".join(parts[:place]) not in _IMPORT_ROOTS:
            return ""
        # `tests/unittest/test_a.py` is in a folder of tests, not in a package that is imported.
        own = part.partition(".")[0] if name.casefold().endswith(_COMPILED) else part.rpartition(".")[0]
        module = own if place == len(parts) - 1 else "" if is_test(f"x/{name}") else part
        if module in names:
            return module
    return ""


def _in_package(path: str, before: bytes | None, after: bytes) -> Iterator[TamperingFinding]:
    old, new = _scripts(before), _scripts(after)
    for name in ("pretest", "test", "posttest"):
        if name in new and new[name] != old.get(name) and (name != "test" or name in old):
            yield TamperingFinding(Tampering.SCRIPT, path, f"{name}: {_quoted(new[name])}", confirms_nothing=True)
    yield from _lines(path, _added(before, after), _DESELECTS, Tampering.DESELECTS)


def _scripts(content: bytes | None) -> dict[str, str]:
    try:
        found = json.loads(content or b"{}") if len(content or b"") <= _LARGEST else {}
    except (ValueError, RecursionError):
        return {}
    scripts = found.get("scripts") if isinstance(found, dict) else None
    return {str(name): str(words) for name, words in scripts.items()} if isinstance(scripts, dict) else {}


def _added(before: bytes | None, after: bytes) -> list[str]:
    """Return the lines that a change adds to a file, in order."""
    known = Counter((before or b"")[:_LARGEST].decode("utf-8", "replace").splitlines())
    fresh = []
    for line in after[:_LARGEST].decode("utf-8", "replace").splitlines():
        if known[line] > 0:
            known[line] -= 1
        else:
            fresh.append(line)
    return fresh


def _lines(path: str, lines: Iterable[str], pattern: re.Pattern[str], kind: Tampering) -> Iterator[TamperingFinding]:
    for line in lines:
        bare = line.strip()
        if not bare.startswith(("#", "//")) and pattern.search(line[:_LONGEST_LINE]):
            yield TamperingFinding(kind, path, _quoted(bare), confirms_nothing=True)
            return


def _quoted(text: str) -> str:
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text[:200]).split())
