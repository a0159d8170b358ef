"""The probes of GitHub's credential, and what each finds."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.forges.github import GitHubForge
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import PullRequestDraft
from tests.support.github_site import MANY, GitHub, Token, holder

pytestmark = pytest.mark.github_emulator

BRANCH = "moonmind/docs"
DRAFT = PullRequestDraft(BRANCH, "main", "Docs", "Body\n")
PULLS = r"^/repos/[^/]+/[^/]+/pulls$"

Build = Callable[..., GitHubForge]


def by_name(checks: tuple[Check, ...]) -> Mapping[str, Check]:
    return {check.name: check for check in checks}


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


def test_an_empty_list_of_scopes_says_nothing_of_a_token_that_has_none(forge_with: Build, site: GitHub) -> None:
    token = "github_pat_" + "c" * 40
    site.tokens[token] = Token(scopes="")
    assert by_name(forge_with(token).check())["github.scopes"].status is CheckStatus.SKIPPED
    classic = holder(site, scopes=None)
    assert by_name(forge_with(classic).check())["github.scopes"].status is CheckStatus.SKIPPED


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
def test_each_fault_of_a_token_is_found_and_comes_with_its_fix(
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
