"""Verifies a change before its boxes are ticked: the repository's tests are run on it, and what they show is taken in."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog

from moonmind.engine.environment_orders import recipe_at
from moonmind.engine.stage_context import StageContext
from moonmind.errors import RecipeUnreadable, VcsRefused
from moonmind.ports.environments import WorkEnvironment
from moonmind.ports.vcs import Change, TreeFile
from moonmind.ports.verification import TestJobs
from moonmind.proof.recipe import RecipeFile, Tick
from moonmind.proof.verification.comparison import Comparison, Fault
from moonmind.proof.verification.test_commands import TestCommand, TestPlan, plan_tests
from moonmind.proof.verification.test_results import CommandRun
from moonmind.speckit.evidence import is_test
from moonmind.speckit.project_commands import LARGEST as LARGEST_BUILD_FILE
from moonmind.stages.apply.effects import ChangedTree
from moonmind.stages.apply.test_trees import ChangedFiles, Probe, Read, changed_files, probe_of, tests_over_old
from moonmind.stages.apply.verification_environments import environments_of
from moonmind.stages.apply.verification_jobs import TestRuns, Waiting
from moonmind.stages.apply.verification_plan import MOST_PROBES, Trees, VerificationPlan, tree_digest
from moonmind.stages.kit.plan import Plan, PlanTask
from moonmind.stages.kit.stage_results import SubmitResult

log = structlog.get_logger(__name__)

_GRAVITY = (Fault.NONE, Fault.FLAKY, Fault.BEFORE, Fault.INFRASTRUCTURE, Fault.OURS)


@dataclass(frozen=True, slots=True)
class VerifiedChange:
    """All that the tests of a change showed. Commands are numbered from 1, as in the names of their runs."""

    plan: TestPlan = field(default_factory=TestPlan)
    commands: tuple[TestCommand, ...] = ()
    """Those that the change was run through."""
    not_run: str = ""
    """Why there are none."""
    not_set_up: bool = False
    """There are none since what they need could not be set up."""
    build_mishap: str = ""
    """The build of that which a mishap ended: another may go well."""
    in_change: bool = False
    """They were found in the change, since there are none on the base."""
    comparisons: tuple[Comparison, ...] = ()
    before: tuple[CommandRun | None, ...] = ()
    """What each did on the old code, as far as it is known."""
    runs: Mapping[str, CommandRun] = field(default_factory=dict)
    """By name: `after-1`, `old-1`, `probe-1-2`."""
    logs: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What is not as it should be with the reports of a run."""
    sandbox: str = ""
    changed: ChangedFiles = field(default_factory=ChangedFiles)
    probes: Mapping[str, int] = field(default_factory=dict)
    """The number of the probe that is of a task's files, by the task's key."""
    unprobed: Mapping[str, str] = field(default_factory=dict)
    """Why there is none, by the task's key."""
    no_old: str = ""
    """Why no test was run on the old code; empty where that could be."""
    test_files: tuple[tuple[str, ...], ...] = ()
    """For each command, the changed and named test files that it ran tests of."""

    @property
    def fault(self) -> Fault:
        """Return whose fault it is that something fails: of several commands', what leaves the least confirmed."""
        return max((one.fault for one in self.comparisons), key=_GRAVITY.index, default=Fault.NONE)


@dataclass(frozen=True, slots=True)
class MergedRecipe:
    """`.moonmind.yml` as it was merged."""

    commit: str
    """Of the base branch."""
    file: RecipeFile | None
    """None where there is none."""


def recipe_of(context: StageContext, plan: Plan, kept: str | None) -> MergedRecipe:
    """Return the recipe of the base branch as the run knows it; where that cannot be read, as it is there now.

    A further attempt takes it as it is by then: a person may have corrected it.
    `kept` is the artifact with the agent's work. Raises RecipeUnreadable, VcsError.
    """
    repository = plan.repository.full_name
    known = plan.starting_commit
    if plan.branch_tip is not None or context.attempt.number > 1:
        known = context.vcs.branches(repository).get(plan.base, known)
    try:
        return MergedRecipe(known, recipe_at(context.vcs, repository, known))
    except RecipeUnreadable:
        context.vcs.fetch(plan.repository)
    now = context.vcs.branches(repository).get(plan.base, known)
    try:
        return MergedRecipe(now, recipe_at(context.vcs, repository, now))
    except RecipeUnreadable as error:
        where = f" The work is kept in the artifact {kept}." if kept else ""
        raise RecipeUnreadable(
            f"{error.message}{where}",
            remediation=f"Correct .moonmind.yml on the branch {plan.base}, push, then retry the run: it goes on with the agent's work.",
            **error.details,
        ) from error


def asked_evidence(recipe: RecipeFile | None) -> Tick | None:
    """Return the least evidence that the repository asks for to tick a box; None where it asks for none."""
    return recipe.policy.tick if recipe is not None and recipe.policy is not None else None


def least_evidence(recipe: RecipeFile | None) -> Tick:
    """Return the least evidence that ticks a box."""
    return asked_evidence(recipe) or Tick.CHANGED


def verify(
    context: StageContext,
    plan: Plan,
    submitted: SubmitResult,
    recipe: MergedRecipe,
    wip: str,
    changes: Sequence[Change],
    tree: ChangedTree,
    read: Read,
) -> VerifiedChange | Waiting:
    """Run what verifies the change, as far as it can be without waiting.

    Raises SandboxFailed, SandboxUnavailable, AgentUnknown, AgentError, VcsError.
    """
    jobs = context.test_jobs
    if jobs is None:
        return VerifiedChange(not_run="the operator runs no tests (MOONMIND_VERIFICATION=off)")
    repository = plan.repository.full_name
    before, after = context.vcs.listing(repository, plan.starting_commit), context.vcs.listing(repository, wip)
    paths = [one.path for one in changes]
    found, in_change = _commands(context, plan, recipe.file, wip, before, after, paths)
    if not found.commands:
        return VerifiedChange(
            found, not_run="no test command is known: .moonmind.yml names none, and no build file shows one"
        )
    commands = found.concerning(paths)
    if not commands:
        return VerifiedChange(found, not_run=_not_concerned(found))
    if not found.declared and context.only_declared_tests:
        return VerifiedChange(found, not_run=".moonmind.yml names no test command (MOONMIND_VERIFICATION=declared)")
    if (why := jobs.why_not()) is not None:
        return VerifiedChange(found, not_run=why)
    changed = changed_files(changes)
    probes, by_task, unprobed = _probes(plan.tasks, changed, tree, read)
    environments = environments_of(context, plan, submitted, recipe.commit, paths)
    if environments.waits_for is not None:
        return Waiting(environments.waits_for)
    if environments.problem:
        return VerifiedChange(found, not_run=environments.problem, not_set_up=True, build_mishap=environments.mishap)
    old_tests, no_old = tests_over_old(changed, partial(_of_work, context, repository, wip))
    trees = Trees(
        plan.starting_commit,
        wip,
        changed,
        frozenset(path for task in plan.tasks for path in _named_tests(task, tree)),
        old_tests,
        probes,
    )
    return _run(
        context, plan, jobs, VerifiedChange(
            found, commands, in_change=in_change, changed=changed, probes=by_task, unprobed=unprobed, no_old=no_old, sandbox=jobs.sandbox()
        ), trees, environments.lent, submitted.image, before, after,
    )  # fmt: skip


def _of_work(context: StageContext, repository: str, wip: str, path: str, limit: int) -> bytes | None:
    try:
        return context.vcs.read(repository, wip, path, limit=limit)
    except VcsRefused:
        return None  # too large


def _run(
    context: StageContext,
    plan: Plan,
    jobs: TestJobs,
    known: VerifiedChange,
    trees: Trees,
    environments: Collection[WorkEnvironment],
    image: str | None,
    before: Collection[TreeFile],
    after: Collection[TreeFile],
) -> VerifiedChange | Waiting:
    repository, foundation = plan.repository.full_name.casefold(), jobs.foundation(image)
    told = (repository, known.sandbox, image or "", foundation, *(one.key for one in environments))
    memories = {
        trees.start: tree_digest(before, plan.feature.tasks_path, *told),
        trees.wip: tree_digest(after, plan.feature.tasks_path, *told),
    }
    listing = frozenset(one.path for one in (*before, *after))
    runs = TestRuns(context, jobs, plan.repository.full_name, environments, image, listing)
    follow = VerificationPlan(known.commands, trees, runs.runs, seconds=context.test_seconds, memories=memories)
    if not context.services.stay_here():
        context.lease.check()
    while wanted := follow.wanted():
        waiting = runs.settle(wanted)
        if waiting is not None:
            return waiting
        if all(one.name in runs.runs for one in wanted) and follow.wanted() == wanted:
            break
    numbers = range(1, len(known.commands) + 1)
    return VerifiedChange(
        known.plan,
        known.commands,
        in_change=known.in_change,
        comparisons=tuple(
            _tests_first(
                _new(follow.comparison(number), follow.before(number), in_change=known.in_change), known.changed
            )
            for number in numbers
        ),
        before=tuple(follow.before(number) for number in numbers),
        runs=runs.runs,
        logs=runs.logs,
        notes=runs.notes,
        sandbox=known.sandbox,
        changed=known.changed,
        probes=known.probes,
        unprobed=known.unprobed,
        no_old=known.no_old,
        test_files=tuple(follow.test_files(number) for number in numbers),
    )


def _new(found: Comparison, before: CommandRun | None, *, in_change: bool) -> Comparison:
    """Return the comparison of a command that only the change has: that it failed before, where nothing was, means nothing."""
    if not in_change or found.fault is not Fault.BEFORE or before is None or before.report.known:
        return found
    why = f"{found.why.partition(',')[0]}, and the project had no tests before"
    return replace(found, fault=Fault.OURS, why=why)


def _tests_first(found: Comparison, changed: ChangedFiles) -> Comparison:
    """Return the comparison of a phase that writes tests alone: that new ones fail is as it should be, before there is code."""
    if found.fault is not Fault.OURS or found.broke or not found.failing_new or changed.code:
        return found
    return replace(found, fault=Fault.BEFORE, why="new tests fail, and this change has no code that they could test")


def _commands(
    context: StageContext,
    plan: Plan,
    recipe: RecipeFile | None,
    wip: str,
    before: Collection[TreeFile],
    after: Collection[TreeFile],
    changed: Collection[str],
) -> tuple[TestPlan, bool]:
    """Return what is run, and True where only the change shows it."""
    for commit, files in ((plan.starting_commit, before), (wip, after)):
        listing = [one.path for one in files]
        found = plan_tests(recipe, listing, plan.feature.root, changed, _build_file_reader(context, plan, commit))
        if found.commands:
            return found, commit == wip and not found.declared
    return TestPlan(), False


def _build_file_reader(context: StageContext, plan: Plan, commit: str) -> Callable[[str], bytes | None]:
    def read(path: str) -> bytes | None:
        try:
            return context.vcs.read(plan.repository.full_name, commit, path, limit=LARGEST_BUILD_FILE)
        except VcsRefused:
            return None  # too large to be one

    return read


def _not_concerned(found: TestPlan) -> str:
    if found.declared:
        return "none of the test commands in .moonmind.yml is for the files that changed (`paths`)"
    return "only documents changed"


def _probes(
    tasks: Sequence[PlanTask], changed: ChangedFiles, tree: ChangedTree, read: Read
) -> tuple[tuple[Probe, ...], Mapping[str, int], Mapping[str, str]]:
    """Return the probes, the number of each task's, and why a task has none.

    A task whose files are only tests is probed with all other files of the change: whether its tests notice these.
    """
    probes: list[Probe] = []
    by_files: dict[tuple[str, ...], int] = {}
    numbers: dict[str, int] = {}
    without: dict[str, str] = {}
    for task in tasks:
        own = {path for name in task.targets for path in tree.find(name, tree.after) if path in tree.changed}
        code = tuple(sorted(own & set(changed.code))) or (changed.code if own else ())
        if code in by_files:
            numbers[task.key] = by_files[code]
            continue
        if len(probes) >= MOST_PROBES:
            without[task.key] = f"more than {MOST_PROBES} sets of files would have to be tried"
            continue
        found = probe_of(code, changed, read) if code else None
        if found is None:
            without[task.key] = "no function that the change wrote in its files can be emptied"
            continue
        probes.append(found)
        numbers[task.key] = by_files[code] = len(probes)
    return tuple(probes), numbers, without


def _named_tests(task: PlanTask, tree: ChangedTree) -> tuple[str, ...]:
    """Return the test files that a task names, whether it asks to change them or only to pass them."""
    named = (*task.targets, *task.references)
    return tuple(path for name in named for path in tree.find(name, tree.after) if is_test(path))
