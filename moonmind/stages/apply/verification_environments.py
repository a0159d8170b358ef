"""What a phase's tests need, for the jobs that run them: as the agent had it, and built again where it was removed since."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from moonmind.engine.environment_orders import RepositoryEnvironments
from moonmind.engine.stage_context import StageContext
from moonmind.errors import VcsRefused
from moonmind.ports.environments import BuildState, EnvironmentStatus, WorkEnvironment
from moonmind.proof.environments.environment_value import environments_for
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyCheckpoint, SubmitResult


@dataclass(frozen=True, slots=True)
class TestEnvironments:
    """What is lent to test jobs."""

    __test__ = False

    lent: tuple[WorkEnvironment, ...] = ()
    waits_for: str | None = None
    """The key of a build that has to end before."""
    problem: str = ""
    """Why there is not all that the agent had."""
    mishap: str = ""
    """The build that failed because the sandbox was not there or ended under it: another may go well. Empty with any other reason."""


def environments_of(
    context: StageContext, plan: Plan, submitted: SubmitResult, merged: str, changed: Iterable[str]
) -> TestEnvironments:
    """Return what the agent worked in; `merged` is the commit of the base whose `.moonmind.yml` counts.

    A build is started for what is not there any more: it may have been removed to make room, or the host's tools changed. A
    further attempt takes what `.moonmind.yml` asks for by then, for the files that `changed`, and tries again what failed before. So does
    one that was suspended because of a mishap.
    Raises RecipeUnreadable, SandboxFailed, SandboxUnavailable, AgentUnknown, VcsError.
    """
    had = {use.root for use in submitted.environments if use.key and not use.problem}
    environments, retried = context.environments, context.attempt.number > 1
    if environments is None or not (had or retried):
        return TestEnvironments()
    again = context.resumes(ApplyCheckpoint).build_again
    repository = _repository(context, plan, submitted, merged)
    found = repository.plan()
    anew = environments_for(found.environments, changed) if retried and found.declared else ()
    asked = [one for one in found.environments if one.root in had or (one in anew and not one.empty)]
    lent = []
    for order in repository.orders([replace(one, image=submitted.image) for one in asked], str(context.run.id)):
        key = environments.key(order)
        if key is None:
            return TestEnvironments()
        status = environments.look(key)
        if status.state is BuildState.ABSENT or _failed_before(context, status, again):
            context.lease.check()
            status = environments.build(order)
        if status.state is BuildState.FAILED:
            why = storable(context.redactor.text(status.message)).strip()
            gone = (
                "was removed, and could not be set up again" if order.environment.root in had else "could not be set up"
            )
            return TestEnvironments(
                problem=f"what the tests need {gone}: {why}", mishap=(status.job or "") if status.by_sandbox else ""
            )
        if status.state is not BuildState.READY:
            return TestEnvironments(waits_for=status.job)
        lent.append(WorkEnvironment(key, order.environment.start))
    return TestEnvironments(tuple(lent))


def _failed_before(context: StageContext, status: EnvironmentStatus, again: str | None) -> bool:
    """Return True for a build that failed before a further attempt began, which builds anew, and for the one to begin `again`."""
    if status.state is not BuildState.FAILED:
        return False
    if again is not None and status.job == again:
        return True
    failed = status.failed_at
    return failed is not None and context.attempt.number > 1 and failed < context.attempt.created_at


def _repository(context: StageContext, plan: Plan, submitted: SubmitResult, merged: str) -> RepositoryEnvironments:
    """Return what is needed at the commit that the agent's environment was of."""
    name = plan.repository.full_name
    try:
        return RepositoryEnvironments(context.vcs, name, submitted.rebuilt or plan.starting_commit, merged)
    except VcsRefused:  # on a host that never had that work
        return RepositoryEnvironments(context.vcs, name, plan.starting_commit, merged)
