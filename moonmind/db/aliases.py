"""Whether two ways to name a feature can mean the same one."""

from moonmind.db.records import Run
from moonmind.speckit.feature import TASKS, Feature, matches, normalise_key


def same_feature(stored: str, asked: str) -> bool:
    """Tell whether a stored key and a requested one can mean one feature; an empty key names none."""
    return _names(stored, asked) or _names(asked, stored)


def works_on(run: Run, asked: str) -> bool:
    """Tell whether the run works on, or was asked for, what the request can mean."""
    return any(key and same_feature(key, asked) for key in (run.feature_key, run.requested_key))


def _names(folder: str, asked: str) -> bool:
    key = normalise_key(folder)
    path = folder if "/" in folder else f"specs/{key}"
    return bool(key) and matches(Feature(key, path, f"{path}/{TASKS}"), asked)
