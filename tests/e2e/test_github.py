"""The quickstart's own calls, with nothing replaced: RabbitMQ, PostgreSQL, the real Codex, and a GitHub on loopback."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from moonmind.sample import source
from tests.support.agents import adding, codex_binary
from tests.support.github_site import GitHub, github
from tests.support.leaks import files_with, objects_with, rows_with, shapes
from tests.support.page import Block, blocks_of
from tests.support.processes import ROOT, Process, argv_with
from tests.support.reader import Reader, asked, await_worker, ended
from tests.support.responses_server import ResponsesServer
from tests.support.tcp_proxy import TcpProxy
from tests.support.team import rabbitmq_url, team

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.codex_real,
    pytest.mark.github_emulator,
    pytest.mark.slow,
    pytest.mark.timeout(480),
]

REPOSITORY = source.REPOSITORY
BRANCH = "moonmind/spec-42-refresh-docs"
TASKS = "specs/spec-42-refresh-docs/tasks.md"
KEY = "sk-proj-0123456789abcdefghijklmnopqrstuv"
PHASES = [source.script_for(source.FEATURE_PATH, title) for title in ("Phase 1: Setup", "Phase 2: Foundational")]


@dataclass
class Installation:
    """A reader who followed the page up to the first run."""

    reader: Reader
    page: dict[str, Block]
    site: GitHub
    model: ResponsesServer
    database: str
    wire: TcpProxy
    """Between MoonMind and RabbitMQ."""
    api: Process
    worker: Process

    def block(self, first: str) -> Block:
        """Find a block of the page by how it begins."""
        return next(block for line, block in self.page.items() if line.startswith(first))

    def run(self) -> dict[str, Any]:
        """Start a run and watch it to its end, with the page's two calls."""
        started = asked(self.reader, self.block("curl -X POST http://localhost:8000/api/workflows/speckit/runs \\"))
        return ended(self.reader, self.block("curl http://localhost:8000"), started["id"], 120)


@pytest.fixture
def installed(
    request: pytest.FixtureRequest, empty_postgres_url: str, tmp_path: Path, printed_queue: None
) -> Iterator[Installation]:
    if codex_binary() is None:
        pytest.skip("there is no codex binary")
    page = {block.first: block for block in blocks_of(ROOT / "docs/quickstart.md")}
    files = {path: content.decode() for path, content in source.files().items()}
    with ExitStack() as stack:
        site = stack.enter_context(github(tmp_path / "github", {REPOSITORY: files}))
        members = stack.enter_context(team())
        model = stack.enter_context(
            ResponsesServer({"turns": request.param, "per_request": True}, tmp_path / "model.jsonl", KEY)
        )
        reader = Reader(members)
        settings = page["CELERY_BROKER_URL=amqp://guest:guest@localhost:5672//"].text
        broker = urlsplit(rabbitmq_url())
        wire = stack.enter_context(TcpProxy(str(broker.hostname), broker.port or 5672, keeps=True))
        tapped = broker._replace(netloc=f"{broker.netloc.rpartition('@')[0]}@127.0.0.1:{wire.port}")
        for printed, ours in {
            "amqp://guest:guest@localhost:5672//": tapped.geturl(),
            "postgresql://moonmind:***@localhost:5432/moonmind": empty_postgres_url.replace("+psycopg", ""),
            "GH_TOKEN=ghp_xxx": "\n".join(f"{name}={value}" for name, value in site.settings.items()),
        }.items():
            assert printed in settings
            settings = settings.replace(printed, ours)
        settings += f"CODEX_BASE_URL={model.url}\nCODEX_MODEL=gpt-5.5\nMOONMIND_SANDBOX=none\n"
        (reader.root / ".env").write_text(settings)
        reader.types(f"echo {KEY} | codex login --with-api-key")
        reader.types(page["poetry run alembic upgrade head"].text)
        api = reader.leaves_running(
            "api", f"{page['poetry run uvicorn api_service.main:app --reload'].text.strip()} --port {members.port}"
        )
        members.await_api(api)
        worker = reader.leaves_running("worker", page[next(line for line in page if "worker \\" in line)].text)
        await_worker(worker)
        yield Installation(reader, page, site, model, empty_postgres_url, wire, api, worker)


def phase(script: bytes | None, *tasks: str) -> list[dict[str, Any]]:
    """Let the model do what the sample's scripted agent does in a phase."""
    assert script is not None
    steps = [step for step in json.loads(script)["steps"] if "write" in step]
    patches: list[dict[str, Any]] = [{"patch": adding(step["write"], step["content"])} for step in steps]
    return [*patches, {"message": "\n".join(f"{task}: done" for task in tasks)}]


@pytest.mark.parametrize(
    "installed",
    [[*phase(PHASES[0], "T001", "T002", "T003"), *phase(PHASES[1], "T004", "T005", "T006")]],
    indirect=True,
    ids=["two-phases"],
)
def test_two_phases_are_published_in_one_pull_request_of_github(installed: Installation) -> None:
    site, reader = installed.site, installed.reader
    table = json.loads(reader.types(f"poetry run moonmind doctor --repo {REPOSITORY} --json"))
    assert table["ready"], table
    assert {"github.token", "github.scopes", "github.repository", "github.push"} <= {
        check["name"] for check in table["checks"] if check["status"] == "passed"
    }

    first = installed.run()
    assert first["status"] == "succeeded", first
    assert (first["branchName"], first["pullRequestUrl"]) == (BRANCH, f"{site.origin}/{REPOSITORY}/pull/1")
    assert first["credentialAudit"]["githubStatus"] == "passed"
    assert first["credentialAudit"]["environmentSnapshot"]["githubLogin"] == "mona"
    succeeded = site.files(REPOSITORY, BRANCH)
    assert succeeded["refresh_docs/__init__.py"].endswith(b'__version__ = "0.1.0"\n')
    assert b"- [x] T001" in succeeded[TASKS]
    assert b"- [ ] T004" in succeeded[TASKS]

    second = installed.run()
    assert second["status"] == "succeeded", second
    assert second["pullRequestUrl"] == first["pullRequestUrl"]
    assert b"- [x] T004" in site.files(REPOSITORY, BRANCH)[TASKS]
    assert site.creates(REPOSITORY) == 1

    # As a reviewer sees it, with GitHub's own command line.
    shown = json.loads(
        site.emulator.gh("pr", "view", "1", "-R", REPOSITORY, "--json", "title,body,state,headRefName,files")
    )
    assert (shown["state"], shown["headRefName"]) == ("OPEN", BRANCH)
    assert shown["title"] == "Refresh Docs: 2 phases"
    assert all(run["id"] in shown["body"] for run in (first, second))
    assert {"refresh_docs/__init__.py", "refresh_docs/pages.py", TASKS} <= {file["path"] for file in shown["files"]}
    assert "refresh_docs/pages.py" in site.emulator.gh("pr", "diff", "1", "-R", REPOSITORY)
    assert site.emulator.gh("pr", "list", "-R", REPOSITORY, "--json", "number").strip() == '[{"number":1}]'
    nothing_is_left_of(site.token, installed)


FIND = (
    "found=$({ env; find /var/tmp -path '*moonmind-test*' ! -path '*/work/*/*' '(' -name .env -o -name auth.json ')' "
    "-exec cat {} +; "
    "cat /proc/[0-9]*/environ | tr '\\0' '\\n'; } 2>/dev/null); "
)
SHOW = 'echo "$found" | grep -aE "GH_TOKEN|OPENAI_API_KEY"; true'
"""The transcript has it, too."""


@pytest.mark.parametrize(
    "installed",
    [
        pytest.param([{"exec": f'{FIND} echo "$found" > stolen.py; {SHOW}'}, {"message": "T001: done"}], id="as-it-is"),
        pytest.param(
            [
                {"exec": f'{FIND} echo "$found" | base64 -w0 > stolen.txt; git add -A; git commit -qm x; {SHOW}'},
                {"message": "T001: done"},
            ],
            id="in-base64",
            marks=pytest.mark.full,
        ),
    ],
    indirect=True,
)
def test_a_token_that_the_agent_found_ends_the_run_and_is_nowhere(installed: Installation) -> None:
    site = installed.site
    run = installed.run()
    assert (run["status"], run["currentTaskName"]) == ("failed", "apply"), run
    assert run["error"]["code"] == "secret_found"
    assert "stolen" in run["error"]["message"]
    assert "Rotate" in run["error"]["remediation"]
    # The agent did find both, and told the model: else this shows nothing.
    told = installed.model.log_path.read_text("utf-8")
    assert site.token in told
    assert KEY in told
    assert site.pulls(REPOSITORY) == []
    assert site.creates(REPOSITORY) == 0
    for secret in (site.token, KEY):
        nothing_is_left_of(secret, installed)


def nothing_is_left_of(secret: str, installed: Installation) -> None:
    """Look at everything that the installation wrote, on both sides of the push."""
    folder = installed.reader.team.folder
    own = {str(installed.reader.root / ".env"), str(folder / "home/.codex/auth.json")}
    assert set(files_with(folder, secret)) - own == set()
    assert rows_with(installed.database, secret) == []
    assert argv_with(secret) == []
    messages = installed.wire.passed()
    assert b"speckit" in messages
    assert not [shape for shape in shapes(secret) if shape in messages]
    mirrors = list(folder.rglob("mirrors/*.git"))
    assert mirrors
    assert objects_with([*mirrors, installed.site.bare(REPOSITORY)], secret) == []
    answers = installed.reader.types(
        f"curl -s 'http://localhost:{installed.reader.team.port}/api/workflows/speckit/runs?limit=50'"
    )
    assert secret not in answers
    assert secret not in json.dumps(installed.site.pulls(REPOSITORY))
    assert not [one for one in installed.site.requests if secret in one.path]
