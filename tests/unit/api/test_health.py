"""The routes of health."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from api_service.app import create_app
from moonmind.db.tables import metadata
from moonmind.runtime.container import Container
from tests.support.peers import ours
from tests.support.waiting import until

Build = Callable[..., Container]


@contextmanager
def serving(container: Container) -> Iterator[TestClient]:
    app = create_app(container=container, owner_of=ours)
    with TestClient(app, base_url="http://localhost", client=("127.0.0.1", 1)) as client:
        yield client


def test_a_living_process_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_ready_process_lists_its_checks(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["checks"][0] == {
        "name": "database",
        "status": "passed",
        "message": "the database answers and has this version's schema",
        "remediation": None,
        "informational": False,
    }


def test_the_preflight_list_is_shown_and_decides_nothing(build: Build, tmp_path: Path) -> None:
    container = build(SPEC_WORKFLOW_TEST_MODE=False, CODEX_HOME=tmp_path / "nowhere", CODEX_BIN="/nonexistent/codex")
    with serving(container) as client:

        def looked_at() -> list[dict[str, Any]]:
            return [each for each in client.get("/readyz").json()["checks"] if each["informational"]]

        wanted = {"codex.binary", "codex.login", "git.binary", "speckit"}
        until(lambda: wanted <= {each["name"] for each in looked_at()}, "the list")
        failed = {each["name"] for each in looked_at() if each["status"] == "failed"}
        assert failed == {"codex.binary", "codex.login", "github.token"}
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (200, True)


def test_a_process_that_is_not_ready_says_which_check_failed(build: Build, sqlite_url: str) -> None:
    container = build(DATABASE_URL=sqlite_url)
    with container.database._engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    with serving(container) as client:
        answer = client.get("/readyz")
    problem = answer.json()
    assert answer.status_code == 503
    assert problem["message"].startswith("not ready: database: ")
    assert problem["remediation"].startswith("Run `alembic upgrade head`")
    decides = [each["status"] for each in problem["details"]["checks"] if not each["informational"]]
    assert decides == ["failed", "passed"]
    assert answer.headers["retry-after"]
