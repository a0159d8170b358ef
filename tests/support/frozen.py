"""Installations as an earlier program left them, with runs in every state that a person or a janitor takes up again.

    python -m tests.support.frozen CHECKOUT FILE [--database URL --broker URL]

has the program of a checkout make one, ends it as a power cut would, and packs up what it left: database, artifacts,
state and repositories. `thawed` gives that to today's program, under another path and as if the cut had been just now.
"""

import argparse
import io
import json
import re
import sqlite3
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from alembic import command
from sqlalchemy import Engine as SqlEngine
from sqlalchemy import MetaData, create_engine, make_url, text

from moonmind.db import schema
from moonmind.db.tables import metadata
from moonmind.db.types import Timestamp
from moonmind.sample import source as sample
from tests.support import git_repos
from tests.support.engines import SHORT_LEASES, TASKS, TEST_MODE, make_sample
from tests.support.team import Team, new_queue, team
from tests.support.waiting import until

FOLDER = Path(__file__).parents[1] / "fixtures/installations"
SCRIPT = "script.json"
RELEASE = "release"
REFUSES = "echo 'the rule of this repository says no' >&2; exit 1"
WAITS = "touch reached; while [ ! -e released ]; do sleep 0.1; done"
MADE = {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"}


def _steps(phase: str) -> list[dict[str, Any]]:
    script: dict[str, list[dict[str, Any]]] = json.loads(sample.script_for(sample.FEATURE_PATH, phase) or b"")
    return script["steps"]


SETUP_PHASE: list[dict[str, Any]] = _steps("Phase 1: Setup")
FOUNDATIONAL_PHASE = _steps("Phase 2: Foundational")
WORK: list[dict[str, Any]] = [MADE, {"end": "completed"}]
FORBIDDEN: list[dict[str, Any]] = [MADE, {"write": ".gitmodules", "content": "\n"}, {"end": "completed"}]
QUOTA: list[dict[str, Any]] = [
    {"write": "refresh_docs/half.py", "content": "HALF = True\n"},
    {"end": "quota", "message": "You've hit your usage limit."},
]
OVERLOADED: list[dict[str, Any]] = [
    {"write": "refresh_docs/half.py", "content": "HALF = True\n"},
    {"end": "unavailable", "message": "The model is overloaded."},
]
AT_WORK: list[dict[str, Any]] = [
    {"write": "refresh_docs/half.py", "content": "HALF = True\n"},
    {"say": "at work"},
    {"wait_for": RELEASE},
    {"end": "completed"},
]


def repository_of(case: str) -> str:
    """Name the repository of a case's run; each has its own."""
    return f"upgrade/{case}"


def play(members: Team, steps: list[dict[str, Any]]) -> None:
    """Let each agent from now on do this."""
    said = [step | ({"wait_for": str(members.folder / RELEASE)} if "wait_for" in step else {}) for step in steps]
    (members.folder / SCRIPT).write_text(json.dumps({"version": 1, "steps": said}))


# --- made by the earlier program


def fill(members: Team) -> dict[str, str]:
    """Bring a run of each case to where it ends or waits; returns their ids."""

    def run(case: str, steps: list[dict[str, Any]], **body: Any) -> str:
        play(members, steps)
        if not members.bare(repository_of(case)).exists():
            make_sample(members, repository_of(case))
        return members.create(repository_of(case), **body)

    def failed(run_id: str, stage: str, code: str) -> str:
        ended = members.finish(run_id)
        found = (ended["status"], ended["currentTaskName"], (ended["error"] or {}).get("code"))
        assert found == ("failed", stage, code), json.dumps(ended, indent=1)
        return run_id

    runs = {
        "landed": members.succeed(run("landed", SETUP_PHASE))["id"],
        "discover": failed(run("discover", WORK, featureKey="007-later"), "discover", "feature_not_found"),
        "submit": failed(run("submit", QUOTA), "submit", "quota"),
        "apply": failed(run("apply", FORBIDDEN), "apply", "patch_refused"),
    }
    bare = make_sample(members, repository_of("publish"))
    git_repos.install_hook(bare, "pre-receive", REFUSES)
    runs["publish"] = failed(run("publish", WORK), "publish", "push_rejected")

    runs["cancelled"] = suspended(members, run("cancelled", AT_WORK))
    assert members.post(f"/{runs['cancelled']}/cancel").status_code == 202
    assert members.finish(runs["cancelled"])["status"] == "cancelled"

    bare = make_sample(members, repository_of("pushing"))
    git_repos.install_hook(bare, "pre-receive", WAITS)
    runs["pushing"] = run("pushing", WORK)
    until((bare / "reached").exists, "the push", 60)
    runs["working"] = suspended(members, run("working", AT_WORK))

    runs["sent_back"] = failed(run("sent_back", FORBIDDEN), "apply", "patch_refused")
    play(members, AT_WORK)
    assert members.post(f"/{runs['sent_back']}/retry", notes="Leave submodules alone.").status_code == 202
    suspended(members, runs["sent_back"])
    # Last, since it goes on by itself after a few seconds.
    runs["retrying"] = run("retrying", OVERLOADED)
    members.await_run(
        runs["retrying"], lambda seen: (seen.get("waiting") or {}).get("reason") == "backoff", "the backoff"
    )
    return runs


def suspended(members: Team, run_id: str) -> str:
    """Wait until the run's agent is at work and the run waits for it."""
    members.await_run(run_id, lambda run: (run.get("waiting") or {}).get("reason") == "agent", "the agent")
    log = members.artifacts(run_id)
    until(lambda: any("at work" in each.read_text() for each in log.rglob("*.jsonl")), "the agent's words")
    return run_id


def freeze(checkout: Path, file: Path, database: str = "", broker: str = "") -> None:
    """Have the program of a checkout make an installation, and pack it; without a database and a broker, an embedded one."""
    settings = TEST_MODE | SHORT_LEASES | {"PYTHONPATH": str(checkout), "MOONMIND_MAX_AGENTS": "8"}
    with team(**settings) as members:
        members.env["MOONMIND_SCRIPT"] = str(members.folder / SCRIPT)
        if not database:
            url = f"sqlite:///{members.work / 'var/moonmind.db'}"
            members.up()
        else:
            url = members.env["DATABASE_URL"] = database
            members.env |= {"CELERY_BROKER_URL": broker, "SPEC_WORKFLOW_CODEX_QUEUE": new_queue()}
            ini = str(checkout / "alembic.ini")
            assert members.start("migrate", "alembic", "-c", ini, "upgrade", "head").wait(60) == 0
            members.api()
            members.worker("--pool", "threads", "--concurrency", "8")
        runs = fill(members)
        members.cut()
        pack(members.folder, url, runs, file)


def pack(folder: Path, url: str, runs: Mapping[str, str], file: Path) -> None:
    """Put database and files into an archive."""
    engine = create_engine(url)
    with engine.connect() as connection:
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        now = connection.scalar(text("SELECT CAST(strftime('%s') AS INTEGER)" if is_sqlite(url) else _POSTGRES_NOW))
        rows = None if is_sqlite(url) else {name: _rows(engine, name) for name in _tables(engine)}
    engine.dispose()
    about = {"folder": str(folder), "revision": revision, "now": int(now), "runs": dict(runs)}
    with tarfile.open(file, "w:xz") as archive:
        _add(archive, "about.json", json.dumps(about, indent=1))
        if is_sqlite(url):
            with sqlite3.connect(make_url(url).database or "") as source:
                _add(archive, "database.sql", "\n".join(source.iterdump()))
        else:
            _add(archive, "database.json", json.dumps(rows))
        for name in ("state", "repositories", "work/var"):
            archive.add(folder / name, name, filter=_kept)


_POSTGRES_NOW = "SELECT CAST(extract(epoch FROM now()) AS bigint)"


def _kept(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    ephemeral = re.search(r"/(moonmind\.db.*|server\.json|.*\.sock|.*\.lock)$", entry.name)
    entry.uname = entry.gname = ""
    entry.uid = entry.gid = 0
    return None if ephemeral or not (entry.isfile() or entry.isdir() or entry.issym()) else entry


def _add(archive: tarfile.TarFile, name: str, content: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content.encode())
    archive.addfile(entry, io.BytesIO(content.encode()))


def _tables(engine: SqlEngine) -> list[str]:
    """List the tables, each after those that it refers to."""
    found = MetaData()
    found.reflect(engine)
    return [table.name for table in found.sorted_tables if table.name in metadata.tables]


def _rows(engine: SqlEngine, name: str) -> list[dict[str, Any]]:
    with engine.connect() as connection:
        return list(connection.scalars(text(f"SELECT to_jsonb(t) FROM {name} t")))


# --- taken up by today's


def thawed(members: Team, file: Path, url: str) -> dict[str, str]:
    """Unpack an installation into a team's folder and an empty database; returns the ids of its runs.

    The database is left at the revision that it was packed with: the upgrade is the test's.
    """
    with tarfile.open(file) as archive:
        # Python has known the filter since 3.11.4, and wants it named since 3.12.
        if hasattr(tarfile, "data_filter"):
            archive.extractall(members.folder, filter="data")
        else:
            archive.extractall(members.folder)
    about = json.loads((members.folder / "about.json").read_text())
    for place in members.folder.rglob("*"):
        if place.is_file() and not place.is_symlink() and "objects" not in place.parts:
            raw = place.read_bytes()
            if about["folder"].encode() in raw:
                place.write_bytes(raw.replace(about["folder"].encode(), str(members.folder).encode()))
    if is_sqlite(url):
        with sqlite3.connect(make_url(url).database or "") as target:
            target.executescript((members.folder / "database.sql").read_text())
    else:
        command.upgrade(schema.config(url), about["revision"])
        _insert(url, json.loads((members.folder / "database.json").read_text()))
    _shift(url, about["now"])
    return {case: str(UUID(run_id)) for case, run_id in about["runs"].items()}


def _insert(url: str, rows: Mapping[str, list[dict[str, Any]]]) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for name, entries in rows.items():
            connection.execute(text(f"DELETE FROM {name}"))
            connection.execute(
                text(f"INSERT INTO {name} SELECT * FROM jsonb_populate_recordset(NULL::{name}, CAST(:rows AS jsonb))"),
                {"rows": json.dumps(entries)},
            )
            if entries and isinstance(entries[0].get("id"), int):
                connection.execute(
                    text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), (SELECT max(id) FROM {name}))")
                )
        # It comes from another server, for which docs/operations.md asks this.
        connection.execute(text("UPDATE event SET transaction_number = 0"))
    engine.dispose()


def _shift(url: str, then: int) -> None:
    """Move every instant, so that the cut was just now: nothing has passed its deadline or its retention meanwhile."""
    engine = create_engine(url)
    present = MetaData()
    present.reflect(engine)
    passed = (
        "(CAST(strftime('%s') AS INTEGER) - :then) * 1000000" if is_sqlite(url) else "(now() - to_timestamp(:then))"
    )
    with engine.begin() as connection:
        for table in metadata.tables.values():
            columns = present.tables[table.name].columns if table.name in present.tables else ()
            for name in [each.name for each in table.columns if isinstance(each.type, Timestamp)]:
                if name in columns:
                    connection.execute(text(f'UPDATE {table.name} SET "{name}" = "{name}" + {passed}'), {"then": then})
    engine.dispose()


def is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def finish_feature(members: Team, case: str) -> None:
    """Put the feature that a run did not find onto the main branch."""
    later = {TASKS.replace("spec-42-refresh-docs", "007-later"): sample.files()[TASKS]}
    git_repos.commit_to(members.bare(repository_of(case)), "main", later, "Write the tasks")


if __name__ == "__main__":
    asked = argparse.ArgumentParser()
    asked.add_argument("checkout", type=Path)
    asked.add_argument("file", type=Path)
    asked.add_argument("--database", default="", help="an empty one on PostgreSQL")
    asked.add_argument("--broker", default="")
    given = asked.parse_args()
    freeze(given.checkout.resolve(), given.file.resolve(), given.database, given.broker)
