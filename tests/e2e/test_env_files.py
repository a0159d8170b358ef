"""A `.env` that came with a clone, tried on every way to start something, as an attacker would lay it out."""

import json
from collections.abc import Iterator

import pytest

from tests.support.processes import ROOT
from tests.support.team import Team, team

COMMANDS = {
    "up": ("moonmind.cli.main", "up", "--port", "0"),
    "doctor": ("moonmind.cli.main", "doctor", "--repo", "acme/app"),
    "dry-run": ("moonmind.cli.main", "run", "acme/app", "--dry-run"),
    "api": ("uvicorn", "api_service.main:app", "--port", "0"),
    "worker": ("celery", "-A", "moonmind.workflows.speckit_celery.tasks", "worker", "-Q", "codex"),
    "alembic": ("alembic", "-c", str(ROOT / "alembic.ini"), "upgrade", "head"),
    "verify": ("api_service.scripts.ensure_codex_config",),
}
SPEAKS_OF_IT = 4
TEXT = "CODEX_BIN=./evil\nexport github_api_url=http://127.0.0.1:1\nMOONMIND_MAX_AGENTS=1\n"


@pytest.fixture
def members() -> Iterator[Team]:
    with team() as made:
        yield made


def lay_out(members: Team) -> None:
    (members.work / ".git").mkdir()
    (members.work / ".env").write_text(TEXT)
    (members.work / "evil").write_text(f"#!/bin/sh\ntouch {members.folder}/executed\n")
    (members.work / "evil").chmod(0o755)


@pytest.mark.sqlite
def test_every_command_names_the_file_and_ends_with_4_before_anything_is_executed(members: Team) -> None:
    lay_out(members)
    started = {name: members.start(name, *command) for name, command in COMMANDS.items()}
    for name, process in started.items():
        assert process.wait(60) == SPEAKS_OF_IT, f"{name}: {process.text()}"
        assert f"{members.work}/.env sets CODEX_BIN, GITHUB_API_URL (github_api_url), and" in process.text(), name
        assert "Traceback" not in process.text(), name
    assert not (members.folder / "executed").exists()
    assert sorted(path.name for path in members.work.iterdir()) == [".env", ".git", "evil"]


@pytest.mark.sqlite
def test_speckit_reads_no_file_of_settings(members: Team) -> None:
    lay_out(members)
    (members.work / ".env").write_bytes(TEXT.encode("utf-16"))
    process = members.start("speckit", "moonmind.cli.speckit.speckit_command", "--version")
    assert process.wait(30) == 0, process.text()
    assert process.text().startswith("speckit ")


@pytest.mark.sqlite
def test_the_file_that_was_read_is_said(members: Team) -> None:
    place = members.folder / "settings"
    place.write_text("SPEC_WORKFLOW_TEST_MODE=1\n")
    members.env["MOONMIND_ENV_FILE"] = str(place)
    up = members.up()
    log = [json.loads(line) for line in up.text().splitlines() if line.startswith("{")]
    assert {"settings.read": str(place)} in [{line["event"]: line.get("file")} for line in log]
    assert any(line.split() == ["settings", str(place)] for line in up.text().splitlines())
    doctor = members.start("doctor", "moonmind.cli.main", "doctor", "--json")
    assert doctor.wait(60) == 0, doctor.text()
    checks = {check["name"]: check["message"] for check in json.loads(doctor.text())["checks"]}
    assert checks["settings"] == f"read from environment variables and {place}"
