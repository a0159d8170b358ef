"""Whether two ways to name a feature can mean the same one."""

from moonmind.runs.records import Run
from moonmind.speckit.feature import may_be_one


def works_on(run: Run, asked: str) -> bool:
    """Return True if the run works on what the request can mean: the feature it chose, or before that what it was asked for."""
    return may_be_one(run.feature_key or run.requested_key, asked)
