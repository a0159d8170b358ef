"""What the second run's discover costs on a large repository, beside a shallow clone and a fetch that finds nothing new.

Git's own server over HTTP with a token, the real git adapter, the real stage; the forge's API is left out, since its
cost is the service's. Measured in turns within one run: only the ratio says anything.

    python -m benchmarks.mirror [--rounds 5] [--commits 16000] [--json]
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from benchmarks import big_repository, stand
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.ports.forge import PullRequest, Repository
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.settings import ambient_environment
from tests.support.git_http import GitServer, askpass, git_server
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

LIMIT = 0.3
"""Of a shallow clone: what discover may cost above the one fetch."""
TOKEN = "a-token-of-the-benchmark"


class OverHttp(LocalForge):
    """A forge that knows one repository, on a server of git's own."""

    scheme = "http"

    def at(self, server: GitServer) -> "OverHttp":
        """Return where the repository is."""
        self.host = f"127.0.0.1:{server.port}"
        self._found = Repository(REPOSITORY, server.url(f"{REPOSITORY}.git"), "main")
        return self

    def repository(self, name: str) -> Repository:  # noqa: ARG002 - there is one
        return self._found

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:  # noqa: ARG002
        return ()


def main() -> None:
    """Measure, print, and fail above the limit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--commits", type=int, default=big_repository.COMMITS)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with stand.folder() as place:
        found = measure(place, chosen.rounds, chosen.commits)
    stand.show(found, as_json=chosen.json)
    if not found["holds"]:
        sys.exit(1)


def measure(place: Path, rounds: int, commits: int) -> dict[str, object]:
    """Time each way in turns; milliseconds, medians."""
    made = big_repository.make(place / "served" / f"{REPOSITORY}.git", commits)
    with git_server(place / "served", TOKEN) as server:
        credentials = askpass(place, TOKEN)
        world = World(place / "world", files={"README.md": "not used"})
        forge = OverHttp(world.forge_options).at(server)
        world.forge = forge
        world.vcs = GitVcs(
            VcsOptions(place / "state", forge.scheme, lambda: credentials, ambient_environment(), host=forge.host)
        )
        url = server.url(f"{REPOSITORY}.git")
        discover = _discovering(world)
        cold = _timed(discover)
        ways: dict[str, Callable[[], None]] = {
            "shallow_clone": lambda: _clone(place, url, credentials),
            "no_op_fetch": lambda: world.vcs.fetch(forge.repository(REPOSITORY)),
            "warm_discover": discover,
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            for name, way in ways.items():
                times[name].append(_timed(way))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    above = (medians["warm_discover"] - medians["no_op_fetch"]) / medians["shallow_clone"]
    return {
        "commits": made.commits,
        "files": made.files,
        "pack_megabytes": round(made.pack_megabytes, 1),
        "rounds": rounds,
        "cold_discover_ms": round(cold),
        **{f"{name}_ms": round(median) for name, median in medians.items()},
        **{f"{name}_spread_ms": [round(min(taken)), round(max(taken))] for name, taken in times.items()},
        "discover_above_its_fetch_in_shallow_clones": round(above, 3),
        "limit": LIMIT,
        "holds": above <= LIMIT,
    }


def _discovering(world: World) -> Callable[[], None]:
    """Return a function that runs the whole stage, each time for a new run."""
    numbers = iter(range(100, 1_000_000))

    def discover() -> None:
        world.run_id = UUID(int=next(numbers))
        outcome = world.step(Stage.DISCOVER)
        if not isinstance(outcome, Done):
            raise SystemExit(f"discover ended otherwise: {outcome}")

    return discover


def _clone(place: Path, url: str, credentials: dict[str, str]) -> None:
    target = place / "clone"
    shutil.rmtree(target, ignore_errors=True)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(place),
        "GIT_CONFIG_NOSYSTEM": "1",
        **credentials,
    }
    subprocess.run(
        ["git", "clone", "--quiet", "--depth", "1", url, str(target)], env=environment, check=True, capture_output=True
    )


def _timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
