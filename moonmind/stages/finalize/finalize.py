"""Add up what the run did, and clean up what it no longer needs."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, ClassVar, Literal

from moonmind.engine.stage import StageDefinition, shown
from moonmind.engine.stage_context import StageContext
from moonmind.engine.stage_state import StageResult
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, Outcome
from moonmind.runs.repetition import RetryHelps
from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, PublishResult, SubmitResult
from moonmind.stages.kit.unticked import no_progress_error

SUMMARY_PATH = "finalize/summary.json"


class FinalizeResult(StageResult):
    """The run's totals."""

    stage: ClassVar[Stage] = Stage.FINALIZE
    version: ClassVar[int] = 2

    v: Literal[2] = 2
    tasks: int
    ticked: tuple[str, ...]
    claimed: tuple[str, ...]
    left_open: tuple[str, ...]
    left_for_people: tuple[str, ...]
    files: int
    added: int
    deleted: int
    warnings: tuple[str, ...]
    usage: Mapping[str, Any]


def run(context: StageContext) -> Outcome:
    """Store the summary first, then remove the agent's home and the workspace; the pinned commits stay.

    A run that ticked nothing has failed, though its pull request is there: what it changed may be of use.
    """
    plan, applied, published = context.result(Plan), context.result(ApplyResult), context.result(PublishResult)
    totals = _totals(plan, SubmitResult.of(context.results), applied).stored()
    summary: dict[str, Any] = {
        **totals,
        "runId": str(context.run.id),
        "repository": plan.repository.full_name,
        "featureKey": plan.feature.path,
        "phase": plan.phase,
        "branchName": plan.branch,
        "base": plan.base,
        "startingCommit": plan.starting_commit,
        "commit": published.commit,
        "pullRequestUrl": published.pull_request_url,
        "verdicts": [asdict(item) for item in applied.verdicts],
    }
    text = context.redactor.text(json.dumps(summary, ensure_ascii=False, indent=2))
    context.artifacts.save("run_summary", SUMMARY_PATH, text.encode(), "application/json")
    context.lease.check()
    context.agent.forget(str(context.run.id))
    context.vcs.close_workspace(plan.repository.full_name, context.run.id)
    if not applied.ticked and not any(item.held for item in applied.verdicts):
        return Failed(no_progress_error(plan, applied.verdicts, context.run.id, helps=RetryHelps.NEVER).info())
    return Done(totals)


def _totals(plan: Plan, submitted: SubmitResult | None, applied: ApplyResult) -> FinalizeResult:
    return FinalizeResult(
        tasks=len(applied.verdicts),
        ticked=applied.ticked,
        claimed=tuple(item.id for item in applied.verdicts if item.verdict is Verdict.CLAIMED),
        left_open=tuple(item.id for item in applied.verdicts if not item.ticks),
        left_for_people=tuple(one for one in plan.left_for_people if one not in applied.ticked),
        files=len(applied.files),
        added=applied.added,
        deleted=applied.deleted,
        warnings=applied.warnings,
        usage=(submitted.usage if submitted is not None else None) or {},
    )


def summary(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the task's message says: the run's totals."""
    found = shown(outputs, ("tasks", "ticked", "claimed", "leftOpen", "files", "added", "deleted"))
    return {**found, "leftOpen": outputs["unproven"]} if "unproven" in outputs else found  # an earlier program's word


STAGE = StageDefinition(run, summary=summary)
