"""What became of it: read from the rows, from the repositories, from the forge, and from what the agents noted."""

import bisect
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, func, select

from benchmarks import stand
from benchmarks.chaos.faults import Recovered
from moonmind.db.tables import active, agent_slot, event, run
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import RunStatus

AGAIN = frozenset({EventType.ATTEMPT_SENT_BACK, EventType.RUN_RETRIED})
"""After these a stage may rightly be completed once more."""


def still_active(engine: Engine) -> int:
    """Count the runs that have not ended."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).where(active)).scalar_one())


def last_event(engine: Engine) -> int:
    """Return the id of the newest event: what moves is not stuck."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.max(event.c.id))).scalar() or 0)


class Judge:
    """Reads everything once, when nothing moves any more."""

    def __init__(self, engine: Engine, repositories: Path) -> None:
        self._repositories = repositories
        with engine.connect() as connection:
            columns = (run.c.id, run.c.repository, run.c.status, run.c.error, run.c.branch, run.c.reason, run.c.stage)
            self.runs = {row.id: row for row in connection.execute(select(*columns))}
            history = select(event.c.run_id, event.c.seq, event.c.type, event.c.stage, event.c.created_at)
            self.events = connection.execute(history.order_by(event.c.run_id, event.c.seq)).all()
            self.slots_held = int(connection.execute(select(func.count()).select_from(agent_slot)).scalar_one())

    def rows(self, accepted: Sequence[str]) -> dict[str, object]:
        """Judge the rows: who ended, how, and who is missing."""
        known = {str(one) for one in self.runs}
        ended = [row for row in self.runs.values() if row.status.terminal]
        codes = Counter(row.error.code for row in ended if row.error is not None)
        silent = [row for row in ended if row.status is not RunStatus.SUCCEEDED and not (row.error or row.reason)]
        return {
            "runs": len(accepted),
            "terminal": len(ended),
            "lost": len(set(accepted) - known),
            "stuck": len(self.runs) - len(ended),
            "without_reason": len(silent),
            "statuses": dict(Counter(row.status.value for row in ended)),
            "errors": dict(codes),
        }

    def effects(self, creates: Counter[tuple[str, str]]) -> dict[str, object]:
        """Judge what is outside: one branch and one pull request for whoever succeeded, never two for any."""
        branches = {
            row.repository: branches_of(self._repositories / f"{row.repository}.git") for row in self.runs.values()
        }
        per_repository: Counter[str] = Counter()
        for (repository, _), count in creates.items():
            per_repository[repository] += count
        missing = [
            row.repository
            for row in self.runs.values()
            if row.status is RunStatus.SUCCEEDED
            and (branches[row.repository] != [row.branch] or per_repository[row.repository] < 1)
        ]
        return {
            "duplicate_branches": sum(max(0, len(names) - 1) for names in branches.values()),
            "duplicate_pull_requests": sum(max(0, count - 1) for count in per_repository.values()),
            "succeeded_without_effect": len(missing),
        }

    def completed_twice(self) -> int:
        """Count the stages that were completed more often than the run was sent there."""
        twice = 0
        done: Counter[tuple[UUID, Any]] = Counter()
        for one in self.events:
            if one.type in AGAIN:
                for key in [key for key in done if key[0] == one.run_id]:
                    del done[key]
            elif one.type is EventType.ATTEMPT_SUCCEEDED:
                done[one.run_id, one.stage] += 1
                twice += done[one.run_id, one.stage] > 1
        return twice

    def gaps(self) -> int:
        """Count the runs whose events are not numbered from 1 without a gap."""
        numbers: dict[UUID, list[int]] = defaultdict(list)
        for one in self.events:
            numbers[one.run_id].append(one.seq)
        return sum(found != list(range(1, len(found) + 1)) for found in numbers.values())

    def recovery(self, faults: Iterable[Recovered]) -> dict[str, object]:
        """Measure how long runs stood still after each fault was over: to the next event of each that waited then."""
        times: dict[UUID, list[datetime]] = defaultdict(list)
        for one in self.events:
            times[one.run_id].append(one.created_at)
        seconds: list[float] = []
        worst: dict[str, float] = {}
        never = 0
        for fault in faults:
            for run_id in fault.waiting:
                after = bisect.bisect_right(times[run_id], fault.at)
                if after == len(times[run_id]) and not self.runs[run_id].status.terminal:
                    never += 1
                    continue
                # Ended without a later event: that end was being committed when we looked.
                ended = after == len(times[run_id])
                took = 0.0 if ended else (times[run_id][after] - fault.at).total_seconds()
                seconds.append(took)
                worst[fault.fault.value] = max(took, worst.get(fault.fault.value, 0.0))
        if len(seconds) < 2:
            return {"runs_waiting": len(seconds), "never": never}
        return {
            "runs_waiting": len(seconds),
            "p50": round(stand.p(seconds, 50), 2),
            "p95": round(stand.p(seconds, 95), 2),
            "max": round(max(seconds), 2),
            "max_by_kind": {kind: round(took, 1) for kind, took in sorted(worst.items())},
            "never": never,
        }


def branches_of(repository: Path) -> list[str]:
    """List the branches that MoonMind pushed to a bare repository, which may not be there."""
    if not repository.exists():
        return []
    listed = subprocess.run(
        ["git", "for-each-ref", "--format=%(refname:short)", "refs/heads/moonmind/"],
        cwd=repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return listed.stdout.split()
