"""Add up what the run did, and clean up what it no longer needs."""

import json
from collections.abc import Mapping
from typing import Any

from moonmind.engine.stage import StageDefinition
from moonmind.engine.stage_context import StageContext
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done
from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.judgement import Judgement
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.summaries import shown

VERSION = 2
SUMMARY_PATH = "finalize/summary.json"


def run(context: StageContext) -> Done:
    """Store the summary first, then remove the agent's home and the workspace; the pinned commits stay."""
    plan = Plan.from_outputs(context.result_of(Stage.DISCOVER))
    totals = _totals(plan, context.results.get(Stage.SUBMIT, {}), context.result_of(Stage.APPLY))
    published = context.result_of(Stage.PUBLISH)
    summary: dict[str, Any] = {
        **totals,
        "runId": str(context.run.id),
        "repository": plan.repository.full_name,
        "featureKey": plan.feature.path,
        "phase": plan.phase,
        "branchName": plan.branch,
        "base": plan.base,
        "startingCommit": plan.starting_commit,
        "commit": published["commit"],
        "pullRequestUrl": published["pullRequestUrl"],
        "verdicts": [Judgement.from_json(item).as_json() for item in context.result_of(Stage.APPLY)["verdicts"]],
    }
    text = context.redactor.text(json.dumps(summary, ensure_ascii=False, indent=2))
    context.artifacts.save("run_summary", SUMMARY_PATH, text.encode(), "application/json")
    context.lease.check()
    context.agent.forget(str(context.run.id))
    context.vcs.close_workspace(plan.repository.full_name, context.run.id)
    return Done(totals)


def _totals(plan: Plan, submitted: Mapping[str, Any], applied: Mapping[str, Any]) -> dict[str, Any]:
    judgements = [Judgement.from_json(item) for item in applied["verdicts"]]
    return {
        "v": VERSION,
        "tasks": len(plan.tasks),
        "ticked": list(applied["ticked"]),
        "claimed": [item.id for item in judgements if item.verdict is Verdict.CLAIMED],
        "leftOpen": [item.id for item in judgements if not item.verdict.ticks],
        "leftForPeople": list(plan.left_for_people),
        "files": len(applied["files"]),
        "added": applied["added"],
        "deleted": applied["deleted"],
        "warnings": list(applied.get("warnings", ())),
        "usage": dict(submitted.get("usage") or {}),
    }


def summary(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the task's message says: the run's totals."""
    found = shown(outputs, ("tasks", "ticked", "claimed", "leftOpen", "files", "added", "deleted"))
    return {**found, "leftOpen": outputs["unproven"]} if "unproven" in outputs else found  # an earlier program's word


STAGE = StageDefinition(run, summary=summary)
