"""What the trials share: a world without chance, runs, and the wait for them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx
from sqlalchemy import func, select

from benchmarks import stand
from benchmarks.chaos import plugin
from benchmarks.chaos.forge_server import ForgeServer
from benchmarks.chaos.judge import Judge
from benchmarks.chaos.load import RUNS
from benchmarks.chaos.world import World
from moonmind.db.tables import active, attempt, event, run
from moonmind.runs.machine import RunStatus, WaitingReason

T = TypeVar("T")

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial: what it does, and when what it found is good enough."""

    run: Callable[[Path, float], Figures]
    """Takes an empty folder and the scale of its times and numbers, 1 being what the documentation cites."""
    passed: Callable[[Figures], bool]


def settings(**more: str) -> dict[str, str]:
    """Return the settings of a trial: leases short enough to wait for, many agents at once."""
    return {
        "MOONMIND_LEASE_SECONDS": "6",
        "MOONMIND_HEARTBEAT_SECONDS": "1",
        "MOONMIND_MAX_AGENTS": "8",
        plugin.SECONDS: "0.2",
        **more,
    }


def honest_forge(delay: float = 0.0) -> ForgeServer:
    """Return a forge that loses no answer; still one that makes as many pull requests as it is asked for."""
    return ForgeServer(1, lost_share=0.0, broken_share=0.0, delay=delay)


def create(world: World, names: Sequence[str]) -> tuple[list[str], list[float]]:
    """Create a run for each repository, each accepted at once; returns their ids and the seconds that each answer took."""
    ids, took = [], []
    for name in names:
        began = time.monotonic()
        answer = httpx.post(f"{world.url}{RUNS}", json={"repository": name}, timeout=60)
        took.append(time.monotonic() - began)
        if answer.status_code != 202:
            raise RuntimeError(f"{name} was answered {answer.status_code}: {answer.text}")
        ids.append(str(answer.json()["id"]))
    return ids, took


def until(condition: Callable[[], T], what: str, seconds: float = 120.0, pause: float = 0.1) -> T:
    """Wait for something, and give it; an error with words when it does not come."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s for {what}")
        time.sleep(pause)
    return found


def statuses(world: World) -> dict[str, int]:
    """Count the runs by status."""
    with world.engine.connect() as connection:
        rows = connection.execute(select(run.c.status, func.count()).group_by(run.c.status)).all()
    return {status.value: count for status, count in rows}


def await_all(world: World, seconds: float = 300.0) -> dict[str, int]:
    """Wait until every run has ended; returns how."""

    def none_active() -> bool:
        with world.engine.connect() as connection:
            return connection.execute(select(func.count()).where(active)).scalar_one() == 0

    try:
        until(none_active, "the end of all runs", seconds)
    except RuntimeError:
        return {**statuses(world), "stuck": 1}
    return statuses(world)


def await_agent(world: World, run_id: str) -> None:
    """Wait until a run's agent is at work."""

    def waits_for_agent() -> bool:
        with world.engine.connect() as connection:
            query = select(run.c.waiting_reason).where(run.c.id == UUID(run_id))
            return connection.execute(query).scalar_one() is WaitingReason.AGENT

    until(waits_for_agent, "the agent")


def verdict(world: World) -> Figures:
    """Judge what exists outside and what was written."""
    judge = Judge(world.engine, world.folder / "repositories")
    starts = plugin.starts(world.starts)
    return {
        **judge.effects(world.forge.creates),
        "stages_completed_twice": judge.completed_twice(),
        "event_gaps": judge.gaps(),
        "agent_starts": len(starts),
        "agent_starts_twice": len(starts) - len(set(starts)),
    }


def clean(figures: Figures) -> bool:
    """Return True if nothing was done twice."""
    names = ("duplicate_branches", "duplicate_pull_requests", "succeeded_without_effect", "stages_completed_twice")
    return not any(figures[name] for name in (*names, "event_gaps", "agent_starts_twice")) and "stuck" not in figures


def all_succeeded(found: dict[str, int]) -> bool:
    """Return True if all runs ended well."""
    return set(found) == {RunStatus.SUCCEEDED.value}


def newest_event(world: World) -> int:
    """Return the id of the newest event."""
    with world.engine.connect() as connection:
        return int(connection.execute(select(func.max(event.c.id))).scalar() or 0)


def attempts(world: World, run_id: str) -> int:
    """Count the attempts of a run beyond one per stage."""
    with world.engine.connect() as connection:
        query = select(func.count()).where(attempt.c.run_id == UUID(run_id))
        return int(connection.execute(query).scalar_one()) - 5


def milliseconds(seconds: Sequence[float], percent: int) -> float:
    """Return a percentile in milliseconds."""
    return round(stand.p(seconds, percent) * 1000, 1)
