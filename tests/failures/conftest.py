"""What the failure tests share: the product as real processes, in each of the two ways to run it."""

import json
from collections.abc import Iterator

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.sample import source as sample
from tests.support.engines import ENGINES, SHORT_LEASES, TEST_MODE, Engine, engine_of, place_of
from tests.support.github_fixtures import new_name, whole_site  # noqa: F401 - fixtures
from tests.support.github_site import MANY, GitHub, github, take
from tests.support.team import Team, team

WORK = {
    "version": 1,
    "steps": [{"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}, {"end": "completed"}],
}


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine in test mode with short leases; it is started by the test."""
    with engine_of(request.param, request, TEST_MODE | SHORT_LEASES) as made:
        yield made


# --- with a GitHub on loopback, for the modules that ask for it


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    files = {path: content.decode() for path, content in sample.files().items()}
    with github(tmp_path_factory.mktemp("github"), dict.fromkeys(MANY, files) | {"acme/empty": {}}) as site:
        yield site


@pytest.fixture
def another(site: GitHub) -> str:
    return take(site)


@pytest.fixture(scope="module", params=ENGINES)
def github_engine(request: pytest.FixtureRequest, shared: GitHub) -> Iterator[Engine]:
    """An engine with the scripted agent and the GitHub forge, which all tests of a kind share."""
    with team(
        **place_of(request.param, request), **SHORT_LEASES, **shared.settings, MOONMIND_AGENT="scripted"
    ) as members:
        script = members.folder / "script.json"
        script.write_text(json.dumps(WORK))
        members.env["MOONMIND_SCRIPT"] = str(script)
        made = Engine(members, embedded=request.param == "embedded")
        made.prepare()
        made.start()
        yield made


@pytest.fixture
def members(github_engine: Engine) -> Team:
    return github_engine.team


@pytest.fixture
def github_database(members: Team) -> Iterator[Database]:
    made = Database(members.env.get("DATABASE_URL") or f"sqlite:///{members.work / 'var/moonmind.db'}")
    yield made
    made.dispose()
