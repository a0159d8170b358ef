"""The patch policy: which changes are refused whatever the agent says, and which a reviewer should look at first."""

import re
from collections.abc import Iterable, Mapping

from moonmind.ports.vcs import Change
from moonmind.runs.findings import Finding, Severity
from moonmind.stages.kit.file_names import plain_name

FILE_LIMIT = 10 * 1024 * 1024
"""Bytes of one added or changed file; larger ones belong elsewhere than in a reviewed change."""

GITLINK = "160000"
LINK = "120000"

_GIT_NAMES = frozenset({".git", "git~1"})
_MODULES = re.compile(r"\.gitmodules|gitmod~\d|gi7eba~\d")
_DRIVE = re.compile(r"[A-Za-z]:")
_CI = re.compile(
    r"\.github/(?:workflows|actions)/.+|\.gitlab-ci\.ya?ml|\.gitlab/.+|\.circleci/.+|\.buildkite/.+|\.travis\.yml"
    r"|azure-pipelines\.ya?ml|bitbucket-pipelines\.yml|(?:.+/)?Jenkinsfile|\.drone\.ya?ml|\.woodpecker(?:/.+|\.ya?ml)"
    r"|\.husky/.+|\.pre-commit-config\.yaml|lefthook\.ya?ml",
    re.IGNORECASE,
)
_OWNERS = re.compile(r"(?:\.github/|docs/|\.gitlab/)?CODEOWNERS", re.IGNORECASE)
_AGENT_RULES = re.compile(
    r"(?:.+/)?(?:AGENTS|CLAUDE|GEMINI)\.md|\.(?:agents|codex|claude|cursor|specify)/.+|\.github/copilot-.+",
    re.IGNORECASE,
)
_ATTRIBUTES = re.compile(r"(?:.+/)?\.gitattributes", re.IGNORECASE)


def judge(changes: Iterable[Change], sizes: Mapping[str, int], tasks_path: str) -> tuple[Finding, ...]:
    """Hold a change against the policy; `sizes` are the bytes of the files after it."""
    return tuple(finding for change in changes for finding in _of_change(change, sizes, tasks_path))


def refused(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Pick the findings that stop the run."""
    return tuple(finding for finding in findings if finding.severity is Severity.REFUSED)


def _of_change(change: Change, sizes: Mapping[str, int], tasks_path: str) -> Iterable[Finding]:
    def refuse(rule: str, words: str) -> Finding:
        return Finding(change.path, rule, Severity.REFUSED, words)

    if words := unsafe_path(change.path):
        yield refuse("path", words)
    if _MODULES.fullmatch(plain_name(change.path)):
        yield refuse("gitmodules", "it decides which other repositories are fetched")
    if GITLINK in {change.old_mode, change.new_mode}:
        yield refuse("gitlink", "it adds, moves or removes a submodule")
    if change.path.startswith(f"{tasks_path}/") or (change.status != "D" and tasks_path.startswith(f"{change.path}/")):
        yield refuse("tasks_file", f"it leaves no place for {tasks_path}")
    if change.status == "D":
        yield from _warnings(change)
        return
    if change.new_mode == LINK and (words := unsafe_link(change.path, change.link_target)):
        yield refuse("link", words)
    if (size := sizes.get(change.path, 0)) > FILE_LIMIT:
        yield refuse("size", f"it has {size} bytes; {FILE_LIMIT} are allowed")
    yield from _warnings(change)


def unsafe_path(path: str) -> str | None:
    """Return why a path may not be written; None if it may."""
    if not path or path.startswith(("/", "\\")) or _DRIVE.match(path):
        return "it is not relative to the repository"
    if any(sign < " " or sign == "\x7f" or "\ud800" <= sign <= "\udfff" for sign in path):
        return "its name holds control characters or is not UTF-8"
    # A backslash is a letter to git here, and a separator where Windows checks the change out.
    for part in re.split(r"[/\\]", path):
        if part in {"", ".", ".."}:
            return "it leads out of its folder"
        if plain_name(part) in _GIT_NAMES:
            return "it is inside a git directory"
    return None


def unsafe_link(path: str, target: str | None) -> str | None:
    """Return why a symbolic link may not be added; None if it stays inside the tree."""
    if not target:
        return "where it points cannot be read"
    if target.startswith("/") or _DRIVE.match(target) or "\\" in target or not target.isprintable():
        return f"it points to {target!r}, which is absolute or no plain path"
    depth = path.count("/")
    named = False
    for part in target.split("/"):
        if part in {"", "."}:
            continue
        if part == "..":
            # After a named part, `..` may mean the parent of wherever another link leads.
            if named:
                return f"it points to {target!r}, which turns back on its way"
            depth -= 1
            if depth < 0:
                return f"it points to {target!r}, outside of the repository"
        elif plain_name(part) in _GIT_NAMES:
            return f"it points to {target!r}, inside a git directory"
        else:
            named = True
    return None


def _warnings(change: Change) -> Iterable[Finding]:
    def warn(rule: str, words: str) -> Finding:
        return Finding(change.path, rule, Severity.WARNING, words)

    if _CI.fullmatch(change.path):
        yield warn("automation", "it changes what runs by itself on commits or in CI")
    if _OWNERS.fullmatch(change.path):
        yield warn("owners", "it changes who has to review")
    if _AGENT_RULES.fullmatch(change.path):
        yield warn("agent_rules", "it changes what agents are told here")
    if _ATTRIBUTES.fullmatch(change.path):
        yield warn("attributes", "it changes how git treats files")
    if change.new_mode == "100755" and change.old_mode != "100755":
        yield warn("executable", "it becomes executable")
