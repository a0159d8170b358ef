"""Say what an ended run leaves to look at: tasks that were not ticked, and a branch in a local repository."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from moonmind.cli.follow import Source
from moonmind.cli.plain import one_line
from moonmind.settings import Settings
from moonmind.wire import SpecWorkflowRun

_LONGEST = 1 << 20
"""Bytes; a report that is longer is not read here, only named."""


def say_leavings(console: Console, run: SpecWorkflowRun, source: Source, settings: Settings) -> None:
    """Print what is left of an ended run; nothing where nothing is."""
    if run.status.terminal:
        for line in unticked(run, source):
            console.print(line, soft_wrap=True)
    if run.branch_name and settings.forge == "local":
        place = settings.local_repos.expanduser().absolute() / f"{run.repository}.git"
        command = shlex.join(["git", "--git-dir", str(place), "log", run.branch_name])
        console.print(Text.assemble(("\nlook at the branch: ", "dim"), command), soft_wrap=True)


def unticked(run: SpecWorkflowRun, source: Source) -> Iterator[Text]:
    """Say for each task whose box was not ticked why not, as the run's apply_output judged it."""
    paths = [artifact.path for artifact in run.artifacts or [] if artifact.artifact_type == "apply_output"]
    if not paths:
        return
    report = _report(source.log(paths[-1], 0))
    ids, judged = report.get("unproven"), report.get("verdicts")
    if not isinstance(ids, list) or not ids or not isinstance(judged, list):
        return
    reasons = {
        str(each.get("id")): (str(each.get("verdict", "")), str(each.get("because", "")))
        for each in judged
        if isinstance(each, dict)
    }
    none = "" if report.get("ticked") else "; no box was ticked"
    yield Text(f"\nnot proven: {len(ids)} of {len(judged)} tasks{none}", "yellow")
    for key in map(str, ids):
        verdict, because = reasons.get(key, ("unproven", ""))
        yield Text(f"  {one_line(key)}  {one_line(verdict)}: {one_line(because) or 'no reason was given'}")
    yield Text(f"  more in the artifact {paths[-1]}, and in `moonmind logs {str(run.id)[:8]}`", "dim")


def _report(content: bytes) -> Mapping[str, Any]:
    if len(content) > _LONGEST:
        return {}
    try:
        found = json.loads(content)
    except ValueError:
        return {}  # gone by retention, or another version's: the artifacts' list still names it
    return found if isinstance(found, dict) else {}
