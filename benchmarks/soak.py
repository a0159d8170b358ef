"""A long haul: runs at an even pace in test mode, and what each process holds while they go by.

    python -m benchmarks.soak [--profile full|embedded] [--minutes 30] [--per-second 1] [--json]

Nothing may grow with time: the memory, the file descriptors and the threads of each process, the rows of a run, the
messages in the queue, the runs that are open. What the last quarter shows is held against the second one: in the first
quarter caches fill and pools open.
"""

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

import structlog
from kombu.connection import Connection
from sqlalchemy import func, select

from benchmarks import stand
from benchmarks.chaos.background import Background
from benchmarks.chaos.load import Load
from benchmarks.chaos.members import Worker
from benchmarks.chaos.world import World
from benchmarks.trials.bench import await_all
from moonmind.db.tables import active, metadata, run

SAMPLE_SECONDS = 10.0
GROWTH = {"rss_mb": (1.1, 10.0), "fds": (1.1, 8.0), "threads": (1.0, 4.0)}
"""The most that the last quarter may hold: a factor of the second one's median, or so much more, whichever is more."""


def main() -> int:
    """Run what the command line asks for; the exit code tells whether everything stayed flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=("full", "embedded"), default="full")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--per-second", type=float, default=1.0)
    parser.add_argument("--agents", type=int, default=6, help="MOONMIND_MAX_AGENTS")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    stand.interrupt_once()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with stand.folder() as place:
        figures = soak(chosen, place)
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 0 if figures["flat"] else 1


def soak(chosen: argparse.Namespace, place: Path) -> dict[str, object]:
    """Load one installation for so long, and measure."""
    settings = {"SPEC_WORKFLOW_TEST_MODE": "1", "MOONMIND_MAX_AGENTS": str(chosen.agents)}
    runs = round(chosen.minutes * 60 * chosen.per_second)
    full = chosen.profile == "full"
    with World(place, settings, full=full, workers=(Worker("worker"),)) as world:
        load = Load(world.url, runs, chosen.per_second, lambda _: True)
        watch = Watch(world)
        with watch, load:
            while not load.over and not watch.over:
                time.sleep(1)
        found = await_all(world)
        with world.engine.connect() as connection:
            rows = {
                table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
                for table in metadata.sorted_tables
            }
        restarts = sum(member.started - 1 for member in world.members)
    members = {name: watch.growth(name) for name in sorted(watch.held)}
    backlog = {name: quarters(values) for name, values in watch.open.items()}
    per_run = {name: round(count / runs, 2) for name, count in rows.items() if count > runs / 2}
    flat = (
        all(one["flat"] for one in members.values())
        and all(last <= max(2 * second, 20) for second, last in backlog.values())
        and found == {"succeeded": runs}
        and restarts == 0
    )
    return {
        "profile": chosen.profile,
        "minutes": chosen.minutes,
        "runs": runs,
        "per_second": chosen.per_second,
        "statuses": found,
        "members": members,
        "open_second_and_last_quarter": backlog,
        "rows_per_run": per_run,
        "restarts": restarts,
        "flat": flat,
    }


class Watch(Background):
    """Samples all processes, the queue and the open runs."""

    def __init__(self, world: World) -> None:
        super().__init__("watch")
        self._world = world
        self.held: dict[str, list[dict[str, float]]] = defaultdict(list)
        """What each member held, sample by sample."""
        self.open: dict[str, list[float]] = defaultdict(list)

    def growth(self, name: str) -> dict[str, object]:
        """Hold a member's last quarter against its second one."""
        found: dict[str, object] = {}
        flat = True
        for what, (factor, more) in GROWTH.items():
            second, last = quarters([sample[what] for sample in self.held[name]])
            found[what] = [second, last]
            flat = flat and last <= max(second * factor, second + more)
        return {**found, "flat": flat}

    def work(self) -> None:
        """Take a sample now and then."""
        while not self.closing.wait(SAMPLE_SECONDS):
            for member in self._world.members:
                if member.process is not None and member.process.alive:
                    self.held[member.name].append(held(member.process.pid))
            with self._world.engine.connect() as connection:
                query = select(func.count()).select_from(run).where(active)
                self.open["runs"].append(connection.execute(query).scalar_one())
            if self._world.broker is not None:
                with Connection(self._world.broker.url()) as line:
                    queue = self._world.env["SPEC_WORKFLOW_CODEX_QUEUE"]
                    declared = line.default_channel.queue_declare(queue=queue, passive=True)
                    self.open["messages"].append(declared.message_count)


def held(pid: int) -> dict[str, float]:
    """Read what a process holds."""
    place = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (place / "status").read_text().splitlines())
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "fds": len(list((place / "fd").iterdir())),
    }


def quarters(values: list[float]) -> tuple[float, float]:
    """Return the medians of the second quarter and of the last one."""
    size = max(1, len(values) // 4)
    return round(statistics.median(values[size : 2 * size] or values), 1), round(statistics.median(values[-size:]), 1)


if __name__ == "__main__":
    sys.exit(main())
