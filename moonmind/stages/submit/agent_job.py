"""The job that a submit attempt is at; derived from what is recorded, so that a re-claim finds it."""

from dataclasses import dataclass, replace

from moonmind.engine.stage_context import StageContext
from moonmind.runs import naming
from moonmind.runs.chain import Stage
from moonmind.stages.kit.operator_notes import new_notes
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import EnvironmentUse, SubmitCheckpoint


@dataclass(frozen=True, slots=True)
class SubmitJob:
    """One job of a submit attempt: the attempt's own, or an earlier attempt's that only waits to be taken over."""

    key: str
    checkpoint: SubmitCheckpoint
    """What the attempt before, or an earlier claim of this one, left."""
    goes_on: bool
    """The checkpoint belongs to the present plan: another phase or another start begins afresh."""
    spent: int
    """Jobs of this attempt that are over although it goes on: a quota's reset needs a fresh one."""

    @property
    def before(self) -> SubmitCheckpoint:
        """Return what was left of the same plan; nothing where the plan is another one."""
        return self.checkpoint if self.goes_on else SubmitCheckpoint()

    def within(self, uses: tuple[EnvironmentUse, ...], image: str | None) -> "SubmitJob":
        """Return the job in these environments, of a repository that names this image."""
        return replace(self, checkpoint=self.checkpoint.model_copy(update={"environments": uses, "image": image}))

    @property
    def label(self) -> str:
        """Return `<attempt>`, with `.<k>` for its k-th further job: what the job's artifacts are named by."""
        return self.key.rpartition("-")[2]

    @property
    def log_path(self) -> str:
        """Return the artifact that the job's log grows into."""
        return f"codex/attempt-{self.label}.jsonl"


def of(context: StageContext) -> SubmitJob:
    """Return the job that the attempt is at. Reads no more of the plan than it has to: it is stopped by this, too."""
    kept = context.resumes(SubmitCheckpoint)
    plan = context.results.get(Plan.stage, {})
    goes_on = kept.starting_commit is not None and (kept.starting_commit, kept.phase) == (
        plan.get("startingCommit"),
        plan.get("phase"),
    )
    spent = kept.spent_jobs if kept.attempt == context.attempt.number else 0
    if kept.finished_job and goes_on and not new_notes(context, kept.notes_mark):
        key = kept.finished_job
    else:
        suffix = f".{spent}" if spent else ""
        key = naming.job_key(context.run.id, Stage.SUBMIT, context.attempt.number) + suffix
    return SubmitJob(key, kept, goes_on, spent)
