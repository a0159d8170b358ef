"""What choosing costs discover on a repository with many features, beside the first fetch of it.

A skeleton of a real project, served by git over HTTP with a token and as files; the real git adapter, the real stage. The
forge's API is left out, since its cost is the service's. Reading the same tasks.md files by itself is timed too: what is left
is git, and the choice. All are measured within each round: only the ratio says anything.

    python -m benchmarks.choice [--rounds 7] [--skeleton NN] [--json]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from benchmarks import stand
from benchmarks.mirror import TOKEN, OverHttp
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import SpecUnreadable
from moonmind.ports.forge import Repository
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, NothingToDo
from moonmind.settings import ambient_environment
from moonmind.speckit.tasks_md import read_tasks
from tests.support.git_http import askpass, git_server
from tests.support.skeletons import EXPECTED, skeleton
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

LIMIT = 0.3
"""Of the first fetch: what discover may need after it until it has chosen, beside reading the files."""


class Timed(GitVcs):
    """Git that keeps how long its fetch took."""

    seconds = 0.0

    def fetch(self, repository: Repository) -> None:
        """Fetch, and keep the time."""
        begun = time.perf_counter()
        super().fetch(repository)
        self.seconds = time.perf_counter() - begun


def main() -> None:
    """Measure, print, and fail above the limit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--skeleton", default=_largest(), choices=sorted(EXPECTED))
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with stand.folder() as place:
        found = measure(place, chosen.rounds, chosen.skeleton)
    stand.show(found, as_json=chosen.json)
    if not found["holds"]:
        sys.exit(1)


def measure(place: Path, rounds: int, name: str) -> dict[str, object]:
    """Time each way in turns; milliseconds, medians."""
    bare = place / "repositories" / f"{REPOSITORY}.git"
    skeleton(name).commit(bare)
    files = [data for path, data in skeleton(name).files.items() if path.endswith("/tasks.md")]
    world = World(place)
    world.requested = ""
    with git_server(place / "repositories", TOKEN) as server:
        forges = {"files": LocalForge(world.forge_options), "http": OverHttp(world.forge_options).at(server)}
        credentials = {"files": {}, "http": askpass(place, TOKEN)}
        times: dict[str, list[tuple[float, float, float]]] = {way: [] for way in forges}
        for number in range(rounds):
            for way, forge in forges.items():
                world.run_id = UUID(int=100 + number)
                times[way].append((*_round(world, forge, credentials[way], place / f"{way}-{number}"), _reading(files)))
    whole = {way: [choice / fetch for fetch, choice, _ in taken] for way, taken in times.items()}
    beside = {way: [(choice - read) / fetch for fetch, choice, read in taken] for way, taken in times.items()}
    return {
        "skeleton": name,
        "features": _features(name),
        "rounds": rounds,
        **{
            f"{way}_{name}_ms": round(statistics.median(one[place] for one in taken))
            for way, taken in times.items()
            for place, name in enumerate(("fetch", "choice", "reading"))
        },
        **{f"{way}_choice_in_fetches": round(statistics.median(taken), 2) for way, taken in whole.items()},
        **{f"{way}_beside_reading_in_fetches": round(statistics.median(taken), 2) for way, taken in beside.items()},
        **{f"{way}_beside_reading_spread": [round(min(one), 2), round(max(one), 2)] for way, one in beside.items()},
        "limit": LIMIT,
        "holds": all(statistics.median(taken) <= LIMIT for taken in beside.values()),
    }


def _round(world: World, forge: LocalForge, credentials: Mapping[str, str], state: Path) -> tuple[float, float]:
    """Run discover on a host that never saw the repository; return the milliseconds of its fetch, and of the rest."""
    vcs = Timed(VcsOptions(state, forge.scheme, lambda: credentials, ambient_environment(), host=forge.host))
    world.forge, world.vcs = forge, vcs
    begun = time.perf_counter()
    outcome = world.step(Stage.DISCOVER)
    whole = time.perf_counter() - begun
    if not isinstance(outcome, Ask | Done | NothingToDo):
        raise SystemExit(f"discover ended otherwise: {outcome}")
    return vcs.seconds * 1000, (whole - vcs.seconds) * 1000


def _reading(files: Iterable[bytes]) -> float:
    begun = time.perf_counter()
    for data in files:
        with suppress(SpecUnreadable):
            read_tasks(data)
    return (time.perf_counter() - begun) * 1000


def _largest() -> str:
    return max(EXPECTED, key=_features)


def _features(name: str) -> int:
    return sum(path.endswith("/tasks.md") for path in skeleton(name).files)


if __name__ == "__main__":
    main()
