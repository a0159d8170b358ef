"""A forced start: what an earlier run of the feature left for the stages that are skipped, or why there is nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from moonmind.db.unit_of_work import UnitOfWork
from moonmind.engine.stage import Stages, StartingPoint
from moonmind.errors import InvalidRequest, NothingToResume
from moonmind.runs import naming
from moonmind.runs.chain import FIRST, STAGES, Stage
from moonmind.runs.facts import facts_of
from moonmind.runs.records import Artifact, NewRun, Run

Outputs = Mapping[Stage, Mapping[str, Any]]

_SHOWN = frozenset({"phase", "branch", "codex_task_id"})
"""The facts that hold for the new run too. Its usage, job and log are its own, and it has none yet."""


@dataclass(frozen=True, slots=True)
class Left:
    """A forced run as it is to be created, and the artifacts to copy for it: its patches are among them."""

    new: NewRun
    artifacts: tuple[Artifact, ...]


def left_for(uow: UnitOfWork, new: NewRun, stage: Stage, stages: Stages) -> Left:
    """Find the newest ended run of the feature that left all that the stage starts from.

    The feature is the one that its newest plan is about. A newer plan with another starting commit makes what was left
    before it useless: a branch that moved takes no commit made on its old tip. Raises NothingToResume.
    """
    _refuse_several(uow, new)
    needed = STAGES[: stage.position]
    files = any(stages[each].leaves_files for each in needed)
    newest: StartingPoint | None = None
    short: list[str] = []
    for earlier in uow.runs.ended(naming.repository_key(new.repository), new.requested_key):
        if earlier.kind != new.kind:
            continue  # what a run of ticks left is nothing for an agent
        outputs = uow.attempts.results(earlier.id)
        start = stages[FIRST].starting_point(outputs.get(FIRST, {}))
        if start is None:
            continue
        newest = newest or start
        if start.feature_key != newest.feature_key:
            continue
        if any(stages[each].publishes for each in outputs):
            # Its commit is the branch's tip by now: nothing that starts where it started could be published again.
            raise _nothing(stage, f"run {earlier.id} has already published them; start a new run for the next phase")
        lacks = _lacks(earlier, outputs, needed, files=files)
        if lacks:
            short = short or lacks
            continue
        if start.commit != newest.commit:
            raise _nothing(
                stage,
                f"run {earlier.id} has them, but for commit {start.commit[:12]}; a later run of this feature "
                f"started from {newest.commit[:12]}",
            )
        artifacts = tuple(uow.artifacts.list(earlier.id)) if files else ()
        return Left(_new(new, stage, {each: outputs[each] for each in needed}), artifacts)
    raise _nothing(stage, f"missing: {', '.join(short)}" if short else "")


def _refuse_several(uow: UnitOfWork, new: NewRun) -> None:
    """Raise InvalidRequest where the request's key fits ended runs of several features; a path names one."""
    if not new.requested_key:
        return
    ended = uow.runs.ended(naming.repository_key(new.repository), new.requested_key)
    paths = sorted({one.feature_key for one in ended if one.feature_key})
    if len(paths) > 1:
        raise InvalidRequest(
            f"{new.requested_key!r} matches ended runs of {len(paths)} features: {', '.join(paths[:20])}",
            field="featureKey",
            remediation=f"Give the path of one as featureKey, for example {paths[0]}.",
        )


def _lacks(earlier: Run, outputs: Outputs, needed: tuple[Stage, ...], *, files: bool) -> list[str]:
    missing = [each.value for each in needed if each not in outputs]
    if not missing and earlier.pruned_at is not None and files:
        return ["files, which retention has deleted"]
    return missing


def _new(new: NewRun, stage: Stage, outputs: Outputs) -> NewRun:
    facts: dict[str, Any] = {}
    for each in outputs.values():
        facts |= facts_of(each)
    shown = {column: value for column, value in facts.items() if column in _SHOWN}
    return replace(new, stage=stage, results=outputs, feature_key=facts["feature_key"], facts=shown)


def _nothing(stage: Stage, why: str) -> NothingToResume:
    return NothingToResume(
        f"no ended run of this feature has the results that {stage} starts from" + (f" ({why})" if why else ""),
        forcePhase=stage.value,
    )
