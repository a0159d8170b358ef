"""What a pull request says: its title, and a run's section of its body with the verdicts on each task."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote
from uuid import UUID

from moonmind.runs.naming import accept_command
from moonmind.runs.verdict import Verdict
from moonmind.stages.kit import verification_text
from moonmind.stages.kit.harmless_text import as_code, inert, markdown, markdown_with_code, one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, EnvironmentUse, Judgement
from moonmind.stages.kit.verification_text import Detail

TITLE_LENGTH = 120
DRAFT_BEFORE = "This pull request is a draft already, and stays one until a person marks it as ready for review."
NO_DRAFT = (
    "This pull request is not marked as a draft: it was open before this was found, or its repository has no drafts."
)
SCRIPTED = "**Scripted: a script stood in for a coding agent here, and no model was asked.**"
NO_SANDBOX = "**No sandbox: nothing kept what the agent started from other files of its machine, or from the network.**"
SECTION_LENGTH = 24_000
"""Characters of a section that keeps all the agent's words; a longer one is written with fewer of them."""
_SHOWN_TASKS = 100
_SHOWN_NOTES = 20
_MOST_COMMANDS = 3


@dataclass(frozen=True, slots=True)
class _Length:
    """How much a section says of what others wrote."""

    said: int
    """Characters of the agent's words on one task."""
    decided: bool
    """Whether the agent's decisions are quoted."""
    tests: Detail
    task: int = 200
    """Characters of a task's text."""
    because: int = 300
    """Characters of the reason of a verdict."""


_LENGTHS = (
    _Length(300, True, Detail(ids=10, excerpt=12, evidence=3)),
    _Length(120, True, Detail(ids=10, excerpt=6, evidence=2)),
    _Length(0, True, Detail(ids=5, excerpt=4, evidence=1)),
    _Length(0, False, Detail(ids=3, excerpt=0, evidence=1)),
    _Length(0, False, Detail(ids=0, excerpt=0, evidence=0, commands=8), task=80, because=120),
)
"""Tried in turn until the section fits."""


def title(plan: Plan, feature_title: str = "", phases: int = 1) -> str:
    """Write the pull request's title; one that holds several phases counts them, and part of one says so.

    `feature_title` is the feature's name in its spec.md; without one, the feature's key stands for it.
    """
    name = feature_title or plan.feature_name
    phase = f"part of {plan.phase}" if plan.part else plan.phase
    return inert(f"{name}: {phase if phases == 1 else f'{phases} phases'}", TITLE_LENGTH)


def is_ours(text: str, plan: Plan, feature_title: str = "") -> bool:
    """Return True if a title is one that we wrote, so that a person's own title stays."""
    # By any of the names: another feature with the same key may have come or gone since it was written.
    names = filter(None, (feature_title, plan.feature.key, plan.feature.path))
    return any(text.startswith(inert(f"{name}: ", TITLE_LENGTH)) for name in names)


def section(
    plan: Plan,
    applied: ApplyResult,
    run_id: UUID,
    *,
    agent: str | None = None,
    sandbox: str | None = None,
    image: str | None = None,
    environments: Sequence[EnvironmentUse] = (),
    outlook: str = "",
    files_url: str | None = None,
    is_draft: bool | None = None,
) -> str:
    """Write what a run says of its phase in the pull request's body.

    `agent` is the adapter that did the work, `sandbox` what confined it, `image` what the repository names for that,
    `environments` what was set up for it; `outlook` says how the branch stands to its base; `files_url` is the page of the
    published commit's files at the forge, where it has one; `is_draft` says whether the pull request is one, None before it is open.
    """
    written = ""
    for length in _LENGTHS:
        parts = _parts(
            plan,
            applied,
            run_id,
            length=length,
            agent=agent,
            sandbox=sandbox,
            image=image,
            environments=environments,
            outlook=outlook,
            files_url=files_url,
            is_draft=is_draft,
        )
        written = "\n\n".join(part for part in parts if part)
        if len(written) <= SECTION_LENGTH:
            break
    return written


def _parts(
    plan: Plan,
    applied: ApplyResult,
    run_id: UUID,
    *,
    length: _Length,
    agent: str | None,
    sandbox: str | None,
    image: str | None,
    environments: Sequence[EnvironmentUse],
    outlook: str,
    files_url: str | None,
    is_draft: bool | None,
) -> Iterable[str]:
    tests = applied.tests
    yield f"### {markdown(plan.phase, 200)}"
    yield _readiness(applied.not_ready, is_draft)
    if plan.part:
        yield f"**Part of the phase:** {markdown(plan.part, 600)}. The others are left for further runs."
    yield SCRIPTED if agent == "scripted" else ""
    yield NO_SANDBOX if sandbox == "none" and agent != "scripted" else ""
    yield _counts(plan, applied)
    yield _sources(plan, files_url)
    yield _look_first(plan, applied)
    yield verification_text.block(tests, length.tests) if tests is not None else ""
    yield from _judged(plan, applied, run_id, length)
    yield from _agents_words(applied, length)
    if plan.independent_test:
        yield f"**Independent test:** {markdown_with_code(plan.independent_test, 600)}"
    if plan.checkpoint:
        yield f"**Checkpoint:** {markdown_with_code(plan.checkpoint, 600)}"
    yield _not_given(plan, applied)
    yield _set_up(environments)
    if outlook:
        yield f"**Base:** {markdown(outlook, 1000)}"
    ran = verification_text.ran(tests)
    yield f"<sub>MoonMind run {run_id}, commit {applied.commit}; {_confined(sandbox)}{_of_image(sandbox, image)}{ran}</sub>"


def _readiness(reason: str, is_draft: bool | None) -> str:
    """Return why the change is not ready to be merged; empty where nothing says so.

    `is_draft` says how the pull request is shown, None before it is open.
    """
    if not reason:
        return DRAFT_BEFORE if is_draft else ""
    why = markdown_with_code(reason.rstrip("."), 400)
    return f"**Not ready to merge: {why}.** {NO_DRAFT}" if is_draft is False else f"**Draft: {why}.**"


def _look_first(plan: Plan, applied: ApplyResult) -> str:
    """List what a reviewer looks at first: what the tests lack, what broke, then the other warnings."""
    # How the branch stood before the agent began is in the warnings, too; what counts is how it stands now.
    warnings = [markdown(text) for text in applied.warnings if text != plan.behind_base]
    tests = verification_text.look_first(applied.tests) if applied.tests is not None else []
    lines = [*(f"- {text}" for text in tests), *_limited([f"- {text}" for text in warnings])]
    return "\n".join(["**Look here first:**", *lines]) if lines else ""


def _judged(plan: Plan, applied: ApplyResult, run_id: UUID, length: _Length) -> Iterable[str]:
    """Yield the tasks with their verdicts, then what is not ticked, and what is not shown."""
    judgements = applied.verdicts
    claimed = [item for item in judgements if item.ticks and item.verdict is Verdict.CLAIMED]
    texts = {task.key: task.text for task in plan.all_tasks}
    if not any(item.ticks for item in judgements):
        yield "**No box was ticked: nothing in this change shows that a task of the phase is done.**"
    yield "\n".join(_tasks([item for item in judgements if item not in claimed], texts, length))
    if claimed:
        yield "**Ticked on the agent's word alone:**\n\n" + "\n".join(_tasks(claimed, texts, length))
    if missing := [item.id for item in judgements if not item.ticks and not item.held]:
        yield f"**Left open:** {_ids(missing)}"
    if held := verification_text.held_back(judgements):
        command = as_code(accept_command(run_id, [item.id for item in judgements if item.held]))
        yield " ".join(
            [
                *held,
                f"If that is done, this ticks it on the pull request's branch, with your name and reason: {command}",
            ]
        )
    if applied.tests is not None and (lines := verification_text.not_shown(applied.tests, judgements, length.tests)):
        yield "\n".join(["**Not shown by any test:**", *(f"- {line}" for line in lines)])


def _agents_words(applied: ApplyResult, length: _Length) -> Iterable[str]:
    if applied.decisions:
        listed = f" {len(applied.decisions)}; apply/output.json of the run lists them"
        yield "**Decisions, in the agent's words:**" + (
            f"\n\n{_quoted(applied.decisions)}" if length.decided else listed
        )
    if applied.remarks and length.said:
        yield "**The agent also says:**\n\n" + _quoted(applied.remarks)


def _confined(sandbox: str | None) -> str:
    """Return in words what confined the agent; empty where that is not known."""
    match sandbox:
        case None:
            return ""
        case "none":
            return "the agent worked without a sandbox; "
        case "codex":
            return "the agent worked in Codex's own sandbox; "
        case _:
            return f"the agent worked in the sandbox {sandbox}; "


def _of_image(sandbox: str | None, image: str | None) -> str:
    """Return in words whether the image was used that the repository names; empty where it names none."""
    if image is None or sandbox is None:
        return ""
    shown = markdown(image, 300)
    return (
        f"in the image {shown}; " if sandbox == "docker" else f"image {shown} is not used: the sandbox is {sandbox}; "
    )


def _set_up(environments: Sequence[EnvironmentUse]) -> str:
    """Return what was set up before the agent began, and what could not be."""
    there = [one for one in environments if not one.problem and one.setup]
    missing = [one for one in environments if one.problem]
    said = [f"**Set up for the agent:** {'; '.join(map(_commands, there))}."] if there else []
    if missing:
        said.append(
            f"**Not set up, since it failed; the agent worked without it:** {'; '.join(map(_commands, missing))}."
        )
    return "\n\n".join(said)


def _commands(one: EnvironmentUse) -> str:
    shown = ", ".join(
        as_code(one_line(command.strip().partition("\n")[0], 200)) for command in one.setup[:_MOST_COMMANDS]
    )
    more = f" and {len(one.setup) - _MOST_COMMANDS} more" if len(one.setup) > _MOST_COMMANDS else ""
    return f"{shown}{more}" + ("" if one.root == "." else f" in {as_code(one.root)}")


def _not_given(plan: Plan, applied: ApplyResult) -> str:
    """List the open tasks that the agent was not given, with who does them where the plan says so."""
    # Ids repeat in real files: one that was ticked here says nothing of another task.
    decided = {item.id for item in applied.verdicts if item.key in {task.key for task in plan.checks}}
    if plan.left_because:
        lines = [f"- {markdown_with_code(why)}" for why in plan.left_because if why.partition(": ")[0] not in decided]
        return "**Not given to the agent, left open:**\n" + "\n".join(_limited(lines)) if lines else ""
    left = [one for one in plan.left_for_people if one not in decided]
    return f"**Left for people:** {_ids(left)}" if left else ""


def _counts(plan: Plan, applied: ApplyResult) -> str:
    """Count the tasks by verdict where tests were asked for, the ticked boxes, and the changed files."""
    judgements = applied.verdicts
    ticked = [item for item in judgements if item.ticks]
    claimed = sum(item.verdict is Verdict.CLAIMED for item in ticked)
    alone = f" ({claimed} on the agent's word alone)" if claimed else ""
    counts = verification_text.verdict_counts(judgements) if applied.tests is not None else ""
    return (f"**{counts}.** " if counts else "") + (
        f"{len(ticked)} of {len(judgements)} tasks ticked{alone} in {as_code(plan.feature.tasks_path)}; "
        f"{_files(len(applied.files))} changed (+{applied.added} −{applied.deleted})."
    )


def _sources(plan: Plan, files_url: str | None) -> str:
    """Name spec and plan as they are at the published commit; links where the forge has pages of files."""
    paths = [path for path in (plan.feature.spec_path, plan.feature.plan_path) if path]
    if not paths:
        return ""
    shown = [f"[{as_code(path)}]({files_url}/{quote(path)})" if files_url else as_code(path) for path in paths]
    return f"Specified in {' and '.join(shown)}."


def _tasks(judgements: Sequence[Judgement], texts: Mapping[str, str], length: _Length) -> Iterable[str]:
    for item in judgements[:_SHOWN_TASKS]:
        box = "x" if item.ticks else " "
        text = markdown_with_code(texts.get(item.key, ""), length.task)
        yield f"- [{box}] **{markdown(item.id, 40)}** {text} — {markdown(item.words, length.because)}{' — not ticked' if item.held else ''}"
        for line in verification_text.evidence(item.tests, length.tests.evidence):
            yield f"  - {line}"
        if item.said and length.said:
            yield f"  > Agent: {markdown_with_code(item.said, length.said)}"
    if len(judgements) > _SHOWN_TASKS:
        yield f"- and {len(judgements) - _SHOWN_TASKS} more tasks; apply/output.json of the run lists them"


def _quoted(lines: Iterable[str]) -> str:
    return "\n".join(f"> - {markdown_with_code(line, 500)}" for line in lines)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _limited(lines: list[str]) -> list[str]:
    more = len(lines) - _SHOWN_NOTES
    return lines[:_SHOWN_NOTES] + ([f"- and {more} more"] if more > 0 else [])


def _ids(ids: Iterable[str]) -> str:
    shown = [markdown(task_id, 40) for task_id in ids]
    more = len(shown) - _SHOWN_TASKS
    return ", ".join(shown[:_SHOWN_TASKS]) + (f" and {more} more" if more > 0 else "")
