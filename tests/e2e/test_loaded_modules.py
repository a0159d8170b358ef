"""What processes of MoonMind do without, and so never load."""

import os
import subprocess
import sys
from pathlib import Path

from moonmind import bootstrap


def test_a_command_that_only_looks_loads_no_celery(tmp_path: Path) -> None:
    code = (
        "import sys; from moonmind.cli.main import main; made = main(['run', 'acme/rockets']); code = main(['runs']);"
        "heavy = {'celery', 'kombu', 'amqp', 'fastapi', 'uvicorn'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else made or code)"
    )
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(Path(bootstrap.__file__).parents[1]),
        "HOME": str(tmp_path),
        "SPEC_WORKFLOW_TEST_MODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr


def test_an_embedded_process_loads_nothing_of_celery(tmp_path: Path) -> None:
    code = """
import sys, time
import api_service.app
from moonmind import bootstrap
from moonmind.engine.stage import StageDefinition
from moonmind.runs.chain import STAGES
from moonmind.runs.machine import Done
from moonmind.runtime.container import Role
from moonmind.settings import load_settings
from moonmind.wire import CreateRun
made = bootstrap.build(load_settings(), stages=dict.fromkeys(STAGES, StageDefinition(lambda _: Done())))
made.open(Role.SERVER)
run = made.runs.create(CreateRun(repository="octo/demo"))
while made.runs.get(run.id).completed_at is None:
    time.sleep(0.01)
print(made.runs.get(run.id).status)
made.close()
print(sorted({name.partition(".")[0] for name in sys.modules} & {"celery", "kombu", "amqp", "billiard", "vine"}))
"""
    (tmp_path / "work").mkdir()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path / "work",
        env=environment
        | {
            "SPEC_WORKFLOW_TEST_MODE": "1",
            "MOONMIND_STATE_DIR": str(tmp_path / "state"),
            "TMPDIR": str(tmp_path / "work"),  # where agents may write; the state folder is elsewhere
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ended.stdout.splitlines()  # the log is among it
    assert ("succeeded" in said, said[-1]) == (True, "[]"), ended.stderr
