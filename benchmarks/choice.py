"""What choosing costs discover on a repository with many features, beside the first fetch of it.

A skeleton of a real project, served by git over HTTP with a token and as files; the real git adapter, the real stage. The
forge's API is left out, since its cost is the service's. The first choice has no tasks.md that was read before; what reading
takes of it is shown apart. All are measured within each round: only the ratio says anything.

    python -m benchmarks.choice [--rounds 7] [--skeleton NN] [--json]
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from benchmarks import stand
from benchmarks.mirror import TOKEN, OverHttp
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.ports.forge import Repository
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask, Done, NothingToDo, Outcome
from moonmind.settings import ambient_environment
from moonmind.speckit.finished_file import read_or_count
from moonmind.speckit.spec_tasks import TasksFile
from moonmind.stages.discover import remembered_files
from tests.support.git_http import askpass, git_server
from tests.support.skeletons import EXPECTED, skeleton
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

LIMIT = 0.3
"""Of the first fetch: what discover may need after it until it has chosen, with reading files that it never read before."""


class Reader:
    """The reader of tasks.md, which keeps how long it took."""

    seconds = 0.0

    def read(self, data: bytes, *, name: str = "tasks.md") -> TasksFile:
        """Read, and keep the time."""
        begun = time.perf_counter()
        try:
            return read_or_count(data, name=name)
        finally:
            self.seconds += time.perf_counter() - begun


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
    world = World(place)
    world.requested = ""
    with git_server(place / "repositories", TOKEN) as server:
        forges = {"files": LocalForge(world.forge_options), "http": OverHttp(world.forge_options).at(server)}
        credentials = {"files": {}, "http": askpass(place, TOKEN)}
        times: dict[str, list[tuple[float, float, float, float]]] = {way: [] for way in forges}
        for number in range(rounds):
            for way, forge in forges.items():
                world.run_id = UUID(int=100 + number)
                times[way].append(_round(world, forge, credentials[way], place / f"{way}-{number}"))
    whole = {way: [choice / fetch for fetch, choice, _, _ in taken] for way, taken in times.items()}
    beside = {way: [(choice - read) / fetch for fetch, choice, read, _ in taken] for way, taken in times.items()}
    warm = {way: [again / fetch for fetch, _, _, again in taken] for way, taken in times.items()}
    return {
        "skeleton": name,
        "features": _features(name),
        "rounds": rounds,
        **{
            f"{way}_{name}_ms": round(statistics.median(one[place] for one in taken))
            for way, taken in times.items()
            for place, name in enumerate(("fetch", "choice", "reading", "next_choice"))
        },
        **{f"{way}_choice_in_fetches": round(statistics.median(taken), 2) for way, taken in whole.items()},
        **{f"{way}_next_choice_in_fetches": round(statistics.median(taken), 2) for way, taken in warm.items()},
        **{f"{way}_beside_reading_in_fetches": round(statistics.median(taken), 2) for way, taken in beside.items()},
        **{f"{way}_choice_spread": [round(min(one), 2), round(max(one), 2)] for way, one in whole.items()},
        "limit": LIMIT,
        "holds": all(statistics.median(taken) <= LIMIT for each in (whole, warm) for taken in each.values()),
    }


def _round(
    world: World, forge: LocalForge, credentials: Mapping[str, str], state: Path
) -> tuple[float, float, float, float]:
    """Run discover on a host that never saw the repository.

    Return the milliseconds of its fetch, of the rest, of reading tasks.md within the rest, and of the rest the next time, when
    the process remembers what it read.
    """
    vcs = Timed(VcsOptions(state, forge.scheme, lambda: credentials, ambient_environment(), host=forge.host))
    world.forge, world.vcs = forge, vcs
    reader = Reader()
    remembered_files.forget()
    vars(remembered_files)["read_or_count"] = reader.read
    outcome, cold = _discovered(world, vcs)
    vars(remembered_files)["read_or_count"] = read_or_count
    if not isinstance(outcome, Ask | Done | NothingToDo):
        raise SystemExit(f"discover ended otherwise: {outcome}")
    fetch = vcs.seconds
    _, warm = _discovered(world, vcs)
    return fetch * 1000, cold * 1000, reader.seconds * 1000, warm * 1000


def _discovered(world: World, vcs: Timed) -> tuple[Outcome, float]:
    """Run discover; return what it made of it, and its seconds beside those of its fetch."""
    begun = time.perf_counter()
    outcome = world.step(Stage.DISCOVER)
    return outcome, time.perf_counter() - begun - vcs.seconds


def _largest() -> str:
    return max(EXPECTED, key=_features)


def _features(name: str) -> int:
    return sum(path.endswith("/tasks.md") for path in skeleton(name).files)


if __name__ == "__main__":
    main()
