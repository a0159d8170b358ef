"""Which tests assert anything of the code: one that asserts nothing shows nothing, even where it fails without the code."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from moonmind.proof.verification.asserted import Asserted
from moonmind.proof.verification.assertion_counts import read_assertions

_SAYS_SO = re.compile(
    r"assert|check|verif|expect|ensure|should|must|match|approv|compar|valid|equal|same|require|snapshot|raises|fail",
    re.IGNORECASE,
)
"""What the name of a function of elsewhere has in it that asserts for the test that calls it."""
_DEEPEST = 10
_MOST_CALLED = 200
"""Functions that are looked at for one test; one that calls more is taken to assert something."""
_MOST_ALIKE = 100
"""Tests that a name of a report may stand for."""


@dataclass(frozen=True, slots=True)
class _File:
    functions: Mapping[str, Asserted]
    tests: frozenset[str]
    titles: Mapping[str, list[str]]
    """The tests by their own titles."""
    lengths: tuple[int, ...]
    """Of these titles."""


class AssertingTests:
    """What the tests of some files assert, helpers of each other's files included."""

    def __init__(self, files: Iterable[tuple[str, bytes | None]]) -> None:
        self._files: dict[str, _File] = {}
        self._helpers: dict[str, list[tuple[str, str]]] = {}
        """File and key of each function that is no test, by its bare name."""
        self._tests: dict[str, list[tuple[str, str]]] = {}
        """The same of tests."""
        self._known: dict[tuple[str, str], bool] = {}
        self._known_files: dict[str, bool] = {}
        for path, content in files:
            read = read_assertions(path, content) if content is not None else None
            if read is not None:
                self._files[path] = _file(*read)
        for path, file in self._files.items():
            for key in file.functions.keys() - file.tests:
                self._helpers.setdefault(_bare(key), []).append((path, key))
            for key in file.tests:
                self._tests.setdefault(_bare(key), []).append((path, key))

    def asserts(self, test: str, path: str) -> bool:
        """Return True if the test of that id asserts more than that something is there; True also where that is not seen."""
        file = self._files.get(path)
        if file is None:
            return True
        name = test.removeprefix(f"{path}::")
        found = [(path, key) for key in _keys_of(name, file)] or self._inherited(name)
        if not found and "::" in name.partition("[")[0] and path.casefold().endswith(".py"):
            return True  # a class has it from code that was there before
        if found:
            return any(self._decides(*one) for one in found[:_MOST_ALIKE])
        if path not in self._known_files:
            self._known_files[path] = any(self._decides(path, key) for key in file.functions)
        return self._known_files[path]

    def _inherited(self, name: str) -> list[tuple[str, str]]:
        """Return the tests of that name in other files: a class of these may be the base of the test's."""
        return self._tests.get(_bare(name.partition("[")[0]), [])

    def _decides(self, path: str, key: str) -> bool:
        if (path, key) not in self._known:
            self._known[path, key] = self._reaches_assertion(path, key)
        return self._known[path, key]

    def _reaches_assertion(self, path: str, key: str) -> bool:
        waiting, seen = [(path, key, 0)], set[tuple[str, str]]()
        while waiting:
            place, name, depth = waiting.pop()
            if (place, name) in seen or depth > _DEEPEST:
                continue
            if len(seen) >= _MOST_CALLED:
                return True
            seen.add((place, name))
            one = self._files[place].functions.get(name)
            if one is None:
                continue
            if one.decides or any(self._may_assert(called) for called in one.foreign):
                return True
            waiting += [(place, called, depth + 1) for called, _ in one.calls]
            waiting += [
                (*helper, depth + 1) for called in one.foreign for helper in self._helpers.get(_bare(called), ())
            ]
        return False

    def _may_assert(self, called: str) -> bool:
        """Return True for a function of no file here whose name says that it asserts, or that a class inherits."""
        if _bare(called) in self._helpers:
            return False
        return called.startswith("self.") or _SAYS_SO.search(called) is not None


def _bare(name: str) -> str:
    return re.split(r"::|\.| ", name)[-1]


def _file(functions: Mapping[str, Asserted], tests: frozenset[str]) -> _File:
    titles: dict[str, list[str]] = {}
    for key in sorted(tests):
        if own := re.split(r"::| > ", key)[-1]:
            titles.setdefault(own, []).append(key)
    return _File(functions, tests, titles, tuple(sorted({len(own) for own in titles})))


def _keys_of(name: str, file: _File) -> tuple[str, ...]:
    """Return the tests of a file that a report's name may stand for."""
    plain = name.partition("[")[0]
    if plain in file.tests:
        return (plain,)
    if name in file.tests:
        return (name,)
    return tuple(_ending_alike(plain, file))


def _ending_alike(name: str, file: _File) -> Iterator[str]:
    """Yield the tests whose own titles a name ends with: runners write those around them in many ways."""
    for length in file.lengths:
        if length <= len(name):
            yield from file.titles.get(name[-length:], ())
