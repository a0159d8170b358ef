"""What is known of test runners: recognise one in a command, have it write a report, limit it to some files.

Of a command that is not understood nothing is changed: what a shell would expand, join or redirect is left as it stands.
"""

import posixpath
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import dropwhile

from moonmind.proof.verification.shell_words import Word, quoted, words_of


class Runner(StrEnum):
    """A program that runs tests."""

    PYTEST = "pytest"
    UNITTEST = "unittest"
    JEST = "jest"
    VITEST = "vitest"
    NODE = "node --test"
    GO = "go test"


_PYTHON = re.compile(r"python(?:3(?:\.\d{1,2})?)?|pypy3?")
_PYTHON_FLAGS = frozenset({"-B", "-E", "-I", "-O", "-OO", "-P", "-b", "-bb", "-s", "-u"})
_PYTHON_VALUES = frozenset({"-W", "-X"})
_RUN = {
    ("uv", "run"): frozenset({"--active", "--all-extras", "--all-groups", "--dev", "--frozen", "--isolated", "--locked", "--no-sync", "--offline"}),
    ("poetry", "run"): frozenset[str](),
    ("pdm", "run"): frozenset[str](),
    ("pipenv", "run"): frozenset[str](),
    ("hatch", "run"): frozenset[str](),
    ("rye", "run"): frozenset[str](),
    ("pnpm", "exec"): frozenset[str](),
    ("yarn", "exec"): frozenset[str](),
    ("yarn", "run"): frozenset[str](),
    ("npx",): frozenset({"--no", "--no-install", "--yes", "-y"}),
    ("bunx",): frozenset[str](),
    ("cross-env",): frozenset[str](),
    ("env",): frozenset[str](),
    ("pnpm",): frozenset[str](),
    ("yarn",): frozenset[str](),
}  # fmt: skip
"""What runs another program, and flags of its own that may come before that. The longer ones first."""
_UV_VALUES = frozenset({"--extra", "--group", "--python", "-p", "--with"})
_PROGRAMS = {
    "pytest": Runner.PYTEST, "py.test": Runner.PYTEST, "jest": Runner.JEST, "vitest": Runner.VITEST,
}  # fmt: skip
_MODULES = {"pytest": Runner.PYTEST, "unittest": Runner.UNITTEST}
_NODE_FILES = {"jest/bin/jest.js": Runner.JEST, "vitest/vitest.mjs": Runner.VITEST, ".bin/jest": Runner.JEST}
_OTHER_WORK = {
    Runner.PYTEST: frozenset({"--collect-only", "--co", "--fixtures", "--help", "--markers", "--version", "-V", "-h"}),
    Runner.UNITTEST: frozenset({"--help", "-h"}),
    Runner.JEST: frozenset({"--clearCache", "--help", "--init", "--listTests", "--showConfig", "--version", "--watch", "--watchAll", "-h"}),
    Runner.VITEST: frozenset({"--help", "--version", "--watch", "-h", "-w"}),
    Runner.NODE: frozenset({"--watch"}),
    Runner.GO: frozenset({"-c", "-h"}),
}  # fmt: skip
"""Arguments with which it runs no tests, or does not end."""
_VITEST_COMMANDS = frozenset({"bench", "dev", "init", "list", "related", "typecheck", "watch"})

_VALUES = {
    Runner.PYTEST: frozenset(
        {"-W", "-c", "-k", "-m", "-n", "-o", "-p", "-r", "--basetemp", "--color", "--confcutdir", "--cov-config", "--cov-report",
         "--deselect", "--dist", "--durations", "--ignore", "--ignore-glob", "--import-mode", "--junit-xml", "--junitxml",
         "--log-cli-level", "--log-level", "--maxfail", "--numprocesses", "--override-ini", "--reruns", "--rootdir", "--tb",
         "--timeout", "--ds"}
    ),
    Runner.JEST: frozenset({"-c", "-t", "-w", "--config", "--coverageDirectory", "--env", "--maxWorkers", "--reporters",
                            "--rootDir", "--testEnvironment", "--testNamePattern", "--testTimeout"}),
    Runner.VITEST: frozenset({"-c", "-t", "-r", "--config", "--environment", "--mode", "--pool", "--project", "--reporter",
                              "--root", "--testNamePattern", "--testTimeout", "--dir"}),
    Runner.NODE: frozenset({"-r", "-C", "--require", "--import", "--loader", "--experimental-loader", "--conditions",
                            "--test-name-pattern", "--test-reporter", "--test-reporter-destination", "--test-concurrency",
                            "--test-timeout", "--env-file"}),
    Runner.GO: frozenset({"-bench", "-count", "-coverpkg", "-coverprofile", "-covermode", "-cpu", "-mod", "-p", "-parallel",
                          "-run", "-shuffle", "-skip", "-tags", "-timeout", "-vet", "-ldflags"}),
}  # fmt: skip
"""Options whose value may be the next word."""
_FLAGS = {
    Runner.PYTEST: frozenset(
        {"--cache-clear", "--cov", "--disable-warnings", "--exitfirst", "--failed-first", "--ff", "--full-trace",
         "--last-failed", "--lf", "--no-cov", "--no-header", "--no-migrations", "--no-summary", "--nomigrations", "--pyargs", "--quiet",
         "--reuse-db", "--runxfail", "--showlocals", "--strict", "--strict-config", "--strict-markers", "--verbose"}
    ),
    Runner.JEST: frozenset({"-b", "-i", "--bail", "--ci", "--colors", "--coverage", "--detectOpenHandles", "--forceExit",
                            "--no-cache", "--noStackTrace", "--passWithNoTests", "--runInBand", "--silent", "--verbose"}),
    Runner.VITEST: frozenset({"--run", "--coverage", "--globals", "--no-coverage", "--passWithNoTests", "--silent"}),
    Runner.NODE: frozenset({"--test", "--enable-source-maps", "--experimental-strip-types", "--experimental-test-coverage",
                            "--experimental-vm-modules", "--no-warnings", "--test-force-exit", "--test-only"}),
    Runner.GO: frozenset({"-cover", "-failfast", "-json", "-race", "-short", "-trimpath", "-v"}),
}  # fmt: skip
"""Options without a value: a word after another one might be a value or a file."""

_UNITTEST_FLAGS = frozenset({"--buffer", "--catch", "--failfast", "--locals", "--quiet", "--verbose"})
_UNITTEST_VALUES = frozenset(
    {"-k", "-p", "-s", "-t", "--durations", "--pattern", "--start-directory", "--top-level-directory"}
)
_GLOB_SIGNS = frozenset("*?[]{}!()")

_SPEC = "--test-reporter=spec --test-reporter-destination=stdout "
_REPORTS = {
    Runner.PYTEST: '--junitxml="$MOONMIND_REPORTS/pytest.xml" -o junit_family=xunit1',
    Runner.NODE: _SPEC
    + '--test-reporter="$MOONMIND_NODE_REPORTER" --test-reporter-destination="$MOONMIND_REPORTS/node.xml"',
    Runner.VITEST: '--reporter=junit --outputFile.junit="$MOONMIND_REPORTS/vitest.xml"',
    Runner.JEST: "--reporters=default --reporters=jest-junit",
}
_REPORT_FILES = {
    Runner.PYTEST: "pytest.xml",
    Runner.NODE: "node.xml",
    Runner.VITEST: "vitest.xml",
    Runner.JEST: "jest.xml",
    Runner.UNITTEST: "unittest.xml",
}
_NODE_OPTIONS = 'NODE_OPTIONS="${NODE_OPTIONS:-} ' + _REPORTS[Runner.NODE].replace('"', "") + '" '
_JEST_JUNIT = (
    'JEST_JUNIT_OUTPUT_DIR="$MOONMIND_REPORTS" JEST_JUNIT_OUTPUT_NAME=jest.xml '
    "JEST_JUNIT_ADD_FILE_ATTRIBUTE=true JEST_JUNIT_REPORT_TEST_SUITE_ERRORS=true "
)
_OWN_REPORT = {
    Runner.PYTEST: ("no:junitxml", "-pno:junitxml"),
    Runner.NODE: ("--test-reporter",),
    Runner.VITEST: ("--outputFile",),
    Runner.JEST: ("--reporters", "--json"),
}
"""Beginnings of words beside which ours would be refused or break what the repository wants itself."""
UNITTEST_PROGRAM = '"$MOONMIND_UNITTEST"'
"""Our own program, which runs unittest and writes a report; the variable names its file."""


@dataclass(frozen=True, slots=True)
class _Command:
    """A command of a known runner."""

    runner: Runner
    first: Word
    """The first word that is the runner's own: `pytest`, or `-m` of `-m unittest`."""
    last: Word
    """The last one that says which runner it is."""
    args: tuple[Word, ...]


def runner_of(run: str, script: str = "") -> Runner | None:
    """Return the runner that a command starts; None where that is not seen.

    `script` is the text of the script in package.json that the command calls, if it calls one (`script_called`).
    """
    text = script if script_called(run) else run
    found = _read(text)
    return found.runner if found else None


def script_called(run: str) -> str | None:
    """Return the name of the package's script that a command calls: `test` of `npm test`; None where it calls none."""
    words = _after_variables(words_of(run) or ())
    texts = [word.text for word in words]
    if len(texts) < 2 or texts[0] not in {"npm", "pnpm", "yarn"}:
        return None
    if texts[1] in {"test", "t", "tst"} and (texts[1] == "test" or texts[0] == "npm"):
        return "test"
    if texts[1] in {"run", "run-script"} and len(texts) > 2 and not texts[2].startswith("-"):
        return texts[2] if texts[0] != "yarn" or texts[2] not in _PROGRAMS else None
    return None


def with_report(run: str, runner: Runner, script: str = "", *, jest_junit: bool = False) -> str:
    """Return the command so that it writes a report below `$MOONMIND_REPORTS`; unchanged where that cannot be had.

    `jest_junit` says that the package jest-junit is installed.
    """
    if script_called(run):
        return _script_with_report(run, runner, script, jest_junit=jest_junit)
    found = _read(run)
    if found is None or found.runner is not runner or (runner is Runner.JEST and not jest_junit) or _has_report(found):
        return run
    if runner is Runner.UNITTEST:
        return run[: found.first.start] + UNITTEST_PROGRAM + run[found.last.end :]
    if runner not in _REPORTS:
        return run
    return _jest_variables(runner) + _inserted(run, found, _report_words(found))


def report_file(runner: Runner) -> str:
    """Return the name of the file below `$MOONMIND_REPORTS` that `with_report` lets a runner write."""
    return _REPORT_FILES.get(runner, "")


def with_files(run: str, runner: Runner, files: Sequence[str], script: str = "", *, alone: bool = False) -> str | None:
    """Return the command so that it runs the tests of these files alone; None where the runner cannot, or it is not seen how.

    `files` are paths from the folder in which the command runs. Go runs packages: those of the files. `alone` says that
    nothing is run before the script: one that names files itself is then written out, for it would run these, too.
    """
    wanted = quoted(_chosen(runner, files))
    if wanted is None:
        return None
    if alone and (written := _written_out(run, script)) is not None:
        run, script = written, ""
    called = script_called(run)
    found = _read(script if called else run)
    if found is None or found.runner is not runner:
        return None
    kept = _without_files(found)
    if kept is None:
        return None
    if called:
        # What the script names itself would be run, too.
        clean = len(kept) == len(found.args) and runner not in {Runner.UNITTEST, Runner.GO}
        clean = clean and not _own_arguments(words_of(run) or ())
        return _appended(run, _file_words(runner, wanted)) if clean else None
    if runner is Runner.UNITTEST:
        return _unittest_with_files(run, found, kept, files, wanted)
    return _joined(run[: found.last.end], run, kept, _file_words(runner, wanted))


def _read(run: str) -> _Command | None:
    words = _after_variables(words_of(run) or ())
    while words:
        rest = _after_launcher(words)
        if rest is None:
            break
        words = _after_variables(rest)
    found = _runner_at(words)
    if found is None or not _OTHER_WORK[found.runner].isdisjoint(word.text for word in found.args):
        return None
    if found.runner is Runner.VITEST and found.args and found.args[0].text in _VITEST_COMMANDS:
        return None
    return found


def _after_variables(words: Sequence[Word]) -> tuple[Word, ...]:
    return tuple(dropwhile(lambda word: word.assigns, words))


def _after_launcher(words: tuple[Word, ...]) -> tuple[Word, ...] | None:
    """Return what a program that runs others is given to run; None where the first word is no such program."""
    texts = tuple(word.text for word in words)
    launcher = next((one for one in _RUN if texts[: len(one)] == one and len(texts) > len(one)), None)
    if launcher is None:
        return None
    rest = words[len(launcher) :]
    while rest and rest[0].text.startswith("-") and rest[0].text != "--":
        if launcher == ("uv", "run") and rest[0].text in _UV_VALUES:
            rest = rest[2:]
        elif rest[0].text in _RUN[launcher]:
            rest = rest[1:]
        else:
            # `uv run -m pytest` runs it as Python does.
            return None if launcher != ("uv", "run") or rest[0].text not in {"-m", "--module"} else rest
    return rest[1:] if rest and rest[0].text == "--" else rest


def _runner_at(words: tuple[Word, ...]) -> _Command | None:
    if not words:
        return None
    first = words[0]
    program = _program(first.text)
    if program in _PROGRAMS:
        return _command(_PROGRAMS[program], words, 0, 0)
    if first.text in {"-m", "--module"}:
        return _module_at(words, 0)
    if _PYTHON.fullmatch(program):
        return _module_at(words, _after_options(words, 1, _PYTHON_FLAGS, _PYTHON_VALUES))
    if first.text == "coverage" and len(words) > 1 and words[1].text == "run":
        at = 2
        while at < len(words) and words[at].text != "-m" and words[at].text.startswith("-"):
            at += 1
        return _module_at(words, at)
    if program == "node":
        return _node_at(words)
    if program == "go" and len(words) > 1 and words[1].text == "test":
        return _command(Runner.GO, words, 0, 1)
    return None


def _program(text: str) -> str:
    """Return the name of a program that is found on PATH or in an environment; a file of the repository's own has none."""
    folder, _, name = text.rpartition("/")
    return name if not folder or posixpath.basename(folder) in {"bin", ".bin"} else ""


def _module_at(words: tuple[Word, ...], at: int) -> _Command | None:
    if at < len(words) and words[at].text == "$MOONMIND_UNITTEST":
        return _command(Runner.UNITTEST, words, at, at)
    if at + 1 >= len(words) or words[at].text not in {"-m", "--module"} or words[at + 1].text not in _MODULES:
        return None
    return _command(_MODULES[words[at + 1].text], words, at, at + 1)


def _node_at(words: tuple[Word, ...]) -> _Command | None:
    at = _after_options(words, 1, _FLAGS[Runner.NODE] - {"--test"}, _VALUES[Runner.NODE])
    if at >= len(words):
        return None
    text = words[at].text
    if text == "--test":
        return _command(Runner.NODE, words, at, at)
    path = text.removeprefix("./")
    runner = next((one for end, one in _NODE_FILES.items() if path == f"node_modules/{end}"), None)
    return _command(runner, words, at, at) if runner else None


def _after_options(words: Sequence[Word], at: int, flags: frozenset[str], values: frozenset[str]) -> int:
    while at < len(words):
        text = words[at].text
        if text in values:
            at += 2
        elif text in flags or text.partition("=")[0] in values:
            at += 1
        else:
            break
    return at


def _command(runner: Runner, words: tuple[Word, ...], first: int, last: int) -> _Command:
    return _Command(runner, words[first], words[last], words[last + 1 :])


def _has_report(found: _Command) -> bool:
    own = _OWN_REPORT.get(found.runner, ())
    return any(word.text.startswith(own) or "$MOONMIND_REPORTS" in word.text for word in found.args) if own else False


def _report_words(found: _Command) -> str:
    words = _REPORTS[found.runner]
    shown = any(word.text.startswith("--reporter") for word in found.args)
    # The first reporter on the command line takes the place of the usual one.
    return f"--reporter=default {words}" if found.runner is Runner.VITEST and not shown else words


def _inserted(run: str, found: _Command, more: str) -> str:
    """Return the command with more options: at its end, where they come last, or before what ends its options."""
    if found.runner is Runner.NODE:
        return f"{run[: found.last.end]} {more}{run[found.last.end :]}"
    end = next((word.start for word in found.args if word.text == "--"), None)
    return f"{run.rstrip()} {more}" if end is None else f"{run[:end]}{more} {run[end:]}"


def _jest_variables(runner: Runner) -> str:
    return _JEST_JUNIT if runner is Runner.JEST else ""


def _script_with_report(run: str, runner: Runner, script: str, *, jest_junit: bool) -> str:
    found = _read(script)
    given = words_of(run) or ()
    if found is None or found.runner is not runner or runner not in _REPORTS or _has_report(found):
        return run
    if (runner is Runner.JEST and not jest_junit) or any("$MOONMIND_REPORTS" in word.text for word in given):
        return run
    if any(word.text.startswith(_OWN_REPORT[runner]) for word in given) or any(
        word.text == "--" for word in found.args
    ):
        return run
    if runner is Runner.NODE and (_positional(found) != () or _own_arguments(given)):
        # node takes what comes after a file for files
        return run if "NODE_OPTIONS" in f"{run} {script}" else _NODE_OPTIONS + run
    return _jest_variables(runner) + _appended(run, _report_words(found))


_FOUND_BY_SHELL = frozenset({"node", "npx", "pnpm", "yarn", "bunx"})


def _written_out(run: str, script: str) -> str | None:
    """Return what a script runs that names files itself, as a command of its own; None for others."""
    found = _read(script) if script_called(run) else None
    given, words = words_of(run) or (), words_of(script) or ()
    if found is None or not _positional(found) or _own_arguments(given):
        return None
    first = _after_variables(words)[0]
    if first.text == "env":
        return None
    variables = run[: _after_variables(given)[0].start] + script[: first.start]
    # npm finds programs of packages by itself, a shell does not.
    launcher = "" if first.text in _FOUND_BY_SHELL else "npx --no-install "
    return f"{variables}{launcher}{script[first.start :]}"


def _own_arguments(given: Sequence[Word]) -> bool:
    """Return True if the command that calls a script hands arguments to it."""
    texts = [word.text for word in _after_variables(given)]
    return len(texts) > (2 if texts[1] in {"test", "t", "tst"} else 3)


def _appended(run: str, more: str) -> str:
    """Return a command that calls a script so that it hands more arguments to it: npm alone wants `--` before them."""
    words = _after_variables(words_of(run) or ())
    separated = words[0].text != "npm" or any(word.text == "--" for word in words)
    return f"{run.rstrip()}{'' if separated else ' --'} {more}"


def _positional(found: _Command) -> tuple[Word, ...] | None:
    """Return the arguments that name what to run; None where a word might be an option's value."""
    named: list[Word] = []
    flags, values = _FLAGS.get(found.runner, _UNITTEST_FLAGS), _VALUES.get(found.runner, _UNITTEST_VALUES)
    skip = unsure = False
    for word in found.args:
        text = word.text
        if skip:
            skip = False
        elif text == "--" or (text == "-args" and found.runner is Runner.GO):
            return None
        elif text.startswith("-"):
            skip = text in values
            short = len(text) > 1 and text[1] != "-" and found.runner in {Runner.PYTEST, Runner.UNITTEST}
            unsure = not (skip or text in flags or "=" in text or short)
            continue
        elif unsure:
            return None
        elif found.runner is not Runner.VITEST or word is not found.args[0] or text != "run":
            named.append(word)
        unsure = False
    return tuple(named)


def _without_files(found: _Command) -> tuple[Word, ...] | None:
    named = _positional(found)
    return None if named is None else tuple(word for word in found.args if word not in named)


def _chosen(runner: Runner, files: Sequence[str]) -> Sequence[str]:
    if runner is Runner.GO:
        return tuple(dict.fromkeys(f"./{posixpath.dirname(file)}".rstrip("/") for file in files))
    if runner is Runner.NODE and any(not _GLOB_SIGNS.isdisjoint(file) for file in files):
        return ()
    if runner is Runner.PYTEST and any("::" in file for file in files):
        return ()
    return files


def _file_words(runner: Runner, wanted: str) -> str:
    return f"--runTestsByPath {wanted}" if runner is Runner.JEST else wanted


def _unittest_with_files(run: str, found: _Command, kept: tuple[Word, ...], files: Sequence[str], wanted: str) -> str:
    """Return a call of our program, which reports, too: it finds tests as unittest does, and runs those of the files."""
    head = run[: found.first.start] + UNITTEST_PROGRAM
    named = [word.text for word in found.args if word not in kept]
    if named and named[0] != "discover":
        return _joined(head, run, kept, wanted)
    only = " ".join(shlex.quote(f"--only={file}") for file in files)
    return _joined(f"{head} {only}", run, found.args, "")


def _joined(head: str, run: str, kept: Sequence[Word], last: str) -> str:
    return " ".join(filter(None, (head, *(run[word.start : word.end] for word in kept), last)))
