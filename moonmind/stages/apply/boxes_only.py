"""A run of kind `ticks`: its change is the boxes of the tasks that a person accepted, and nothing else."""

import json

from moonmind.engine.stage_context import StageContext
from moonmind.errors import SecretFound, Unexpected
from moonmind.runs.machine import Done
from moonmind.runs.stored_text import storable
from moonmind.runs.verdict import Verdict
from moonmind.stages.apply.commit_message import commit_message, subject
from moonmind.stages.kit import pull_request_text
from moonmind.stages.kit.harmless_text import one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.restored_work import ensure_start
from moonmind.stages.kit.stage_results import ApplyResult, Judgement

WHY_LENGTH = 500
"""Characters of a person's reason."""
NO_AGENT = "no agent was asked; a person accepted the boxes"


def tick_boxes(context: StageContext, plan: Plan, feature_title: str, output_path: str) -> Done:
    """Make the commit that ticks the plan's tasks; repeating it makes the same commit."""
    ensure_start(context, plan)
    repository, tasks_path = plan.repository.full_name, plan.feature.tasks_path
    before = context.vcs.read(repository, plan.starting_commit, tasks_path)
    if before is None:
        raise Unexpected(f"{tasks_path} is not in the starting commit {plan.starting_commit[:12]} any more")
    by = _accepted_by(context)
    judgements = tuple(
        Judgement(task.id, task.line, Verdict.ACCEPTED, "; ".join(filter(None, (by, plan.evidence.get(task.key, "")))))
        for task in plan.tasks
    )
    message = commit_message(plan, judgements, context.run.id)
    if context.redactor.holds_known(message.encode()):
        raise SecretFound("The commit message would hold a known secret: it stands in a path.")
    commit = context.vcs.commit(
        repository,
        tree_of=plan.starting_commit,
        parent=plan.starting_commit,
        replace={tasks_path: plan.ticked(before, judgements)},
        message=message,
        when=context.run.created_at,
    )
    done = ApplyResult(
        verdicts=judgements,
        ticked=tuple(task.id for task in plan.tasks),
        files=(),
        added=0,
        deleted=0,
        warnings=plan.warnings,
        verification=NO_AGENT,
        commit=commit,
        message=message,
        committed_at=context.run.created_at,
        title=pull_request_text.title(plan, feature_title),
        feature_title=feature_title,
        summary=subject(plan, judgements),
    )
    text = context.redactor.text(json.dumps(done.stored(), ensure_ascii=False, indent=2))
    context.artifacts.save("apply_output", output_path, text.encode(), "application/json")
    return Done(done.stored())


def _accepted_by(context: StageContext) -> str:
    """Return who accepted the boxes, when, and why; the same words whenever the stage is repeated."""
    run = context.run
    who = f"by {one_line(run.started_by, 100)} " if run.started_by else ""
    why = (run.selection or {}).get("why")
    reason = f': "{one_line(str(why), WHY_LENGTH)}"' if why else ""
    return storable(f"{who}on {run.created_at:%Y-%m-%d %H:%M} UTC{reason}")
