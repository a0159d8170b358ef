"""The quickstart, as it is printed: every block is run, in order, and what it promises must come true."""

import ast
import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.support import git_repos
from tests.support.agents import codex_binary
from tests.support.page import Block, blocks_of
from tests.support.processes import PYTHON, ROOT, group_of
from tests.support.reader import Reader, asked, await_worker, ended
from tests.support.team import rabbitmq_url, team
from tests.support.waiting import until

PAGE = ROOT / "docs/quickstart.md"
STAGES = ["discover", "submit", "apply", "publish", "finalize"]

# The page's blocks, by first line, in its order. A block that is not here is one that nobody runs: it fails the test.
INSTALL = "poetry install"
CONFIGURE = "CELERY_BROKER_URL=amqp://guest:guest@localhost:5672//"
MIGRATE = "poetry run alembic upgrade head"
SERVE = "poetry run uvicorn api_service.main:app --reload"
WORK = "poetry run celery -A moonmind.workflows.speckit_celery.tasks worker \\"
SETTINGS = 'broker_url = "pyamqp://guest:guest@localhost:5672//"'
VERIFY = "poetry run python -m api_service.scripts.ensure_codex_config"
START = "curl -X POST http://localhost:8000/api/workflows/speckit/runs \\"
WATCH = "curl http://localhost:8000/api/workflows/speckit/runs/{run_id}"
LIST = "curl 'http://localhost:8000/api/workflows/speckit/runs?status=running'"
RETRY = "curl -X POST http://localhost:8000/api/workflows/speckit/runs/{run_id}/retry \\"
CLEAN_UP = "poetry run celery -A moonmind.workflows.speckit_celery.tasks worker -Q codex -B"
KNOWN = [INSTALL, CONFIGURE, MIGRATE, SERVE, WORK, SETTINGS, VERIFY, START, WATCH, LIST, RETRY, CLEAN_UP]

# What must work as written, whatever else the page says.
PROMISED = [
    "poetry install",
    "poetry run alembic upgrade head",
    "poetry run uvicorn api_service.main:app --reload",
    "poetry run celery -A moonmind.workflows.speckit_celery.tasks worker -Q codex --loglevel=info --hostname=codex@%h",
    "poetry run celery -A moonmind.workflows.speckit_celery.tasks worker -Q codex -B",
    "poetry run python -m api_service.scripts.ensure_codex_config",
    "poetry run speckit --version",
    "poetry run codex --version",
    (
        "curl -X POST http://localhost:8000/api/workflows/speckit/runs -H 'Content-Type: application/json' "
        '-d \'{ "repository": "moonmind/spec-kit-reference", "featureKey": "spec-42-refresh-docs" }\''
    ),
    "curl http://localhost:8000/api/workflows/speckit/runs/{run_id}",
    (
        "curl -X POST http://localhost:8000/api/workflows/speckit/runs/{run_id}/retry -H 'Content-Type: application/json' "
        '-d \'{"mode":"resume_failed_task","notes":"Credentials fixed; retry publish"}\''
    ),
]
PROMISED_SETTINGS = {
    "CELERY_BROKER_URL": "amqp://guest:guest@localhost:5672//",
    "CELERY_RESULT_BACKEND": "db+postgresql://moonmind:***@localhost:5432/moonmind",
    "SPEC_WORKFLOW_CODEX_QUEUE": "codex",
    "SPEC_WORKFLOW_ARTIFACT_ROOT": "var/artifacts/spec_workflows",
    "CODEX_ENV": "prod",
    "GH_TOKEN": "ghp_xxx",
}
PROMISED_CELERY = {
    "broker_url": "pyamqp://guest:guest@localhost:5672//",
    "result_backend": "db+postgresql://moonmind:***@localhost:5432/moonmind",
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
}


def is_empty(group: int) -> bool:
    return group_of(group) == []


@pytest.fixture
def page() -> dict[str, Block]:
    return {block.first: block for block in blocks_of(PAGE)}


def test_every_block_of_the_page_is_run_here() -> None:
    assert [block.first for block in blocks_of(PAGE)] == KNOWN


def test_the_page_says_what_was_promised(page: dict[str, Block]) -> None:
    said = " ".join(" ".join(block.text.replace("\\\n", " ").split()) for block in page.values())
    assert [command for command in PROMISED if command not in said] == []
    assert dict(line.split("=", 1) for line in page[CONFIGURE].text.splitlines()) == PROMISED_SETTINGS
    assert assignments(page[SETTINGS].text) == PROMISED_CELERY


def test_the_worker_runs_with_the_settings_on_the_page(page: dict[str, Block], tmp_path: Path) -> None:
    printed = assignments(page[SETTINGS].text)
    urls = {"CELERY_BROKER_URL": printed["broker_url"], "CELERY_RESULT_BACKEND": printed["result_backend"]}
    code = (
        "import json, sys; from moonmind.bootstrap import celery_app; c = celery_app().conf; "
        "print(json.dumps({name: c[name] for name in sys.argv[1:]}))"
    )
    done = subprocess.run(
        [PYTHON, "-c", code, *printed], cwd=tmp_path, env=urls | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert json.loads(done.stdout) == printed
    written = assignments((ROOT / "moonmind/workflows/speckit_celery/celeryconfig.py").read_text("utf-8"))
    del printed["broker_url"], printed["result_backend"]
    assert {name: written.get(name) for name in printed} == printed


@pytest.mark.sqlite
@pytest.mark.full
def test_migrating_before_anything_is_set_does_no_harm(page: dict[str, Block]) -> None:
    with team() as members:
        reader = Reader(members)
        reader.types(page[MIGRATE].text)
        (reader.root / ".env").write_text("SPEC_WORKFLOW_TEST_MODE=1\n")
        members.await_api(reader.leaves_running("api", f"{page[SERVE].text.strip()} --port {members.port}"))
        started = asked(reader, page[START])
        assert ended(reader, page[WATCH], started["id"])["status"] == "succeeded"


@pytest.mark.postgres
@pytest.mark.rabbitmq
@pytest.mark.codex_real
@pytest.mark.slow
@pytest.mark.timeout(480)
def test_the_page_works_as_it_is_printed(page: dict[str, Block], empty_postgres_url: str, printed_queue: None) -> None:
    if codex_binary() is None:
        pytest.skip("there is no codex binary")
    with team() as members:
        reader = Reader(members)
        reader.installs(page[INSTALL].text)

        own = {
            "amqp://guest:guest@localhost:5672//": rabbitmq_url(),
            "postgresql://moonmind:***@localhost:5432/moonmind": empty_postgres_url.replace("+psycopg", ""),
        }
        settings = page[CONFIGURE].text
        for printed, ours in own.items():
            assert printed in settings
            settings = settings.replace(printed, ours)
        (reader.root / ".env").write_text(f"{settings}SPEC_WORKFLOW_TEST_MODE=1\n")

        reader.types(page[MIGRATE].text)

        api = reader.leaves_running("api", f"{page[SERVE].text.strip()} --port {members.port}")
        members.await_api(api)
        worker = reader.leaves_running("worker", page[WORK].text)
        await_worker(worker)

        assert "codex-cli" in reader.types(page[VERIFY].text)

        first = asked(reader, page[START])
        assert first["status"] in {"pending", "running"}
        asked(reader, page[WATCH], first["id"])
        listed = asked(reader, page[LIST])
        assert [run["id"] for run in listed["items"]] in ([first["id"]], [])
        succeeded = ended(reader, page[WATCH], first["id"])
        assert succeeded["status"] == "succeeded", succeeded
        assert [(task["taskName"], task["state"]) for task in succeeded["tasks"]] == [(s, "succeeded") for s in STAGES]
        files = reader.root / "var/artifacts/spec_workflows" / first["id"]
        assert succeeded["artifacts"]
        assert all((files / artifact["path"]).is_file() for artifact in succeeded["artifacts"])
        results_are_stored(empty_postgres_url)

        bare = reader.root / "var/repositories/moonmind/spec-kit-reference.git"
        git_repos.install_hook(bare, "pre-receive", "echo not today >&2; exit 1")
        second = ended(reader, page[WATCH], asked(reader, page[START])["id"])
        assert (second["status"], second["currentTaskName"]) == ("failed", "publish"), second
        assert second["error"]["remediation"]
        (bare / "hooks/pre-receive").unlink()
        retried = asked(reader, page[RETRY], second["id"])
        assert (retried["id"], retried["status"]) == (second["id"], "retrying")
        again = ended(reader, page[WATCH], second["id"])
        assert again["status"] == "succeeded", again
        assert again["pullRequestUrl"] == succeeded["pullRequestUrl"]
        assert len(git_repos.log_of(bare, f"main..{succeeded['branchName']}")) == 2

        cleaner = reader.leaves_running("cleaner", page[CLEAN_UP].text)
        await_worker(cleaner)
        until(lambda: "beat: Starting" in cleaner.text(), "the clock of the periodic clean-up", 30)

        # Celery's own tables are in the database by now; they are not the migrations' business.
        reader.types("poetry run alembic check")
        assert "Reloading" not in api.text()
        for process in (cleaner, worker, api):
            process.terminate()
            until(partial(is_empty, process.pid), f"the end of all of {process.log.name}")


def results_are_stored(database: str) -> None:
    """The result backend holds what the five tasks gave, for those who look at Celery's own tables."""
    engine = create_engine(database)

    def stored() -> bool:
        with engine.connect() as connection:
            rows = connection.execute(text("SELECT status, result FROM celery_taskmeta")).all()
        assert {row.status for row in rows} <= {"SUCCESS"}, rows
        return {json.loads(row.result) for row in rows} >= set(STAGES)

    try:
        until(stored, "the results of the five tasks")
    finally:
        engine.dispose()


def assignments(source: str) -> dict[str, Any]:
    """Read the names that a module sets to plain values."""
    found = {}
    for line in ast.parse(source).body:
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            try:
                found[line.targets[0].id] = ast.literal_eval(line.value)
            except ValueError:
                continue  # said by a setting
    return found
