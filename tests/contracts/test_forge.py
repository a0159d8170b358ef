"""What every Forge adapter promises."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.github import GitHubForge
from moonmind.adapters.forges.local import LocalForge
from moonmind.errors import ForgeError, RepositoryUnavailable
from moonmind.ports.check import CheckStatus
from moonmind.ports.forge import Forge, PullRequestDraft, PullState
from moonmind.settings import ambient_environment
from tests.support.git_repos import commit_to, delete_branch, make_bare, merge, tip_of
from tests.support.github_site import MANY, GitHub, github, take

BRANCH = "moonmind/docs"


class Place(Protocol):
    """A forge with a repository, an empty one, and what people do there without MoonMind."""

    forge: Forge
    name: str
    empty: str

    def push(self, branch: str, text: str) -> None:
        """Put a commit on a branch, begun at the base if it is new."""

    def merge(self, branch: str) -> None:
        """Merge a branch into the default branch."""

    def delete(self, branch: str) -> None:
        """Delete a branch."""

    def creates(self) -> int:
        """Return how many pull requests were ever created."""


class LocalPlace:
    name = "acme/demo"
    empty = "acme/empty"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "repositories"
        self._bare = self._folder / "acme" / "demo.git"
        make_bare(self._bare, {"README.md": "hello\n"})
        make_bare(self._folder / "acme" / "empty.git", {})
        self.forge: Forge = LocalForge(
            ForgeOptions(local_repos=self._folder, sample=dict[str, bytes], environment=ambient_environment())
        )

    def push(self, branch: str, text: str) -> None:
        commit_to(self._bare, branch, {"file": text}, text, start=tip_of(self._bare, "main"))

    def merge(self, branch: str) -> None:
        merge(self._bare, branch, "main")

    def delete(self, branch: str) -> None:
        delete_branch(self._bare, branch)

    def creates(self) -> int:
        return int(json.loads((self._folder / "acme" / "demo.pulls.json").read_bytes())["creates"])


class GitHubPlace:
    """One of many repositories of a GitHub that the tests of this file share."""

    empty = "acme/empty"

    def __init__(self, site: GitHub, name: str, folder: Path) -> None:
        self._site, self.name = site, name
        self.forge: Forge = GitHubForge(
            ForgeOptions(
                environment=ambient_environment(),
                state_folder=folder / "state",
                api_url=site.api_url,
                server_url=site.origin,
                token=site.token,
            )
        )

    def push(self, branch: str, text: str) -> None:
        self._site.push(self.name, branch, {"file": text}, text)

    def merge(self, branch: str) -> None:
        self._site.merge(self.name, branch)

    def delete(self, branch: str) -> None:
        self._site.delete(self.name, branch)

    def creates(self) -> int:
        return self._site.creates(self.name)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    folder = tmp_path_factory.mktemp("github")
    with github(folder, {name: {"README.md": "hello\n"} for name in MANY} | {"acme/empty": {}}) as made:
        yield made


@pytest.fixture(params=["local", pytest.param("github", marks=pytest.mark.github_emulator)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "local":
        made: Place = LocalPlace(tmp_path)
    else:
        shared: GitHub = request.getfixturevalue("site")
        made = GitHubPlace(shared, take(shared), tmp_path)
    assert made.forge.name == request.param
    return made


def draft(
    title: str = "Docs: phase 1", body: str = "Body\n", labels: tuple[str, ...] = ("moonmind",)
) -> PullRequestDraft:
    return PullRequestDraft(BRANCH, "main", title, body, labels)


def test_the_probe_finds_no_fault(place: Place) -> None:
    checks = place.forge.check(place.name)
    assert checks
    assert not [check for check in checks if check.failed]
    assert {check.status for check in checks} <= {CheckStatus.PASSED, CheckStatus.SKIPPED}


def test_a_repository_says_where_git_finds_it_and_which_branch_is_its_default(place: Place) -> None:
    found = place.forge.repository(place.name)
    assert (found.full_name, found.default_branch, found.empty) == (place.name, "main", False)
    assert found.clone_url.startswith(f"{place.forge.scheme}://")
    assert "@" not in found.clone_url
    assert place.forge.repository(place.name.title()) == found


def test_an_empty_repository_says_so(place: Place) -> None:
    found = place.forge.repository(place.empty)
    assert (found.full_name, found.empty) == (place.empty, True)


@pytest.mark.parametrize("name", ["", "demo", "a/b/c", "../demo", "acme/..", "acme/.", "/etc/passwd", "acme/demo.git"])
def test_what_is_no_name_of_a_repository_is_unavailable(place: Place, name: str) -> None:
    with pytest.raises(RepositoryUnavailable) as caught:
        place.forge.repository(name)
    assert not caught.value.retryable


def test_a_branch_without_pull_requests_has_none(place: Place) -> None:
    assert place.forge.pull_requests(place.name, BRANCH) == ()


def test_ensuring_creates_the_pull_request_once(place: Place) -> None:
    place.push(BRANCH, "one")
    made = place.forge.ensure_pull_request(place.name, draft())
    assert (made.state, made.branch, made.base) == (PullState.OPEN, BRANCH, "main")
    assert (made.title, made.body) == ("Docs: phase 1", "Body\n")
    assert made.number > 0
    assert str(made.number) in made.url
    assert place.forge.ensure_pull_request(place.name, draft()) == made
    assert place.forge.pull_requests(place.name, BRANCH) == (made,)
    assert place.creates() == 1


def test_ensuring_rewords_the_open_pull_request(place: Place) -> None:
    place.push(BRANCH, "one")
    made = place.forge.ensure_pull_request(place.name, draft())
    place.push(BRANCH, "two")
    changed = place.forge.ensure_pull_request(place.name, draft("Docs: phase 2", "größe 日本\n", ("other",)))
    assert (changed.number, changed.url) == (made.number, made.url)
    assert (changed.title, changed.body) == ("Docs: phase 2", "größe 日本\n")
    assert place.forge.pull_requests(place.name, BRANCH) == (changed,)
    assert place.creates() == 1


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize("then", [True, False])
def test_whether_a_pull_request_is_a_draft_is_decided_when_it_is_opened(place: Place, wanted: bool, then: bool) -> None:
    place.push(BRANCH, "one")
    made = place.forge.ensure_pull_request(place.name, replace(draft(), draft=wanted))
    assert made.draft is wanted
    changed = place.forge.ensure_pull_request(place.name, replace(draft("Another title"), draft=then))
    assert (changed.title, changed.draft) == ("Another title", wanted)
    assert place.forge.pull_requests(place.name, BRANCH) == (changed,)
    assert place.creates() == 1


def test_an_effect_that_is_not_allowed_any_more_is_not_done(place: Place) -> None:
    class Forbidden(Exception):
        pass

    def allowed() -> None:
        raise Forbidden

    place.push(BRANCH, "one")
    with pytest.raises(Forbidden):
        place.forge.ensure_pull_request(place.name, draft(), allowed=allowed)
    assert place.forge.pull_requests(place.name, BRANCH) == ()
    made = place.forge.ensure_pull_request(place.name, draft())
    with pytest.raises(Forbidden):
        place.forge.ensure_pull_request(place.name, draft("Another title"), allowed=allowed)
    assert place.forge.pull_requests(place.name, BRANCH) == (made,)


def test_many_at_once_make_one_pull_request(place: Place) -> None:
    place.push(BRANCH, "one")
    with ThreadPoolExecutor(6) as pool:
        made = [pool.submit(place.forge.ensure_pull_request, place.name, draft()) for _ in range(6)]
        assert len({each.result(60).number for each in made}) == 1
    assert place.creates() == 1


def test_many_branches_at_once_each_get_their_own(place: Place) -> None:
    branches = [f"moonmind/{number}" for number in range(6)]
    for branch in branches:
        place.push(branch, branch)
    drafts = [PullRequestDraft(branch, "main", branch, "") for branch in branches]
    with ThreadPoolExecutor(6) as pool:
        made = [pool.submit(place.forge.ensure_pull_request, place.name, draft) for draft in drafts]
        assert len({each.result(60).number for each in made}) == 6
    assert [len(place.forge.pull_requests(place.name, branch)) for branch in branches] == [1] * 6
    assert place.creates() == 6


def test_a_branch_that_the_base_holds_is_merged_and_the_next_one_is_a_new_pull_request(place: Place) -> None:
    place.push(BRANCH, "one")
    first = place.forge.ensure_pull_request(place.name, draft())
    place.merge(BRANCH)
    assert [pull.state for pull in place.forge.pull_requests(place.name, BRANCH)] == [PullState.MERGED]
    place.push(BRANCH, "two")
    second = place.forge.ensure_pull_request(place.name, draft())
    assert second.number > first.number
    assert [(pull.number, pull.state) for pull in place.forge.pull_requests(place.name, BRANCH)] == [
        (second.number, PullState.OPEN),
        (first.number, PullState.MERGED),
    ]
    assert place.creates() == 2


def test_a_merged_branch_stays_merged_when_it_is_deleted(place: Place) -> None:
    place.push(BRANCH, "one")
    place.forge.ensure_pull_request(place.name, draft())
    place.merge(BRANCH)
    place.delete(BRANCH)
    assert [pull.state for pull in place.forge.pull_requests(place.name, BRANCH)] == [PullState.MERGED]


def test_a_deleted_branch_closes_its_pull_request_for_good(place: Place) -> None:
    place.push(BRANCH, "one")
    place.forge.ensure_pull_request(place.name, draft())
    place.delete(BRANCH)
    assert [pull.state for pull in place.forge.pull_requests(place.name, BRANCH)] == [PullState.CLOSED]
    place.push(BRANCH, "again")
    place.forge.ensure_pull_request(place.name, draft())
    states = [pull.state for pull in place.forge.pull_requests(place.name, BRANCH)]
    assert states == [PullState.OPEN, PullState.CLOSED]


def test_there_is_no_pull_request_without_a_branch_or_without_a_commit(place: Place) -> None:
    with pytest.raises(ForgeError, match=BRANCH) as caught:
        place.forge.ensure_pull_request(place.name, draft())
    assert not caught.value.retryable
    place.push(BRANCH, "one")
    place.merge(BRANCH)
    with pytest.raises(ForgeError, match="nothing to merge") as caught:
        place.forge.ensure_pull_request(place.name, draft())
    assert not caught.value.retryable
    assert place.forge.pull_requests(place.name, BRANCH) == ()


def test_branches_have_pull_requests_of_their_own(place: Place) -> None:
    place.push(BRANCH, "one")
    place.push("moonmind/other", "two")
    first = place.forge.ensure_pull_request(place.name, draft())
    second = place.forge.ensure_pull_request(place.name, PullRequestDraft("moonmind/other", "main", "Other", ""))
    assert first.number != second.number
    assert place.forge.pull_requests(place.name, BRANCH) == (first,)
    assert place.forge.pull_requests(place.name, "moonmind/other") == (second,)


def test_git_is_given_words_to_authenticate_with_and_nothing_else(place: Place) -> None:
    environment = place.forge.git_environment()
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in environment.items())
    assert "PATH" not in environment


def test_labels_are_put_on_and_those_of_people_stay(place: Place) -> None:
    place.push(BRANCH, "one")
    place.forge.ensure_pull_request(place.name, draft(labels=("moonmind",)))
    made = place.forge.ensure_pull_request(place.name, draft(labels=("moonmind", "docs")))
    assert place.forge.pull_requests(place.name, BRANCH) == (made,)


def test_the_one_host_that_git_may_talk_to_is_that_of_the_clone_address(place: Place) -> None:
    assert urlsplit(place.forge.repository(place.name).clone_url).netloc == place.forge.host
