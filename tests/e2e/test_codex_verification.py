"""The real Codex does phases whose changes are then tested: of each kind of project, what people read is true."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import stranger
from tests.support.agents import adding
from tests.support.databases import new_database
from tests.support.docker_engine import DockerEngine
from tests.support.package_registry import PackageRegistry
from tests.support.processes import processes_of
from tests.support.verified_projects import Project, ProjectTeam, Verified, project_team

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.codex_real,
    pytest.mark.slow,
    pytest.mark.timeout(500),
]

USER = stranger.USER if stranger.can_be("ensurepip", "venv", "psycopg", "pydantic_core") else None
"""Whose the team is: no PostgreSQL is started by root."""
OWN_PYTHON = str(Path(sys.executable).resolve())
"""Makes virtual environments: a system's own may not be able to."""
PYTHON = "THE_PYTHON"
"""Stands in recipes for one that jobs behind the wall in question find."""
VENV = [f"{PYTHON} -m venv .venv", "PIP_CONFIG_FILE=/dev/null .venv/bin/pip install -r requirements.txt"]
UNITTEST = "python3 -m unittest discover"
PORT = 5439
"""Of a PostgreSQL in a job's own network."""


def recipe(*verify: Mapping[str, object], environment: object = None) -> str:
    """Write `.moonmind.yml`."""
    return json.dumps({"environment": environment or {}, "verify": verify})


def case_of(module: str, call: str, expected: str, name: str = "test_it", before: str = "") -> str:
    """Write a file with one test of unittest."""
    return (
        f"import os\nimport unittest\n\nfrom {module} import {call.partition('(')[0]}\n\n\n"
        f"class Test(unittest.TestCase):\n    def {name}(self):\n{before}        self.assertEqual({call}, {expected})\n"
    )


def changing(path: str, old: str, new: str) -> dict[str, str]:
    """Return the turn in which the model changes a line."""
    return {"patch": f"*** Begin Patch\n*** Update File: {path}\n@@\n-{old}\n+{new}\n*** End Patch"}


def packages(*folders: str) -> dict[str, str]:
    """Return the files that make packages of Python."""
    return {f"{folder}/__init__.py": "" for folder in folders}


def done(*tasks: str) -> dict[str, str]:
    """Return the turn in which the model says what it did."""
    return {"message": "\n".join(f"{task}: done" for task in tasks)}


SHOP = {
    **packages("shop", "tests"),
    "shop/names.py": "def upper(name):\n    return name.upper()\n",
    "tests/test_names.py": case_of("shop.names", "upper('a')", "'A'", "test_upper"),
}
TASKS = "- [ ] T001 Test the total of a cart in tests/test_total.py\n- [ ] T002 Add up the prices of a cart in shop/total.py\n"
TOTAL = {"patch": adding("shop/total.py", "def total(prices):\n    return sum(prices)\n")}
TOTAL_TEST = {"patch": adding("tests/test_total.py", case_of("shop.total", "total([1, 2])", "3", "test_total"))}
ID = "tests/test_total.py::Test::test_total"
UNIT = recipe({"name": "unit", "run": UNITTEST})
SAID = done("T001", "T002")

CART = Project("cart", TASKS, [TOTAL, TOTAL_TEST, SAID], SHOP | {".moonmind.yml": UNIT})

SHOUT = Project(
    "shout",
    "- [ ] T001 Add loud 1.0 to requirements.txt\n"
    "- [ ] T002 Greet loudly in hello/greet.py\n"
    "- [ ] T003 Test the greeting in tests/test_greet.py\n",
    [
        changing("requirements.txt", "# nothing yet", "loud==1.0"),
        {
            "patch": adding(
                "hello/greet.py", 'import loud\n\n\ndef greet(name):\n    return loud.shout(f"hello {name}")\n'
            )
        },
        {"patch": adding("tests/test_greet.py", case_of("hello.greet", "greet('you')", "'HELLO YOU!'"))},
        done("T001", "T002", "T003"),
        # In an environment that has it.
        {"exec": "python -m unittest discover", "yield_time_ms": 30_000},
        done("T001", "T002", "T003"),
    ],
    {
        **packages("hello", "tests"),
        "requirements.txt": "# nothing yet\n",
        ".gitignore": "__pycache__/\n",
        ".moonmind.yml": recipe({"run": "python -m unittest discover"}, environment={"setup": VENV}),
    },
)

POSTGRES = 'PATH="$(echo /usr/lib/postgresql/*/bin):$PATH"'
LEDGER = Project(
    "ledger",
    "- [ ] T001 Test the balance in tests/test_balance.py\n- [ ] T002 Add up the rows in ledger/balance.py\n",
    [
        {
            "patch": adding(
                "ledger/balance.py",
                "from ledger.rows import ask\n\n\ndef balance():\n    return ask('SELECT sum(x) FROM (VALUES (1), (41)) AS t (x)')\n",
            )
        },
        {"patch": adding("tests/test_balance.py", case_of("ledger.balance", "balance()", "42"))},
        {"exec": "python -m unittest discover", "yield_time_ms": 30_000},
        SAID,
    ],
    {
        **packages("ledger", "tests"),
        "requirements.txt": "psycopg\npsycopg-binary\n",
        "ledger/rows.py": (
            "import psycopg\n\n\ndef ask(words):\n"
            f"    with psycopg.connect('host=127.0.0.1 port={PORT} user=tester dbname=postgres') as connection:\n"
            "        return connection.execute(words).fetchone()[0]\n"
        ),
        "tests/test_rows.py": case_of("ledger.rows", "ask('SELECT 1')", "1"),
        ".gitignore": "__pycache__/\n",
        ".moonmind.yml": recipe(
            {"run": "python -m unittest discover"},
            environment={
                "setup": [*VENV, f'{POSTGRES} initdb --no-sync --locale=C -A trust -U tester -D "$HOME/db"'],
                "start": f'{POSTGRES} pg_ctl -D "$HOME/db" -o "-F -p {PORT} -h 127.0.0.1 -k /tmp" -l "$HOME/db.log" -w start',
            },
        ),
    },
)

MONO = Project(
    "mono",
    TASKS.replace("shop/", "api/shop/").replace("tests/", "api/tests/"),
    [
        {"patch": TOTAL["patch"].replace("shop/total.py", "api/shop/total.py")},
        {"patch": TOTAL_TEST["patch"].replace("tests/test_total.py", "api/tests/test_total.py")},
        {"exec": '[ "$PART" = api ] && cat "$HOME/which"'},
        SAID,
    ],
    {
        **{f"{root}/{path}": text for root in ("api", "web") for path, text in SHOP.items()},
        ".moonmind.yml": recipe(
            *({"name": root, "run": UNITTEST, "root": root, "paths": [f"{root}/**"]} for root in ("api", "web")),
            environment=[
                {"root": root, "setup": f'echo {root} > "$HOME/which"', "variables": {"PART": root}}
                for root in ("api", "web")
            ],
        ),
    },
)

WEATHER = Project(
    "weather",
    TASKS,
    [TOTAL, TOTAL_TEST, SAID],
    {
        **SHOP,
        "tests/test_red.py": case_of("shop.names", "upper('b')", "'b'", "test_red"),
        # Each job has another name: of a change it fails in the first, and passes in the one that is run again.
        "tests/test_sky.py": case_of(
            "shop.names",
            "upper('c')",
            "'C'",
            "test_sky",
            "        self.assertNotIn('after', os.environ['MOONMIND_JOB'])\n",
        ),
        ".moonmind.yml": UNIT,
    },
)

GUIDE = Project(
    "guide",
    "- [ ] T001 Describe the shop in docs/guide.md\n",
    [{"patch": adding("docs/guide.md", "# Guide\n\nAsk for a name, and get it in capitals.\n")}, done("T001")],
    SHOP,
)

FRESH = Project(
    "fresh",
    "- [ ] T000 Name what the tests need in requirements.txt\n" + TASKS,
    [
        {"patch": adding("requirements.txt", "pytest\n")},
        {"patch": adding("shop/__init__.py", '"""A shop."""\n')},
        TOTAL,
        TOTAL_TEST,
        done("T000", "T001", "T002"),
        {"exec": "python -B -m pytest -q -p no:cacheprovider", "yield_time_ms": 30_000},
        done("T000", "T001", "T002"),
    ],
)

ABSENT = Project(
    "absent", TASKS, [TOTAL, TOTAL_TEST, SAID], SHOP | {".moonmind.yml": recipe({"run": "no-such-runner --all"})}
)

UPPER, LOWER = "    return name.upper()", "    return name.lower()"
STUBBORN = Project(
    "stubborn",
    TASKS,
    [
        TOTAL,
        TOTAL_TEST,
        changing("shop/names.py", UPPER, LOWER),
        SAID,
        {"message": "I see no mistake.\nT001: done\nT002: done"},
    ],
    SHOP | {".moonmind.yml": UNIT},
)
CARELESS = Project(
    "careless",
    TASKS,
    [
        *(TOTAL, TOTAL_TEST, changing("shop/names.py", UPPER, LOWER), SAID),
        *(changing("shop/names.py", LOWER, f"{UPPER}.strip()"), SAID),
    ],
    SHOP | {".moonmind.yml": UNIT},
)

PROJECTS = (CART, SHOUT, LEDGER, MONO, WEATHER, GUIDE, FRESH, ABSENT, STUBBORN)
"""Of each kind one."""
INSTALLED = ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "psycopg", "psycopg-binary", "typing-extensions")
DOCKER = pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.full])


@pytest.fixture(scope="module", params=["bubblewrap", DOCKER])
def at_work(request: pytest.FixtureRequest, postgres_server: str) -> Iterator[ProjectTeam]:
    """A team that does the phases of all projects, several at once."""
    settings = {"MOONMIND_SANDBOX_READ": sys.base_prefix} if request.param == "bubblewrap" and USER is None else {}
    if request.param == "docker":
        engine: DockerEngine = request.getfixturevalue("docker_engine")
        if image := engine.image_with_postgres():
            settings["MOONMIND_SANDBOX_IMAGE"] = image
    chosen = [*PROJECTS, CARELESS] if request.config.getoption("--full") else [*PROJECTS]
    with new_database(postgres_server) as url, PackageRegistry() as index:
        index.add_wheel()
        index.add_installed(*INSTALLED)
        user = USER if request.param == "bubblewrap" else None
        python = OWN_PYTHON if user is None else stranger.PYTHON
        projects = [
            replace(one, files={path: text.replace(PYTHON, python) for path, text in one.files.items()})
            for one in chosen
        ]
        with project_team(request.param, request, url, projects, index, user, **settings) as made:
            yield made


def makes_environments(python: str) -> bool:
    """Return True if a Python can make virtual environments with pip in them."""
    return subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def published(found: Verified, *paths: str, draft: bool = False) -> None:
    """Check what holds of each: the agent's work alone is published, it paid for no further round, and all say the same."""
    assert found.changed == set(paths), "and nothing of an environment"
    assert found.pull["draft"] is draft
    assert found.answers == len(found.project.turns), "the agent was asked once for each answer that there is"
    assert f"\n{found.trailers}\nFeature: " in found.commit.body
    count = sum(one["outcome"] not in ("skipped", "could not run") for one in found.commands)
    ran = "MoonMind ran 1 test command" if count else "MoonMind ran none of the repository's tests"
    assert found.body.splitlines()[-2].endswith(f"{ran}</sub>")
    assert f"the agent worked in the sandbox {found.wall}; " in found.body
    if found.commands:
        assert f"run in the sandbox {found.wall})" in found.body
        assert "verification" in found.waits, "and a worker had other work meanwhile"
    else:
        assert "verification" not in found.waits


def one_command(found: Verified, **facts: object) -> None:
    """Check what is recorded of the only command that was run."""
    ran = [one for one in found.commands if one["outcome"] != "skipped"]
    assert [{name: one.get(name) for name in facts} for one in ran] == [facts]


def failed_before_passes_now(found: Verified, task: str, test: str, before: str = "could not be loaded") -> None:
    """Check what decides that a task is tested, and how the pull request says so."""
    (judged,) = (one for one in found.output["verdicts"] if one["id"] == task)
    seen = {"id": test, "before": before, "after": "passed", "probe": "failed"}
    assert (judged["verdict"], judged["tests"]) == ("tested", [seen])
    said = f"`{test}` {before} before, passes now, fails without the change's code"
    (box,) = (number for number, line in enumerate(found.lines) if line.startswith(f"- [x] **{task}** "))
    assert " — tested: " in found.lines[box]
    assert found.lines[box + 1] == f"  - {said}"


def test_a_test_that_fails_before_and_passes_after_makes_tasks_tested(at_work: ProjectTeam) -> None:
    found = at_work.of("cart")
    published(found, "shop/total.py", "tests/test_total.py")
    one_command(found, name="unit", outcome="passed", passed=2, passedBefore=1, failed=0, added=[ID])
    for task in ("T001", "T002"):
        failed_before_passes_now(found, task, ID)
    assert "**2 tested.** 2 of 2 tasks ticked" in found.body
    assert "**No test that passed before fails now.**\n\n- **passed** `unit` (1 → 2 passed; " in found.body
    assert "Look here first" not in found.body
    assert "Not shown" not in found.body
    assert found.trailers == "Verified: unit passed (2 passed, 1 before)"
    assert {name for name in found.kept if name.endswith(".log")} == {
        *("1-after-1.log", "1-before-1.log", "1-old-1.log", "1-probe-1-1.log", "1-control-1-1.log")
    }
    log = found.log("1-probe-1-1.log")
    assert log.startswith("$ ")
    assert "AssertionError: None != 3" in log, "the emptied function returns nothing"
    assert log.splitlines()[-1].startswith("[exited, exit code 1, after ")
    assert ID.rpartition("::")[2] in found.log("1-after-1-1.xml")


def test_a_phase_that_adds_a_dependency_is_tested_with_it(at_work: ProjectTeam) -> None:
    found = at_work.of("shout")
    published(found, "requirements.txt", "hello/greet.py", "tests/test_greet.py")
    assert [wait for wait in found.phases if wait != "capacity"] == [
        *("environment", "agent", "environment", "agent", "verification")
    ], "one more round, in an environment of what it wrote"
    assert [one["exit_code"] for one in found.agents_commands()] == [0]
    one_command(found, outcome="passed", passed=1, passedBefore=0, added=["tests/test_greet.py::Test::test_it"])
    for task in ("T002", "T003"):
        failed_before_passes_now(found, task, "tests/test_greet.py::Test::test_it")
    assert "**2 tested, 1 passing.** 3 of 3 tasks ticked" in found.body
    assert "- **passed** `python -m unittest discover` (0 → 1 passed; " in found.body
    assert (
        "**Not shown by any test:**\n- T001: no test that they name or that the change brings was seen to fail without this code.\n"
        in found.body
    )
    assert "ModuleNotFoundError: No module named 'loud'" not in found.log("1-old-1.log"), (
        "it has what the new tests need"
    )


def test_tests_reach_a_database_that_is_started_for_them(at_work: ProjectTeam) -> None:
    if not at_work.starts_postgres:
        pytest.skip("machine: there is no PostgreSQL that a job could start")
    found = at_work.of("ledger")
    published(found, "ledger/balance.py", "tests/test_balance.py")
    assert [one["exit_code"] for one in found.agents_commands()] == [0]
    one_command(found, outcome="passed", passed=2, passedBefore=1, added=["tests/test_balance.py::Test::test_it"])
    failed_before_passes_now(found, "T002", "tests/test_balance.py::Test::test_it")
    with socket.socket() as asked:
        assert asked.connect_ex(("127.0.0.1", PORT)) != 0, "it was in the jobs' own networks"
    assert [line for line in processes_of(str(at_work.members.state)) if "postgres" in line] == []


def test_of_several_roots_only_what_a_change_concerns_is_run(at_work: ProjectTeam) -> None:
    found = at_work.of("mono")
    published(found, "api/shop/total.py", "api/tests/test_total.py")
    (command,) = found.agents_commands()
    assert command["exit_code"] == 0
    assert command["aggregated_output"].endswith("api\n")
    one_command(found, name="api", root="api", outcome="passed", passed=2, passedBefore=1, added=[f"api/{ID}"])
    failed_before_passes_now(found, "T002", f"api/{ID}")
    assert "- **passed** `api` in `api` (1 → 2 passed; " in found.body
    assert "- **skipped** `web` in `web`: no changed file matches its `paths`\n" in found.body
    assert found.trailers == "Verified: api in api passed (2 passed, 1 before)\nVerified: web in web skipped"
    assert '**Set up for the agent:** `echo api > "$HOME/which"` in `api`.' in found.body
    assert not [name for name in found.kept if "-2" in name.partition("-")[2]]


def test_flaky_and_known_failures_are_named_and_cost_nothing(at_work: ProjectTeam) -> None:
    found = at_work.of("weather")
    published(found, "shop/total.py", "tests/test_total.py")
    red, sky = "tests/test_red.py::Test::test_red", "tests/test_sky.py::Test::test_sky"
    one_command(
        found, outcome="failed before", passed=2, failed=2, failedBefore=1, broke=[], flaky=[sky], failsAsBefore=[red]
    )
    for task in ("T001", "T002"):
        failed_before_passes_now(found, task, ID)
    assert "**2 tested.** 2 of 2 tasks ticked" in found.body
    assert "**No test that passed before fails now.**" in found.body
    assert f"  - fails as before (1): `{red}`\n  - flaky, passed when run again (1): `{sky}`\n" in found.body
    assert "AssertionError" not in found.body
    assert "1-again-1.log" in found.kept


def test_documents_alone_run_no_test_and_it_is_said(at_work: ProjectTeam) -> None:
    found = at_work.of("guide")
    published(found, "docs/guide.md")
    assert found.words == {"T001": "changed"}
    assert found.output["tests"]["notRun"] == "only documents changed"
    assert "- Whether the change works: no test was run, since only documents changed.\n" in found.body
    assert found.trailers == "Verified: nothing, since only documents changed"
    assert found.kept == set()


def test_a_new_project_is_tested_by_the_command_that_its_change_shows(at_work: ProjectTeam) -> None:
    if at_work.wall == "bubblewrap" and not makes_environments(stranger.PYTHON):
        pytest.skip("machine: the system's Python, which is found for a new project, makes no virtual environment")
    found = at_work.of("fresh")
    published(found, "requirements.txt", "shop/__init__.py", "shop/total.py", "tests/test_total.py")
    assert [one["exit_code"] for one in found.agents_commands()] == [0]
    one_command(found, name="python -m pytest", outcome="passed", passed=1, passedBefore=0, added=[ID])
    failed_before_passes_now(found, "T002", ID)
    assert "**Tests** (command found in tests/test\\_total.py, which the change adds; run in " in found.body
    assert "**No test that passed before fails now.**" in found.body


def test_a_suite_that_cannot_run_confirms_nothing_and_is_published_once_a_person_says_so(at_work: ProjectTeam) -> None:
    question = at_work.asked("absent")
    why = "`no-such-runner --all`: its program is not there (exit code 127)"
    assert (question["kind"], f"\n- {why}\n" in question["text"]) == ("finding", True)
    assert not at_work.members.pulls("octo/absent")["pulls"]
    at_work.approve("absent", "the runner comes next week")
    found = at_work.of("absent")
    assert "approved by " in found.body
    assert ": the runner comes next week" in found.body
    published(found, "shop/total.py", "tests/test_total.py")
    assert found.words == {"T001": "changed", "T002": "changed"}
    one_command(found, outcome="could not run", why="its program is not there (exit code 127)")
    assert "- **could not run** `no-such-runner --all`: its program is not there" in found.body
    assert "**Not shown by any test:**\n- `no-such-runner --all` could not run: its program is not there" in found.body
    verified, approved = found.trailers.splitlines()
    assert verified == "Verified: no-such-runner --all could not run"
    assert approved.startswith("Approved: .moonmind.yml, by ")
    assert approved.endswith(": the runner comes next week")
    assert found.log("1-after-1.log").splitlines()[-1].startswith("[exited, exit code 127, after ")


def test_a_change_that_breaks_a_test_pays_one_round_and_is_a_draft(at_work: ProjectTeam) -> None:
    found = at_work.of("stubborn")
    published(found, "shop/names.py", "shop/total.py", "tests/test_total.py", draft=True)
    broke = "tests/test_names.py::Test::test_upper"
    assert found.waits.count("agent") == 2
    assert broke in (found.artifacts / "codex/prompt-2.md").read_text("utf-8")
    assert found.words == {"T001": "changed", "T002": "changed"}
    one_command(found, outcome="failed", passed=1, failed=1, passedBefore=1, broke=[broke])
    assert found.lines[3] == "**Draft: 1 test that passed before fails with this change.**"
    assert f"**Look here first:**\n- 1 test of `unit` passed before and fails now: `{broke}`\n" in found.body
    assert "AssertionError: 'a' != 'A'" in found.body
    assert found.trailers == "Verified: unit failed (1 passed, 1 before; 1 failed, 1 of them passed before)"


@pytest.mark.full
def test_a_change_that_is_corrected_in_its_further_round_is_no_draft(at_work: ProjectTeam) -> None:
    found = at_work.of("careless")
    published(found, "shop/names.py", "shop/total.py", "tests/test_total.py")
    assert found.waits.count("agent") == 2
    failed_before_passes_now(found, "T002", ID)
    assert "Draft" not in found.body
    assert {"1-after-1.log", "2-after-1.log"} <= found.kept
