"""The end of an agent that changed nothing: its own reasons, or what it made that could not be taken."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from moonmind.engine.stage_context import StageContext
from moonmind.errors import AgentError, AgentNoChange, Unexpected
from moonmind.runs.stored_text import storable
from moonmind.runs.verdict import Verdict
from moonmind.speckit.agent_report import read_report
from moonmind.speckit.evidence import claims, denials
from moonmind.speckit.people_tasks import who
from moonmind.speckit.spec_tasks import SpecTask
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement
from moonmind.stages.kit.unticked import no_progress_error
from moonmind.stages.submit.work_capture import Captured

_SHOWN = 10


def error_of(context: StageContext, plan: Plan, captured: Captured, report: str) -> AgentError:
    """Return the error of an agent that changed nothing.

    It is NoProgress, with a reason for each task, where the agent says of one whether it is done, or where there is nothing to
    change for one; else AgentNoChange. A retry of either asks the agent again.
    """
    nothing = _nothing(context, plan, captured)
    path = plan.feature.tasks_path
    before = context.vcs.read(plan.repository.full_name, plan.starting_commit, path)
    if before is None:
        raise Unexpected(f"{path} is not in the starting commit {plan.starting_commit[:12]} any more")
    file = read_tasks(before, name=path)
    tasks = plan.spec_tasks(file)
    word = _Word(denials(report), claims(file, None, report), read_report(report).reasons)
    if not any(task.reasons or task.id in word.not_done or task.id in word.done for task in tasks):
        return AgentNoChange(f"{nothing}{_said(report)}")
    judged = [
        Judgement(task.id, task.line, Verdict.OPEN, _because(task, word), said=word.reasons.get(task.id, ""))
        for task in tasks
    ]
    error = no_progress_error(plan, judged, context.run.id)
    error.message = f"{error.message} {nothing}" + ("" if any(one.said for one in judged) else _said(report))
    return error


@dataclass(frozen=True, slots=True)
class _Word:
    """What the agent says: which tasks are not done and which are, and the reasons."""

    not_done: Collection[str]
    done: Collection[str]
    reasons: Mapping[str, str]


def _because(task: SpecTask, word: _Word) -> str:
    if task.id in word.not_done:
        return "the agent says it is not done"
    if task.reasons:
        return f"no agent's: {who(task.reasons[0])} ({task.reasons[0]})"
    return "the agent says it is done, and changed no file" if task.id in word.done else "no file was changed"


def _said(report: str) -> str:
    words = report.strip()[-2000:]
    return f" It said: {words}" if words else " It said nothing."


def _nothing(context: StageContext, plan: Plan, captured: Captured) -> str:
    """Report that nothing changed, or what was made and could not be taken, each with the rule."""
    repository = plan.repository.full_name
    workspace = context.vcs.find_workspace(repository, context.run.id)
    found = list(captured.left_out)
    if workspace is not None:
        seen = {item.path for item in found}
        found += [item for item in context.vcs.hidden(repository, context.run.id, workspace) if item.path not in seen]
    if not found:
        return "The agent ended without changing a file."
    shown = "; ".join(f"{item.path}: {item.words}" for item in found[:_SHOWN])
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return storable(f"The agent changed nothing that can be taken. {shown}{more}.")
