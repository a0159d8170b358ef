"""Variables that look like settings of ours and are none, most of them mistyped."""

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches

_OURS = re.compile(r"(?:MOONMIND|SPEC_WORKFLOW)_\w+", re.ASCII | re.IGNORECASE)
_PREFIX = re.compile(r"(?:MOONMIND|SPEC_WORKFLOW)_")
_OTHERS = re.compile(
    r"MOONMIND_(?:JOB|MODEL_TOKEN|NODE_REPORTER|REPORTS|UNITTEST|(?:ASKPASS|CHAOS|TEST(?!_MODE$))_\w+)"
)
"""What our programs hand to each other, and what tests and benchmarks are told."""
_LONGEST = 100


def unknown_variables(given: Iterable[str], settings: Collection[str]) -> Mapping[str, str | None]:
    """Return those of the given names that begin as settings do and are none, each with the nearest setting, if any is near.

    Like settings, they are read in small letters, too. Those that Kubernetes sets for a service of our name are left out.
    """
    names = {name for name in given if len(name) <= _LONGEST and _OURS.fullmatch(name)}
    services = [name.removesuffix("_SERVICE_HOST") for name in names if name.endswith("_SERVICE_HOST")]
    by_ending = {_PREFIX.sub("", name): name for name in settings}
    found: dict[str, str | None] = {}
    for name in sorted(names):
        upper = name.upper()
        of_service = any(name.startswith((f"{service}_SERVICE_", f"{service}_PORT")) for service in services)
        if upper not in settings and not of_service and not _OTHERS.fullmatch(upper):
            near = get_close_matches(_PREFIX.sub("", upper), by_ending, n=1)
            found[name] = by_ending[near[0]] if near else None
    return found
