"""Reads what a supervisor notes beside its result: its limits and heartbeat, and the calls of the model."""

import time
from collections.abc import Mapping
from typing import Any

from moonmind.adapters.supervisor.folder import JobFolder, read_json
from moonmind.adapters.supervisor.heartbeat import last_beat
from moonmind.adapters.supervisor.watch import outlived
from moonmind.ports.agent import JobEnd, ModelCalls


def overdue_limit(folder: JobFolder, handle: Mapping[str, Any]) -> JobEnd | None:
    """Return the limit that a running job has outlived. Supervisors of an earlier version did not note theirs."""
    if "monotonic" not in handle:
        return None
    began = float(handle["monotonic"])
    beat = last_beat(folder.heartbeat)
    limit = outlived(
        began,
        began if beat is None else beat,
        float(handle["stall_seconds"]),
        float(handle["total_seconds"]),
        time.monotonic(),
    )
    return JobEnd(limit.value) if limit else None


def calls_noted(folder: JobFolder) -> ModelCalls | None:
    """Return how often a job called the model; None where its supervisor noted nothing. Raises OSError, ValueError."""
    known = read_json(folder.calls)
    if known is None:
        return None
    return ModelCalls(int(known.get("total", 0)), int(known.get("base", 0)), bool(known.get("capped", True)))
