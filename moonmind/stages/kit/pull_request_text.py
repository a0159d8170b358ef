"""What a pull request says: its title, and a run's section of its body with the verdicts on each task."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.harmless_text import inert, markdown, one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, Judgement

TITLE_LENGTH = 120
NOTHING_RUN = "MoonMind ran none of the repository's tests"
SCRIPTED = "**Scripted: a script stood in for a coding agent here, and no model was asked.**"
_SHOWN_TASKS = 100
_SHOWN_NOTES = 20


def title(plan: Plan, phases: int = 1) -> str:
    """Write the pull request's title; one that holds several phases counts them."""
    return inert(f"{plan.feature_name}: {plan.phase if phases == 1 else f'{phases} phases'}", TITLE_LENGTH)


def is_ours(text: str, plan: Plan) -> bool:
    """Return True if a title is one that we wrote, so that a person's own title stays."""
    # By either name: another feature with the same key may have come or gone since it was written.
    return any(text.startswith(inert(f"{name}: ", TITLE_LENGTH)) for name in (plan.feature.key, plan.feature.path))


def section(plan: Plan, applied: ApplyResult, run_id: UUID, *, agent: str | None = None) -> str:
    """Write what a run says of its phase in the pull request's body; `agent` is the adapter that did the work."""
    judgements = applied.verdicts
    ticked = [item for item in judgements if item.verdict.ticks]
    claimed = [item for item in ticked if item.verdict is Verdict.CLAIMED]
    alone = f" ({len(claimed)} on the agent's word alone)" if claimed else ""
    texts = {task.key: task.text for task in plan.tasks}
    parts = [
        f"### {markdown(plan.phase, 200)}",
        SCRIPTED if agent == "scripted" else "",
        (
            f"{len(ticked)} of {len(judgements)} tasks ticked{alone} in {_code(plan.feature.tasks_path)}; "
            f"{_files(len(applied.files))} changed (+{applied.added} −{applied.deleted})."
        ),
        "" if ticked else "**No box was ticked: nothing in this change shows that a task of the phase is done.**",
        "\n".join(_tasks([item for item in judgements if item not in claimed], texts)),
    ]
    if claimed:
        parts.append("**Ticked on the agent's word alone:**\n\n" + "\n".join(_tasks(claimed, texts)))
    if missing := [item for item in judgements if not item.verdict.ticks]:
        parts.append(f"**Left open:** {_ids(item.id for item in missing)}")
    if plan.independent_test:
        parts.append(f"**Independent test:** {markdown(plan.independent_test, 600)}")
    if plan.checkpoint:
        parts.append(f"**Checkpoint:** {markdown(plan.checkpoint, 600)}")
    if plan.left_for_people:
        parts.append(f"**Left for people:** {_ids(plan.left_for_people)}")
    if applied.warnings:
        parts.append(
            "**Look here first:**\n" + "\n".join(_limited([f"- {markdown(text)}" for text in applied.warnings]))
        )
    parts.append(f"<sub>MoonMind run {run_id}, commit {applied.commit}; {NOTHING_RUN}</sub>")
    return "\n\n".join(part for part in parts if part)


def _tasks(judgements: Sequence[Judgement], texts: Mapping[str, str]) -> Iterable[str]:
    for item in judgements[:_SHOWN_TASKS]:
        box = "x" if item.verdict.ticks else " "
        text = markdown(texts.get(item.key, ""), 200)
        yield f"- [{box}] **{markdown(item.id, 40)}** {text} — {markdown(item.words, 300)}"
    if len(judgements) > _SHOWN_TASKS:
        yield f"- and {len(judgements) - _SHOWN_TASKS} more tasks; apply/output.json of the run lists them"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _limited(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN_NOTES
    return lines[:_SHOWN_NOTES] + ([f"- and {more} more"] if more > 0 else [])


def _ids(ids: Iterable[str]) -> str:
    shown = [markdown(task_id, 40) for task_id in ids]
    more = len(shown) - _SHOWN_TASKS
    return ", ".join(shown[:_SHOWN_TASKS]) + (f" and {more} more" if more > 0 else "")


def _code(path: str) -> str:
    return markdown(path) if "`" in path else f"`{one_line(path, 200)}`"
