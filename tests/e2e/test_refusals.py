"""What MoonMind refuses to start with: one sentence that names the setting, an exit code, and never a traceback."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.support.processes import ROOT, Process
from tests.support.team import RUNS, Team, new_queue, rabbitmq_url, team
from tests.support.waiting import until

POSTGRES = "postgresql://nobody:hidden-word@127.0.0.1:1/nothing"
API = ("uvicorn", "api_service.main:app", "--port", "0")
UP = ("moonmind.cli.main", "up", "--port", "0")
WORKER = ("celery", "-A", "moonmind.workflows.speckit_celery.tasks", "worker", "-Q", "codex")
ALEMBIC = ("alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head")
DOCTOR = ("moonmind.cli.main", "doctor")


@pytest.fixture
def members() -> Iterator[Team]:
    with team(SPEC_WORKFLOW_TEST_MODE="1") as made:
        yield made


def refused(process: Process, *said: str, seconds: float = 30) -> str:
    """Wait for a process that must give up by itself, and for what it must say."""
    code = process.wait(seconds)
    text = process.text()
    assert code not in {0, None}, text
    assert code > 0, text
    assert "Traceback" not in text, text
    for words in said:
        assert words in text, text
    return text


@pytest.mark.sqlite
def test_a_second_moonmind_in_the_same_folder_names_the_first(members: Team) -> None:
    first = members.up()
    refused(members.start("second", *UP), f"MoonMind is already running here, at {members.url}", "stop it first")
    refused(members.start("third", *API), "another MoonMind runs the embedded engine", members.url, "CELERY_BROKER_URL")
    assert first.alive
    members.succeed(members.create())


@pytest.mark.sqlite
def test_a_server_that_reloads_does_not_watch_what_agents_write(members: Team) -> None:
    """The state folder lies in the working directory, as a user's does who stands in the home."""
    members.env["MOONMIND_STATE_DIR"] = str(members.work / "state")
    reloading = members.start("reloading", *API, "--reload")
    until(lambda: "a reloading server watches every file" in reloading.text(), "the refusal", 60)
    assert "Traceback" not in reloading.text()
    reloading.kill()
    members.up()


@pytest.mark.sqlite
def test_a_worker_without_a_broker_says_what_to_start_instead(members: Team) -> None:
    text = refused(members.start("worker", *WORKER), "CELERY_BROKER_URL is not set", "`moonmind up`")
    assert "ready." not in text


@pytest.mark.sqlite
@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_not_let_in_without_a_token(members: Team, host: str) -> None:
    refused(
        members.start("up", *UP, "--host", host), f"{host} can be reached from other machines", "MOONMIND_API_TOKEN"
    )


@pytest.mark.sqlite
def test_a_server_that_listens_everywhere_answers_this_machine_alone_without_a_token(members: Team) -> None:
    process = members.start("api", "uvicorn", "api_service.main:app", "--host", "0.0.0.0", "--port", str(members.port))
    members.await_api(process)
    assert httpx.get(f"{members.url}{RUNS}").status_code == 200
    # Asked by way of an address that other machines use, this machine is one of them.
    url = f"http://{address_of_this_machine()}:{members.port}{RUNS}"
    for host in ("localhost", "example.org"):
        answer = httpx.get(url, headers={"Host": host})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), answer.text


PAIRS = {
    "postgres-alone": ({"DATABASE_URL": POSTGRES}, "PostgreSQL needs a broker"),
    "results-alone": ({"CELERY_RESULT_BACKEND": f"db+{POSTGRES}"}, "PostgreSQL needs a broker"),
    "redis": ({"CELERY_BROKER_URL": "redis://localhost:6379/0"}, "CELERY_BROKER_URL has the scheme 'redis'"),
    "mysql": ({"DATABASE_URL": "mysql://root:hidden-word@localhost/x"}, "DATABASE_URL has the scheme 'mysql'"),
}
ASKED = [(command, pair) for command in (UP, API, WORKER, ALEMBIC, DOCTOR) for pair in ("postgres-alone", "redis")]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("command", "pair"),
    [*ASKED, (WORKER, "results-alone"), (API, "mysql")],
    ids=lambda given: given if isinstance(given, str) else given[0] + "-" + given[1],
)
@pytest.mark.in_every_run(4)
def test_a_pair_that_is_not_supported_is_refused(members: Team, command: tuple[str, ...], pair: str) -> None:
    settings, said = PAIRS[pair]
    text = refused(members.start("refused", *command, **settings), said)
    assert "hidden-word" not in text


@pytest.mark.postgres
@pytest.mark.rabbitmq
def test_a_database_that_was_never_migrated_is_refused_with_the_command(empty_postgres_url: str) -> None:
    settings = {
        "CELERY_BROKER_URL": rabbitmq_url(),
        "CELERY_RESULT_BACKEND": "db+" + empty_postgres_url.replace("+psycopg", ""),
        "SPEC_WORKFLOW_CODEX_QUEUE": new_queue(),
        "SPEC_WORKFLOW_TEST_MODE": "1",
    }
    with team(**settings) as members:
        for name, command in (("api", API), ("worker", WORKER), ("doctor", DOCTOR), ("up", UP)):
            refused(members.start(name, *command), "no schema yet", "alembic upgrade head")
        # After the command that they name, they start.
        members.migrate()
        members.worker()
        members.api()


@pytest.mark.rabbitmq
def test_a_database_that_does_not_answer_is_said() -> None:
    settings = {"CELERY_BROKER_URL": rabbitmq_url(), "DATABASE_URL": POSTGRES, "MOONMIND_START_SECONDS": "1"}
    with team(SPEC_WORKFLOW_TEST_MODE="1", **settings) as members:
        for name, command in (("alembic", ALEMBIC), ("api", API), ("worker", WORKER), ("doctor", DOCTOR)):
            text = refused(members.start(name, *command), "does not answer")
            assert "hidden-word" not in text


def address_of_this_machine() -> str:
    """Return an address of this machine that is not its loopback; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("machine: it has no address but its loopback")
        return str(probe.getsockname()[0])
