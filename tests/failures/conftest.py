"""What the failure tests share: the product as real processes, in each of the two ways to run it."""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.sample import source as sample
from tests.support.engines import ENGINES, SHORT_LEASES, TEST_MODE, Engine, engine_of, place_of
from tests.support.github_fixtures import new_name, whole_site  # noqa: F401 - fixtures
from tests.support.github_site import MANY, GitHub, github, take
from tests.support.team import Team, team

HERE = Path(__file__).parent
NAMES = [str(each.values[0]) for each in ENGINES]
WORK = {
    "version": 1,
    "steps": [{"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}, {"end": "completed"}],
}


@pytest.hookimpl(tryfirst=True)  # what it marks is deselected by another hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave one engine of each test to --full: a file's tests are run on the one and on the other in turn."""
    tests: dict[tuple[Path, str, str], dict[str, pytest.Item]] = defaultdict(dict)
    for item in items:
        if item.path.is_relative_to(HERE) and isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            params: dict[str, Any] = item.callspec.params
            if found := [value for value in params.values() if value in NAMES]:
                rest = repr([(name, value) for name, value in params.items() if value not in NAMES])
                tests[item.path, item.originalname, rest][found[0]] = item
    turns: dict[Path, int] = defaultdict(int)
    for (path, _, _), on in tests.items():
        if len(on) == len(NAMES) and not any(item.get_closest_marker("full") for item in on.values()):
            chosen = NAMES[turns[path] % len(NAMES)]
            turns[path] += 1
            for name, item in on.items():
                if name != chosen:
                    item.add_marker(pytest.mark.full)


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
