"""What the tests of a phase need: found in the repository, built once on this host, and ready before an agent is started."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from moonmind.engine.environment_orders import RepositoryEnvironments
from moonmind.engine.lease import LeaseLost, StopRequested
from moonmind.engine.stage_context import StageContext
from moonmind.errors import (
    EnvironmentFailed,
    ImageNotAllowed,
    MoonMindError,
    RecipeUnreadable,
    SandboxUnavailable,
    VcsRefused,
)
from moonmind.ports.environments import BuildState, EnvironmentOrder, EnvironmentStatus, WorkEnvironment
from moonmind.proof.environments.environment_value import Environment, environments_for
from moonmind.runs import naming
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import EnvironmentUse, SubmitCheckpoint
from moonmind.stages.submit.agent_job import SubmitJob
from moonmind.stages.submit.prompt_inputs import places_in_tree

log = structlog.get_logger(__name__)

_LOG_BYTES = 1 << 20
_MOST_IMAGES = 5
_MOST_BUILDS = 5
"""Of one environment for one attempt: their supervisors are killed, one after the other."""
_NOT_AGAIN = timedelta(hours=1)
"""A build that no `.moonmind.yml` asks for, and that failed, is left alone for so long: many fail slowly, without a network."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """Where the environments of a phase stand."""

    uses: tuple[EnvironmentUse, ...] = ()
    image: str | None = None
    """The image that the repository names for the phase's jobs."""
    waits_for: tuple[str, ...] = ()
    """Keys of the jobs that have to end before an agent can be started."""

    @property
    def lent(self) -> tuple[WorkEnvironment, ...]:
        """Return the environments that are lent."""
        return tuple(WorkEnvironment(use.key, use.start) for use in self.uses if use.key and not use.problem)


def prepare(context: StageContext, plan: Plan, job: SubmitJob) -> Prepared:
    """Look at the environments that the phase needs, and start the builds of those that are not there.

    Raises RecipeUnreadable, ImageNotAllowed, EnvironmentFailed where one that `.moonmind.yml` asks for cannot be built, and SandboxUnavailable
    where the sandbox ended under a build. One that the build files only suggest is done without if its setup fails.
    """
    environments = context.environments
    if environments is None:
        return Prepared()
    if not context.agent.takes_environments():
        return Prepared(image=_unused_image(context, plan, job))
    repository = _where_it_works(context, plan, job)
    found = repository.plan()
    if not found.declared and context.only_declared_environments:
        return Prepared()
    needed = _needed(plan, found.environments, repository.files)
    image = _image_of(needed, only_one=environments.takes_images())
    waited_for = _waited_for(context, job)
    uses, waits_for = [], []
    # A job has one image: what it is lent was built in the same.
    asked = [replace(one, image=image) for one in needed if not one.empty]
    for order in repository.orders(asked, str(context.run.id)):
        key = environments.key(order)
        if key is None:
            return Prepared(image=image)
        status = _standing(context, order, key, waited_for, declared=found.declared)
        match status.state:
            case BuildState.READY:
                _keep_log(context, order.environment, status, since=waited_for)
                uses.append(_use(order, status))
            case BuildState.FAILED:
                # One that the agent's own change broke is for the agent to fix.
                uses.append(_without(context, order, status, ends=found.declared and job.before.rebuilt is None))
            case _ if status.job is not None:
                waits_for.append(status.job)
    return Prepared(tuple(uses), image, tuple(waits_for))


def changed_needs(context: StageContext, plan: Plan, job: SubmitJob, wip: str) -> tuple[str, ...]:
    """Return the key files that the agent changed, and with them what its tests need: once in an attempt."""
    if context.environments is None or not context.agent.takes_environments():
        return ()
    if job.before.rebuilt_in == context.attempt.number:
        return ()
    after = _at(context, plan, wip)
    found = after.plan()
    if not found.declared and context.only_declared_environments:
        return ()
    needed = [one for one in _needed(plan, found.environments, after.files) if not one.empty]
    before = _where_it_works(context, plan, job)
    new, old = after.key_files(needed), before.key_files(needed)
    return tuple(sorted(path for path in {*new, *old} if new.get(path) != old.get(path)))


def _standing(
    context: StageContext, order: EnvironmentOrder, key: str, waited_for: Sequence[str], *, declared: bool
) -> EnvironmentStatus:
    """Return where an environment stands, once a build is under way if one is needed."""
    assert context.environments is not None  # noqa: S101 - asked by the caller
    status = context.environments.look(key)
    if status.state is BuildState.ABSENT and _builds_of(key, waited_for) >= _MOST_BUILDS:
        return EnvironmentStatus(key, BuildState.FAILED, message=f"{_MOST_BUILDS} builds ended without a result")
    if status.state is BuildState.ABSENT or _to_be_built_again(status, waited_for, declared=declared):
        return _built(context, order, key, declared=declared)
    return status


def _image_of(needed: Sequence[Environment], *, only_one: bool) -> str | None:
    """Return the image that the phase's environments name. Raises ImageNotAllowed where one job would have to have several."""
    named = {one.image: one.root for one in needed if one.image is not None}
    if only_one and len(named) > 1:
        listed = ", ".join(f"{image} ({root})" for image, root in list(named.items())[:_MOST_IMAGES])
        raise ImageNotAllowed(
            f"The phase works in {len(named)} environments of different images: {listed}. An agent has one image.",
            remediation="Name one image that has the tools of all of them in .moonmind.yml, push, then retry the run.",
        )
    return next(iter(named), None)


def _unused_image(context: StageContext, plan: Plan, job: SubmitJob) -> str | None:
    """Return the image that the repository names where nothing of its recipe is used, so that people hear of it."""
    try:
        repository = _where_it_works(context, plan, job)
        return _image_of(_needed(plan, repository.plan().environments, repository.files), only_one=False)
    except (RecipeUnreadable, VcsRefused) as error:
        log.warning("environment.image_not_read", error=error.message)
        return None


def waiting(kept: SubmitCheckpoint, prepared: Prepared, attempt: int) -> SubmitCheckpoint:
    """Return the checkpoint of a run that waits for builds: it names them, the first as the job that it waits for."""
    # All of this attempt: whose end was seen is not built again because another one is waited for now.
    builds = tuple(dict.fromkeys((*kept.builds, *prepared.waits_for)))
    return kept.model_copy(update={"job_key": prepared.waits_for[0], "builds": builds, "attempt": attempt})


def _waited_for(context: StageContext, job: SubmitJob) -> tuple[str, ...]:
    """Return the builds that this attempt has waited for: it takes their end as it is, another attempt builds anew."""
    return job.checkpoint.builds if job.checkpoint.attempt == context.attempt.number else ()


def _built(context: StageContext, order: EnvironmentOrder, key: str, *, declared: bool) -> EnvironmentStatus:
    """Start a build; of what is only suggested, one that cannot even be started has failed."""
    assert context.environments is not None  # noqa: S101 - asked by the caller
    context.lease.check()
    try:
        return context.environments.build(order)
    except (LeaseLost, StopRequested):
        raise
    except MoonMindError as error:
        if declared or error.retryable:
            raise
        return EnvironmentStatus(key, BuildState.FAILED, message=error.message)


def _builds_of(key: str, jobs: Collection[str]) -> int:
    return sum(1 for job in jobs if naming.is_build_of(job, key))


def _where_it_works(context: StageContext, plan: Plan, job: SubmitJob) -> RepositoryEnvironments:
    """Return what is needed at the commit that the agent's present environment is of: where it changed that, its own."""
    if job.before.rebuilt is not None:
        try:
            return _at(context, plan, job.before.rebuilt)
        except VcsRefused:  # on a host that never had the work, or has it under another commit
            log.warning("environment.not_of_the_change", commit=job.before.rebuilt)
    return _at(context, plan, plan.starting_commit)


def _at(context: StageContext, plan: Plan, commit: str) -> RepositoryEnvironments:
    repository = plan.repository.full_name
    merged = plan.starting_commit
    if plan.branch_tip is not None:
        merged = context.vcs.branches(repository).get(plan.base, merged)
    return RepositoryEnvironments(context.vcs, repository, commit, merged)


def _needed(plan: Plan, environments: Sequence[Environment], files: Collection[str]) -> tuple[Environment, ...]:
    """Return those that the phase's files need; of a phase that names no file, those of its feature's project."""
    asked = [one for one in environments if not one.empty or one.image is not None]
    named = places_in_tree(plan.targets, plan.feature.root, files)
    needed = environments_for(asked, (path.rstrip("/") for path in named.values()))
    root = f"{plan.feature.root}/" if plan.feature.root else ""
    return needed or environments_for(asked, [f"{root}tasks.md"])


def _to_be_built_again(status: EnvironmentStatus, waited_for: Sequence[str], *, declared: bool) -> bool:
    """Return True for a failed build that is tried once more: what was only suggested is not, for a while, in each run."""
    if status.state is not BuildState.FAILED or status.job in waited_for:
        return False
    return (
        declared or status.by_sandbox or status.failed_at is None or datetime.now(UTC) - status.failed_at > _NOT_AGAIN
    )


def _use(order: EnvironmentOrder, status: EnvironmentStatus) -> EnvironmentUse:
    one = order.environment
    return EnvironmentUse(
        root=one.root, key=status.key, setup=one.setup, start=one.start, seconds=round(status.seconds, 1)
    )


def _without(
    context: StageContext, order: EnvironmentOrder, status: EnvironmentStatus, *, ends: bool
) -> EnvironmentUse:
    one = order.environment
    message = storable(context.redactor.text(status.message)).strip()
    path = _save_log(context, one, status)
    where = "" if one.root == "." else f" of {one.root}"
    read = f" The whole log is the artifact {path}." if path else ""
    if status.by_sandbox:
        raise SandboxUnavailable(
            f"The environment{where} could not be built to its end: {message}.{read}", root=one.root
        )
    if ends:
        raise EnvironmentFailed(f"The environment{where} cannot be set up: {message}.{read}", root=one.root)
    return EnvironmentUse(root=one.root, setup=one.setup, problem=message or "its setup failed")


def _keep_log(
    context: StageContext, environment: Environment, status: EnvironmentStatus, *, since: Sequence[str]
) -> None:
    """Keep the log of a build with the run that waited for it."""
    if since:
        _save_log(context, environment, status)


def _save_log(context: StageContext, environment: Environment, status: EnvironmentStatus) -> str | None:
    if status.log is None:
        return None
    try:
        data = _end_of(status.log)
    except OSError:
        return None  # removed with the environment just now
    name = "root" if environment.root == "." else naming.path_slug(environment.root)
    path = f"environment/{context.attempt.number}-{name}.log"
    context.artifacts.save("environment_log", path, data, "text/plain; charset=utf-8")
    return path


def _end_of(log: Path) -> bytes:
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _LOG_BYTES))
        return file.read()
