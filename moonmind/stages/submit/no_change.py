"""The end of an agent that changed nothing: its own reasons, or what it made that could not be taken."""

from moonmind.engine.stage_context import StageContext
from moonmind.errors import AgentError, AgentNoChange
from moonmind.runs.stored_text import storable
from moonmind.runs.verdict import Verdict
from moonmind.speckit.agent_report import read_report
from moonmind.speckit.evidence import denials
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import Judgement
from moonmind.stages.kit.unticked import no_progress_error
from moonmind.stages.submit.work_capture import Captured

_SHOWN = 10


def error_of(context: StageContext, plan: Plan, captured: Captured, report: str) -> AgentError:
    """Return the error of an agent that changed nothing: the reasons that it gives, where it says what is not done."""
    nothing = _nothing(context, plan, captured)
    not_done, reasons = denials(report), read_report(report).reasons
    judged = [
        Judgement(task.id, task.line, Verdict.OPEN, "the agent says it is not done", said=reasons.get(task.id, ""))
        if task.id in not_done
        else Judgement(task.id, task.line, Verdict.OPEN, "no file was changed", said=reasons.get(task.id, ""))
        for task in plan.tasks
    ]
    if not_done.isdisjoint(task.id for task in plan.tasks):
        return AgentNoChange(f"{nothing}{_said(report)}")
    error = no_progress_error(plan, judged, published=False)
    error.message = f"{error.message} {nothing}"
    return error


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
