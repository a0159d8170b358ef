"""Plans a run of kind `ticks`: the boxes that a person accepted, each with what shows that its task is done."""

from collections.abc import Iterable
from dataclasses import dataclass

from moonmind.errors import InvalidRequest, SpecUnreadable, VcsRefused
from moonmind.proof.substance import LARGEST
from moonmind.proof.tick_proposals import TickDoubt, TickProposal, tick_proposals
from moonmind.runs.stored_text import storable
from moonmind.speckit.feature import Feature
from moonmind.speckit.selection import Selection
from moonmind.speckit.spec_tasks import NO_BOX, SpecTask, TasksFile
from moonmind.speckit.tasks_md import read_tasks
from moonmind.speckit.tree import Tree
from moonmind.stages.discover.candidates import Candidates, Start
from moonmind.stages.discover.snapshot import Snapshot

TITLE = "Boxes of tasks that are done"
"""Stands for the phase where the boxes are of several."""
_NOTES = 50
_NAMED, _TEXT = 5, 100
"""So many changed tasks are named in a message, each with so many characters of its text."""
_NAME = 12
"""Digits of a commit's name that people are shown."""
_AGAIN = "Nothing was ticked. Run `moonmind reconcile` again, and accept what it proposes now."


@dataclass(frozen=True, slots=True)
class TickPlan:
    """Tasks whose boxes are to be ticked."""

    title: str
    tasks: tuple[SpecTask, ...]
    evidence: dict[str, str]
    """By `SpecTask.key`."""
    notes: tuple[str, ...] = ()
    """Why other boxes are not proposed."""


def proposed(candidates: Candidates, feature: Feature, file: TasksFile, start: Start) -> TickPlan:
    """Propose the boxes of which the tree shows that their tasks are done."""
    proposals, doubts = _look(candidates, feature, file, start)
    tasks = tuple(one.task for one in proposals)
    return TickPlan(_title(file, tasks), tasks, _evidence(tasks, proposals, doubts), _notes(doubts))


def accepted(
    candidates: Candidates,
    feature: Feature,
    file: TasksFile,
    start: Start,
    selection: Selection,
    looked_at: str | None,
    *,
    why: bool = False,
) -> TickPlan:
    """Plan the boxes that were selected and are open; what shows nothing is ticked all the same, and says so.

    `looked_at` is the commit at which a person accepted them. Raises InvalidRequest for tasks that had another text there, and,
    where the commit is not known, for those without an id of which nothing shows that they are done. With a reason of a person's
    (`why`), an id that stands for several open tasks is refused, too.
    """
    meant = selection.of(file)
    tasks = tuple(task for task in file.tasks if task.pending and task.key in meant and task.box_offset != NO_BOX)
    proposals, doubts = _look(candidates, feature, file, start)
    if looked_at is None and (selection.ids or selection.ranges):
        _refuse_lines(tasks, proposals, feature)
    if why:
        _refuse_ambiguous(tasks, feature)
    if looked_at is not None and looked_at != start.commit:
        _refuse_changed(tasks, _selected_at(candidates.snapshot, looked_at, feature, selection), feature, looked_at)
    return TickPlan(_title(file, tasks), tasks, _evidence(tasks, proposals, doubts))


def _selected_at(snapshot: Snapshot, commit: str, feature: Feature, selection: Selection) -> tuple[SpecTask, ...]:
    """Return the open tasks that the same selection means at a commit; raises InvalidRequest where they cannot be read."""
    try:
        data = snapshot.read(commit, feature.tasks_path)
        if data is None:
            raise InvalidRequest("there is no such file")
        file = read_tasks(data, name=feature.tasks_path)
        meant = selection.of(file)
    except (VcsRefused, SpecUnreadable, InvalidRequest) as error:
        raise InvalidRequest(
            f"{feature.tasks_path} cannot be compared with commit {commit[:_NAME]}, where these boxes were accepted: "
            f"{error.message}",
            remediation=_AGAIN,
        ) from None
    return tuple(task for task in file.tasks if task.pending and task.key in meant)


def _refuse_changed(tasks: Iterable[SpecTask], before: Iterable[SpecTask], feature: Feature, looked_at: str) -> None:
    """Refuse tasks whose ids stood for other ones when a person accepted them."""
    texts: dict[str, list[str]] = {}
    for task in before:
        texts.setdefault(task.id, []).append(task.text)
    changed = [
        f"{task.id} is now {_quoted(task.text)} and {_was(texts.get(task.id))}"
        for task in tasks
        if task.text not in texts.get(task.id, ())
    ]
    if changed:
        more = f"; and {len(changed) - _NAMED} more" if len(changed) > _NAMED else ""
        raise InvalidRequest(
            storable(
                f"{feature.tasks_path} has changed since commit {looked_at[:_NAME]}, where these boxes were accepted: "
                f"{'; '.join(changed[:_NAMED])}{more}"
            ),
            remediation=_AGAIN,
        )


def _refuse_ambiguous(tasks: Iterable[SpecTask], feature: Feature) -> None:
    """Refuse ids that stand on several open lines: a person means one task."""
    lines: dict[str, list[int]] = {}
    for task in tasks:
        lines.setdefault(task.id, []).append(task.line)
    if several := {key: at for key, at in lines.items() if len(at) > 1}:
        shown = "; ".join(
            f"{key} on lines {', '.join(map(str, at[:_NAMED]))}" for key, at in list(several.items())[:_NAMED]
        )
        raise InvalidRequest(
            f"these ids stand for several open tasks of {feature.tasks_path}: {shown}",
            remediation="Tick the box that you mean in the file yourself, or give each task an id of its own.",
        )


def _was(texts: list[str] | None) -> str:
    return "was not there" if texts is None else f"was {' or '.join(map(_quoted, texts))}"


def _quoted(text: str) -> str:
    return f'"{text if len(text) <= _TEXT else text[:_TEXT].rstrip() + "…"}"'


def _refuse_lines(tasks: Iterable[SpecTask], proposals: Iterable[TickProposal], feature: Feature) -> None:
    """Refuse tasks that are named by their lines and not proposed: since the lines were shown, the file may have changed."""
    shown = {one.task.key for one in proposals}
    lines = [task.id for task in tasks if task.id == f"L{task.line}" and task.key not in shown]
    if lines:
        raise InvalidRequest(
            f"nothing shows that these tasks of {feature.tasks_path} are done: {', '.join(lines[:_NOTES])}. A task without an id is "
            "named by its line, and lines may have moved since",
            remediation="Run `moonmind reconcile` again, or tick these boxes in the file yourself.",
        )


def _look(
    candidates: Candidates, feature: Feature, file: TasksFile, start: Start
) -> tuple[tuple[TickProposal, ...], tuple[TickDoubt, ...]]:
    snapshot, context = candidates.snapshot, candidates.context

    def read(path: str) -> bytes | None:
        context.lease.check()
        try:
            return context.vcs.read(snapshot.name, start.commit, path, limit=LARGEST)
        except VcsRefused:
            return None

    return tick_proposals(feature, file, Tree(snapshot.tree(start.commit)), read)


def _evidence(
    tasks: Iterable[SpecTask], proposals: Iterable[TickProposal], doubts: Iterable[TickDoubt]
) -> dict[str, str]:
    shown = {one.task.key: one.evidence for one in proposals}
    doubted = {one.task.key: f"nothing shows it: {one.because}" for one in doubts}
    nothing = "nothing shows it: it names no file that is there"
    return {task.key: storable(shown.get(task.key) or doubted.get(task.key, nothing)) for task in tasks}


def _notes(doubts: tuple[TickDoubt, ...]) -> tuple[str, ...]:
    more = len(doubts) - _NOTES
    said = [f"{one.task.id} is not proposed: {one.because}" for one in doubts[:_NOTES]]
    return (*map(storable, said), *([f"{more} more are not proposed"] if more > 0 else []))


def _title(file: TasksFile, tasks: tuple[SpecTask, ...]) -> str:
    """Return the phase's title where all tasks are of one."""
    keys = {task.key for task in tasks}
    phases = [phase.title for phase in file.phases if keys & {task.key for task in phase.tasks}]
    return phases[0] if len(phases) == 1 else TITLE
