"""The policy: which findings a change has, and how grave each is."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

from moonmind.proof.path_globs import PathPatterns
from moonmind.proof.policy import package_scripts
from moonmind.proof.policy.asked_paths import AskedPaths
from moonmind.proof.policy.changed_path import LINK, REGULAR, ChangedPath
from moonmind.proof.policy.deletions import mass_deletion
from moonmind.proof.policy.generated_folders import generated
from moonmind.proof.policy.plain_names import plain_name
from moonmind.proof.policy.policy_rules import PolicySettings, severity
from moonmind.proof.policy.portable_names import collisions, name_problem
from moonmind.proof.policy.protected_files import (
    IGNORE_FILES,
    ignore_rules,
    link_rule,
    protecting_rule,
    spec_words,
    words_of,
)
from moonmind.proof.policy.stored_files import LARGEST_POINTER, lfs_problem, line_end_problem, pointer
from moonmind.proof.policy.unsafe_paths import find_unsafe
from moonmind.runs.findings import Finding

FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of one added or changed file; larger ones belong elsewhere than in a reviewed change."""
MANY_FILES = 300
"""Pages of a review show no more files at once."""
MANY_LINES = 20_000
MOST_READ = 500
"""Manifests and ignore files that are looked into, and as many others."""

Read = Callable[[bool, str], bytes | None]
"""Returns a file as it is after the change, or was before; None where there is none, or it is too large to look into."""


def _nothing(_after: bool, _path: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class PatchFacts:
    """A change, and what it is judged against."""

    changes: Collection[ChangedPath]
    sizes: Mapping[str, int]
    """Bytes of every file after the change: its keys are the tree."""
    tasks_path: str
    feature: str = ""
    """The feature's folder."""
    asked: AskedPaths = field(default_factory=AskedPaths)
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What the repository's `.gitattributes` say of changed files after the change: `filter`, by path."""
    read: Read = _nothing

    @property
    def added(self) -> frozenset[str]:
        """Return the paths that were not there before."""
        return frozenset(change.path for change in self.changes if change.status == "A")

    @property
    def before(self) -> frozenset[str]:
        """Return the paths of the tree before the change."""
        return (frozenset(self.sizes) - self.added) | {one.path for one in self.changes if one.status == "D"}


def judge(facts: PatchFacts, settings: PolicySettings = PolicySettings()) -> tuple[Finding, ...]:  # noqa: B008 - frozen
    """Hold a change against the policy. Raises RecipeUnreadable where the repository's own patterns take too long."""
    patterns = PathPatterns(settings.protected) if settings.protected else None
    looked_into = _Budget(), _Budget()
    found = [one for change in facts.changes for one in _of_change(change, facts, settings, patterns, *looked_into)]
    return (*found, *_of_whole(facts, settings))


class _Budget:
    """How many files are still looked into."""

    def __init__(self) -> None:
        self.left = MOST_READ

    def take(self) -> bool:
        """Return True if one more is."""
        self.left -= 1
        return self.left >= 0


def _of_change(
    change: ChangedPath,
    facts: PatchFacts,
    settings: PolicySettings,
    patterns: PathPatterns | None,
    manifests: _Budget,
    others: _Budget,
) -> Iterator[Finding]:
    unsafe = tuple(find_unsafe(change, facts.tasks_path))
    for rule, words in unsafe:
        yield _finding(change.path, rule, words, settings)
    if change.path == facts.tasks_path:
        return
    size = facts.sizes.get(change.path, 0)
    if change.status != "D" and size > FILE_LIMIT:
        yield _finding(change.path, "size", f"it has {size} bytes; {FILE_LIMIT} are allowed", settings)
    yield from _by_name(change, facts, settings, patterns)
    task = facts.asked.task_for(change.path)
    for rule, words in _by_content(change, facts, manifests):
        yield _finding(change.path, rule, words, settings, task)
    for rule, words in _as_stored(change, facts, others):
        yield _finding(change.path, rule, words, settings)
    if change.status == "A" and not unsafe and (problem := name_problem(change.path)):
        yield _finding(change.path, "name", problem, settings, task)
    if change.status != "D" and change.new_mode == "100755" and change.old_mode != "100755":
        yield _finding(change.path, "executable", "it becomes executable", settings)


def _by_name(
    change: ChangedPath, facts: PatchFacts, settings: PolicySettings, patterns: PathPatterns | None
) -> Iterator[Finding]:
    if (protecting := _protecting(change)) is not None:
        task = facts.asked.task_for(change.path, meant=lambda path: protecting_rule(path) is not None)
        yield _finding(change.path, protecting, words_of(protecting), settings, task)
    task = facts.asked.task_for(change.path)
    if spec := spec_words(change.path, facts.feature, facts.tasks_path):
        yield _finding(change.path, "spec", spec, settings, task)
    if patterns is not None and patterns.match(change.path):
        yield _finding(change.path, "protected", "the repository protects it (`policy.protected`)", settings, task)


def _protecting(change: ChangedPath) -> str | None:
    rule = link_rule(change.path) if change.new_mode == LINK else protecting_rule(change.path)
    if rule == "commands" and change.status not in {"M", "T"}:
        return None  # new commands do nothing to those who know the old ones
    return "ci_removed" if rule == "ci" and change.status == "D" else rule


def _by_content(change: ChangedPath, facts: PatchFacts, budget: _Budget) -> Iterator[tuple[str, str]]:
    name = plain_name(change.path.rpartition("/")[2])
    if name in package_scripts.MANIFESTS:
        if change.status == "D":
            return
        if change.new_mode not in REGULAR:
            yield "install_scripts", "what runs when the package is installed cannot be looked into: it is a link"
            return
        if not budget.take():
            yield "install_scripts", f"it was not looked into: more than {MOST_READ} such files change"
            return
        before, after = _contents(change, facts)
        if after is None:
            yield "install_scripts", package_scripts.UNREADABLE
            return
        yield from package_scripts.changed_scripts(name, before, after)
    elif IGNORE_FILES.fullmatch(change.path):
        if not budget.take():
            yield "unignored", f"it was not looked into: more than {MOST_READ} such files change"
            return
        old, new = (_text(data) for data in _contents(change, facts))
        yield from ignore_rules(change.path, old, new)


def _as_stored(change: ChangedPath, facts: PatchFacts, budget: _Budget) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with how a changed file stands in the repository: as Git LFS wants it, and with the same line ends."""
    size = facts.sizes.get(change.path, 0)
    attributes = facts.attributes.get(change.path, {})
    by_lfs = attributes.get("filter") == "lfs"
    may_be_pointer = size <= LARGEST_POINTER
    whole = change.status == "M" and change.added > 0 and change.added == change.deleted
    if change.status == "D" or change.new_mode not in REGULAR or not (by_lfs or may_be_pointer or whole):
        return
    if not budget.take():
        return
    after = facts.read(True, change.path)
    if not (by_lfs or whole or pointer(after)):
        return
    before = facts.read(False, change.path) if change.old_mode in REGULAR else None
    if problem := lfs_problem(attributes, before, after, size):
        yield "lfs", problem
    elif whole and (problem := line_end_problem(before, after)):
        yield "line_endings", problem


def _contents(change: ChangedPath, facts: PatchFacts) -> tuple[bytes | None, bytes | None]:
    before = facts.read(False, change.path) if change.old_mode in REGULAR else None
    after = facts.read(True, change.path) if change.new_mode in REGULAR else None
    return before, after


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _of_whole(facts: PatchFacts, settings: PolicySettings) -> Iterator[Finding]:
    """Yield what only the change as a whole shows."""
    if lost := mass_deletion(facts.changes, facts.sizes, facts.asked.removes):
        yield _finding(lost[0], "deletion", lost[1], settings)
    for path, other in collisions(facts.added, facts.sizes):
        words = f"some systems take it for {other!r}: they differ in case or in Unicode form alone"
        yield _finding(path, "name", words, settings, facts.asked.task_for(path))
    for rule, folder, count, words in generated(
        [path for path in facts.added if protecting_rule(path) is None], facts.before
    ):
        task = facts.asked.task_in(folder)
        files = f", {count} files" if count > 1 else ""
        yield _finding(folder, rule, f"{words}{files}", settings, task)
    lines = sum(max(one.added, 0) for one in facts.changes)
    if len(facts.changes) > MANY_FILES or lines > MANY_LINES:
        words = f"{len(facts.changes)} files and {lines} new lines are more than a review takes in"
        yield _finding(".", "large", words, settings)


def _finding(path: str, rule: str, words: str, settings: PolicySettings, task: str = "") -> Finding:
    return Finding(path, rule, severity(rule, settings, asked_for=bool(task)), words, task)
