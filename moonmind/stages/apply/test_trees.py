"""The trees on which tests are run to verify a change: the new one, the old one, and mixtures of both."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from moonmind.ports.vcs import Change
from moonmind.proof.substance import LARGEST
from moonmind.proof.verification.emptied_bodies import emptied
from moonmind.proof.verification.function_guards import Emptied
from moonmind.speckit.evidence import is_test

MOST_FILES = 500
"""Files that are put over a tree."""
MOST_BYTES = 16 * 1024 * 1024
_CONFIGURATION = re.compile(
    r"(?:^|/)(?:conftest\.py|pytest\.ini|tox\.ini|setup\.cfg|pyproject\.toml|package\.json|Makefile|justfile|(?:jest|vitest)\.config\.\w+)$"
)
_REGULAR = frozenset({"100644", "100755"})

Read = Callable[[bool, str], bytes | None]
"""`read(after, path)` returns a file's content after or before the change; None where it is too large, or not there."""


@dataclass(frozen=True, slots=True)
class ChangedFiles:
    """The regular files that a change adds or changes."""

    tests: tuple[str, ...] = ()
    """Tests, and what lies in folders of tests."""
    code: tuple[str, ...] = ()
    """All others."""
    added: frozenset[str] = frozenset()
    executable: frozenset[str] = frozenset()
    alters_tests: bool = False
    """The change touches or deletes tests that were there, or the configuration of tests."""


def changed_files(changes: Iterable[Change]) -> ChangedFiles:
    """Sort the files of a change, by path."""
    changes = tuple(changes)
    there = sorted((one for one in changes if one.status != "D" and one.new_mode in _REGULAR), key=lambda one: one.path)
    return ChangedFiles(
        tuple(one.path for one in there if is_test(one.path)),
        tuple(one.path for one in there if not is_test(one.path)),
        frozenset(one.path for one in there if one.status == "A"),
        frozenset(one.path for one in there if one.new_mode == "100755"),
        any(one.status != "A" and (is_test(one.path) or _CONFIGURATION.search(one.path)) for one in changes),
    )


def tests_over_old(
    changed: ChangedFiles, read: Callable[[str, int], bytes | None]
) -> tuple[Mapping[str, bytes | None] | None, str]:
    """Return the changed tests and what lies with them, to be put over the old tree; None and the reason where that is too much.

    `read(path, limit)` returns a file's content after the change; None where it has more bytes.
    """
    if len(changed.tests) > MOST_FILES:
        return None, f"more than {MOST_FILES} files of tests changed"
    files: dict[str, bytes | None] = {}
    left = MOST_BYTES
    for path in changed.tests:
        content = read(path, left)
        if content is None or len(content) > left:
            return None, f"with {path}, the changed files of tests are larger than {MOST_BYTES >> 20} MiB together"
        left -= len(content)
        files[path] = content
    return files, ""


@dataclass(frozen=True, slots=True)
class GuardedFiles:
    """Files with guards in front of functions that the change wrote; none where they would be too many or too large."""

    files: Mapping[str, bytes | None] = field(default_factory=dict)
    """The functions do nothing."""
    control: Mapping[str, bytes | None] = field(default_factory=dict)
    """The same files with guards that let the functions work: what fails there, too, fails for how the files look."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What is put over the new tree to see whether its tests notice that functions do nothing."""

    functions: tuple[str, ...]
    """`path: name` of each."""
    plain: GuardedFiles = GuardedFiles()
    """The functions return nothing."""
    inert: GuardedFiles = GuardedFiles()
    """The functions return an object that does nothing, so that what uses them while it is loaded loads."""
    left: bool = False
    """Some functions of the plain files are left as they are, since they run while their file is loaded."""


def probe_of(paths: Collection[str], changed: ChangedFiles, read: Read) -> Probe | None:
    """Return what is put over the new tree for these files; None where no function of them can be emptied."""
    plain: dict[str, Emptied] = {}
    inert: dict[str, Emptied] = {}
    left = False
    for path in sorted(paths):
        after = read(True, path)
        before = None if path in changed.added else read(False, path)
        if after is None or len(after) > LARGEST or (before is None and path not in changed.added):
            continue
        found, other = emptied(path, before, after), emptied(path, before, after, inert=True)
        if found is not None and found.functions:
            plain[path] = found
        if other is not None and other.functions:
            inert[path] = other
        left = left or bool(found is not None and found.left)
    both = _guarded(plain), _guarded(inert)
    # With inert functions, those are emptied, too, that run while their file is loaded.
    functions = tuple(f"{path}: {name}" for path, one in sorted({**plain, **inert}.items()) for name in one.functions)
    return Probe(functions, *both, left) if any(one.files for one in both) else None


def _guarded(found: Mapping[str, Emptied]) -> GuardedFiles:
    if len(found) > MOST_FILES or sum(len(one.content) for one in found.values()) > MOST_BYTES:
        return GuardedFiles()
    return GuardedFiles(
        {path: one.content for path, one in found.items()}, {path: one.control for path, one in found.items()}
    )
