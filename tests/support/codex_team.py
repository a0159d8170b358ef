"""A team on RabbitMQ and PostgreSQL whose agent is the real Codex, behind each kind of wall."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.agents import codex_binary, confines
from tests.support.docker_engine import DockerEngine
from tests.support.plain_wall import require_walls
from tests.support.team import Team, new_queue, rabbitmq_url, team

KEY = "sk-proj-0123456789abcdefghijklmnopqrstuv"
TOKEN = "ghp_" + "Zy9Xw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0Fe0Dc0"


@contextmanager
def codex_team(
    wall: str, request: pytest.FixtureRequest, database_url: str, user: int | None = None, /, **settings: str
) -> Iterator[Team]:
    """Yield a team with nothing started, which may be another user's; skips where the wall cannot be built."""
    binary = codex_binary()
    if binary is None:
        pytest.skip("there is no codex binary")
    if wall == "bubblewrap":
        require_walls()
    if wall == "codex":
        folder: Path = request.getfixturevalue("tmp_path")
        if not confines(binary, folder):
            pytest.skip("machine: Codex's sandbox cannot be set up")
    given = {
        "CELERY_BROKER_URL": rabbitmq_url(),
        # The quickstart's way: MoonMind's own tables are in the database of the results.
        "CELERY_RESULT_BACKEND": "db+" + database_url.replace("+psycopg", ""),
        "SPEC_WORKFLOW_CODEX_QUEUE": new_queue(),
        "MOONMIND_FORGE": "local",
        "MOONMIND_SANDBOX": wall,
        "CODEX_BIN": binary,
        "CODEX_API_KEY": KEY,
        "CODEX_MODEL": "gpt-5.5",
        "CODEX_ENV": "prod",
        "GH_TOKEN": TOKEN,
    }
    if wall == "docker":
        engine: DockerEngine = request.getfixturevalue("docker_engine")
        given |= engine.settings
    with team(user, **(given | settings)) as made:
        yield made
