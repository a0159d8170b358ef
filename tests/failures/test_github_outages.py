"""GitHub fails, loses answers, asks to wait, or goes away: one pull request comes of it, and the run ends as it should."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest

from moonmind.db.unit_of_work import Database
from tests.support.databases import make_due, read_run
from tests.support.engines import BRANCH
from tests.support.github_runs import PULLS, published_once, waits
from tests.support.github_site import GitHub
from tests.support.team import TERMINAL, Team
from tests.support.waiting import until

pytestmark = [pytest.mark.github_emulator, pytest.mark.slow]

OUTAGE_SECONDS = 600.0


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


MISHAPS = [
    cut_create,
    exists,
    fail_502,
    *(pytest.param(each, marks=pytest.mark.full) for each in (cut_push, cut_fetch, fail_500)),
]


@pytest.mark.parametrize("spoil", MISHAPS)
@pytest.mark.in_every_run(1)
def test_what_passes_is_waited_for_and_one_pull_request_comes_of_it(
    members: Team, site: GitHub, name: str, spoil: Callable[[GitHub], None]
) -> None:
    spoil(site)
    run = members.finish(members.create(name), 120)
    published_once(site, name, run)
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
        published_once(site, repository, run)
        assert [task["retryCount"] for task in run["tasks"]] == [0] * 5


def go_away(site: GitHub) -> None:
    site.down = True


def fail_at_create(site: GitHub) -> None:
    site.fail("POST", PULLS, 503, times=1000)


@pytest.mark.parametrize(("leave", "stage"), [(go_away, "discover"), (fail_at_create, "publish")])
@pytest.mark.in_every_run(1)
def test_ten_minutes_without_github_end_in_one_pull_request(
    members: Team, github_database: Database, site: GitHub, name: str, leave: Callable[[GitHub], None], stage: str
) -> None:
    """The waits are those that the run chose itself; they are not sat out, but taken as over one by one."""
    leave(site)
    run_id = members.create(name)
    waited, tries = 0.0, 0

    def tried(fence: int) -> bool:
        return read_run(github_database, UUID(run_id)).fence > fence

    while waited < OUTAGE_SECONDS:
        run = members.await_run(run_id, waits("backoff"), f"wait {tries + 1}")
        assert (run["status"], run["currentTaskName"]) == ("running", stage)
        row = read_run(github_database, UUID(run_id))
        with github_database.read() as unit:
            waited += max((row.not_before - unit.now()).total_seconds(), 0)
        tries += 1
        make_due(github_database, UUID(run_id))
        until(partial(tried, row.fence), "the next try", 30)
    assert tries < 20
    site.down = False
    site.faults.clear()
    members.await_run(run_id, lambda run: waits("backoff")(run) or run["status"] in TERMINAL, "the last wait")
    make_due(github_database, UUID(run_id))
    published_once(site, name, members.finish(run_id))
