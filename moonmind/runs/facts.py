"""Which of a stage's outputs are facts about the run itself, shown in its row as soon as they are recorded."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

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
