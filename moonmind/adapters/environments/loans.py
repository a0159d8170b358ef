"""Lends several environments to one job."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.environments.lending import lend
from moonmind.ports.environments import WorkEnvironment
from moonmind.ports.sandbox import ENVIRONMENT, Mount, Sandbox


@dataclass(frozen=True, slots=True)
class Loans:
    """What a job has of all its environments; nothing where there is none."""

    mounts: tuple[Mount, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()
    """Folders of programs, to be searched first."""
    services: tuple[tuple[str, str], ...] = ()
    """Roots, and the commands that start services there."""
    notes: tuple[str, ...] = ()


def lend_all(
    store: EnvironmentStore,
    environments: Iterable[WorkEnvironment],
    job: str,
    into: Path,
    sandbox: Sandbox,
    workspace: Path,
    named: Collection[str] = (),
) -> Loans:
    """Lend environments to a job that is about to start, each in a folder of its own below `into`; raises what `lend` raises."""
    mounts: list[Mount] = []
    variables: dict[str, str] = {}
    path: list[str] = []
    services: list[tuple[str, str]] = []
    notes: list[str] = []
    for number, one in enumerate(environments):
        lent = lend(store, one.key, job, into / str(number), sandbox, workspace, named)
        # There is one HOME: the first environment's.
        mounts += [mount for mount in lent.mounts if number == 0 or mount.target != ENVIRONMENT]
        path += [place for place in lent.path if number == 0 or not place.startswith(f"{ENVIRONMENT}/")]
        variables = {**lent.variables, **variables}
        services += [(lent.root, command) for command in one.start]
        notes += lent.notes
    return Loans(tuple(mounts), variables, tuple(dict.fromkeys(path)), tuple(services), tuple(notes))
