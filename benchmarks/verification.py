"""What it costs to verify a green change, beside the time that the repository's own tests take.

Suites of about a minute and of five: many test files, half of their time spent waiting, half in computing a fixed number of
digests. The change adds a test and writes the function that it tests. The baseline is the suite's own command, run behind the
same wall on a checkout of the starting commit, without MoonMind's supervisor; it is run before and after, and the mean counts.
What is timed is the stage apply of a real run on RabbitMQ and PostgreSQL, from the end of submit to its own end: waiting for
tests, checkouts, old code, probe and control, verdicts, the commit. Two runs follow each other: on a base of which nothing is known, whose
tests have to be run, too, and on one of which it is remembered.

    eval "$(script/services)"; python -m benchmarks.verification [--seconds 60 300] [--jobs N] [--json]
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from benchmarks import stand
from moonmind import bootstrap
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.ports.sandbox import HOME, PATH, WORKSPACE, BoxedCommand, Mount
from moonmind.runtime.container import Container
from moonmind.settings import Settings, ambient_environment
from moonmind.wire import CreateRun
from tests.support import git_repos
from tests.support.walls import codex_package

LIMIT = 1.3
"""Of the suite's own time, on a base that is known, for suites of a minute or more."""
COMMAND = "python3 -m unittest discover -s tests -t ."
_FILES = 60
_TESTS = 5
_ROUNDS = 1000
"""Digests of one unit of computing."""
_WAITING = 0.5
"""The share of a suite's time that it waits."""
_APPLY = """
    SELECT stage, type, extract(epoch FROM created_at), data FROM event WHERE run_id = %s AND stage IN ('submit', 'apply')
    ORDER BY seq
"""


def main() -> None:
    """Measure, print, and fail above the limit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, nargs="+", default=[60.0, 300.0])
    arguments.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="test commands at once (MOONMIND_MAX_JOBS)"
    )
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    server, broker = stand.services()
    holds = True
    for seconds in chosen.seconds:
        with stand.database(server) as url, stand.folder() as place:
            found = measure(url, broker, place, seconds, chosen.jobs)
        stand.show(found, as_json=chosen.json)
        holds = holds and bool(found["holds"])
    if not holds:
        sys.exit(1)


def measure(url: str, broker: str, place: Path, seconds: float, jobs: int) -> dict[str, object]:
    """Time the suite alone, then two runs, then the suite again."""
    files = _project(seconds)
    script = place / stand.SCRIPT
    settings = {
        **stand.scripted_settings(url, broker, place),
        "MOONMIND_SANDBOX": "bubblewrap",
        "MOONMIND_VERIFICATION": "auto",
        "MOONMIND_MAX_JOBS": str(jobs),
    }
    os.environ.update(settings)
    env = stand.environment(**settings)
    bare = place / "repositories/bench/suite.git"
    git_repos.make_bare(bare, files)
    stand.once(["alembic", "-c", str(stand.ROOT / "alembic.ini"), "upgrade", "head"], env, place)
    worker = ["celery", "-A", "benchmarks.ready_worker", "worker", "--loglevel=warning", "-Q"]
    loads = [os.getloadavg()[0]]
    before = _alone(place, files)
    loads.append(os.getloadavg()[0])
    applied: list[float] = []
    with (
        stand.process("worker", [*worker, settings["SPEC_WORKFLOW_CODEX_QUEUE"]], env, place),
        psycopg.connect(url, autocommit=True) as connection,
    ):
        container = bootstrap.build(Settings())
        for number in (1, 2):
            script.write_text(json.dumps({"version": 1, "steps": _work(number)}))
            applied.append(_apply_seconds(container, connection, seconds))
            loads.append(os.getloadavg()[0])
        container.close()
    after = _alone(place, files)
    alone = (before + after) / 2
    first, known = applied
    return {
        "suite_s": round(alone, 1),
        "suite_spread_s": [round(before, 1), round(after, 1)],
        "jobs_at_once": jobs,
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in loads],
        "apply_on_unknown_base_s": round(first, 1),
        "apply_on_known_base_s": round(known, 1),
        "unknown_base_in_suites": round(first / alone, 2),
        "known_base_in_suites": round(known / alone, 2),
        "limit": LIMIT,
        "holds": known / alone <= LIMIT,
    }


def _project(seconds: float) -> dict[str, bytes | str]:
    """Return a project whose suite takes about so long here while nothing else works."""
    each = seconds / (_FILES * _TESTS)
    units = max(1, round(each * (1 - _WAITING) / _unit_seconds()))
    test = """import hashlib
import time
import unittest

from shop.total import total


class Test{number}(unittest.TestCase):
{tests}
"""
    one = f"""    def test_{{each}}(self):
        time.sleep({each * _WAITING:.4f})
        digest = b""
        for _ in range({units * _ROUNDS}):
            digest = hashlib.sha256(digest + b"{{each}}").digest()
        self.assertEqual(len(digest), 32)
        self.assertIsNotNone(total)
"""
    tests = "\n".join(one.format(each=number) for number in range(_TESTS))
    phases = "\n\n".join(
        f"## Phase {number}: Part {number}\n\n- [ ] T00{number * 2 - 1} Test part {number} in tests/test_part{number}.py\n"
        f"- [ ] T00{number * 2} Compute part {number} in shop/part{number}.py"
        for number in (1, 2)
    )
    return {
        ".moonmind.yml": f"environment: {{}}\nverify:\n  - run: {COMMAND}\n",
        "specs/001-shop/spec.md": "# Feature Specification: Shop\n",
        "specs/001-shop/plan.md": "# Plan\n",
        "specs/001-shop/tasks.md": f"# Tasks: Shop\n\n{phases}\n",
        "shop/__init__.py": "",
        "shop/total.py": "def total(prices):\n    return sum(prices)\n",
        "shop/part1.py": "def part(number):\n    return 0\n",
        "shop/part2.py": "def part(number):\n    return 0\n",
        "tests/__init__.py": "",
        **{f"tests/test_{number:03}.py": test.format(number=number, tests=tests) for number in range(_FILES)},
    }


def _unit_seconds() -> float:
    """Return how much CPU time one unit of computing takes here."""
    began, digest = time.process_time(), b""
    for _ in range(200 * _ROUNDS):
        digest = hashlib.sha256(digest + b"0").digest()
    return (time.process_time() - began) / 200


def _work(number: int) -> list[dict[str, object]]:
    """Return what the agent does in its phase: one new test, and the function that it tests."""
    test = (
        f"import unittest\n\nfrom shop.part{number} import part\n\n\nclass TestPart(unittest.TestCase):\n"
        "    def test_part(self):\n        self.assertEqual(part(2), 4)\n"
    )
    return [
        {"write": f"tests/test_part{number}.py", "content": test},
        {"write": f"shop/part{number}.py", "content": "def part(number):\n    return number * 2\n"},
        {"claim": [f"T00{number * 2 - 1}", f"T00{number * 2}"]},
        {"end": "completed", "message": "Done."},
    ]


def _alone(place: Path, files: dict[str, bytes | str]) -> float:
    """Run the suite's own command behind the wall, on a checkout that nobody used."""
    state = place / "alone"
    workspace = state / uuid4().hex / "tree"
    for path, content in files.items():
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_text(str(content))
    options = SandboxOptions(
        state, "benchmark", "host", environment=ambient_environment(), codex_package=codex_package()
    )
    variables = {"HOME": HOME, "PATH": PATH, "PYTHONDONTWRITEBYTECODE": "1"}
    mounts = (Mount(workspace, WORKSPACE, writable=True),)
    job = BoxedCommand("benchmark/run/alone-1", ("sh", "-c", COMMAND), variables, mounts)
    wrapped = Bubblewrap(options).wrap(job)
    began = time.monotonic()
    subprocess.run(wrapped.argv, env=dict(wrapped.environment), cwd="/", check=True, capture_output=True)
    return time.monotonic() - began


def _apply_seconds(container: Container, connection: psycopg.Connection, seconds: float) -> float:
    """Take a run to its end, and return how long its change was verified and judged."""
    run = UUID(str(container.runs.create(CreateRun(repository="bench/suite")).id))
    deadline = time.monotonic() + 120 + 6 * seconds
    while time.monotonic() < deadline:
        row = connection.execute("SELECT status, error FROM run WHERE id = %s", (run,)).fetchone()
        assert row is not None
        if row[0] == "succeeded":
            break
        if row[0] not in {"pending", "running"}:
            raise SystemExit(f"the run is {row[0]}: {row[1]}")
        time.sleep(0.2)
    else:
        raise SystemExit("the run did not end")
    _require_tested(Path(os.environ["SPEC_WORKFLOW_ARTIFACT_ROOT"]), run)
    ends = {
        stage: at for stage, kind, at, _ in connection.execute(_APPLY, (run,)).fetchall() if kind == "attempt.succeeded"
    }
    return float(ends["apply"] - ends["submit"])


def _require_tested(artifacts: Path, run: UUID) -> None:
    """End the benchmark where not all was run that has to be: the suite, the old code, the probe and its control."""
    (output,) = artifacts.rglob(f"{run}/apply/output.json")
    found = json.loads(output.read_bytes())
    verdicts = {one["verdict"] for one in found["verdicts"]}
    if verdicts != {"tested"}:
        raise SystemExit(f"the change is not tested: {json.dumps(found, indent=2)[:4000]}")


if __name__ == "__main__":
    main()
