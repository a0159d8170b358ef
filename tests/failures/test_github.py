"""GitHub refuses a token or a repository: the run says so before an agent starts, and nothing is left half made."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.support.github_runs import nothing_was_made, published_once
from tests.support.github_site import GitHub
from tests.support.team import Team

pytestmark = [pytest.mark.github_emulator, pytest.mark.slow]


def expire(site: GitHub, name: str) -> None:
    site.tokens[site.token].expired = True


def forget(site: GitHub, name: str) -> None:
    site.tokens["another"] = site.tokens.pop(site.token)


def hide(site: GitHub, name: str) -> None:
    site.private.add(name)
    site.tokens[site.token].hidden = frozenset({name})


def archive(site: GitHub, name: str) -> None:
    site.archived.add(name)


def forbid_push(site: GitHub, name: str) -> None:
    site.tokens[site.token].may_push = False


@pytest.fixture
def rights(site: GitHub) -> Iterator[None]:
    token = site.tokens[site.token]
    yield
    site.tokens.pop("another", None)
    site.tokens[site.token] = token
    token.expired, token.may_push, token.hidden = False, True, frozenset()


@pytest.mark.usefixtures("rights")
@pytest.mark.parametrize(
    ("spoil", "stage", "code", "check", "words"),
    [
        (expire, "discover", "credential_invalid", "github.token", "expired"),
        (forget, "discover", "credential_invalid", "github.token", "does not accept"),
        (forbid_push, "submit", "credential_invalid", "github.push", "may not push"),
        (hide, "discover", "repository_not_found", None, "404"),
        (archive, "discover", "repository_archived", None, "archived"),
    ],
    ids=["expired", "wrong", "no-push", "private", "archived"],
)
@pytest.mark.in_every_run(1)
def test_what_github_refuses_ends_the_run_before_an_agent_starts(
    members: Team,
    site: GitHub,
    name: str,
    spoil: Callable[[GitHub, str], None],
    stage: str,
    code: str,
    check: str | None,
    words: str,
) -> None:
    spoil(site, name)
    run = members.finish(members.create(name))
    assert (run["status"], run["currentTaskName"], run["error"]["code"]) == ("failed", stage, code)
    assert (run["error"].get("details") or {}).get("check") == check
    assert words in run["error"]["message"]
    assert run["error"]["remediation"]
    assert run["credentialAudit"]["githubStatus"] == "failed"
    assert words in run["credentialAudit"]["githubMessage"]
    assert site.token not in json.dumps(run)
    nothing_was_made(site, name, members, run)
    # Asked for again as it is, it is refused before anything is written.
    again = members.post(f"/{run['id']}/retry", mode="restart_from_discovery")
    assert (again.status_code, again.json()["code"]) == (409, "credential_invalid"), again.text
    assert again.json()["remediation"]


def test_a_repository_that_is_not_there_is_not_found(members: Team, site: GitHub) -> None:
    run = members.finish(members.create("acme/nowhere"))
    assert (run["status"], run["error"]["code"]) == ("failed", "repository_not_found")
    assert run["credentialAudit"]["githubStatus"] == "failed"
    assert run["codexTaskId"] is None


def test_an_empty_repository_is_no_work_and_its_token_was_checked(members: Team, site: GitHub) -> None:
    run = members.finish(members.create("acme/empty"))
    assert run["status"] == "no_work"
    assert "empty" in run["reason"]
    assert run["credentialAudit"]["githubStatus"] == "passed"
    assert run["credentialAudit"]["environmentSnapshot"]["repository"] == "acme/empty"
    nothing_was_made(site, "acme/empty", members, run)


def test_a_renamed_repository_is_followed_to_its_new_name(members: Team, site: GitHub, name: str) -> None:
    new = f"{name}-renamed"
    site.rename(name, new)
    run = members.finish(members.create(name))
    published_once(site, new, run)
    assert f"{new}, as {name} is called now" in run["credentialAudit"]["githubMessage"]


@pytest.mark.usefixtures("rights")
def test_a_fixed_token_lets_the_run_go_on(members: Team, site: GitHub, name: str) -> None:
    forbid_push(site, name)
    run = members.finish(members.create(name))
    assert run["error"]["details"]["check"] == "github.push"
    site.tokens[site.token].may_push = True
    assert members.post(f"/{run['id']}/retry").status_code == 202
    published_once(site, name, members.finish(run["id"]))
