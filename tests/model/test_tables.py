"""The model's clock moves in steps, the database's by itself: what has come for the one has come for the other."""

import pytest

from moonmind.runs.chain import Stage
from tests.model.choices import HOSTS, MISHAP, REPOSITORY
from tests.model.repositories import Repositories
from tests.model.tables import SLIPPING
from tests.model.values import CHANCE, POLICY

KEY = f"{0x1000:032x}"
PAUSE = CHANCE * POLICY.base_seconds


@pytest.fixture
def repositories(request: pytest.FixtureRequest, database_kind: str) -> Repositories:
    found: Repositories = request.getfixturevalue(f"{database_kind}_repositories")
    found.empty(HOSTS)
    return found


def pausing(repositories: Repositories, *, late: float) -> None:
    """Make a run that failed once and pauses, written so many seconds later than the model's clock says."""
    assert repositories.add(KEY, REPOSITORY, "", Stage.DISCOVER, None)
    held = repositories.claim(KEY, Stage.DISCOVER, HOSTS[0])
    assert held is not None
    assert repositories.report(held, MISHAP) == []
    repositories.pass_time(-late, HOSTS)


def test_what_comes_with_a_step_of_the_clock_has_come_however_late_it_was_written(repositories: Repositories) -> None:
    pausing(repositories, late=SLIPPING)
    repositories.pass_time(PAUSE, HOSTS)
    assert repositories.claim(KEY, Stage.DISCOVER, HOSTS[0]) is not None


def test_what_is_still_to_come_after_a_step_has_not_come(repositories: Repositories) -> None:
    pausing(repositories, late=0.0)
    repositories.pass_time(PAUSE - 5.0, HOSTS)
    assert repositories.claim(KEY, Stage.DISCOVER, HOSTS[0]) is None
