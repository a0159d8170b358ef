"""Report what an ended run leaves to look at: its tests, tasks that were not ticked, a branch in a local repository."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.text import Text

from moonmind.cli.follow import Source
from moonmind.cli.terminal_text import one_line
from moonmind.cli.verification_display import results
from moonmind.runs.naming import accept_command
from moonmind.runs.verdict import Verdict, current_word
from moonmind.settings import Settings
from moonmind.wire import SpecWorkflowRun

_LONGEST = 1 << 20
"""Bytes; a report that is longer is not read here, only named."""


_GRAVE = {"refuse": "red", "ask": "yellow", "draft": "yellow"}
"""Severities of findings that are shown, gravest first."""
_MOST_FINDINGS = 10
_TICKED = frozenset(verdict for verdict in Verdict if verdict.ticks)


def say_leftovers(console: Console, run: SpecWorkflowRun, source: Source, settings: Settings) -> None:
    """Print what is left of an ended run; nothing where nothing is."""
    if run.status.terminal:
        path, report = _judged(run, source)
        for line in (*of_policy(report), *results(report.get("tests")), *unticked(run, path, report)):
            console.print(line, soft_wrap=True)
    if run.branch_name and settings.forge == "local":
        place = settings.local_repos.expanduser().absolute() / f"{run.repository}.git"
        command = shlex.join(["git", "--git-dir", str(place), "log", run.branch_name])
        console.print(Text.assemble(("\nshow the branch: ", "dim"), command), soft_wrap=True)


def of_policy(report: Mapping[str, Any]) -> Iterator[Text]:
    """Report what the policy found that is more than a warning."""
    found = [each for each in _list(report, "policy") if isinstance(each, dict)]
    for severity, style in _GRAVE.items():
        those = [each for each in found if each.get("severity") == severity]
        for each in those[:_MOST_FINDINGS]:
            words = f"{one_line(str(each.get('path')))}: {one_line(str(each.get('words')))}"
            yield Text.assemble((f"{severity}: ", style), words)
        if (more := len(those) - _MOST_FINDINGS) > 0:
            yield Text(f"{severity}: and {more} more such findings", style)
    if isinstance(approval := report.get("approval"), dict):
        why = one_line(str(approval.get("why") or ""))
        yield Text(f"approved by {one_line(str(approval.get('by') or 'a person'))}{f': {why}' if why else ''}")


def unticked(run: SpecWorkflowRun, path: str, report: Mapping[str, Any]) -> Iterator[Text]:
    """Report which boxes rest on the agent's word alone, and for each that stayed open why, as apply_output judged it."""
    judged = [each for each in _list(report, "verdicts") if isinstance(each, dict)]
    verdicts = {_key(each): current_word(str(each.get("verdict", ""))) for each in judged}
    left = [each for each in judged if verdicts[_key(each)] not in _TICKED or each.get("held")]
    claimed = [each for each in judged if verdicts[_key(each)] == Verdict.CLAIMED and each not in left]
    if claimed:
        yield Text(
            f"\nticked on the agent's word alone: {one_line(', '.join(str(each.get('id')) for each in claimed))}",
            "yellow",
        )
    if not left:
        return
    none = "; no box was ticked" if len(left) == len(judged) else ""
    yield Text(f"\nleft open: {len(left)} of {len(judged)} tasks{none}", "yellow")
    for each in left:
        because = one_line(str(each.get("because", ""))) or "no reason was given"
        said = one_line(str(each.get("said") or ""))
        held = one_line(str(each.get("held") or ""))
        words = (f"; {held}" if held else "") + (f" (the agent: {said})" if said else "")
        yield Text(f"  {one_line(str(each.get('id')))}  {one_line(verdicts[_key(each)])}: {because}{words}")
    if waiting := [str(each.get("id")) for each in left if each.get("held")]:
        yield Text.assemble(("  if they are done, tick them in your name: ", "dim"), accept_command(run.id, waiting))
    yield Text(f"  more in the artifact {path}, and in `moonmind logs {str(run.id)[:8]}`", "dim")


def _judged(run: SpecWorkflowRun, source: Source) -> tuple[str, Mapping[str, Any]]:
    """Return the last apply_output with its path; both are empty where there is none."""
    paths = [artifact.path for artifact in run.artifacts or [] if artifact.artifact_type == "apply_output"]
    return (paths[-1], _report(source.log(paths[-1], 0))) if paths else ("", {})


def _key(each: Mapping[str, Any]) -> str:
    return f"{each.get('line')}:{each.get('id')}"


def _list(report: Mapping[str, Any], name: str) -> list[Any]:
    found = report.get(name)
    return found if isinstance(found, list) else []


def _report(content: bytes) -> Mapping[str, Any]:
    if len(content) > _LONGEST:
        return {}
    try:
        found = json.loads(content)
    except ValueError:
        return {}  # gone by retention, or another version's: the artifacts' list still names it
    return found if isinstance(found, dict) else {}
