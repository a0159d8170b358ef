"""What a pull request says: its title, and a run's section of its body with the verdicts on each task."""

from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote
from uuid import UUID

from moonmind.runs.verdict import Verdict
from moonmind.stages.kit.harmless_text import inert, markdown, markdown_with_code, one_line
from moonmind.stages.kit.plan import Plan
from moonmind.stages.kit.stage_results import ApplyResult, EnvironmentUse, Judgement

TITLE_LENGTH = 120
NOTHING_RUN = "MoonMind ran none of the repository's tests"
SCRIPTED = "**Scripted: a script stood in for a coding agent here, and no model was asked.**"
NO_SANDBOX = "**No sandbox: nothing kept what the agent started from other files of its machine, or from the network.**"
SECTION_LENGTH = 24_000
"""Characters of a section that keeps all the agent's words; a longer one is written with fewer of them."""
_SHOWN_TASKS = 100
_SHOWN_NOTES = 20
_MOST_COMMANDS = 3
_KEPT = ((300, True), (120, True), (0, True), (0, False))
"""Characters of the agent's words on one task, and whether its decisions are quoted: tried in turn until the section fits."""


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
) -> str:
    """Write what a run says of its phase in the pull request's body.

    `agent` is the adapter that did the work, `sandbox` what confined it, `image` what the repository names for that,
    `environments` what was set up for it; `outlook` says how the branch stands to its base; `files_url` is the page of the
    published commit's files at the forge, where it has one.
    """
    written = ""
    for said, decided in _KEPT:
        parts = _parts(
            plan,
            applied,
            run_id,
            said=said,
            decided=decided,
            agent=agent,
            sandbox=sandbox,
            image=image,
            environments=environments,
            outlook=outlook,
            files_url=files_url,
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
    said: int,
    decided: bool,
    agent: str | None,
    sandbox: str | None,
    image: str | None,
    environments: Sequence[EnvironmentUse],
    outlook: str,
    files_url: str | None,
) -> Iterable[str]:
    judgements = applied.verdicts
    ticked = [item for item in judgements if item.ticks]
    claimed = [item for item in ticked if item.verdict is Verdict.CLAIMED]
    texts = {task.key: task.text for task in plan.tasks}
    yield f"### {markdown(plan.phase, 200)}"
    if plan.part:
        yield f"**Part of the phase:** {markdown(plan.part, 600)}. The others are left for further runs."
    yield SCRIPTED if agent == "scripted" else ""
    yield NO_SANDBOX if sandbox == "none" and agent != "scripted" else ""
    yield _counts(plan, applied, ticked, claimed)
    yield _sources(plan, files_url)
    yield "" if ticked else "**No box was ticked: nothing in this change shows that a task of the phase is done.**"
    yield "\n".join(_tasks([item for item in judgements if item not in claimed], texts, said))
    if claimed:
        yield "**Ticked on the agent's word alone:**\n\n" + "\n".join(_tasks(claimed, texts, said))
    if missing := [item for item in judgements if not item.ticks]:
        yield f"**Left open:** {_ids(item.id for item in missing)}"
    if applied.decisions:
        listed = f" {len(applied.decisions)}; apply/output.json of the run lists them"
        yield "**Decisions, in the agent's words:**" + (f"\n\n{_quoted(applied.decisions)}" if decided else listed)
    if applied.remarks and said:
        yield "**The agent also says:**\n\n" + _quoted(applied.remarks)
    if plan.independent_test:
        yield f"**Independent test:** {markdown_with_code(plan.independent_test, 600)}"
    if plan.checkpoint:
        yield f"**Checkpoint:** {markdown_with_code(plan.checkpoint, 600)}"
    yield _not_given(plan)
    yield _set_up(environments)
    if outlook:
        yield f"**Base:** {markdown(outlook, 1000)}"
    # How the branch stood before the agent began is in the warnings, too; what counts is how it stands now.
    if warnings := [text for text in applied.warnings if text != plan.behind_base]:
        yield "**Look here first:**\n" + "\n".join(_limited([f"- {markdown(text)}" for text in warnings]))
    yield f"<sub>MoonMind run {run_id}, commit {applied.commit}; {_confined(sandbox)}{_of_image(sandbox, image)}{NOTHING_RUN}</sub>"


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
        _code(one_line(command.strip().partition("\n")[0], 200)) for command in one.setup[:_MOST_COMMANDS]
    )
    more = f" and {len(one.setup) - _MOST_COMMANDS} more" if len(one.setup) > _MOST_COMMANDS else ""
    return f"{shown}{more}" + ("" if one.root == "." else f" in {_code(one.root)}")


def _not_given(plan: Plan) -> str:
    """List the open tasks that the agent was not given, with who does them where the plan says so."""
    if plan.left_because:
        lines = [f"- {markdown_with_code(why)}" for why in plan.left_because]
        return "**Not given to the agent, left open:**\n" + "\n".join(_limited(lines))
    return f"**Left for people:** {_ids(plan.left_for_people)}" if plan.left_for_people else ""


def _counts(plan: Plan, applied: ApplyResult, ticked: Sequence[Judgement], claimed: Sequence[Judgement]) -> str:
    alone = f" ({len(claimed)} on the agent's word alone)" if claimed else ""
    return (
        f"{len(ticked)} of {len(applied.verdicts)} tasks ticked{alone} in {_code(plan.feature.tasks_path)}; "
        f"{_files(len(applied.files))} changed (+{applied.added} −{applied.deleted})."
    )


def _sources(plan: Plan, files_url: str | None) -> str:
    """Name spec and plan as they are at the published commit; links where the forge has pages of files."""
    paths = [path for path in (plan.feature.spec_path, plan.feature.plan_path) if path]
    if not paths:
        return ""
    shown = [f"[{_code(path)}]({files_url}/{quote(path)})" if files_url else _code(path) for path in paths]
    return f"Specified in {' and '.join(shown)}."


def _tasks(judgements: Sequence[Judgement], texts: Mapping[str, str], said: int) -> Iterable[str]:
    for item in judgements[:_SHOWN_TASKS]:
        box = "x" if item.ticks else " "
        text = markdown_with_code(texts.get(item.key, ""), 200)
        yield f"- [{box}] **{markdown(item.id, 40)}** {text} — {markdown(item.words, 300)}"
        if item.said and said:
            yield f"  > {markdown_with_code(item.said, said)}"
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


def _code(path: str) -> str:
    return markdown(path) if "`" in path else f"`{one_line(path, 200)}`"
