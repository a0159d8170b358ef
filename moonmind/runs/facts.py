"""What a run's row shows as soon as a stage records it: facts among its outputs, and what the model was used for."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

COUNT, CAPPED = "modelCalls", "modelCallsCapped"
"""Names in the column `usage`, beside the tokens."""
RUN_FACTS: Mapping[str, str] = MappingProxyType(
    {
        "featureKey": "feature_key",
        "phase": "phase",
        "branchName": "branch",
        "pullRequestUrl": "pull_request_url",
        "codexTaskId": "codex_task_id",
        "codexLogsPath": "codex_logs_path",
        "usage": "usage",
        "jobKey": "job_key",
    }
)
"""From the output's name to the run's column."""


def facts_of(outputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """Pick the run's columns out of a stage's outputs; absent and None values leave a column as it is."""
    found = outputs or {}
    return {column: found[name] for name, column in RUN_FACTS.items() if found.get(name) is not None}


def model_calls(usage: Mapping[str, Any] | None) -> tuple[int | None, bool | None]:
    """Return a run's number of calls and whether they were limited, None each where that is not known."""
    found = usage or {}
    return found.get(COUNT), found.get(CAPPED)


def tokens_of(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the tokens of a run's usage; None where none were reported."""
    found = {name: count for name, count in (usage or {}).items() if name not in (COUNT, CAPPED)}
    return found or None
