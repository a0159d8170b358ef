"""The GitHub forge where GitHub says no, says nothing, or says something else."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.github import GitHubForge
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import (
    CredentialInvalid,
    ForgeLimited,
    ForgeRefused,
    ForgeUnavailable,
    MoonMindError,
    RepositoryArchived,
    RepositoryUnavailable,
    VcsError,
)
from moonmind.ports.check import CheckStatus
from moonmind.ports.forge import PullRequestDraft, PullState, Repository
from moonmind.settings import ambient_environment
from tests.support.git_http import git_server
from tests.support.github_site import GitHub, a_token, holder

pytestmark = pytest.mark.github_emulator

BRANCH = "moonmind/docs"
DRAFT = PullRequestDraft(BRANCH, "main", "Docs", "Body\n")
PULLS = r"^/repos/[^/]+/[^/]+/pulls$"

Build = Callable[..., GitHubForge]


# --- what is refused -----------------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_from_a_missing_one_and_from_one_that_is_none(forge_with: Build, name: str) -> None:
    for token, words in ((a_token(), "does not accept"), ("", "not set"), ("ghp with blanks", "characters")):
        with pytest.raises(CredentialInvalid, match=words) as caught:
            forge_with(token).repository(name)
        assert caught.value.details["check"] == "github.token"
        assert token == "" or token not in str(caught.value.info())


def test_what_the_token_does_not_see_is_not_there(forge_with: Build, site: GitHub, name: str) -> None:
    with pytest.raises(RepositoryUnavailable, match="404"):
        forge_with().repository("acme/nowhere")
    with pytest.raises(RepositoryUnavailable):
        forge_with(holder(site, hidden=frozenset({name}))).repository(name)


def test_an_archived_repository_takes_nothing(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    site.archived.add(name)
    for ask in (lambda: forge.repository(name), lambda: forge.ensure_pull_request(name, DRAFT)):
        with pytest.raises(RepositoryArchived, match="archived"):
            ask()
    assert site.creates(name) == 0


def test_a_token_that_may_not_open_pull_requests_is_told_which_permission_it_lacks(
    forge_with: Build, site: GitHub, name: str
) -> None:
    site.push(name, BRANCH, {"file": "one"})
    with pytest.raises(CredentialInvalid, match="may not do this") as caught:
        forge_with(holder(site, may_open=False, scopes=None)).ensure_pull_request(name, DRAFT)
    assert caught.value.details["check"] == "github.permission"
    assert "pull_requests: write" in caught.value.advice


def test_a_renamed_repository_is_followed(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.rename(name, "acme/new-name")
    site.push("acme/new-name", BRANCH, {"file": "one"})
    found = forge.repository(name)
    assert found.full_name == "acme/new-name"
    assert found.clone_url == f"{site.origin}/acme/new-name.git"
    made = forge.ensure_pull_request(name, DRAFT)
    assert forge.pull_requests(name, BRANCH) == (made,)
    assert forge.pull_requests("acme/new-name", BRANCH) == (made,)


# --- what goes wrong on the way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [True, False])
def test_a_lost_reply_at_create_is_an_outage_and_asking_again_makes_one_pull_request(
    forge: GitHubForge, site: GitHub, name: str, after: bool
) -> None:
    site.push(name, BRANCH, {"file": "one"})
    site.cut("POST", PULLS, after=after)
    with pytest.raises(ForgeUnavailable) as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert (caught.value.retryable, caught.value.outage) == (True, True)
    assert site.creates(name) == (1 if after else 0)
    made = forge.ensure_pull_request(name, DRAFT)
    assert (made.state, made.title) == (PullState.OPEN, "Docs")
    assert site.creates(name) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_fails_is_an_outage(forge: GitHubForge, site: GitHub, name: str, status: int) -> None:
    site.push(name, BRANCH, {"file": "one"})
    site.fail("POST", PULLS, status)
    with pytest.raises(ForgeUnavailable, match=str(status)):
        forge.ensure_pull_request(name, DRAFT)
    forge.ensure_pull_request(name, DRAFT)
    assert site.creates(name) == 1


def test_a_limit_is_told_with_its_time_and_nothing_is_asked_again_by_itself(
    forge: GitHubForge, site: GitHub, name: str
) -> None:
    site.push(name, BRANCH, {"file": "one"})
    said = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
    site.fail("POST", PULLS, 403, body=said, retry_after="31")
    asked = len(site.requests)
    with pytest.raises(ForgeLimited) as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert caught.value.seconds == 31
    assert [one.status for one in site.requests[asked:] if one.method == "POST"] == [403]


def test_a_pull_request_that_github_says_exists_and_does_not_list_yet_is_asked_for_again(
    forge: GitHubForge, site: GitHub, name: str
) -> None:
    site.push(name, BRANCH, {"file": "one"})
    errors = [
        {"resource": "PullRequest", "code": "custom", "message": f"A pull request already exists for acme:{BRANCH}."}
    ]
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": errors})
    with pytest.raises(MoonMindError, match="does not list its pull request yet") as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert caught.value.retryable


def test_a_branch_that_github_does_not_know_yet_is_asked_for_again(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    errors = [{"resource": "PullRequest", "field": "head", "code": "invalid"}]
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": errors})
    with pytest.raises(MoonMindError, match="does not accept") as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert caught.value.retryable


def test_any_other_422_is_final_and_says_what_github_says(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    errors = [{"resource": "PullRequest", "field": "body", "code": "custom", "message": "body is too long"}]
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": errors})
    with pytest.raises(ForgeRefused, match="body is too long") as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert not caught.value.retryable


def test_where_a_repository_has_no_drafts_the_pull_request_is_opened_all_the_same(
    forge: GitHubForge, site: GitHub, name: str
) -> None:
    site.push(name, BRANCH, {"file": "one"})
    site.without_drafts.add(name)
    made = forge.ensure_pull_request(name, replace(DRAFT, draft=True))
    assert (made.state, made.draft) == (PullState.OPEN, False)
    assert forge.ensure_pull_request(name, replace(DRAFT, draft=True)) == made
    assert site.creates(name) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"message": "Draft pull requests are not supported in this repository."},
        {
            "message": "Validation Failed",
            "errors": [
                {"resource": "PullRequest", "code": "custom", "message": "Draft pull requests are not supported"}
            ],
        },
    ],
)
def test_a_refused_draft_is_opened_only_while_that_is_allowed(
    forge: GitHubForge, site: GitHub, name: str, said: dict[str, object]
) -> None:
    class Forbidden(Exception):
        pass

    def allowed() -> None:
        if any(one.method == "POST" for one in site.requests[asked:]):
            raise Forbidden

    site.push(name, BRANCH, {"file": "one"})
    site.fail("POST", PULLS, 422, body=said)
    asked = len(site.requests)
    with pytest.raises(Forbidden):
        forge.ensure_pull_request(name, replace(DRAFT, draft=True), allowed=allowed)
    assert site.creates(name) == 0


def test_a_draft_that_is_refused_for_something_else_is_refused(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": [{"message": "body is too long"}]})
    with pytest.raises(ForgeRefused, match="body is too long"):
        forge.ensure_pull_request(name, replace(DRAFT, draft=True))
    assert site.creates(name) == 0


def test_nobody_there_is_an_outage_that_names_the_host(forge_with: Build, name: str) -> None:
    with pytest.raises(ForgeUnavailable, match=r"could not ask 127\.0\.0\.1:9 .*refused"):
        forge_with(api_url="http://127.0.0.1:9/api/v3").repository(name)


@pytest.mark.parametrize(
    "body", [b"<html>welcome to the hotel</html>", b"[]", b"{}", b'{"full_name": "../x"}', b"null"]
)
def test_what_is_no_github_is_refused_as_that(forge: GitHubForge, site: GitHub, name: str, body: bytes) -> None:
    site.fail("GET", r"^/repos/", 200, times=9, body=body)
    with pytest.raises(ForgeRefused, match=r"does not answer like|not GitHub's"):
        forge.repository(name)


def test_an_answer_that_leads_elsewhere_takes_the_token_nowhere(
    forge: GitHubForge, site: GitHub, name: str, tmp_path: Path
) -> None:
    with git_server(tmp_path, "another-token") as elsewhere:
        place = f"http://localhost:{elsewhere.port}/api/v3/repos/x/y"
        for status in (301, 302, 307, 308):
            site.fail("GET", f"^/repos/{name}", status, Location=place)
            with pytest.raises(MoonMindError):
                forge.repository(name)
        body = {"full_name": name, "url": place, "default_branch": "main", "size": 1}
        site.fail("GET", f"^/repos/{name}", 200, body=body)
        with pytest.raises(ForgeRefused):
            forge.pull_requests(name, BRANCH)
        assert elsewhere.asked == []


# --- the list of pull requests -------------------------------------------------------------------------------------


def test_a_long_history_of_a_branch_is_read_to_its_end(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    for number in range(70):
        made = site.emulator.ask("POST", f"/repos/{name}/pulls", {"title": str(number), "head": BRANCH, "base": "main"})
        site.emulator.ask("PATCH", f"/repos/{name}/pulls/{made.json()['number']}", {"state": "closed"})
    found = forge.pull_requests(name, BRANCH)
    assert [pull.number for pull in found] == list(range(70, 0, -1))
    assert {pull.state for pull in found} == {PullState.CLOSED}


def test_labels_are_put_on_once(forge_with: Build, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    forge = forge_with(labels=("moonmind",))
    forge.ensure_pull_request(name, DRAFT)
    forge.ensure_pull_request(name, replace(DRAFT, labels=("docs", "moonmind")))
    (pull,) = site.pulls(name)
    assert sorted(label["name"] for label in pull["labels"]) == ["docs", "moonmind"]
    assert [one.status for one in site.requests if one.method == "POST" and one.path.endswith("/labels")][-2:] == [
        200
    ] * 2


def test_nothing_is_written_that_stands_there_already(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    forge.ensure_pull_request(name, DRAFT)
    asked = len(site.requests)
    forge.ensure_pull_request(name, DRAFT)
    assert {one.method for one in site.requests[asked:]} == {"GET"}


# --- git -----------------------------------------------------------------------------------------------------------


def test_git_fetches_and_pushes_with_what_the_forge_gives_it(
    forge: GitHubForge, site: GitHub, name: str, tmp_path: Path
) -> None:
    vcs = GitVcs(
        VcsOptions(tmp_path / "state", forge.scheme, forge.git_environment, ambient_environment(), host=forge.host)
    )
    vcs.fetch(forge.repository(name))
    assert "main" in vcs.branches(name)
    site.tokens[site.token].expired = True
    try:
        with pytest.raises(VcsError, match="Authentication failed") as caught:
            vcs.fetch(replace(vcs_repository(forge, site, name)))
        assert caught.value.code == "git_denied"
    finally:
        site.tokens[site.token].expired = False
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert site.token.encode() not in kept


def vcs_repository(forge: GitHubForge, site: GitHub, name: str) -> Repository:
    return Repository(name, f"{site.origin}/{name}.git", "main")


def test_the_public_github_is_asked_by_its_own_name_through_a_proxy(
    site: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", site.emulator.gateway_url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    environment = {"SSL_CERT_FILE": str(site.emulator.ca_file)}
    site.push(name, BRANCH, {"file": "one"})
    forge = GitHubForge(
        ForgeOptions(environment=environment, state_folder=tmp_path / "state", token=site.emulator.token)
    )
    found = forge.repository(name)
    assert found.clone_url == f"https://github.com/{name}.git"
    made = forge.ensure_pull_request(name, DRAFT)
    assert made.url == f"https://github.com/{name}/pull/1"
    assert forge.pull_requests(name, BRANCH) == (made,)
    assert forge.check()[0].status is CheckStatus.PASSED
