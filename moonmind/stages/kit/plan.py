"""The typed view of what discover found: written once as its outputs, read by every later stage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from moonmind.errors import Unexpected
from moonmind.ports.forge import Repository
from moonmind.speckit.evidence import evidence_of
from moonmind.speckit.features import Feature
from moonmind.speckit.spec_tasks import SpecTask, TasksFile
from moonmind.speckit.work import Work

VERSION = 1


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


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that later stages need to know of the repository, the feature and the phase."""

    repository: Repository
    feature: Feature
    phase: str
    tasks: tuple[PlanTask, ...]
    base: str
    """The branch that the pull request goes to."""
    starting_commit: str
    branch: str
    branch_tip: str | None
    """Where the branch was: what a push expects to find; None: the branch did not exist."""
    left_for_people: tuple[str, ...] = ()
    documents: Mapping[str, str] | None = None
    """Path in the tree -> kind (`spec`, `plan`, ...)."""
    constitution: str | None = None
    skills: tuple[str, ...] = ()
    hashes: Mapping[str, str | None] | None = None
    """`spec`, `plan`, `tasks` -> sha256 in hex of the file at the starting commit; None where there is none."""
    choice: str = ""
    """Why this feature, in words."""
    checkpoint: str | None = None
    independent_test: str | None = None
    passed_over: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    called: str = ""
    """The feature's name for people; empty: its key, as in plans of before there was another name."""

    @property
    def feature_name(self) -> str:
        """Return what the feature is called in titles: its key, or its path where that key is not its alone."""
        return self.called or self.feature.key

    def as_outputs(self) -> dict[str, Any]:
        """Return the recorded form; `featureKey`, `phase` and `branchName` become columns of the run."""
        return {
            "v": VERSION,
            "featureKey": self.feature.path,
            "feature": {
                "key": self.feature.key,
                "called": self.called,
                "path": self.feature.path,
                "specPath": self.feature.spec_path,
                "planPath": self.feature.plan_path,
                "tasksPath": self.feature.tasks_path,
            },
            "phase": self.phase,
            "tasks": [
                {
                    "id": task.id,
                    "line": task.line,
                    "text": task.text,
                    "targets": list(task.targets),
                    "references": list(task.references),
                    "removals": list(task.removals),
                    "gone": list(task.gone),
                    "story": task.story,
                }
                for task in self.tasks
            ],
            "leftForPeople": list(self.left_for_people),
            "base": self.base,
            "startingCommit": self.starting_commit,
            "branchName": self.branch,
            "branchTip": self.branch_tip,
            "repository": {
                "fullName": self.repository.full_name,
                "cloneUrl": self.repository.clone_url,
                "defaultBranch": self.repository.default_branch,
            },
            "documents": dict(self.documents or {}),
            "constitution": self.constitution,
            "skills": list(self.skills),
            "hashes": dict(self.hashes or {}),
            "choice": self.choice,
            "checkpoint": self.checkpoint,
            "independentTest": self.independent_test,
            "passedOver": list(self.passed_over),
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_outputs(cls, outputs: Mapping[str, Any]) -> Self:
        """Read what `as_outputs` wrote; raises Unexpected for a version or a shape that is not ours."""
        if outputs.get("v") != VERSION:
            raise Unexpected(
                f"discover's outputs have version {outputs.get('v')!r}; this program reads version {VERSION}",
                remediation="Retry the run with restart_from_discovery.",
            )
        try:
            repository, feature = outputs["repository"], outputs["feature"]
            return cls(
                repository=Repository(repository["fullName"], repository["cloneUrl"], repository["defaultBranch"]),
                called=feature.get("called", ""),
                feature=Feature(
                    feature["key"], feature["path"], feature["tasksPath"], feature["specPath"], feature["planPath"]
                ),
                phase=outputs["phase"],
                tasks=tuple(_task(task, feature["path"]) for task in outputs["tasks"]),
                base=outputs["base"],
                starting_commit=outputs["startingCommit"],
                branch=outputs["branchName"],
                branch_tip=outputs["branchTip"],
                left_for_people=tuple(outputs["leftForPeople"]),
                documents=dict(outputs["documents"]),
                constitution=outputs["constitution"],
                skills=tuple(outputs["skills"]),
                hashes=dict(outputs["hashes"]),
                choice=outputs["choice"],
                checkpoint=outputs["checkpoint"],
                independent_test=outputs["independentTest"],
                passed_over=tuple(outputs["passedOver"]),
                warnings=tuple(outputs["warnings"]),
            )
        except (KeyError, TypeError) as error:
            raise Unexpected(f"discover's outputs cannot be read: {error!r}") from error

    def spec_tasks(self, file: TasksFile) -> tuple[SpecTask, ...]:
        """Find the plan's tasks in the tasks.md they were read from; raises Unexpected when one is not there."""
        found = {task.key: task for task in file.tasks}
        missing = [task.key for task in self.tasks if task.key not in found]
        if missing:
            raise Unexpected(
                f"{self.feature.tasks_path} at {self.starting_commit[:12]} no longer reads as it did in discover: "
                f"{', '.join(missing)} (line:id) not found",
                remediation="Retry the run with restart_from_discovery.",
            )
        return tuple(found[task.key] for task in self.tasks)

    def work(self, file: TasksFile) -> Work:
        """Return the plan in the form that the prompt is written from."""
        tasks = self.spec_tasks(file)
        phase = next(phase for phase in file.phases if tasks[0] in phase.tasks)
        wanted = set(self.left_for_people)
        left = tuple(task for task in file.tasks if task.pending and task.flags and task.id in wanted)
        return Work(self.feature, phase, tasks, left, self.passed_over)


def _task(value: Mapping[str, Any], feature: str) -> PlanTask:
    if "targets" in value:
        return PlanTask(
            value["id"],
            value["line"],
            value["text"],
            tuple(value["targets"]),
            tuple(value["references"]),
            tuple(value["removals"]),
            tuple(value["gone"]),
            value["story"],
        )
    # An earlier program wrote down the paths without what they are for; the text says it still.
    found = evidence_of(value["id"], value["text"], feature)
    return PlanTask(
        value["id"],
        value["line"],
        value["text"],
        found.targets,
        found.references,
        found.removals,
        found.gone,
        value["story"],
    )
