"""Starts what an environment's recipe starts (`start`), behind the wall of the job that needs it, and then the job's command."""

import shlex
from collections.abc import Iterable

from moonmind.adapters.jobs.job_results import SERVICE_EXIT, SERVICE_SIGN
from moonmind.ports.sandbox import WORKSPACE
from moonmind.proof.environments.environment_value import ROOT


def with_services(services: Iterable[tuple[str, str]], command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command behind the commands that start services, each in its root; all of them end with the job.

    What they print is not the command's output, and what the command is given to read is not theirs.
    """
    lines = ["shell=sh; if command -v bash >/dev/null 2>&1; then shell=bash; fi"]
    for root, start in services:
        place = WORKSPACE if root == ROOT else f"{WORKSPACE}/{root}"
        said = shlex.quote(f"{SERVICE_SIGN}: {start}")
        lines.append(
            f'(cd {shlex.quote(place)} && exec "$shell" -ec {shlex.quote(start)}) </dev/null >&2 '
            f"|| {{ printf '%s\\n' {said} >&2; exit {SERVICE_EXIT}; }}"
        )
    if len(lines) == 1:
        return command
    return ("sh", "-c", "\n".join([*lines, 'exec "$@"']), "start", *command)
