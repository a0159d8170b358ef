"""How many assertions the tests of a file make, and which tests a change makes assert less."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from moonmind.proof.verification.asserted import Asserted, with_helpers
from moonmind.proof.verification.asserted_python import asserted_in_python
from moonmind.proof.verification.asserted_script import asserted_in_script
from moonmind.proof.verification.looser_assertions import looser_in_python
from moonmind.proof.verification.looser_expectations import looser_in_scripts
from moonmind.proof.verification.script_syntax import ENDINGS

_PYTHON = frozenset({".py", ".pyw"})
LARGEST = 512 * 1024
"""Bytes of a file that is read."""


@dataclass(frozen=True, slots=True)
class WeakerTest:
    """A test that asserts less than before."""

    test: str
    """`TestA::test_b` in Python, the titles in scripts: hostile text."""
    before: int
    after: int
    """As many as before where they are looser ones."""


def is_counted(path: str) -> bool:
    """Return True for a file in a language whose assertions are counted."""
    return _ending(path) in _PYTHON | ENDINGS


def assertions(path: str, content: bytes, *, generous: bool = False) -> Mapping[str, int] | None:
    """Return how many assertions each test of a file makes; None where the file cannot be read.

    Those that hold whatever the code does, that are never reached or whose failure is swallowed count nothing. A
    function of the same file counts each time that it is named. A snapshot, a loop or a list of cases may stand for
    many: `generous` counts them at the most that they may stand for, else at the least.
    """
    read = _read(path, content, generous)
    return None if read is None else _counts(*read, generous=generous)


def read_assertions(path: str, content: bytes) -> tuple[Mapping[str, Asserted], frozenset[str]] | None:
    """Return what each function of a test file asserts, counted at the most, and which are tests; None where it cannot be read."""
    return _read(path, content, True)


def weaker_tests(path: str, before: bytes, after: bytes) -> tuple[WeakerTest, ...]:
    """Return the tests that are in both files and for certain assert less, or looser things, in the second, in the file's order.

    An assertion that moved to another test of the file is not missed. None are returned where one of the files cannot
    be read.
    """
    old, new = _read(path, before, False), _read(path, after, True)
    if old is None or new is None:
        return ()
    counts, least = _counts(*new, generous=True), _counts(*old, generous=False)
    says_old = {test: _says(old[0][test]) for test in least}
    says_new = {test: _says(new[0][test]) for test in counts}
    moved = Counter[str]()
    for test, says in says_new.items():
        moved += says - says_old.get(test, Counter())
    found = []
    for test, count in least.items():
        if counts.get(test, count) >= count:
            continue
        missed = (says_old[test] - says_new[test]) & moved
        moved -= missed
        if counts[test] + missed.total() < count:
            found.append(WeakerTest(test, count, counts[test]))
    seen = {one.test for one in found}
    return (
        *found,
        *(
            WeakerTest(test, least[test], least[test])
            for test in _looser(path, before, after)
            if test in least.keys() - seen
        ),
    )


def _looser(path: str, before: bytes, after: bytes) -> tuple[str, ...]:
    if _ending(path) in _PYTHON:
        return looser_in_python(before, after)
    return looser_in_scripts(before, after, _ending(path))


def _read(path: str, content: bytes, generous: bool) -> tuple[Mapping[str, Asserted], frozenset[str]] | None:
    ending = _ending(path)
    if len(content) > LARGEST:
        return None
    if ending in _PYTHON:
        return asserted_in_python(content, generous=generous)
    return asserted_in_script(content, ending, generous=generous) if ending in ENDINGS else None


def _ending(path: str) -> str:
    return f".{path.casefold().rpartition('/')[2].rpartition('.')[2]}"


def _counts(functions: Mapping[str, Asserted], tests: frozenset[str], *, generous: bool) -> dict[str, int]:
    return {name: count for name, count in with_helpers(functions, generous=generous).items() if name in tests}


def _says(one: Asserted) -> Counter[str]:
    found = Counter[str]()
    for words, times in one.found:
        if words:
            found[words] += times
    return found
