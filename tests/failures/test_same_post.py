"""The same request at the same moment: one run, and an answer that names it to the other."""

from typing import Any

import httpx
import pytest

from tests.support.databases import at_once
from tests.support.engines import SAMPLE, Engine, assert_published_once
from tests.support.team import RUNS, TERMINAL

FEATURE = "spec-42-refresh-docs"


@pytest.fixture
def served(engine: Engine) -> Engine:
    """An installation that accepts runs and works on none before the test lets it."""
    engine.team.env["MOONMIND_SCRIPT"] = str(engine.team.folder / "script.json")
    (engine.team.folder / "script.json").write_text(
        '{"version": 1, "steps": [{"wait_for": "%s"}, {"write": "refresh_docs/__init__.py", "content": "MADE = True\\n"}]}'
        % (engine.team.folder / "release")
    )
    engine.start()
    return engine


def post_at_once(engine: Engine, *bodies: dict[str, Any]) -> list[httpx.Response]:
    answers = at_once(len(bodies), lambda number: engine.team.post(**bodies[number]))
    assert all(isinstance(answer, httpx.Response) for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, httpx.Response)]


def one_accepted(answers: list[httpx.Response]) -> str:
    """One 202; every other answer is a 409 that names its run. Gives the run's id."""
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [202] + [409] * (len(answers) - 1), [answer.text for answer in answers]
    accepted = next(answer.json() for answer in answers if answer.status_code == 202)
    for refused in (answer.json() for answer in answers if answer.status_code == 409):
        assert refused["code"] == "run_active"
        assert refused["details"]["runId"] == accepted["id"]
        assert refused["remediation"]
    return str(accepted["id"])


SAME = [
    pytest.param([{}, {}], id="the same"),
    pytest.param([{}] * 8, id="the same eight times"),
    pytest.param([{"featureKey": FEATURE}, {"featureKey": f"specs/{FEATURE}/"}], id="folder and name"),
    pytest.param([{"featureKey": FEATURE}, {"featureKey": f" {FEATURE}/ "}], id="slash and spaces"),
    pytest.param([{"repository": "MoonMind/Spec-Kit-Reference"}, {}], id="another spelling"),
]


@pytest.mark.parametrize("bodies", SAME)
@pytest.mark.in_every_run(2)
def test_of_the_same_posts_at_once_one_is_accepted(bodies: list[dict[str, Any]], served: Engine) -> None:
    run_id = one_accepted(post_at_once(served, *({"repository": SAMPLE} | body for body in bodies)))
    listed = httpx.get(f"{served.team.url}{RUNS}", timeout=30).json()["items"]
    assert [run["id"] for run in listed] == [run_id]


def test_a_name_of_the_feature_that_a_run_has_found_is_taken_too(served: Engine) -> None:
    first = served.team.create()
    served.team.await_run(first, lambda run: run["featureKey"] == FEATURE, "discovery")
    for key in (FEATURE, f"specs/{FEATURE}", f"specs/{FEATURE}/"):
        refused = served.team.post(repository=SAMPLE, featureKey=key)
        assert refused.status_code == 409, key
        assert (refused.json()["code"], refused.json()["details"]["runId"]) == ("run_active", first)


@pytest.mark.full
def test_two_names_of_one_feature_at_once_publish_it_once(served: Engine) -> None:
    answers = post_at_once(served, {"repository": SAMPLE}, {"repository": SAMPLE, "featureKey": FEATURE})
    accepted = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert accepted, [answer.text for answer in answers]
    (served.team.folder / "release").touch()
    runs = [served.team.await_run(each, lambda run: run["status"] in TERMINAL, "the end") for each in accepted]
    succeeded = [run for run in runs if run["status"] == "succeeded"]
    assert len(succeeded) == 1, runs
    assert_published_once(served.team, succeeded[0])
    for run in runs:
        # Neither could be known to be the other's twin at the door; discovery saw it.
        if run is not succeeded[0]:
            assert (run["status"], run["error"]["code"]) == ("failed", "feature_busy")
            assert succeeded[0]["id"] in str(run["error"])
