"""Run a campaign and print what became of it, as one JSON object; the exit code tells whether every promise was kept.

    python -m benchmarks.chaos --profile full --runs 500 --seed 1
    python -m benchmarks.chaos --profile embedded --runs 200 --seed 1

It starts a PostgreSQL cluster and a RabbitMQ node of its own on free ports of the loopback interface, the product's own
processes, and a forge that makes a pull request more for whoever asks. It ends by itself, and all of it with it.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

import structlog

from benchmarks import stand
from benchmarks.chaos import plugin
from benchmarks.chaos.faults import Faults
from benchmarks.chaos.judge import Judge, last_event, still_active
from benchmarks.chaos.load import Load
from benchmarks.chaos.plan import EMBEDDED, FULL, schedule
from benchmarks.chaos.world import World

PACE = {"full": 0.8, "embedded": 0.6}
"""Runs per second at most: below what two cores finish when nothing goes wrong."""
FAULTS_PER_RUN = {"full": 0.14, "embedded": 0.66}
PAUSE = {"full": 4.0, "embedded": 2.5}
"""Mean seconds from one fault's end to the next."""
STUCK_SECONDS = 300.0
"""So long without any event while runs are open, and with nothing going wrong: they are stuck."""

log = structlog.get_logger(__name__)


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", choices=("full", "embedded"), default="full")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="how long the pauses between faults last together")
    parser.add_argument("--faults", type=int, help="how many; default: by the number of runs")
    parser.add_argument("--lease", type=float, default=60.0, help="MOONMIND_LEASE_SECONDS of all processes")
    parser.add_argument("--agents", type=int, default=8, help="MOONMIND_MAX_AGENTS")
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    parser.add_argument("--json", action="store_true", help="print the object alone, without what goes on")
    chosen = parser.parse_args()
    # Ended from outside, it cleans up as it does when interrupted.
    stand.interrupt_once()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(40 if chosen.json else 20),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    with stand.folder(keep=chosen.keep) as place:
        log.info("campaign", folder=str(place))
        figures = campaign(chosen, place)
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 0 if kept(figures) else 1


def campaign(chosen: argparse.Namespace, place: Path) -> dict[str, object]:
    """Start everything, break it while runs are created, wait until all have ended, and judge."""
    kinds = FULL if chosen.profile == "full" else EMBEDDED
    count = chosen.faults or max(1, round(chosen.runs * FAULTS_PER_RUN[chosen.profile]))
    pause = chosen.minutes * 60 / count if chosen.minutes else PAUSE[chosen.profile]
    plan = schedule(chosen.seed, count, kinds, pause)
    settings = {
        "MOONMIND_LEASE_SECONDS": f"{chosen.lease:g}",
        "MOONMIND_HEARTBEAT_SECONDS": f"{min(5.0, chosen.lease / 10):g}",
        "MOONMIND_MAX_AGENTS": str(chosen.agents),
    }
    began = time.monotonic()
    with World(place, settings, full=chosen.profile == "full", seed=chosen.seed) as world:
        faults = Faults(world, plan, lease_seconds=chosen.lease)
        load = Load(world.url, chosen.runs, PACE[chosen.profile], lambda share: share <= faults.share + 0.02)
        with faults, load:
            _await_end(world, load, faults)
        left = _await_jobs(world)
        judge = Judge(world.engine, place / "repositories")
        keys = Counter(plugin.starts(world.starts))
        return {
            **judge.rows(load.accepted),
            **judge.effects(world.forge.creates),
            "stages_completed_twice": judge.completed_twice(),
            "event_gaps": judge.gaps(),
            "agent_starts": sum(keys.values()),
            "agent_attempts": len(keys),
            "agent_starts_per_attempt_max": max(keys.values(), default=0),
            "kills": dict(sorted(faults.done.items())),
            "recovery": judge.recovery(faults.recovered),
            "processes_left": len(left),
            "slots_held": judge.slots_held,
            "forge": {"answers_lost": world.forge.lost, "requests_refused": world.forge.broken},
            "api_answers": {str(status): count for status, count in sorted(load.answers.items())},
            "lease_seconds": chosen.lease,
            "profile": chosen.profile,
            "seed": chosen.seed,
            "seconds": round(time.monotonic() - began),
        }


def kept(figures: dict[str, object]) -> bool:
    """Return True if every promise was kept."""
    broken = (
        "lost", "stuck", "without_reason", "duplicate_branches", "duplicate_pull_requests", "succeeded_without_effect",
        "stages_completed_twice", "event_gaps", "processes_left", "slots_held",
    )  # fmt: skip
    return (
        not any(figures[name] for name in broken)
        and figures["runs"] == figures["terminal"]
        and figures["agent_starts_per_attempt_max"] == 1
    )


def _await_end(world: World, load: Load, faults: Faults) -> None:
    """Wait until all runs are there, all faults are over, and every run has ended or nothing moves any more."""
    moved, newest = time.monotonic(), -1
    while True:
        time.sleep(1)
        if load.broken or faults.broken:
            return
        if not (load.over and faults.over):
            moved = time.monotonic()
            continue
        if still_active(world.engine) == 0:
            return
        found = last_event(world.engine)
        if found != newest:
            moved, newest = time.monotonic(), found
        if time.monotonic() - moved > STUCK_SECONDS:
            return


def _await_jobs(world: World) -> list[int]:
    """Return the processes of agents that are still there when all had time to end."""
    deadline = time.monotonic() + 30
    while (left := world.jobs_alive()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return left


if __name__ == "__main__":
    sys.exit(main())
