"""Find the feature, the phase and the starting commit, or say why there is nothing to do."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moonmind.engine import forge_cooldown
from moonmind.engine.stage import Preview, StageDefinition, StartingPoint, shown
from moonmind.engine.stage_context import StageContext
from moonmind.engine.stage_services import EarlierRun
from moonmind.errors import MoonMindError, Rejected, SpecUnreadable, Unexpected
from moonmind.ports.forge import Repository
from moonmind.preflight.checks import Need
from moonmind.runs.chain import Stage
from moonmind.runs.kinds import PHASE, TICKS
from moonmind.runs.machine import Done, NothingToDo, Outcome
from moonmind.runs.stored_text import storable
from moonmind.speckit.answer import Answer, AnswerKind, who_does
from moonmind.speckit.documents import constitution_in, documents_of, skills_in
from moonmind.speckit.evidence import evidence_of
from moonmind.speckit.features import Feature, survey
from moonmind.speckit.report import answer_report
from moonmind.speckit.selection import EVERYTHING, Selection
from moonmind.speckit.spec_tasks import VERIFY, SpecTask
from moonmind.speckit.tasks_md import read_tasks
from moonmind.speckit.test_wording import asks_for_tests
from moonmind.speckit.work import Work
from moonmind.stages.discover import agent_files, tick_plan
from moonmind.stages.discover.candidates import Candidates, Start
from moonmind.stages.discover.foreign_commits import foreign_commits
from moonmind.stages.discover.progress import (
    broken_before,
    published_commit,
    waits_for_acceptance,
    without_progress,
)
from moonmind.stages.discover.questions import chosen_in, question
from moonmind.stages.discover.snapshot import Snapshot
from moonmind.stages.kit import base_outlook, forge_answers
from moonmind.stages.kit.branch_conflicts import refuse_conflicts
from moonmind.stages.kit.plan import Plan, PlanTask


def run(context: StageContext) -> Outcome:
    """Read the repository from git objects alone and decide by rule; nothing outside is changed."""
    if (wait := forge_cooldown.held_back(context)) is not None:
        return wait
    with forge_answers.noted(context):
        chosen = _choose(context)
        if isinstance(chosen, NothingToDo):
            return chosen
        if chosen.answer.error is not None:
            raise chosen.answer.error
        return question(chosen.answer) if _asks(context, chosen) else _outcome(context, chosen)


def preview(context: StageContext) -> Preview:
    """Find out what `run` would choose; raises what it raises before it has chosen, and Unavailable while the forge waits."""
    if (wait := forge_cooldown.held_back(context)) is not None:
        raise forge_cooldown.unavailable(wait.until)
    with forge_answers.noted(context):
        chosen = _choose(context)
    if isinstance(chosen, NothingToDo):
        return Preview({"answer": AnswerKind.NOTHING_LEFT, "reason": chosen.reason, "reasons": [chosen.reason]})
    report = answer_report(chosen.answer)
    if chosen.answer.error is not None:
        return _refusal(report, chosen.answer.error)
    try:
        return _preview_of(context, chosen, report)
    except Rejected as error:
        return _refusal(report, error)


def _refusal(report: Mapping[str, Any], error: MoonMindError) -> Preview:
    """Return the preview of a run that would end with an error, with the notes that led there."""
    kept = {name: report[name] for name in ("feature", "notes")}
    return Preview({"answer": AnswerKind.REFUSE, **kept}, error=error.info())


def _preview_of(context: StageContext, chosen: "_Chosen", report: Mapping[str, Any]) -> Preview:
    if context.run.kind == TICKS and chosen.answer.feature is not None:
        return _preview_of_ticks(context, chosen, report)
    if chosen.answer.kind is not AnswerKind.WORK:
        return Preview(report)
    outcome = _outcome(context, chosen)
    if isinstance(outcome, NothingToDo):
        ended: dict[str, Any] = {
            "answer": AnswerKind.NOTHING_LEFT,
            "phase": None,
            "tasks": [],
            "reason": outcome.reason,
            "commit": outcome.result.get("startingCommit"),
        }
        return Preview({**report, **ended, "reasons": [*report["reasons"], outcome.reason]})
    plan = Plan.read(outcome.result)
    seen = {"choice": plan.choice, "notes": plan.warnings, "commit": plan.starting_commit}
    return Preview({**report, **seen}, outcome.result)


def _preview_of_ticks(context: StageContext, chosen: "_Chosen", report: Mapping[str, Any]) -> Preview:
    plan, notes = _tick_plan(context, chosen)
    named: dict[str, Any] = {"asks": None, "candidates": [], "left": [], "left_for_people": []}
    named |= {"commit": plan.starting_commit, "notes": notes}
    if not plan.tasks:
        reason = f"no open task of {plan.feature.path} names files that are all there"
        ended: dict[str, Any] = {
            "answer": AnswerKind.NOTHING_LEFT,
            "phase": None,
            "tasks": [],
            "reason": reason,
            "reasons": [reason],
        }
        return Preview({**report, **named, **ended})
    work = {"answer": AnswerKind.WORK, "phase": plan.phase, "tasks": [task.id for task in plan.tasks], "reason": None}
    return Preview({**report, **named, **work, "choice": plan.choice}, plan.stored())


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is to be done next, and the base branch that says so."""

    answer: Answer
    base: str
    candidates: Candidates


def _choose(context: StageContext) -> _Chosen | NothingToDo:
    repository = _repository(context)
    branches = {} if repository.empty else dict(context.vcs.branches(repository.full_name))
    if not branches:
        context.services.audit_forge()
        return NothingToDo(f"{repository.full_name} is empty: there is no commit, so there is no feature.")
    if repository.default_branch not in branches:
        raise Rejected(
            f"{repository.full_name} has no branch {repository.default_branch}, which the forge calls its default.",
            remediation="Set the repository's default branch to one that exists, then retry from discovery.",
        )
    chosen = chosen_in(context)
    snapshot = Snapshot(repository, branches, context.vcs, chosen or context.run.requested_key)
    candidates = Candidates(context, snapshot, _chosen_tasks(context), chosen)
    found, base = candidates.choose()
    if found.kind is AnswerKind.ASK:
        found = candidates.facts_of(found, base)
    elif found.kind in {AnswerKind.NOTHING_LEFT, AnswerKind.PEOPLE_ONLY}:
        found = candidates.with_branches(found, base)
    return _Chosen(found, base, candidates)


def _asks(context: StageContext, chosen: _Chosen) -> bool:
    """Return True if a person has to choose first: for boxes to tick, only whose they are."""
    return chosen.answer.kind is AnswerKind.ASK and (context.run.kind != TICKS or chosen.answer.feature is None)


def _outcome(context: StageContext, chosen: _Chosen) -> Done | NothingToDo:
    found, candidates = chosen.answer, chosen.candidates
    if context.run.kind == TICKS and found.feature is not None:
        plan, _ = _tick_plan(context, chosen)
        return Done(plan.stored()) if plan.tasks else NothingToDo("None of the selected tasks is open.", plan.stored())
    if found.feature is None:
        return NothingToDo(storable(found.text))
    if found.work is None:
        # The feature's own column is set all the same, so that the run is found under it.
        outputs = {"v": Plan.version, "featureKey": found.feature.path, "choice": found.reasons[0]}
        return NothingToDo(storable(found.text), outputs)
    return _plan(context, candidates, found, found.work, candidates.start_of(found.feature, chosen.base))


def _tick_plan(context: StageContext, chosen: _Chosen) -> tuple[Plan, tuple[str, ...]]:
    """Plan the boxes that are selected, or propose some where none is; returns notes on what is not proposed."""
    feature = chosen.answer.feature
    if feature is None:
        raise Unexpected("boxes are of a feature")
    snapshot = chosen.candidates.snapshot
    start = chosen.candidates.start_of(feature, chosen.base)
    there = _there(snapshot.tree(start.commit), feature, start)
    file = read_tasks(snapshot.read(start.commit, there.tasks_path) or b"", name=there.tasks_path)
    selection = _selection(context)
    ticks = (
        tick_plan.proposed(chosen.candidates, there, file, start)
        if selection.is_all
        else tick_plan.accepted(
            chosen.candidates,
            there,
            file,
            start,
            selection,
            (context.run.selection or {}).get("commit"),
            why="why" in (context.run.selection or {}),
        )
    )
    if ticks.tasks and start.branch_tip is None:
        refuse_conflicts(start.branch, snapshot.branches, snapshot.repository.default_branch)
    plan = Plan(
        repository=snapshot.repository,
        feature=there,
        called=start.called,
        phase=storable(ticks.title),
        tasks=tuple(_task(task, there) for task in ticks.tasks),
        base=start.base,
        starting_commit=start.commit,
        branch=start.branch,
        branch_tip=start.branch_tip,
        hashes=_hashes(chosen.candidates, there, start.commit),
        choice=_sentence(f"{chosen.answer.reasons[0]}; {start.reason}"),
        warnings=tuple(map(storable, _not_ours(chosen.candidates, start))),
        evidence=ticks.evidence,
    )
    return plan, ticks.notes


def _there(listing: Iterable[str], feature: Feature, start: Start) -> Feature:
    """Return the feature as it is where its work goes on; raises SpecUnreadable where it is not there."""
    there = next((one for found in survey(listing) for one in found if one.path == feature.path), None)
    if there is None:
        raise SpecUnreadable(
            f"{feature.tasks_path} is on {start.base} but not on {start.branch}, where the feature's work goes on.",
            remediation="Merge the base into that branch, or close its pull request; then retry from discovery.",
        )
    return there


def _chosen_tasks(context: StageContext) -> Selection:
    """Return the selection that decides on the feature's next phase: boxes to tick are of any."""
    return EVERYTHING if context.run.kind == TICKS else _selection(context)


def _selection(context: StageContext) -> Selection:
    """Read what the request chose among the open tasks."""
    sent = context.run.selection or {}
    return Selection.read(
        sent.get("story"), sent.get("tasks") or (), phase=sent.get("phase"), skip=sent.get("skip") or ()
    )


def _repository(context: StageContext) -> Repository:
    repository = context.forge.repository(context.run.repository)
    if not repository.empty:
        context.lease.check()
        context.vcs.fetch(repository)
    return repository


def _plan(context: StageContext, candidates: Candidates, found: Answer, work: Work, start: Start) -> Done | NothingToDo:
    feature = work.feature
    listing = tuple(candidates.snapshot.tree(start.commit))
    there = _there(listing, feature, start)
    base = (start.base, candidates.snapshot.branches[start.base])
    behind = base_outlook.of_branch(context, candidates.snapshot.name, start.branch, start.branch_tip, base)
    plan = Plan(
        repository=candidates.snapshot.repository,
        feature=there,
        called=start.called,
        phase=storable(work.phase.title),
        tasks=tuple(_task(task, there) for task in work.tasks),
        base=start.base,
        starting_commit=start.commit,
        branch=start.branch,
        branch_tip=start.branch_tip,
        left_for_people=tuple(task.id for task in work.left_for_people),
        left_because=tuple(map(storable, who_does(work.left_for_people))),
        checks=tuple(_task(task, there) for task in work.left_for_people if _is_check(task, work)),
        phase_open=tuple(task.key for task in work.phase.pending),
        documents=documents_of(there, listing),
        constitution=constitution_in(listing, there.root),
        skills=skills_in(listing),
        hashes=_hashes(candidates, there, start.commit),
        choice=_sentence("; ".join(filter(None, (found.reasons[0], work.part, start.reason)))),
        part=storable(work.part),
        checkpoint=None if work.part else _words(work.phase.checkpoint),
        independent_test=None if work.part else _words(work.phase.independent_test),
        passed_over=work.passed_over,
        behind_base=storable(behind),
        warnings=tuple(
            storable(text)
            for text in (
                *_not_ours(candidates, start),
                *found.notes,
                *_order(work),
                *agent_files.warnings(listing),
                *filter(None, (behind,)),
            )
        ),
    )
    if stuck := _stuck(context, candidates, plan):
        return NothingToDo(stuck, plan.stored())
    if start.branch_tip is None:
        refuse_conflicts(start.branch, candidates.snapshot.branches, candidates.snapshot.repository.default_branch)
    return Done(plan.stored())


def _stuck(context: StageContext, candidates: Candidates, plan: Plan) -> str | None:
    """Return in words why a run would not help now."""
    stuck = without_progress(plan, context.run.notes, context.services.earlier_run(plan.feature.path, Stage.APPLY))
    if _selection(context).names_tasks:
        return stuck  # whoever names phase or tasks has looked
    # What a person ticked since changes no code.
    judged, published = (
        context.services.earlier_run(plan.feature.path, stage, kind=PHASE) for stage in (Stage.APPLY, Stage.PUBLISH)
    )
    waiting = waits_for_acceptance(plan, context.run.notes, judged)
    return waiting or stuck or broken_before(plan, published, as_published=_as_published(candidates, plan, published))


def _as_published(candidates: Candidates, plan: Plan, earlier: EarlierRun | None) -> bool:
    """Return True if the branch ends with what a run published, but for boxes of tasks."""
    commit, tip = published_commit(earlier), plan.branch_tip
    if commit is None or tip is None:
        return False
    if tip == commit:
        return True
    if all(one.id != commit for one in candidates.snapshot.history(tip, plan.base)):
        return False
    changed = candidates.context.vcs.changes(candidates.snapshot.name, commit, tip)
    return all(change.path == plan.feature.tasks_path for change in changed)


def _not_ours(candidates: Candidates, start: Start) -> tuple[str, ...]:
    if start.branch_tip is None:
        return ()
    return foreign_commits(candidates.context, start.branch, candidates.snapshot.history(start.branch_tip, start.base))


def _task(task: SpecTask, feature: Feature) -> PlanTask:
    found = evidence_of(task.id, task.text, feature.path)
    text = storable(task.text)
    return PlanTask(
        task.id, task.line, text, found.targets, found.references, found.removals, found.gone, story=task.story
    )


def _is_check(task: SpecTask, work: Work) -> bool:
    """Return True for a task of the phase that the repository's tests decide, so that neither agent nor person has to."""
    return task in work.phase.tasks and task.flags == (VERIFY,) and asks_for_tests(task.text)


def _order(work: Work) -> Iterable[str]:
    """Return which tasks are handed out although one they wait for is left to a person."""
    left = {task.id for task in work.left_for_people}
    for task in work.tasks:
        if waits := [one for one in task.depends_on if one in left]:
            yield f"{task.id} depends on {', '.join(waits)}, left for people."


def _hashes(candidates: Candidates, feature: Feature, commit: str) -> Mapping[str, str | None]:
    paths: dict[str, Any] = {"spec": feature.spec_path, "plan": feature.plan_path, "tasks": feature.tasks_path}
    candidates.snapshot.read_ahead((commit, path) for path in paths.values() if path)
    found = {name: candidates.snapshot.read(commit, path) if path else None for name, path in paths.items()}
    return {name: None if data is None else hashlib.sha256(data).hexdigest() for name, data in found.items()}


def _words(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _sentence(text: str) -> str:
    whole = storable(text).strip()
    # A path keeps its spelling, wherever it stands.
    begin = whole[:1] if "/" in whole.partition(" ")[0] else whole[:1].upper()
    return begin + whole[1:] + ("" if whole.endswith((".", "!", "?")) else ".")


def summary(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the task's message says: what was chosen, and the ids of its tasks."""
    found = shown(outputs, ("featureKey", "phase", "branchName", "base", "startingCommit", "choice", "behindBase"))
    return {**found, "tasks": [task["id"] for task in outputs["tasks"]]} if outputs.get("tasks") else found


def starting_point(outputs: Mapping[str, Any]) -> StartingPoint | None:
    """Return what a plan is about; None where the outputs give the reason for having none."""
    if any(outputs.get(name) is None for name in ("featureKey", "startingCommit", "branchName", "tasks")):
        return None
    tasks = (*(str(task["id"]) for task in outputs["tasks"]), *map(str, outputs.get("leftForPeople") or ()))
    return StartingPoint(outputs["featureKey"], outputs["startingCommit"], tasks)


def mirrored_repository(outputs: Mapping[Stage, Mapping[str, Any]]) -> str | None:
    """Return the name under which a run's objects are mirrored: the forge's, which changes with its name."""
    # As it is written: what was pinned is let go also where no other part of the plan can be read.
    found = outputs.get(Stage.DISCOVER, {}).get("repository")
    return str(found["fullName"]) if isinstance(found, Mapping) and "fullName" in found else None


STAGE = StageDefinition(
    run, needs=frozenset({Need.FORGE}), summary=summary, starting_point=starting_point, preview=preview
)
