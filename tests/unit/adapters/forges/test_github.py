"""The GitHub forge where GitHub says no, says nothing, or says something else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.forges.github import GitHubForge
from moonmind.adapters.forges.options import ForgeOptions
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.options import VcsOptions
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
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import PullRequestDraft, PullState
from moonmind.redact import Redactor
from moonmind.settings import ambient_environment
from tests.support.git_http import git_server
from tests.support.github_site import GitHub, Token, a_token, github

pytestmark = pytest.mark.github_emulator

BRANCH = "moonmind/docs"
DRAFT = PullRequestDraft(BRANCH, "main", "Docs", "Body\n")
PULLS = r"^/repos/[^/]+/[^/]+/pulls$"
MANY = [f"acme/demo-{number}" for number in range(60)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    folder = tmp_path_factory.mktemp("github")
    with github(folder, {name: {"README.md": "hello\n"} for name in MANY} | {"acme/empty": {}}) as made:
        yield made


@pytest.fixture
def site(shared: GitHub) -> Iterator[GitHub]:
    yield shared
    shared.faults.clear()
    shared.down = False


@pytest.fixture
def name(site: GitHub) -> str:
    number = len(list(site.folder.glob("taken-*")))
    (site.folder / f"taken-{number}").touch()
    return MANY[number]


Build = Callable[..., GitHubForge]


@pytest.fixture
def forge_with(site: GitHub, tmp_path: Path) -> Build:
    def build(token: str | None = None, **options: Any) -> GitHubForge:
        given = token if token is not None else site.token
        base = ForgeOptions(
            environment=ambient_environment(),
            redactor=Redactor([given]),
            state_folder=tmp_path / "state",
            api_url=site.api_url,
            server_url=site.origin,
            token=given,
        )
        return GitHubForge(replace(base, **options))

    return build


@pytest.fixture
def forge(forge_with: Build) -> GitHubForge:
    return forge_with()


def holder(site: GitHub, **rights: Any) -> str:
    token = a_token()
    site.tokens[token] = Token(**rights)
    return token


def by_name(checks: tuple[Check, ...]) -> Mapping[str, Check]:
    return {check.name: check for check in checks}


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
    with pytest.raises(MoonMindError, match="does not list it yet") as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert caught.value.retryable


def test_a_branch_that_github_does_not_know_yet_is_asked_for_again(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    errors = [{"resource": "PullRequest", "field": "head", "code": "invalid"}]
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": errors})
    with pytest.raises(MoonMindError, match="does not know") as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert caught.value.retryable


def test_any_other_422_is_final_and_says_what_github_says(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.push(name, BRANCH, {"file": "one"})
    errors = [{"resource": "PullRequest", "field": "body", "code": "custom", "message": "body is too long"}]
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": errors})
    with pytest.raises(ForgeRefused, match="body is too long") as caught:
        forge.ensure_pull_request(name, DRAFT)
    assert not caught.value.retryable


def test_nobody_there_is_an_outage_that_names_the_host(forge_with: Build, name: str) -> None:
    with pytest.raises(ForgeUnavailable, match=r"127\.0\.0\.1:9 could not be asked .*refused"):
        forge_with(api_url="http://127.0.0.1:9/api/v3").repository(name)


@pytest.mark.parametrize(
    "body", [b"<html>welcome to the hotel</html>", b"[]", b"{}", b'{"full_name": "../x"}', b"null"]
)
def test_what_is_no_github_is_refused_as_that(forge: GitHubForge, site: GitHub, name: str, body: bytes) -> None:
    site.fail("GET", r"^/repos/", 200, times=9, body=body)
    with pytest.raises(ForgeRefused, match=r"does not speak|not GitHub's"):
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


def vcs_repository(forge: GitHubForge, site: GitHub, name: str) -> Any:
    from moonmind.ports.forge import Repository

    return Repository(name, f"{site.origin}/{name}.git", "main")


# --- the probes ----------------------------------------------------------------------------------------------------


def test_a_good_classic_token_passes_every_probe(forge: GitHubForge, name: str, site: GitHub) -> None:
    checks = by_name(forge.check(name))
    assert list(checks) == ["github.token", "github.scopes", "github.repository", "github.push"]
    assert {check.status for check in checks.values()} == {CheckStatus.PASSED}
    facts = {fact: value for check in checks.values() for fact, value in check.facts.items()}
    assert facts == {
        "githubApi": site.api_url,
        "githubLogin": "mona",
        "tokenKind": "classic",
        "tokenScopes": "repo, workflow",
        "repository": name,
    }


def test_without_a_repository_only_the_token_is_asked_about(forge: GitHubForge) -> None:
    assert list(by_name(forge.check())) == ["github.token", "github.scopes"]


def test_a_fine_grained_token_has_no_scopes_and_is_judged_by_what_it_may_do(
    forge_with: Build, site: GitHub, name: str
) -> None:
    token = "github_pat_" + "a" * 40
    site.tokens[token] = Token(scopes=None, expires="2100-01-02 03:04:05 UTC")
    checks = by_name(forge_with(token).check(name))
    assert checks["github.scopes"].status is CheckStatus.SKIPPED
    assert checks["github.push"].status is CheckStatus.PASSED
    assert "fine-grained token of mona at 127.0.0.1" in checks["github.token"].message
    assert "; expires 2100-01-02 03:04 UTC" in checks["github.token"].message
    assert checks["github.token"].facts["tokenExpires"] == "2100-01-02T03:04:05+00:00"
    site.tokens[token].may_push = False
    refused = by_name(forge_with(token).check(name))["github.push"]
    assert refused.failed
    assert "may not push" in refused.message
    assert "contents: write" in refused.remediation


def test_an_installations_token_is_nobodys_and_good(forge_with: Build, site: GitHub, name: str) -> None:
    token = "ghs_" + "b" * 36
    site.tokens[token] = Token(scopes=None, is_user=False)
    checks = by_name(forge_with(token).check(name))
    assert checks["github.token"].message.startswith("GitHub App installation token at 127.0.0.1:")
    assert not [check for check in checks.values() if check.failed]


@pytest.mark.parametrize(
    ("rights", "check", "words"),
    [
        ({"expired": True}, "github.token", "wrong, expired or revoked"),
        ({"expires": "2020-01-01 00:00:00 UTC"}, "github.token", "expired on 2020-01-01"),
        ({"scopes": "gist, read:org"}, "github.scopes", "gist, read:org"),
        ({"scopes": ""}, "github.scopes", "none"),
        ({"hidden": frozenset(MANY)}, "github.repository", "404"),
        ({"may_push": False}, "github.push", "may not push"),
    ],
)
def test_each_fault_of_a_token_is_found_and_comes_with_what_mends_it(
    forge_with: Build, site: GitHub, name: str, rights: dict[str, Any], check: str, words: str
) -> None:
    token = holder(site, **rights)
    failed = [one for one in forge_with(token).check(name) if one.failed]
    assert [one.name for one in failed] == [check]
    assert words in failed[0].message
    assert failed[0].remediation
    assert token not in str(failed)


def test_an_expiry_that_is_near_is_pointed_out(forge_with: Build, site: GitHub) -> None:
    from datetime import UTC, datetime, timedelta

    for left, words in ((timedelta(days=3, hours=1), "in 3 days"), (timedelta(hours=5), "in less than a day")):
        until = (datetime.now(UTC) + left).strftime("%Y-%m-%d %H:%M:%S UTC")
        found = by_name(forge_with(holder(site, expires=until)).check())["github.token"]
        assert found.status is CheckStatus.PASSED
        assert words in found.message


def test_archived_renamed_and_missing_repositories_are_told_apart(
    forge: GitHubForge, site: GitHub, name: str, tmp_path: Path
) -> None:
    site.rename(name, "acme/called-otherwise")
    renamed = by_name(forge.check(name))["github.repository"]
    assert renamed.status is CheckStatus.PASSED
    assert f"acme/called-otherwise, as {name} is called now" in renamed.message
    site.archived.add(name)
    archived = by_name(forge.check("acme/called-otherwise"))["github.repository"]
    assert archived.failed
    assert "archived" in archived.message
    assert by_name(forge.check("acme/nowhere"))["github.repository"].failed
    assert not [check for check in forge.check("acme/empty") if check.failed]


def test_what_cannot_be_asked_now_is_not_known_to_be_bad(forge: GitHubForge, site: GitHub, name: str) -> None:
    site.down = True
    (only,) = forge.check(name)
    assert (only.name, only.status) == ("github.token", CheckStatus.UNKNOWN)
    site.down = False
    site.fail("GET", "info/refs", 502)
    push = by_name(forge.check(name))["github.push"]
    assert push.status is CheckStatus.UNKNOWN
    site.fail("GET", "^/user", 429, retry_after="60")
    assert forge.check(name)[0].status is CheckStatus.UNKNOWN


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
    assert by_name(forge.check())["github.token"].status is CheckStatus.PASSED
