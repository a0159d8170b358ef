"""Cancels at every moment, and messages that come five times, in the wrong order, among garbage."""

import random
import time
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import Row, select

from benchmarks.chaos.faults import flood
from benchmarks.chaos.judge import branches_of
from benchmarks.chaos.load import RUNS
from benchmarks.chaos.world import World
from benchmarks.trials.bench import (
    Figures,
    Trial,
    all_succeeded,
    await_all,
    clean,
    create,
    honest_forge,
    milliseconds,
    settings,
    verdict,
)
from moonmind.db.tables import run
from moonmind.runs.machine import RunStatus


def cancels(folder: Path, scale: float) -> Figures:
    """Cancel two hundred runs, each at a moment of its own life, publishing included."""
    chance = random.Random(7)
    count = max(20, round(200 * scale))
    forge = honest_forge(delay=0.1)
    with World(folder, settings(MOONMIND_CHAOS_SECONDS="1"), forge=forge) as world:
        due: list[tuple[float, str]] = []
        ids: list[str] = []
        answers: Counter[int] = Counter()
        number = 0
        while number < count or due:
            if number < count and len(due) < 6:
                (run_id,), _ = create(world, [f"trial/cancel-{number}"])
                ids.append(run_id)
                due.append((time.monotonic() + chance.uniform(0.0, 8.0), run_id))
                due.sort()
                number += 1
            elif due and time.monotonic() >= due[0][0]:
                _, run_id = due.pop(0)
                answers[httpx.post(f"{world.url}{RUNS}/{run_id}/cancel", timeout=30).status_code] += 1
            else:
                time.sleep(0.02)
        found = await_all(world)
        left = world.jobs_alive()
        with world.engine.connect() as connection:
            columns = (run.c.id, run.c.repository, run.c.status, run.c.branch, run.c.pull_request_url, run.c.stage)
            times = (run.c.cancel_requested_at, run.c.completed_at, run.c.error)
            rows = connection.execute(select(*columns, *times).where(run.c.id.in_([UUID(one) for one in ids]))).all()
        cancelled = [row for row in rows if row.status is RunStatus.CANCELLED]
        took = [(row.completed_at - row.cancel_requested_at).total_seconds() for row in cancelled]
        pulls: Counter[str] = Counter()
        late = 0
        for (repository, _), made in forge.creates.items():
            pulls[repository] += made
        for row in cancelled:
            at = forge.made_at.get(row.repository)
            late += at is not None and at > row.completed_at.timestamp() + 0.05
        unsaid = [row.repository for row in cancelled if not _names_what_it_left(row, world, pulls[row.repository])]
        return {
            "runs": found,
            "answers": {str(status): times_ for status, times_ in sorted(answers.items())},
            "cancelled_by_stage": dict(sorted(Counter(row.stage.value for row in cancelled).items())),
            "end_p95_ms": milliseconds(took, 95),
            "end_max_ms": round(max(took) * 1000, 1),
            "processes_left": len(left),
            "published_after_the_end": late,
            "cancelled_after_the_push": sum(bool(_pushed(world, row)) for row in cancelled),
            "left_and_not_named": len(unsaid),
            **verdict(world),
        }


def _pushed(world: World, row: Row[*tuple[Any, ...]]) -> list[str]:
    return branches_of(world.repositories / f"{row.repository}.git")


def _names_what_it_left(row: Row[*tuple[Any, ...]], world: World, pulls: int) -> bool:
    """Return True if a cancelled run's row names its pull request, or else its branch, if the forge has one."""
    words = row.error.message if row.error else ""  # none where it was over before a worker had it
    if pulls:
        return row.pull_request_url is not None or "What it published stays: http" in words
    return not _pushed(world, row) or "is pushed" in words


def storm(folder: Path, scale: float) -> Figures:
    """Deliver every message five times and in the wrong order, again and again, among garbage and unknown runs."""
    with World(folder, settings(MOONMIND_CHAOS_SECONDS="1"), forge=honest_forge()) as world:
        create(world, [f"trial/storm-{number}" for number in range(max(5, round(20 * scale)))])
        rounds = sent = 0
        deadline = time.monotonic() + 300
        while (found := await_all(world, 1.5)) and "stuck" in found and time.monotonic() < deadline:
            sent += flood(world, garbage=True)
            rounds += 1
        found = await_all(world, 300)
        return {
            "runs": found,
            "floods": rounds,
            "messages": sent,
            "restarts": sum(member.started - 1 for member in world.members),
            **verdict(world),
        }


TRIALS = {
    "cancels": Trial(
        cancels,
        lambda found: (
            set(found["runs"]) <= {"cancelled", "succeeded"}
            and found["end_max_ms"] < 20_000
            and found["processes_left"] == found["published_after_the_end"] == found["left_and_not_named"] == 0
            and clean(found)
        ),
    ),
    "storm": Trial(
        storm,
        lambda found: all_succeeded(found["runs"]) and found["floods"] > 0 and found["restarts"] == 0 and clean(found),
    ),
}
