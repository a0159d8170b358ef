"""Workers that are stopped, killed, poisoned, or gone with their host."""

import json
import os
import re
import signal
import time
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.chaos.members import Worker
from benchmarks.chaos.world import World
from benchmarks.trials.bench import (
    Figures,
    Trial,
    all_succeeded,
    attempts,
    await_agent,
    await_all,
    clean,
    create,
    honest_forge,
    milliseconds,
    newest_event,
    settings,
    statuses,
    until,
    verdict,
)
from moonmind.db.tables import event, leased, run
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType


def stale(folder: Path, scale: float) -> Figures:
    """Stop a worker in the middle of publishing, let another finish its runs, and let it go on."""
    workers = (Worker("first"), Worker("second", starts=False))
    forge = honest_forge(delay=1.0)
    with World(folder, settings(), workers=workers, forge=forge) as world:
        create(world, [f"trial/stale-{number}" for number in range(max(2, round(8 * scale)))])

        def publishing() -> int:
            with world.engine.connect() as connection:
                query = select(func.count()).where(leased, run.c.stage == Stage.PUBLISH)
                return int(connection.execute(query).scalar_one())

        until(publishing, "a stage that publishes")
        first = world.member("first").process
        assert first is not None
        os.killpg(first.pid, signal.SIGSTOP)
        held = publishing()
        world.start("second")
        found = await_all(world)
        events, asked = newest_event(world), forge.askers[str(first.pid)]
        os.killpg(first.pid, signal.SIGCONT)
        lost = until(lambda: first.text().count("attempt.abandoned"), "the stopped worker to see its loss", 60)
        time.sleep(5)  # nothing tells that it will do nothing more: it is given the time to
        return {
            "runs": found,
            "held_when_stopped": held,
            "given_up": lost,
            "events_after_waking": newest_event(world) - events,
            "requests_after_waking": forge.askers[str(first.pid)] - asked,
            **verdict(world),
        }


def reattach(folder: Path, scale: float) -> Figures:
    """Kill the worker ten times while one agent works for minutes."""
    lines = max(20, round(300 * scale))
    steps: list[dict[str, object]] = []
    for number in range(lines):
        steps += [{"say": f"line {number}"}, {"run_for_seconds": 1}]
    steps += [
        {"write": "refresh_docs/__init__.py", "content": "MADE = True\n"},
        {"end": "completed", "message": "done"},
    ]
    script = folder / "script.json"
    script.write_text(json.dumps({"version": 1, "steps": steps}))
    workers = (Worker("only"),)
    with World(folder, settings(MOONMIND_SCRIPT=str(script)), workers=workers, forge=honest_forge()) as world:
        (run_id,), _ = create(world, ["trial/reattach"])
        await_agent(world, run_id)
        kills = 0
        for _ in range(10):
            world.kill(world.member("only"))
            kills += 1
            world.await_ready(world.member("only"))
            time.sleep(lines / 40)  # spread over the agent's time
        found = await_all(world, lines + 120)
        said = "".join(path.read_text() for path in sorted((world.artifacts / run_id).rglob("*.jsonl")))
        numbers = [int(number) for number in re.findall(r"line (\d+)", said)]
        return {
            "runs": found,
            "kills": kills,
            "agent_seconds": lines,
            "log_continuous": numbers == list(range(lines)),
            "further_attempts": attempts(world, run_id),
            **verdict(world),
        }


def poison(folder: Path, scale: float) -> Figures:
    """Let one run kill whatever publishes it, among others that do no harm, on either pool."""
    figures: Figures = {}
    folder.chmod(0o711)  # the servers of each part run below, as users of their own
    for pool in ("processes", "threads"):
        place = folder / pool
        place.mkdir()
        workers = (Worker("one", pool, 4), Worker("two", pool, 4))
        with World(place, settings(), workers=workers, forge=honest_forge()) as world:
            count = max(6, round(24 * scale))
            create(world, [f"trial/alone-{number}" for number in range(count)])
            await_all(world)
            alone = _durations(world, "trial/alone-%")
            create(world, ["trial/poison", *(f"trial/beside-{number}" for number in range(count))])
            found = await_all(world)
            beside = _durations(world, "trial/beside-%")
            with world.engine.connect() as connection:
                query = select(run.c.status, run.c.error, run.c.crashes).where(run.c.repository == "trial/poison")
                row = connection.execute(query).one()
            figures |= {
                f"{pool}_runs": found,
                f"{pool}_poison": {"status": row.status.value, "code": row.error.code, "crashes": row.crashes},
                f"{pool}_others_failed": found.get("failed", 0) - 1,
                f"{pool}_alone_p95_s": milliseconds(alone, 95) / 1000,
                f"{pool}_beside_p95_s": milliseconds(beside, 95) / 1000,
                f"{pool}_clean": clean(verdict(world) | ({"stuck": 1} if "stuck" in found else {})),
            }
    return figures


def _durations(world: World, pattern: str) -> list[float]:
    with world.engine.connect() as connection:
        query = select(run.c.created_at, run.c.completed_at).where(run.c.repository.like(pattern))
        return [(row.completed_at - row.created_at).total_seconds() for row in connection.execute(query)]


def host_gone(folder: Path, scale: float) -> Figures:
    """Lose a host with an agent at work: another goes on from the starting commit, and the lost agent is reaped."""
    silence = max(15.0, 60 * scale)
    more = settings(MOONMIND_HOST_SILENCE_SECONDS=f"{silence:g}", MOONMIND_CHAOS_SECONDS="600")
    second = {"MOONMIND_STATE_DIR": str(folder / "second-state"), "MOONMIND_CHAOS_SECONDS": "0.2"}
    workers = (Worker("first"), Worker("second", env=second, starts=False))
    with World(folder, more, workers=workers, forge=honest_forge()) as world:
        (run_id,), _ = create(world, ["trial/host"])
        await_agent(world, run_id)
        agents = world.jobs_alive()
        api = world.member("api")
        # The API shares the first host's state folder; it is no worker, and sends no heartbeats for the host.
        world.hold(world.member("first"))
        world.start("second")
        began = time.monotonic()
        found = await_all(world, silence + 180)
        took = time.monotonic() - began
        alive_before = len([pid for pid in agents if pid in world.jobs_alive()])
        world.start("first")
        until(lambda: not world.jobs_alive(), "the reaping of the lost agent", 60)
        return {
            "runs": found,
            "silence_seconds": silence,
            "recovered_in_seconds": round(took, 1),
            "further_attempts": attempts(world, run_id),
            "lost_processes_alive_before_return": alive_before,
            "lost_processes_after_return": len(world.jobs_alive()),
            "api_alive": api.process is not None and api.process.alive,
            **verdict(world),
        }


def pools(folder: Path, scale: float) -> Figures:
    """Run four workers of twenty threads each on one database: no thread waits too long for a connection."""
    workers = tuple(Worker(f"worker{number}", "threads", 20) for number in range(4))
    with World(folder, settings(MOONMIND_MAX_AGENTS="40"), workers=workers, forge=honest_forge()) as world:
        create(world, [f"trial/pool-{number}" for number in range(max(20, round(120 * scale)))])
        found = await_all(world, 600)
        said = world.logs()
        with world.engine.connect() as connection:
            expired = select(func.count()).where(event.c.type == EventType.LEASE_EXPIRED)
            leases_expired = connection.execute(expired).scalar_one()
        return {
            "runs": found,
            "pool_exhausted": said.count("QueuePool limit"),
            "leases_expired": leases_expired,
            "statuses": statuses(world),
            **verdict(world),
        }


TRIALS = {
    "stale": Trial(
        stale,
        lambda found: (
            all_succeeded(found["runs"])
            and found["held_when_stopped"] > 0
            and found["events_after_waking"] == found["requests_after_waking"] == 0
            and clean(found)
        ),
    ),
    "reattach": Trial(
        reattach,
        lambda found: (
            all_succeeded(found["runs"])
            and found["kills"] == 10
            and found["agent_starts"] == 1
            and found["further_attempts"] == 0
            and found["log_continuous"]
            and clean(found)
        ),
    ),
    "poison": Trial(
        poison,
        lambda found: all(
            found[f"{pool}_poison"] == {"status": "failed", "code": "worker_lost", "crashes": 3}
            and found[f"{pool}_others_failed"] == 0
            and found[f"{pool}_clean"]
            for pool in ("processes", "threads")
        ),
    ),
    "host-gone": Trial(
        host_gone,
        lambda found: (
            all_succeeded(found["runs"])
            and found["further_attempts"] == 1
            and found["lost_processes_alive_before_return"] > 0
            and found["lost_processes_after_return"] == 0
            and clean(found)
        ),
    ),
    "pools": Trial(
        pools,
        lambda found: (
            all_succeeded(found["runs"]) and found["pool_exhausted"] == found["leases_expired"] == 0 and clean(found)
        ),
    ),
}
