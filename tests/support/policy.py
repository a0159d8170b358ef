"""The policy on a few changed paths, with everything but the point of the test filled in."""

from collections.abc import Iterable, Mapping

from moonmind.ports.vcs import Change
from moonmind.proof.policy.asked_paths import AskedPaths, Named
from moonmind.proof.policy.package_scripts import MANIFESTS
from moonmind.proof.policy.patch_policy import PatchFacts, judge
from moonmind.proof.policy.policy_rules import PolicySettings
from moonmind.runs.findings import Finding

FEATURE = "specs/x"
TASKS = f"{FEATURE}/tasks.md"
DEFAULTS = PolicySettings()


def found(
    *changes: Change,
    sizes: Mapping[str, int] | None = None,
    there: Iterable[str] = (),
    asked: Iterable[Named] = (),
    files: Mapping[str, tuple[str | None, str | None]] | None = None,
    attributes: Mapping[str, Mapping[str, str]] | None = None,
    settings: PolicySettings = DEFAULTS,
) -> tuple[Finding, ...]:
    """Judge changes of a repository that holds the files `there`, too; `files` are contents before and after."""
    tree = dict.fromkeys(there, 100) | {one.path: 100 for one in changes if one.status != "D"} | dict(sizes or {})
    whole = {*tree, *(one.path for one in changes)}
    contents = files or {}

    def read(after: bool, path: str) -> bytes | None:
        plain = "" if path.rpartition("/")[2] in MANIFESTS else None
        text = contents.get(path, (None, plain))[after]
        return None if text is None else text.encode()

    return judge(
        PatchFacts(changes, tree, TASKS, FEATURE, AskedPaths(asked, tree=whole), attributes or {}, read), settings
    )
