"""The broker and the database: away, restarted, slow, full, emptied."""

import re
import signal
import statistics
import time
from collections import Counter
from pathlib import Path

import httpx

from benchmarks.chaos.background import Background
from benchmarks.chaos.load import RUNS
from benchmarks.chaos.members import TWO_WORKERS, Worker
from benchmarks.chaos.world import World
from benchmarks.trials.bench import (
    Figures,
    Trial,
    all_succeeded,
    await_agent,
    await_all,
    clean,
    create,
    honest_forge,
    milliseconds,
    settings,
    verdict,
)

ANSWER_MS = 200.0
"""How soon the API answers at the 95th percentile, whatever the broker does."""


def broker_away(folder: Path, scale: float) -> Figures:
    """Create runs while the broker is away for ten minutes."""
    away = max(20.0, 600 * scale)
    with World(folder, settings(), forge=honest_forge()) as world:
        assert world.broker is not None
        world.broker.end(signal.SIGKILL)
        began = time.monotonic()
        _, took = create(world, [f"trial/away-{number}" for number in range(50)])
        time.sleep(max(0.0, began + away - time.monotonic()))  # it is away as long as the trial says
        world.broker.start()
        back = time.monotonic()
        found = await_all(world, 600)
        return {
            "runs": found,
            "away_seconds": away,
            "accepted": len(took),
            "answer_p95_ms": milliseconds(took, 95),
            "succeeded_after_seconds": round(time.monotonic() - back, 1),
            **verdict(world),
        }


def broker_full(folder: Path, scale: float) -> Figures:
    """Create runs under a memory alarm, which blocks whoever publishes."""
    with World(folder, settings(), forge=honest_forge()) as world:
        assert world.broker is not None
        world.broker.control("set_vm_memory_high_watermark", "absolute", "1000000")
        _, took = create(world, [f"trial/full-{number}" for number in range(max(10, round(30 * scale)))])
        time.sleep(25)  # longer than a publish may hang before it is abandoned
        world.broker.control("set_vm_memory_high_watermark", "0.4")
        back = time.monotonic()
        found = await_all(world, 600)
        return {
            "runs": found,
            "accepted": len(took),
            "answer_p95_ms": milliseconds(took, 95),
            "succeeded_after_seconds": round(time.monotonic() - back, 1),
            **verdict(world),
        }


def broker_wiped(folder: Path, scale: float) -> Figures:
    """Delete the virtual host with all queues and messages under the runs."""
    with World(folder, settings(MOONMIND_CHAOS_SECONDS="3"), forge=honest_forge()) as world:
        assert world.broker is not None
        create(world, [f"trial/wiped-{number}" for number in range(max(6, round(20 * scale)))])
        time.sleep(2)  # some are at work, some suspended, some wait
        before = [member.started for member in world.members]
        world.broker.control("delete_vhost", "/")
        world.broker.control("add_vhost", "/")
        world.broker.control("set_permissions", "-p", "/", "guest", ".*", ".*", ".*")
        back = time.monotonic()
        found = await_all(world, 600)
        return {
            "runs": found,
            "succeeded_after_seconds": round(time.monotonic() - back, 1),
            "restarts": sum(member.started for member in world.members) - sum(before),
            **verdict(world),
        }


def slow_consumer(folder: Path, scale: float) -> Figures:
    """Let agents work far longer than the broker lets a delivery stay unacknowledged."""
    seconds = max(150.0, 300 * scale)
    more = settings(MOONMIND_CHAOS_SECONDS=f"{seconds:g}")
    with World(folder, more, forge=honest_forge(), broker_settings="consumer_timeout = 60000\n") as world:
        create(world, [f"trial/slow-{number}" for number in range(4)])
        found = await_all(world, seconds + 300)
        said = world.logs()
        return {
            "runs": found,
            "agent_seconds": seconds,
            "consumer_timeout_seconds": 60,
            "channel_errors": said.count("PRECONDITION_FAILED") + said.count("PreconditionFailed"),
            "restarts": sum(member.started - 1 for member in world.members),
            **verdict(world),
        }


class _Client(Background):
    """Creates runs and looks at them all the while, and counts what it is answered."""

    def __init__(self, world: World) -> None:
        super().__init__("client")
        self._url = f"{world.url}{RUNS}"
        self.answers: Counter[int] = Counter()
        self.without_retry_after = 0
        self.created = 0

    def work(self) -> None:
        """Look five times a second, and create a run at every fifth look."""
        looks = 0
        while not self.closing.wait(0.2):
            self._note(httpx.get(self._url, timeout=60))
            looks += 1
            if looks % 5 == 0:
                body = {"repository": f"trial/under-way-{self.created}"}
                key = {"Idempotency-Key": f"under-way-{self.created}"}
                answer = httpx.post(self._url, json=body, headers=key, timeout=60)
                self._note(answer)
                self.created += answer.status_code == 202

    def _note(self, answer: httpx.Response) -> None:
        self.answers[answer.status_code] += 1
        self.without_retry_after += answer.status_code == 503 and "retry-after" not in answer.headers


def database_restarts(folder: Path, scale: float) -> Figures:
    """Restart the database twenty times at once, and keep it away for a minute, while runs are made and looked at."""
    with World(folder, settings(), forge=honest_forge()) as world:
        assert world.postgres is not None
        restarts = max(4, round(20 * scale))
        with _Client(world) as client:
            for number in range(restarts):
                time.sleep(3)  # work goes on in between
                world.postgres.end(signal.SIGQUIT)
                if number == restarts // 2:
                    time.sleep(max(10.0, 60 * scale))
                world.postgres.start()
        found = await_all(world, 600)
        return {
            "runs": found,
            "created": client.created,
            "restarts_of_the_database": restarts,
            "restarts_of_ours": sum(member.started - 1 for member in world.members),
            "answers": {str(status): count for status, count in sorted(client.answers.items())},
            "answers_503_without_retry_after": client.without_retry_after,
            **verdict(world),
        }


def latency(folder: Path, scale: float) -> Figures:
    """Put half a second on every packet to and from the database, then block it for a minute, then reset it."""
    workers = (*TWO_WORKERS[:1], Worker("other"))
    with World(folder, settings(MOONMIND_LEASE_SECONDS="60"), workers=workers, forge=honest_forge()) as world:
        assert world.database_line is not None
        world.database_line.delay = 0.25  # each way
        _, took = create(world, [f"trial/slow-line-{number}" for number in range(max(3, round(8 * scale)))])
        time.sleep(5)
        world.database_line.block()
        time.sleep(max(15.0, 60 * scale))
        world.database_line.unblock()
        world.database_line.delay = 0.0
        world.database_line.reset()
        found = await_all(world, 600)
        return {
            "runs": found,
            "answer_median_s": round(statistics.median(took), 2),
            "restarts": sum(member.started - 1 for member in world.members),
            **verdict(world),
        }


def agents_meanwhile(folder: Path, scale: float) -> Figures:
    """Restart the workers in order, again and again, while agents work: no agent is started twice."""
    seconds = max(15.0, 60 * scale)
    with World(folder, settings(MOONMIND_CHAOS_SECONDS=f"{seconds:g}"), forge=honest_forge()) as world:
        ids, _ = create(world, [f"trial/deploy-{number}" for number in range(6)])
        for run_id in ids:
            await_agent(world, run_id)
        restarts = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for worker in TWO_WORKERS:
                member = world.member(worker.name)
                assert member.process is not None
                member.process.send(signal.SIGTERM)
                member.process.wait(60)
                member.ready = False
                world.await_ready(member)
                restarts += 1
        found = await_all(world, 300)
        expired = len(re.findall(r"lease\.expired", world.logs()))
        return {"runs": found, "orderly_restarts": restarts, "leases_expired": expired, **verdict(world)}


TRIALS = {
    "broker-away": Trial(
        broker_away,
        lambda found: (
            all_succeeded(found["runs"])
            and found["accepted"] == 50
            and found["answer_p95_ms"] < ANSWER_MS
            and clean(found)
        ),
    ),
    "broker-full": Trial(
        broker_full,
        lambda found: all_succeeded(found["runs"]) and found["answer_p95_ms"] < ANSWER_MS and clean(found),
    ),
    "broker-wiped": Trial(
        broker_wiped, lambda found: all_succeeded(found["runs"]) and found["restarts"] == 0 and clean(found)
    ),
    "slow-consumer": Trial(
        slow_consumer,
        lambda found: (
            all_succeeded(found["runs"]) and found["channel_errors"] == found["restarts"] == 0 and clean(found)
        ),
    ),
    "database-restarts": Trial(
        database_restarts,
        lambda found: (
            all_succeeded(found["runs"])
            and found["restarts_of_ours"] == found["answers_503_without_retry_after"] == 0
            and set(found["answers"]) <= {"200", "202", "503"}
            and clean(found)
        ),
    ),
    "latency": Trial(latency, lambda found: all_succeeded(found["runs"]) and found["restarts"] == 0 and clean(found)),
    "deploys": Trial(
        agents_meanwhile,
        lambda found: all_succeeded(found["runs"]) and found["leases_expired"] == 0 and clean(found),
    ),
}
