"""Starts what an environment's recipe starts (`start`), behind the wall of the job that needs it, and then the job's command."""

import json
from collections.abc import Iterable
from pathlib import Path

from moonmind.adapters.environments import services_entry
from moonmind.adapters.jobs.job_results import SERVICE_EXIT, SERVICE_SIGN
from moonmind.ports.sandbox import PYTHON, WORKSPACE
from moonmind.proof.environments.environment_value import ROOT

START_SECONDS = 300.0
"""How long all that a job's environments start may take, together: a database, say, that first makes its files."""


def with_services(
    services: Iterable[tuple[str, str]], command: tuple[str, ...], *, seconds: float = START_SECONDS
) -> tuple[str, ...]:
    """Return the command behind the commands that start services, each in its root; all of them end with the job.

    What they print is not the command's output, and what the command is given to read is not theirs.
    """
    starts = [(WORKSPACE if root == ROOT else f"{WORKSPACE}/{root}", start) for root, start in services]
    if not starts:
        return command
    terms = {"starts": starts, "seconds": seconds, "sign": SERVICE_SIGN, "exit": SERVICE_EXIT}
    program = Path(services_entry.__file__).read_text("utf-8")
    return (PYTHON, "-I", "-S", "-c", program, json.dumps(terms), *command)
