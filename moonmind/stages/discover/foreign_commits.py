"""Commits on a run's branch that MoonMind did not make: legitimate, and named first in the pull request."""

from collections.abc import Sequence
from uuid import UUID

from moonmind.engine.stage_context import StageContext
from moonmind.ports.vcs import Commit
from moonmind.stages.kit.harmless_text import one_line

MOST = 1000
"""Commits that are looked at; a branch with more is said to have at least so many."""
_SHOWN = 10
_NAME, _SUBJECT = 60, 100


def foreign_commits(context: StageContext, branch: str, history: Sequence[Commit]) -> tuple[str, ...]:
    """Return a warning for each commit ahead of the base that no run of this installation recorded as its own.

    A trailer alone proves nothing, since any author can write one: what counts is that the run it names recorded this very
    commit. So commits of another installation are named too.
    """
    named = {commit.id: run_id for commit in history if (run_id := run_of(commit)) is not None}
    made_here = context.services.commits_of(set(named.values())) if named else frozenset[str]()
    others = [commit for commit in history if commit.id not in made_here]
    words = [context.redactor.text(_sentence(commit, named.get(commit.id))) for commit in others[:_SHOWN]]
    if (more := len(others) - _SHOWN) > 0:
        least = "at least " if len(history) >= MOST else ""
        words.append(f"Not made by MoonMind either: {least}{more} more commits on {branch}")
    return tuple(words)


def run_of(commit: Commit) -> UUID | None:
    """Return the run that a commit's trailer names; None where it names none."""
    try:
        return UUID(commit.trailers.get("run-id", ""))
    except ValueError:
        return None


def _sentence(commit: Commit, run_id: UUID | None) -> str:
    by = one_line(commit.author, _NAME) or "nobody named"
    if commit.committer != commit.author:
        by += f" (committed by {one_line(commit.committer, _NAME) or 'nobody named'})"
    kind = "Merge not made" if len(commit.parents) > 1 else "Commit not made"
    claim = f", though it names run {str(run_id)[:8]}" if run_id is not None else ""
    return f"{kind} by MoonMind{claim}: {commit.id[:12]} by {by}: {one_line(commit.subject, _SUBJECT)}"
