"""What is true of a run on a GitHub that refused it, and of one that succeeded there."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.support.engines import BRANCH, TASKS
from tests.support.github_site import GitHub
from tests.support.team import Team

PULLS = r"^/repos/[^/]+/[^/]+/pulls$"


def nothing_was_made(site: GitHub, name: str, members: Team, run: Mapping[str, Any]) -> None:
    """No agent, no branch, no pull request, no folder of the run."""
    assert run["codexTaskId"] is None
    assert not (members.state / "jobs" / run["id"]).exists()
    assert not (members.state / "workspaces" / run["id"]).exists()
    assert site.creates(name) == 0
    assert site.pulls(name) == []
    assert not [one for one in site.requests if one.method == "POST" and f"/{name}.git/git-receive-pack" in one.path]


def published_once(site: GitHub, name: str, run: Mapping[str, Any]) -> None:
    """One commit on one branch, and one pull request that the run names."""
    assert (run["status"], run["branchName"]) == ("succeeded", BRANCH), run
    files = site.files(name, BRANCH)
    assert files["refresh_docs/__init__.py"] == b"MADE = True\n"
    (pull,) = site.pulls(name)
    assert site.creates(name) == 1
    assert (pull["state"], run["pullRequestUrl"]) == ("open", f"{site.origin}/{name}/pull/{pull['number']}")
    assert run["credentialAudit"]["githubStatus"] == "passed"
    assert TASKS in files


def waits(reason: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return True if a run waits for a reason."""
    return lambda run: (run.get("waiting") or {}).get("reason") == reason
