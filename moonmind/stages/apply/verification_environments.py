"""What a phase's tests need, for the jobs that run them: as the agent had it, and built again where it was removed since."""

from dataclasses import dataclass, replace

from moonmind.engine.environment_orders import RepositoryEnvironments
from moonmind.engine.stage_context import StageContext
from moonmind.errors import VcsRefused
from moonmind.ports.environments import BuildState, WorkEnvironment
from moonmind.runs.stored_text import storable
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import SubmitResult


@dataclass(frozen=True, slots=True)
class TestEnvironments:
    """What is lent to test jobs."""

    __test__ = False

    lent: tuple[WorkEnvironment, ...] = ()
    waits_for: str | None = None
    """The key of a build that has to end before."""
    problem: str = ""
    """Why there is not all that the agent had."""


def environments_of(context: StageContext, plan: Plan, submitted: SubmitResult, merged: str) -> TestEnvironments:
    """Return what the agent worked in; `merged` is the commit of the base whose `.moonmind.yml` counts.

    A build is started for what is not there any more: it may have been removed to make room, or the host's tools changed.
    Raises RecipeUnreadable, SandboxFailed, SandboxUnavailable, AgentUnknown, VcsError.
    """
    had = {use.root: use for use in submitted.environments if use.key and not use.problem}
    environments = context.environments
    if not had or environments is None:
        return TestEnvironments()
    repository = _repository(context, plan, submitted, merged)
    asked = [replace(one, image=submitted.image) for one in repository.plan().environments if one.root in had]
    lent = []
    for order in repository.orders(asked, str(context.run.id)):
        key = environments.key(order)
        if key is None:
            return TestEnvironments()
        status = environments.look(key)
        if status.state is BuildState.ABSENT:
            context.lease.check()
            status = environments.build(order)
        if status.state is BuildState.FAILED:
            why = storable(context.redactor.text(status.message)).strip()
            return TestEnvironments(problem=f"what the tests need was removed, and could not be set up again: {why}")
        if status.state is not BuildState.READY:
            return TestEnvironments(waits_for=status.job)
        lent.append(WorkEnvironment(key, had[order.environment.root].start))
    return TestEnvironments(tuple(lent))


def _repository(context: StageContext, plan: Plan, submitted: SubmitResult, merged: str) -> RepositoryEnvironments:
    """Return what is needed at the commit that the agent's environment was of."""
    name = plan.repository.full_name
    try:
        return RepositoryEnvironments(context.vcs, name, submitted.rebuilt or plan.starting_commit, merged)
    except VcsRefused:  # on a host that never had that work
        return RepositoryEnvironments(context.vcs, name, plan.starting_commit, merged)
