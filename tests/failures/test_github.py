"""GitHub refuses, fails, or goes away: each run ends as it should, and nothing is made twice or half."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.sample import source as sample
from tests.support.databases import make_due, read_run
from tests.support.engines import BRANCH, ENGINES, SHORT_LEASES, TASKS, Engine
from tests.support.github_site import GitHub, github
from tests.support.team import TERMINAL, Team, new_queue, rabbitmq_url, team
from tests.support.waiting import until

pytestmark = [pytest.mark.github_emulator, pytest.mark.slow]

PULLS = r"^/repos/[^/]+/[^/]+/pulls$"
OUTAGE_SECONDS = 600.0
MANY = [f"acme/demo-{number}" for number in range(60)]
WORK = {"version": 1, "steps": [{"write": "refresh_docs/made.py", "content": "MADE = True\n"}, {"end": "completed"}]}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    files = {path: content.decode() for path, content in sample.files().items()}
    with github(tmp_path_factory.mktemp("github"), dict.fromkeys(MANY, files) | {"acme/empty": {}}) as site:
        yield site


@pytest.fixture
def site(shared: GitHub) -> Iterator[GitHub]:
    yield shared
    shared.faults.clear()
    shared.down = False


def take(site: GitHub) -> str:
    """Give a repository that no other test has."""
    number = len(list(site.folder.glob("taken-*")))
    (site.folder / f"taken-{number}").touch()
    return MANY[number]


@pytest.fixture
def name(site: GitHub) -> str:
    return take(site)


@pytest.fixture
def another(site: GitHub) -> str:
    return take(site)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, shared: GitHub) -> Iterator[Engine]:
    """An engine with the scripted agent and the GitHub forge, which all tests of a kind share."""
    embedded = request.param == "embedded"
    place = {}
    if not embedded:
        place = {
            "CELERY_BROKER_URL": rabbitmq_url(),
            "DATABASE_URL": request.getfixturevalue("migrated_postgres_url"),
            "SPEC_WORKFLOW_CODEX_QUEUE": new_queue(),
        }
    with team(**place, **SHORT_LEASES, **shared.settings, MOONMIND_AGENT="scripted") as members:
        script = members.folder / "script.json"
        script.write_text(json.dumps(WORK))
        members.env["MOONMIND_SCRIPT"] = str(script)
        made = Engine(members, embedded=embedded)
        made.prepare()
        made.start()
        yield made


@pytest.fixture
def members(engine: Engine) -> Team:
    return engine.team


@pytest.fixture
def database(members: Team) -> Iterator[Database]:
    made = Database(members.env.get("DATABASE_URL") or f"sqlite:///{members.work / 'var/moonmind.db'}")
    yield made
    made.dispose()


def nothing_was_made(site: GitHub, name: str, members: Team, run: Mapping[str, Any]) -> None:
    """No agent, no branch, no pull request, no folder of the run."""
    assert run["codexTaskId"] is None
    assert not (members.state / "jobs" / run["id"]).exists()
    assert not (members.state / "workspaces" / run["id"]).exists()
    assert site.creates(name) == 0
    assert site.pulls(name) == []
    assert not [one for one in site.requests if one.method == "POST" and f"/{name}.git/git-receive-pack" in one.path]


def landed_once(site: GitHub, name: str, run: Mapping[str, Any]) -> None:
    """One commit on one branch, and one pull request that the run names."""
    assert (run["status"], run["branchName"]) == ("succeeded", BRANCH), run
    files = site.files(name, BRANCH)
    assert files["refresh_docs/made.py"] == b"MADE = True\n"
    (pull,) = site.pulls(name)
    assert site.creates(name) == 1
    assert (pull["state"], run["pullRequestUrl"]) == ("open", f"{site.origin}/{name}/pull/{pull['number']}")
    assert run["credentialAudit"]["githubStatus"] == "passed"
    assert TASKS in files


# --- refused -------------------------------------------------------------------------------------------------------


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
    landed_once(site, new, run)
    assert f"{new}, as {name} is called now" in run["credentialAudit"]["githubMessage"]


@pytest.mark.usefixtures("rights")
def test_a_mended_token_lets_the_run_go_on(members: Team, site: GitHub, name: str) -> None:
    forbid_push(site, name)
    run = members.finish(members.create(name))
    assert run["error"]["details"]["check"] == "github.push"
    site.tokens[site.token].may_push = True
    assert members.post(f"/{run['id']}/retry").status_code == 202
    landed_once(site, name, members.finish(run["id"]))


# --- lost, failing, limited ----------------------------------------------------------------------------------------


def cut_create(site: GitHub) -> None:
    site.cut("POST", PULLS, after=True)


def cut_push(site: GitHub) -> None:
    site.cut("POST", "git-receive-pack$", after=True, times=2)  # git itself asks once more


def cut_fetch(site: GitHub) -> None:
    site.cut("POST", "git-upload-pack$", after=False, times=2)


def exists(site: GitHub) -> None:
    errors = [
        {"resource": "PullRequest", "code": "custom", "message": f"A pull request already exists for acme:{BRANCH}."}
    ]
    site.fail("POST", PULLS, 422, body={"message": "Validation Failed", "errors": errors})


def fail_500(site: GitHub) -> None:
    site.fail("POST", PULLS, 500)


def fail_502(site: GitHub) -> None:
    site.fail("*", ".", 502, body=b"<h1>Bad Gateway</h1>")


@pytest.mark.parametrize("spoil", [cut_create, cut_push, cut_fetch, exists, fail_500, fail_502])
def test_what_passes_is_waited_for_and_one_pull_request_comes_of_it(
    members: Team, site: GitHub, name: str, spoil: Callable[[GitHub], None]
) -> None:
    spoil(site)
    run = members.finish(members.create(name), 120)
    landed_once(site, name, run)
    assert site.faults == []
    assert sum(task["retryCount"] for task in run["tasks"]) >= 1


def test_a_limit_with_a_time_is_waited_out_by_every_run_and_costs_no_attempt(
    members: Team, site: GitHub, name: str, another: str
) -> None:
    said = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
    site.fail("POST", PULLS, 403, body=said, retry_after="8")
    first = members.create(name)
    waiting = members.await_run(first, waits("rate_limit"), "the limit")
    assert (waiting["status"], waiting["currentTaskName"]) == ("running", "publish")
    second = members.create(another)
    held = members.await_run(second, waits("rate_limit"), "its turn")
    assert held["currentTaskName"] == "discover"
    assert [one for one in site.requests if f"/{another}" in one.path] == []
    for run_id, repository in ((first, name), (second, another)):
        run = members.finish(run_id)
        landed_once(site, repository, run)
        assert [task["retryCount"] for task in run["tasks"]] == [0] * 5


def go_away(site: GitHub) -> None:
    site.down = True


def fail_at_create(site: GitHub) -> None:
    site.fail("POST", PULLS, 503, times=1000)


@pytest.mark.parametrize(("leave", "stage"), [(go_away, "discover"), (fail_at_create, "publish")])
def test_ten_minutes_without_github_end_in_one_pull_request(
    members: Team, database: Database, site: GitHub, name: str, leave: Callable[[GitHub], None], stage: str
) -> None:
    """The waits are those that the run chose itself; they are not sat out, but taken as over one by one."""
    leave(site)
    run_id = members.create(name)
    waited, tries = 0.0, 0
    while waited < OUTAGE_SECONDS:
        run = members.await_run(run_id, waits("backoff"), f"wait {tries + 1}")
        assert (run["status"], run["currentTaskName"]) == ("running", stage)
        row = read_run(database, UUID(run_id))
        with database.read() as unit:
            waited += max((row.not_before - unit.now()).total_seconds(), 0)
        tries += 1
        make_due(database, UUID(run_id))
        until(lambda before=row.fence: read_run(database, UUID(run_id)).fence > before, "the next try", 30)
    assert tries < 20
    site.down = False
    site.faults.clear()
    members.await_run(run_id, lambda run: waits("backoff")(run) or run["status"] in TERMINAL, "the last wait")
    make_due(database, UUID(run_id))
    landed_once(site, name, members.finish(run_id))


def waits(reason: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda run: (run.get("waiting") or {}).get("reason") == reason
