"""What GitHub's answers mean."""

from typing import Any

import pytest

from moonmind.adapters.forges.github_errors import Answer, translate, unreachable
from moonmind.errors import (
    CredentialInvalid,
    ForgeLimited,
    ForgeRefused,
    ForgeUnavailable,
    MoonMindError,
    RepositoryArchived,
    RepositoryUnavailable,
)
from moonmind.redact import Redactor

SERVER = "https://github.com"
DATE = "Thu, 26 Nov 2026 10:00:00 GMT"
AT_TEN = 1795687200
SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."


def meant(status: int, message: str = "", errors: Any = None, **headers: str) -> MoonMindError:
    body = {"message": message, "errors": errors or []}
    answer = Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    return translate(answer, "look up acme/demo", server=SERVER)


@pytest.mark.parametrize(
    ("error", "kind", "check"),
    [
        (meant(401, "Bad credentials"), CredentialInvalid, "github.token"),
        (meant(403, "Resource not accessible by personal access token"), CredentialInvalid, "github.permission"),
        (
            meant(403, "SAML", x_github_sso="required; url=https://github.com/orgs/a/sso"),
            CredentialInvalid,
            "github.sso",
        ),
        (meant(403, "Repository was archived so is read-only."), RepositoryArchived, None),
        (meant(404, "Not Found"), RepositoryUnavailable, None),
        (meant(451, "Repository access blocked"), RepositoryUnavailable, None),
        (meant(422, "Validation Failed"), ForgeRefused, None),
        (meant(400, "Problems parsing JSON"), ForgeRefused, None),
        (meant(500), ForgeUnavailable, None),
        (meant(502, "Server Error"), ForgeUnavailable, None),
        (meant(503), ForgeUnavailable, None),
    ],
)
def test_each_answer_has_its_kind(error: MoonMindError, kind: type[MoonMindError], check: str | None) -> None:
    assert type(error) is kind
    assert error.details.get("check") == check
    assert "look up acme/demo" in error.message
    assert error.advice


def test_what_is_missing_is_named_as_github_names_it() -> None:
    fine = meant(403, "Resource not accessible", X_Accepted_GitHub_Permissions="pull_requests=write")
    assert "pull_requests: write" in fine.advice
    classic = meant(403, "Must have admin rights", X_Accepted_OAuth_Scopes="repo, public_repo")
    assert "repo, public_repo" in classic.advice


def test_single_sign_on_is_pointed_to_on_the_forge_only() -> None:
    page = "https://github.com/orgs/acme/sso?authorization_request=A"
    assert page in meant(403, "SAML", x_github_sso=f"required; url={page}").advice
    assert "evil" not in meant(403, "SAML", x_github_sso="required; url=https://evil.example/sso").advice
    assert "evil" not in meant(403, "SAML", x_github_sso="required; url=https://github.com.evil.example/").advice


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (meant(403, SECONDARY, retry_after="17"), 17),
        (meant(429, "Too Many Requests", retry_after="Thu, 26 Nov 2026 10:05:00 GMT", date=DATE), 300),
        (meant(403, SECONDARY), 60),
        (meant(429), 60),
        (
            meant(
                403,
                "API rate limit exceeded",
                x_ratelimit_remaining="0",
                x_ratelimit_reset=str(AT_TEN + 900),
                date=DATE,
            ),
            900,
        ),
        # A reset that has passed on GitHub's clock, and one that nobody would believe.
        (
            meant(
                403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset=str(AT_TEN - 5), date=DATE
            ),
            1,
        ),
        (meant(429, retry_after="999999999"), 7200),
        (meant(403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset="soon"), 60),
    ],
)
def test_a_limit_says_for_how_long(error: MoonMindError, seconds: float) -> None:
    assert isinstance(error, ForgeLimited)
    assert error.seconds == seconds
    assert error.retryable


def test_a_permission_that_is_missing_is_no_limit() -> None:
    assert not isinstance(meant(403, "Resource not accessible", x_ratelimit_remaining="4000"), ForgeLimited)


def test_the_complaints_of_a_422_are_told() -> None:
    errors = [{"resource": "PullRequest", "field": "head", "code": "invalid"}, {"message": "too long"}, "plain"]
    said = meant(422, "Validation Failed", errors).message
    assert "head invalid; too long; plain" in said


@pytest.mark.parametrize("body", [None, [], "text", {"message": None, "errors": None}, {"message": ["x" * 9999]}])
def test_a_body_that_is_none_of_githubs_is_bounded_and_no_fault(body: Any) -> None:
    error = translate(Answer(500, {}, body), "x", server=SERVER)
    assert isinstance(error, ForgeUnavailable)
    assert len(error.message) < 500


def test_no_answer_is_an_outage_and_says_why_without_the_token() -> None:
    inner = ConnectionRefusedError(111, "Connection refused")
    outer = OSError("HTTPSConnectionPool(...)", inner)
    error = unreachable(outer, "look up acme/demo", "https://api.github.com", Redactor(["a-known-secret"]))
    assert isinstance(error, ForgeUnavailable)
    assert error.outage
    assert "could not ask api.github.com to look up acme/demo" in error.message
    assert "Connection refused" in error.message
    quoting = unreachable(
        ValueError("header value: 'token a-known-secret'"), "x", "https://a", Redactor(["a-known-secret"])
    )
    assert "a-known-secret" not in quoting.message
