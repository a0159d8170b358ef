"""Reads why a forge did not take a push: its rules speak through git in words alone."""

import re
from typing import Any, NamedTuple

from moonmind.errors import BranchProtected, PushRejected, RepositoryArchived, VcsDenied, VcsError


class _Rule(NamedTuple):
    words: re.Pattern[str]
    message: str
    remediation: str | None = None


_ARCHIVED = re.compile(r"archived so it is read-only|repository (?:has been|was|is) archived", re.IGNORECASE)
_PROTECTED = re.compile(
    r"GH006|GH013|protected branch|repository rule violations|push declined due to repository rule", re.IGNORECASE
)
_RULES = (
    _Rule(
        re.compile(r"GH013.{0,2000}secret|push cannot contain secrets", re.IGNORECASE | re.DOTALL),
        "GitHub's push protection found a secret in {branch}",
        "The forge's message says where it is: remove it from the repository or add notes for the agent, then retry from "
        "discovery.",
    ),
    _Rule(
        re.compile(r"without [`']?workflow[`']? scope|without [`']?workflows[`']? permission", re.IGNORECASE),
        "the token may not change workflows, and {branch} does",
        "Give the token the scope `workflow` (fine-grained: workflows, read and write), then retry publish.",
    ),
    _Rule(
        re.compile(r"GH001|exceeds GitHub's file size limit", re.IGNORECASE),
        "{branch} contains a file that is larger than GitHub accepts",
        "Remove the file, or keep it in Git LFS; then retry from discovery.",
    ),
    _Rule(
        re.compile(
            r"directory file conflict|refname conflict|cannot lock ref .{0,1000}exists; cannot create|case-insensitive",
            re.IGNORECASE | re.DOTALL,
        ),
        "the name of another branch leaves no room for {branch}",
        "Rename or delete the branch that the forge's message names, then retry the run.",
    ),
)
_NO_RIGHT = re.compile(r"returned error: 403|Permission to .{0,200} denied")


def refusal(failure: VcsError, branch: str, *, summary: str | None, **facts: Any) -> Exception:
    """Return the error for a push that failed. `summary` is git's line on the branch, where the push got as far as one."""
    words = str(failure.details["stderr"])
    said = words_of_the_forge(words)
    details = {"branch": branch, **facts, **failure.details}
    tail = f"; it said: {said}" if said else ""
    if _ARCHIVED.search(words):
        return RepositoryArchived(f"the repository is archived and accepts no push{tail}", **details)
    if summary is None:
        if isinstance(failure, VcsDenied) and _NO_RIGHT.search(words):
            return PushRejected(f"the token may not push {branch}{tail}", **details)
        return failure
    for rule in _RULES:
        if rule.words.search(f"{summary} {words}"):
            return PushRejected(rule.message.format(branch=branch) + tail, remediation=rule.remediation, **details)
    reason = f"the forge refused {branch}: {summary[:300]}{tail}"
    if _PROTECTED.search(f"{summary} {words}"):
        return BranchProtected(reason, **details)
    return PushRejected(reason, **details)


def words_of_the_forge(words: str) -> str:
    """Pick what the other side said in its own words: which rule it was that refused is written nowhere else."""
    lines = (line.removeprefix("remote:").strip() for line in words.splitlines() if line.startswith("remote:"))
    said = "; ".join(line for line in lines if line)[:500]
    return "".join(letter if letter.isprintable() else " " for letter in said)
