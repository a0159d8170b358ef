"""How a run's branch stands to its base, in words for people: told before an agent is paid, and in the pull request."""

from moonmind.engine.stage_context import StageContext
from moonmind.errors import VcsError
from moonmind.ports.vcs import MergeOutlook
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.harmless_text import one_line

_SHOWN = 5


def of_branch(context: StageContext, repository: str, branch: str, tip: str | None, base: tuple[str, str]) -> str:
    """Return a sentence where a branch lacks commits of its base, a pair of name and commit; empty where it lacks none."""
    if tip is None:
        return ""  # a new branch starts at the base
    try:
        outlook = context.vcs.merge_outlook(repository, tip, base[1])
    except VcsError:  # an odd history, or a merge that takes too long: no reason to stop a run
        return f"How far {branch} is behind {base[0]}, and whether it merges cleanly, cannot be told."
    return in_words(outlook, branch, base[0])


def in_words(outlook: MergeOutlook, branch: str, base: str) -> str:
    """Describe the outlook in a sentence; empty where the branch has all of its base."""
    if outlook.behind == 0:
        return ""
    count = "1 commit" if outlook.behind == 1 else f"{outlook.behind} commits"
    return f"{branch} is {count} behind {base}{_how(outlook)}."


def _how(outlook: MergeOutlook) -> str:
    if outlook.conflicts is None:
        return "; whether it merges cleanly cannot be told"
    if not outlook.conflicts:
        return " and merges cleanly"
    shown = ", ".join(one_line(storable(path), 120) for path in outlook.conflicts[:_SHOWN])
    more = len(outlook.conflicts) - _SHOWN
    return f" and does not merge cleanly: {shown}" + (f" and {more} more" if more > 0 else "")
