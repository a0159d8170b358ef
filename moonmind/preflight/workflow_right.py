"""Whether the token may push what a phase's tasks name below `.github/workflows`, as far as it can be known before."""

import re
from collections.abc import Iterable, Mapping

from moonmind.ports.check import Check, CheckStatus

_NAMED = re.compile(
    r"(?<![\w.\\/-])(?:\.?[\\/]+)*(?P<path>\.github(?:[\\/]+\.?)*[\\/]+workflows(?![\w-]|\.\w)[^\s`\"'<>(),;|\]}]*)",
    re.IGNORECASE,
)
_SHOWN = 3


def workflows_named(texts: Iterable[str], references: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the paths below `.github/workflows` that texts or paths name, in their spelling but for the separators.

    Only the folder at the repository's root counts: GitHub runs no other. Nor do `references` count, which a task only
    points to.
    """
    only_read = {_plain(path) for path in references}
    found = (_plain(match["path"]) for text in texts for match in _NAMED.finditer(text))
    return tuple(dict.fromkeys(path for path in found if path not in only_read))


def _plain(path: str) -> str:
    return re.sub(r"[\\/]+(?:\.[\\/]+)*", "/", path).removeprefix("./").rstrip("/.:*_")


def workflow_right(facts: Mapping[str, str], named: tuple[str, ...]) -> Check | None:
    """Return the check of the right to change the named workflows; None where none is named or none is needed.

    `facts` are those of the forge's checks: a token whose scopes are known has the right or lacks it; of another one
    nobody can ask, so that its check is unknown.
    """
    if not named or "tokenKind" not in facts:
        return None
    shown = ", ".join(named[:_SHOWN]) + (f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else "")
    if "tokenScopes" not in facts:
        return Check(
            "github.workflows",
            CheckStatus.UNKNOWN,
            f"the tasks name {shown}; whether this {facts['tokenKind']} token may change workflows is only known at the push",
            "Give the token workflows: read and write, or leave these tasks to a person.",
        )
    if "workflow" in (scope.strip() for scope in facts["tokenScopes"].split(",")):
        return Check("github.workflows", CheckStatus.PASSED, f"the token may change {shown}")
    return Check(
        "github.workflows",
        CheckStatus.FAILED,
        f"the tasks name {shown}, and the token lacks the scope `workflow`: GitHub would refuse the push",
        "Give the token the scope `workflow` (`gh auth refresh --scopes workflow`), or leave these tasks to a person "
        "(`[manual]` in tasks.md); then retry.",
    )
