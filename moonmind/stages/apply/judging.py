"""Judges each spec task of the phase by what the change holds; a claim alone shows nothing."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from moonmind.runs.verdict import Verdict
from moonmind.speckit.mentions import paths_in
from moonmind.speckit.targets import is_folder
from moonmind.speckit.wording import asked_in, asks_for_change
from moonmind.stages.apply.effects import ChangedTree, Effect, State, effect_of
from moonmind.stages.kit.plan import PlanTask
from moonmind.stages.kit.stage_results import Judgement

_SHOWN = 3
_CODE_NAME = re.compile(
    r"`([A-Za-z_]\w{2,})(?:\(\))?`|\b([A-Za-z]\w*_\w+|[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*)\b|\b([A-Za-z_]\w{2,})\("
)


@dataclass(frozen=True, slots=True)
class Word:
    """What the agent says."""

    claimed: Collection[str] = ()
    """Ids that it says are done."""
    denied: Collection[str] = ()
    """Ids that it says are not done."""
    said: Mapping[str, str] = field(default_factory=dict)
    """Its words on each."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """The same for people, without the word for the task's state."""


def judge(tasks: Iterable[PlanTask], tree: ChangedTree, word: Word | None = None) -> tuple[Judgement, ...]:
    """Judge the tasks in order, by the change and by what the agent says of them."""
    given, agent = tuple(tasks), word or Word()
    return tuple(_judge(task, given, tree, agent) for task in given)


def _judge(task: PlanTask, tasks: Collection[PlanTask], tree: ChangedTree, word: Word) -> Judgement:
    claimed = task.id in word.claimed

    def say(verdict: Verdict, because: str) -> Judgement:
        return Judgement(task.id, task.line, verdict, because, claimed, word.reasons.get(task.id, ""))

    references = [
        name for name in (*task.references, *task.targets) if tree.is_reference(name) or name in task.references
    ]
    targets = [name for name in task.targets if name not in references]
    asked, places = asked_in(task.text), [path for path in paths_in(task.text) if is_folder(path)]
    effects = {
        name: effect_of(name, tree, asked, places, may_go=name in task.removals, must_go=name in task.gone)
        for name in targets
    }
    if destroyed := _in(effects, State.DESTROYED):
        return say(Verdict.CONTRADICTED, f"{_reasons(effects, destroyed)}, and the task does not ask for it")
    if targets and claimed and len(_in(effects, State.MISSING)) == len(targets):
        return say(Verdict.CONTRADICTED, f"the agent says it is done, but nothing it names exists: {_some(targets)}")
    if task.id in word.denied:
        return say(Verdict.OPEN, "the agent says it is not done")
    if lost := [name for name in references if tree.lost(name)]:
        return say(Verdict.OPEN, f"the change deletes what the task refers to: {_some(lost)}")
    if not targets:
        return _without_targets(references, tree, claimed, say)
    done = _in(effects, State.DONE)
    if len(done) == len(targets):
        if words := _shared(task, tasks, effects, word):
            return say(Verdict.CLAIMED if claimed else Verdict.OPEN, words)
        return say(Verdict.CHANGED, _some(_shown(effects, done)))
    undone = [name for name in targets if name not in done]
    there = [name for name in undone if effects[name].state is State.THERE]
    if claimed and len(there) == len(targets) and (set(there) <= set(task.gone) or not asks_for_change(task.text)):
        return say(Verdict.CLAIMED, f"the agent says it is done; this run did not touch {_some(there)}")
    count = (
        f"{len(done)} of {len(targets)} {'paths' if any(map(is_folder, targets)) else 'files'}; "
        if len(targets) > 1
        else ""
    )
    return say(Verdict.OPEN, count + _reasons(effects, undone))


def _without_targets(
    references: Collection[str],
    tree: ChangedTree,
    claimed: bool,
    say: Callable[[Verdict, str], Judgement],
) -> Judgement:
    missing = [name for name in references if not tree.has(name)]
    if not claimed:
        return say(Verdict.OPEN, "it names nothing to check, and the agent does not say it is done")
    if references and len(missing) == len(references):
        return say(Verdict.CONTRADICTED, f"the agent says it is done, but nothing it names exists: {_some(missing)}")
    if references:
        return say(Verdict.CLAIMED, f"the agent says it is done; it only refers to {_some(references)}")
    return say(Verdict.CLAIMED, "the agent says it is done; it names nothing to check")


def _shared(task: PlanTask, tasks: Collection[PlanTask], effects: Mapping[str, Effect], word: Word) -> str | None:
    """Return why a change to one file is not this task's, where several tasks name only that file; None if it is."""
    others = [other for other in tasks if other.key != task.key and set(other.targets) == set(task.targets)]
    if len(task.targets) != 1 or not others:
        return None
    name = task.targets[0]
    if task.id not in word.claimed:
        return f"several tasks name only {name}, and the agent does not say that this one is done"
    rivals = [other for other in others if other.id in word.claimed]
    own = _code_names(word.said.get(task.id, ""))
    for rival in rivals:
        own -= _code_names(word.said.get(rival.id, ""))
    if not rivals or own & effects[name].added:
        return None
    return f"several tasks name only {name}, and the agent names no change of its own for this one"


def _code_names(words: str) -> set[str]:
    return {name for found in _CODE_NAME.findall(words[:2000]) for name in found if name}


def _in(effects: Mapping[str, Effect], state: State) -> list[str]:
    return [name for name, effect in effects.items() if effect.state is state]


def _shown(effects: Mapping[str, Effect], names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(path for name in names for path in effects[name].paths))


def _reasons(effects: Mapping[str, Effect], names: Iterable[str]) -> str:
    """Group the names by what became of them: "missing: a.py; only comments: b.py"."""
    grouped: dict[str, list[str]] = {}
    for name in names:
        grouped.setdefault(effects[name].words, []).append(name)
    return "; ".join(f"{words}: {_some(group)}" for words, group in grouped.items())


def _some(paths: Iterable[str]) -> str:
    shown = list(paths)
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
