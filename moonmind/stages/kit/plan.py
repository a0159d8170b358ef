"""The typed view of what discover found: written once as its result, read by every later stage."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import Field, computed_field

from moonmind.engine.stage_state import StageResult
from moonmind.errors import Unexpected
from moonmind.ports.forge import Repository
from moonmind.runs.chain import Stage
from moonmind.speckit.evidence import evidence_of
from moonmind.speckit.features import Feature
from moonmind.speckit.spec_tasks import SpecTask, TasksFile
from moonmind.speckit.tasks_md import read_tasks, tick
from moonmind.speckit.work import Work
from moonmind.stages.kit.stage_results import Judgement


@dataclass(frozen=True, slots=True)
class PlanTask:
    """A spec task as it stood at the starting commit, with what would show that it is done."""

    id: str
    line: int
    text: str
    targets: tuple[str, ...] = ()
    """Paths that the task asks to change, each of them."""
    references: tuple[str, ...] = ()
    """Paths that it points to: they have to exist."""
    removals: tuple[str, ...] = ()
    """Those of `targets` that it lets go."""
    gone: tuple[str, ...] = ()
    """Those of `removals` that have to be gone."""
    story: str | None = None

    @property
    def key(self) -> str:
        """Name the task uniquely, as `SpecTask.key` does: ids repeat in real files, lines do not."""
        return f"{self.line}:{self.id}"


class Plan(StageResult):
    """Everything that later stages need to know of the repository, the feature and the phase."""

    stage: ClassVar[Stage] = Stage.DISCOVER

    v: Literal[1] = 1
    repository: Repository
    feature: Feature
    phase: str
    tasks: tuple[PlanTask, ...]
    base: str
    """The branch that the pull request goes to."""
    starting_commit: str
    branch: str = Field(validation_alias="branchName", serialization_alias="branchName")
    branch_tip: str | None = None
    """Where the branch was: what a push expects to find; None: the branch did not exist."""
    left_for_people: tuple[str, ...] = ()
    left_because: tuple[str, ...] = ()
    """A sentence for each of them: who does it, and which words of the task say so."""
    checks: tuple[PlanTask, ...] = ()
    """Those of them in this phase that only ask that the tests pass: running these decides."""
    phase_open: tuple[str, ...] = ()
    """The keys of all open tasks of the phase, whoever does them."""
    documents: Mapping[str, str] = Field(default_factory=dict)
    """Path in the tree -> kind (`spec`, `plan`, ...)."""
    constitution: str | None = None
    skills: tuple[str, ...] = ()
    hashes: Mapping[str, str | None] = Field(default_factory=dict)
    """`spec`, `plan`, `tasks` -> sha256 in hex of the file at the starting commit; None where there is none."""
    choice: str = ""
    """Why this feature, in words."""
    part: str = ""
    """Which part of the phase's open tasks these are, in words; empty: they are not divided."""
    checkpoint: str | None = None
    independent_test: str | None = None
    passed_over: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    behind_base: str = ""
    """How far the branch is behind its base, and whether it merges cleanly, as one of the `warnings`; empty if it is not."""
    evidence: Mapping[str, str] = Field(default_factory=dict)
    """Of a run of kind `ticks`: what shows that a task is done already, by the task's key."""
    called: str = ""
    """The feature's name for people; empty: its key, as in plans of before there was another name."""

    @computed_field  # type: ignore[prop-decorator]  # mypy does not support decorators on top of @property
    @property
    def feature_key(self) -> str:
        """Return what the run's row names the feature by: its path."""
        return self.feature.path

    @property
    def feature_name(self) -> str:
        """Return what the feature is called in titles: its key, or its path where that key is not its alone."""
        return self.called or self.feature.key

    @classmethod
    def upgraded(cls, stored: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a plan with the feature's other name beside it, and with what each task's paths are for."""
        feature = stored["feature"]
        return {
            "called": feature.get("called", ""),
            **stored,
            "tasks": [_upgraded(task, feature["path"]) for task in stored["tasks"]],
        }

    @property
    def branch_of_boxes(self) -> str:
        """Return the branch on which a person ticks a box so that the next run sees it: the feature's, else the base."""
        return self.branch if self.branch_tip else self.base

    @property
    def all_tasks(self) -> tuple[PlanTask, ...]:
        """Return the tasks that are judged: the agent's, then those that the tests decide."""
        return (*self.tasks, *self.checks)

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the paths that the tasks ask to change, each once."""
        return tuple(dict.fromkeys(path for task in self.tasks for path in task.targets))

    def spec_tasks(self, file: TasksFile) -> tuple[SpecTask, ...]:
        """Find the plan's tasks in the tasks.md they were read from; raises Unexpected when one is not there."""
        found = {task.key: task for task in file.tasks}
        missing = [task.key for task in self.all_tasks if task.key not in found]
        if missing:
            raise Unexpected(
                f"{self.feature.tasks_path} at {self.starting_commit[:12]} no longer reads as it did in discover: "
                f"{', '.join(missing)} (line:id) not found",
                remediation="Retry the run with restart_from_discovery.",
            )
        return tuple(found[task.key] for task in self.tasks)

    def ticked(self, before: bytes, judgements: Iterable[Judgement]) -> bytes:
        """Return tasks.md with the boxes of tasks that the judgements tick ticked, and every other byte unchanged.

        `before` is the file at the starting commit.
        """
        wanted = {item.key for item in judgements if item.ticks}
        known = {task.key for task in self.all_tasks}
        file = read_tasks(before, name=self.feature.tasks_path)
        self.spec_tasks(file)
        return tick(before, [task for task in file.tasks if task.key in wanted & known])

    def work(self, file: TasksFile) -> Work:
        """Return the plan in the form that the prompt is written from."""
        tasks = self.spec_tasks(file)
        phase = next(phase for phase in file.phases if tasks[0] in phase.tasks)
        wanted = set(self.left_for_people)
        left = tuple(task for task in file.tasks if task.pending and task.flags and task.id in wanted)
        return Work(self.feature, phase, tasks, left, self.passed_over, self.part)


def _upgraded(task: Mapping[str, Any], feature: str) -> Mapping[str, Any]:
    if "targets" in task:
        return task
    # An earlier program wrote down the paths without what they are for; the text says it still.
    found = evidence_of(task["id"], task["text"], feature)
    return {**task, **{name: getattr(found, name) for name in ("targets", "references", "removals", "gone")}}
