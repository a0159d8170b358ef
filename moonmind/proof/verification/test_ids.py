"""What a test of a report is called, so that one run calls it as the next one does.

Runners write the same test in many ways: a dotted class, a path, nested suites. The id begins with the test's file where that
is known: `tests/test_cart.py::TestTotal::test_empty`. What a file that cannot be loaded is reported as has the file as its id.
"""

import hashlib
import posixpath
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from moonmind.runs.stored_text import storable
from moonmind.speckit.evidence import is_test

LONGEST_ID = 400
_LONGEST_NAME = 4_000
"""Characters of a name that are looked at."""
_CHECKOUT = "/workspace/"
"""Where a job finds the repository: what runners write before absolute paths."""
_SCRIPTS = (".js", ".cjs", ".mjs", ".jsx", ".ts", ".cts", ".mts", ".tsx", ".vue", ".svelte")
_CLASS_FILES = (".java", ".kt", ".groovy", ".scala")
_DEEPEST_PATH = 100
"""Parts of an absolute path, from its end, that are looked up."""
_DEEPEST_CLASS = 40
"""Parts of a dotted name that are looked up."""
_UNNAMED = "(a test without a name)"
_NOT_LOADED = "Test suite failed to run"
"""jest-junit's class of a file that could not be loaded."""


@dataclass(frozen=True, slots=True)
class ReportedName:
    """How a report names one test: hostile text."""

    name: str
    classname: str = ""
    file: str = ""
    suites: tuple[str, ...] = ()
    """Names of the suites around it, from the outermost."""
    nested: bool = False
    """True where the runner tells a test by the suites around it: node's."""


@dataclass(frozen=True, slots=True)
class TestName:
    """What a test is called here."""

    __test__ = False

    id: str
    file: str = ""
    """From the repository's root; empty where it is not known."""

    @property
    def whole_file(self) -> bool:
        """Return True where a file is meant, not a test in it."""
        return self.id == self.file


class TestNaming:
    """Names the tests of one command.

    `root` is the folder that it runs in; `listing` are the paths of the repository, as far as they matter.
    """

    __test__ = False

    def __init__(self, root: str = ".", listing: Collection[str] = ()) -> None:
        self._root = posixpath.normpath(root or ".")
        self._listing = frozenset(listing)
        # From their ends, so that the paths with the same end stand side by side.
        self._ends = sorted(f"/{path}"[::-1] for path in self._listing)
        self._place = lru_cache(maxsize=4_096)(self._find_place)
        self._module = lru_cache(maxsize=4_096)(self._find_module)

    def name(self, reported: ReportedName) -> TestName:
        """Return the id and file of a test."""
        name = reported.name.strip()[:_LONGEST_NAME]
        classname = reported.classname.strip()[:_LONGEST_NAME]
        given = _cleaned(reported.file)
        place = self._place(given) if given else ""
        if reported.nested:
            return (
                self._file(name) if self._is(name, place) else self._named(place, " > ".join((*reported.suites, name)))
            )
        if found := self._as_script(name, classname, place):
            return found
        return self._as_python(name, classname, given, place) or self._as_class(name, classname, place)

    def _is(self, name: str, place: str) -> bool:
        """Return True if a name is a path: the one given, or one that is seen to be."""
        path = self._place(_cleaned(name))
        return bool(path) and (path == place or path in self._listing or _cleaned(name).startswith("/"))

    def _as_script(self, name: str, classname: str, place: str) -> TestName | None:
        if classname == _NOT_LOADED:
            return self._file(name)
        path = self._place(_cleaned(classname)) if classname.endswith(_SCRIPTS) and not place else place
        if not path.endswith(_SCRIPTS):
            return None
        if self._place(_cleaned(name)) == path:
            return TestName(_printable(path), _printable(path))
        classes = () if classname in {"", name} or self._place(_cleaned(classname)) == path else (classname,)
        return self._named(path, "::".join((*classes, name)))

    def _as_python(self, name: str, classname: str, given: str, place: str) -> TestName | None:
        if not classname:
            module, rest = self._module(name)
            if not module and place and _dotted(given) == name:
                module, rest = place, ""
            return TestName(_printable(module), _printable(module)) if module and not rest else None
        module, rest = self._module(classname)
        if module:
            return self._named(module, "::".join((*filter(None, rest.split(".")), name)))
        if not place.endswith(".py"):
            return None
        dotted = _dotted(given)
        if classname == dotted or classname.startswith(dotted + "."):
            return self._named(place, "::".join((*filter(None, classname[len(dotted) :].split(".")), name)))
        return self._named(place, f"{classname}::{name}")

    def _as_class(self, name: str, classname: str, place: str) -> TestName:
        """Name it as written; the file only says where to look, since it may be seen in one tree and not in another."""
        words = (name if classname in {"", name} else f"{classname}::{name}") or _UNNAMED
        return TestName(_printable(words), _printable(place or self._class_file(classname)))

    def _file(self, name: str) -> TestName:
        path = _printable(self._place(_cleaned(name)) or name)
        return TestName(path, path)

    def _named(self, path: str, words: str) -> TestName:
        return TestName(_printable(f"{path}::{words}" if path else words), _printable(path))

    def _find_place(self, given: str) -> str:
        """Return the path from the repository's root that a runner means; empty where it is none of the repository's."""
        if given.startswith(_CHECKOUT):
            path = posixpath.normpath(given[len(_CHECKOUT) :])
            return "" if _escapes(path) else path
        if given.startswith("/"):
            return self._only_end(given)
        path = posixpath.normpath(posixpath.join(self._root, given))
        if path in self._listing:
            return path
        return self._only_end(posixpath.normpath(given)) or ("" if _escapes(path) else path)

    def _only_end(self, given: str) -> str:
        """Return the one path of the listing that ends as a path does; of an absolute one, the longest that is its end."""
        if given.startswith("/"):
            parts = given[1:].split("/")[-_DEEPEST_PATH:]
            ends = ("/".join(parts[start:]) for start in range(len(parts)))
            return next((path for path in ends if path in self._listing), "")
        end = f"/{given}"[::-1]
        at = bisect_left(self._ends, end)
        found = [path for path in self._ends[at : at + 2] if path.startswith(end)]
        return found[0][::-1].removeprefix("/") if len(found) == 1 else ""

    def _find_module(self, dotted: str) -> tuple[str, str]:
        """Return the Python file that a dotted name begins with, and the rest of the name; two empty ones where it is none."""
        if "/" in dotted or " " in dotted:
            return "", ""
        parts = dotted.split(".")
        for length in range(min(len(parts), _DEEPEST_CLASS), 0, -1):
            path = "/".join(parts[:length]) + ".py"
            placed = posixpath.normpath(posixpath.join(self._root, path))
            found = placed if placed in self._listing else self._only_end(path) if parts[length - 1] else ""
            if found and (length > 1 or is_test(found)):
                return found, ".".join(parts[length:])
        return "", ""

    def _class_file(self, classname: str) -> str:
        outer = classname.partition("$")[0].replace(".", "/")
        found = [path for suffix in _CLASS_FILES if outer and (path := self._only_end(outer + suffix))]
        return found[0] if len(found) == 1 else ""


def _cleaned(path: str) -> str:
    return path.strip()[:_LONGEST_NAME].removeprefix("file://").replace("\\", "/")


def _dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _escapes(path: str) -> bool:
    return path in {"", ".", ".."} or path.startswith(("../", "/"))


def _printable(text: str) -> str:
    """Return the text with all that is not seen written out, and what is too long cut so that two texts stay two."""
    seen = "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii") for sign in storable(text)
    )
    if len(seen) <= LONGEST_ID:
        return seen
    return f"{seen[: LONGEST_ID - 14]}...{hashlib.sha256(seen.encode()).hexdigest()[:11]}"
