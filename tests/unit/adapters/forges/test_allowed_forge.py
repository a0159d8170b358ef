"""Of repositories that are not admitted nothing is asked and nothing is published."""

from collections.abc import Callable

import pytest

from moonmind.adapters.forges.allowed_forge import AllowedForge
from moonmind.errors import RepositoryNotAllowed
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState, Repository, always
from moonmind.repository_patterns import RepositoryPatterns

DRAFT = PullRequestDraft("moonmind/x", "main", "title", "body")
PULL = PullRequest(1, "https://forge/1", PullState.OPEN, "moonmind/x", "main", "title", "body")


class Noted:
    """A forge that notes what it is asked, and knows repositories that have moved."""

    name, scheme, host = "noted", "https", "forge.example"

    def __init__(self, **moved: str) -> None:
        self.asked: list[str] = []
        self.moved = {name.replace("__", "/"): new for name, new in moved.items()}

    def check(self, repository: str | None = None) -> tuple[Check, ...]:
        self.asked.append(f"check {repository}")
        return (Check("noted.token", CheckStatus.PASSED, "fine"),)

    def repository(self, name: str) -> Repository:
        self.asked.append(f"repository {name}")
        new = self.moved.get(name, name)
        return Repository(new, f"https://forge.example/{new}.git", "main")

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        return (PULL,)

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        self.asked.append(f"ensure {repository}")
        return PULL

    def git_environment(self) -> dict[str, str]:
        return {"GIT_ASKPASS": "x"}


def limited(forge: Noted, *patterns: str) -> AllowedForge:
    return AllowedForge(forge, RepositoryPatterns(patterns))


def test_an_admitted_repository_is_asked_for_as_before() -> None:
    noted = Noted()
    forge = limited(noted, "acme/*")
    assert forge.repository("Acme/app").full_name == "Acme/app"
    assert forge.ensure_pull_request("acme/app", DRAFT) == PULL
    assert forge.pull_requests("acme/app", "b") == (PULL,)
    assert [check.status for check in forge.check("acme/app")] == [CheckStatus.PASSED]
    assert (forge.name, forge.scheme, forge.host, forge.git_environment()) == (
        "noted", "https", "forge.example", {"GIT_ASKPASS": "x"},
    )  # fmt: skip


@pytest.mark.parametrize("name", ["other/app", "acme-x/app", "acme2/app"])
def test_of_any_other_nothing_is_asked(name: str) -> None:
    noted = Noted()
    forge = limited(noted, "acme/*")
    with pytest.raises(RepositoryNotAllowed):
        forge.repository(name)
    with pytest.raises(RepositoryNotAllowed):
        forge.ensure_pull_request(name, DRAFT)
    *_, check = forge.check(name)
    assert (check.failed, check.name) == (True, "repositories")
    assert noted.asked == ["check None"]


@pytest.mark.parametrize("new", ["evil/app", "acme-archive/app", "acme2/App"])
def test_an_admitted_name_that_leads_elsewhere_by_now_is_not_admitted(new: str) -> None:
    forge = limited(Noted(acme__app=new), "acme/*")
    with pytest.raises(RepositoryNotAllowed, match=new):
        forge.repository("acme/app")


def test_without_patterns_all_are_admitted() -> None:
    assert limited(Noted(acme__app="evil/app")).repository("acme/app").full_name == "evil/app"
