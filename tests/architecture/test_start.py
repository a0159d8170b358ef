"""What a program loads until it answers, so that it answers soon: the libraries that it does not need yet are not there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_group

from moonmind.cli.main import app, database
from moonmind.db.unit_of_work import Database
from tests.support.git_repos import git

ROOT = Path(__file__).parents[2]

HELP = (
    *(("--version",), ("--help",)),
    *((name, "--help") for name in get_group(app).commands),
    *(("db", name, "--help") for name in get_group(database).commands),
)
SPECKIT_HELP = (("--version",), ("--help",), ("status", "--help"), ("prompt", "--help"), ("doctor", "--help"))

LIBRARIES = {
    *("alembic", "celery", "fastapi", "github", "httpx", "kombu", "markdown_it", "psycopg", "pydantic", "requests"),
    *("rich", "sqlalchemy", "starlette", "structlog", "uvicorn"),
}
UNUSED_BY_A_SERVER = {
    *("alembic", "betterleaks", "celery", "github", "httpx", "jinja2", "kombu", "mako", "markdown_it", "psycopg"),
    "requests",
}
"""As long as it runs the stages itself, its database is up to date, and nobody has asked for more than /healthz."""

ANSWER = """
import sys
from moonmind.cli.{module} import main

code = main(sys.argv[2:])
loaded = set(sys.argv[1].split()) & set(sys.modules)
sys.exit(f"loaded: {{loaded}}" if loaded else code)
"""
SERVE = """
import json, os, signal, sys, threading, time, urllib.request
from pathlib import Path
from moonmind.cli.main import main

def ask():
    announced = Path("var/server.json")
    while not announced.exists():
        time.sleep(0.02)
    address = json.loads(announced.read_text())["url"] + "/healthz"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address, timeout=20) as answer:
        answer.read()
    loaded = set(sys.argv[1].split()) & set(sys.modules)
    print("answered without them" if not loaded else f"loaded: {loaded}", flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

threading.Thread(target=ask, daemon=True).start()
sys.exit(main(["up", "--port", "0"]))
"""


def run(program: str, *arguments: str, folder: Path = ROOT, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), "HOME": str(folder), **environment},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("arguments", HELP, ids=" ".join)
def test_moonmind_says_what_it_can_do_without_the_libraries_for_doing_it(arguments: tuple[str, ...]) -> None:
    done = run(ANSWER.format(module="main"), " ".join(LIBRARIES), *arguments)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("arguments", SPECKIT_HELP, ids=" ".join)
def test_speckit_says_what_it_can_do_with_the_standard_library(arguments: tuple[str, ...]) -> None:
    done = run(ANSWER.format(module="speckit.speckit_command"), " ".join({"typer", *LIBRARIES}), *arguments)
    assert (done.returncode, done.stderr) == (0, "")


def test_speckit_compares_a_checkout_with_its_commit_without_any_setting(tmp_path: Path) -> None:
    place = tmp_path / "specs/001-a/tasks.md"
    place.parent.mkdir(parents=True)
    place.write_text("# Tasks\n\n- [ ] T001 Create `a.py`\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "Begin")
    program = ANSWER.format(module="speckit.speckit_command")
    unused = {"typer", *LIBRARIES} - {"markdown_it", "rich"}
    done = run(program, " ".join(unused), "reconcile", "--json", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["tasks_differ"] is True


@pytest.mark.parametrize("settings", [{"SPEC_WORKFLOW_TEST_MODE": "1"}, {"GH_TOKEN": "ghp_no_real_token"}])
def test_an_embedded_server_answers_without_what_it_does_not_use_yet(tmp_path: Path, settings: dict[str, str]) -> None:
    work = tmp_path / "work"
    for folder in (work, tmp_path / "tmp"):
        folder.mkdir()
    database = Database(f"sqlite:///{work}/var/moonmind.db")
    database.migrate()
    database.dispose()
    # State is refused below the temporary folder, where pytest puts us.
    folders = {"MOONMIND_STATE_DIR": str(tmp_path / "state"), "TMPDIR": str(tmp_path / "tmp")}
    done = run(SERVE, " ".join(UNUSED_BY_A_SERVER), folder=work, **folders, **settings)
    assert done.returncode == 0, done.stderr
    assert "answered without them" in done.stdout.splitlines(), done.stdout
