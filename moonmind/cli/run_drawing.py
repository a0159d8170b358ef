"""Draw a run: its five stages as they stand, what it waits for, the agent's last words, how it ended."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from moonmind.cli.agent_log import Entry, Kind
from moonmind.cli.consoles import marks
from moonmind.cli.durations import ago, between, clock
from moonmind.cli.exits import in_commands
from moonmind.cli.terminal_text import one_line
from moonmind.cli.verification_display import stage_words
from moonmind.runs.attention import APPROVE, REJECT
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.wire import RunEvent, SpecWorkflowRun, TaskName, Waiting, WorkflowTaskState

_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "started": "cyan",
    "retrying": "yellow",
    "waiting": "dim",
    "skipped": "dim",
}
_STATUS_STYLES = {
    "succeeded": "bold green",
    "failed": "bold red",
    "running": "bold cyan",
    "pending": "cyan",
    "retrying": "yellow",
    "no_work": "bold",
    "cancelled": "yellow",
}
_WAITS = {
    WaitingReason.AGENT: "the agent is running",
    WaitingReason.ENVIRONMENT: "what its tests need is being set up",
    WaitingReason.VERIFICATION: "the repository's tests are being run",
    WaitingReason.CAPACITY: "all agent slots are busy; checks again at {until}",
    WaitingReason.QUOTA: "the usage limit is reached until {until}",
    WaitingReason.RATE_LIMIT: "rate limited until {until}",
    WaitingReason.BACKOFF: "retries at {until}",
    WaitingReason.NEEDS_ATTENTION: "needs an answer by {until}",
}
_REQUESTS = {EventType.RUN_CREATED: "started", EventType.RUN_CANCEL_REQUESTED: "cancelled"}
"""What people call a request whose event has another verb."""
_KINDS = {
    Kind.SAYS: ("", ""),
    Kind.THINKS: ("", "dim italic"),
    Kind.RAN: ("$ ", "cyan"),
    Kind.CHANGED: ("", "green"),
    Kind.LOOKED_UP: ("? ", "blue"),
    Kind.PLANS: ("", "dim"),
    Kind.NOTE: ("! ", "yellow"),
    Kind.FAILED: ("! ", "red"),
    Kind.ENDED: ("", "dim"),
}


def status_text(status: str) -> Text:
    """Show a status in its colour, with a space for the underscore."""
    return Text(status.replace("_", " "), style=_STATUS_STYLES.get(status, ""))


def state_of(task: WorkflowTaskState, run: SpecWorkflowRun) -> str:
    """Name a stage's state; stages that an ended run never came to are `skipped`."""
    if run.status.terminal and task.state in {AttemptState.WAITING, AttemptState.RECEIVED}:
        return "skipped"
    if run.status.terminal and task.state in {AttemptState.STARTED, AttemptState.RETRYING}:
        return "failed"  # stopped at work
    return "waiting" if task.state is AttemptState.RECEIVED else task.state.value


def chain(run: SpecWorkflowRun) -> Sequence[WorkflowTaskState]:
    """Return the five stages in their order; rows of operators' retries are left out."""
    return [task for task in run.tasks or [] if task.task_name is not TaskName.RETRY]


def waiting_text(waiting: Waiting) -> str:
    """Describe what a run waits for."""
    return _WAITS[waiting.reason].format(until=clock(waiting.until))


def note(task: WorkflowTaskState, run: SpecWorkflowRun) -> str:
    """Describe in a few words what came of a stage, or what it waits for."""
    if task.task_name == run.current_task_name and not run.status.terminal:
        if run.cancel_requested_at is not None:
            return "is being cancelled"
        if run.waiting is not None:
            return waiting_text(run.waiting)
    return one_line(_outcome(task, run))


def _outcome(task: WorkflowTaskState, run: SpecWorkflowRun) -> str:
    said: dict[str, Any] = task.message
    if task.state is AttemptState.FAILED:
        return str(said.get("message", ""))
    if task.state is AttemptState.RETRYING:
        return str(said.get("previousMessage", ""))
    if task.state is not AttemptState.SUCCEEDED:
        return ""
    match task.task_name:
        case TaskName.DISCOVER:
            tasks = said.get("tasks")
            named = ", ".join(map(str, tasks)) if isinstance(tasks, list) else run.phase or ""
            return run.reason or "; ".join(filter(None, (named, str(said.get("behindBase") or ""))))
        case TaskName.SUBMIT if run.usage is not None:
            tokens = f"{run.usage.input_tokens:,} tokens in, {run.usage.output_tokens:,} out"
            place = " ".join(filter(None, (_place(said), set_up_text(said.get("environments")))))
            parts = filter(None, (tokens, model_calls_text(run), place))
            return ("scripted: " if is_scripted(run) else "") + ", ".join(parts)
        case TaskName.APPLY:
            verdicts = said.get("verdicts")
            counted = verdicts.items() if isinstance(verdicts, dict) else ()
            none = "no box ticked: " if counted and not said.get("ticked") else ""
            boxes = none + ", ".join(f"{count} {verdict}" for verdict, count in counted)
            return "; ".join(filter(None, (boxes, stage_words(said.get("tests")))))
        case TaskName.PUBLISH:
            return (run.branch_name or "") + (" (draft)" if said.get("draft") else "")
        case _:
            return ""


def sandbox_text(kind: object) -> str:
    """Describe what confined the agent; empty where that is not known, and the word itself where a newer server says it."""
    return "" if kind is None else _SANDBOXES.get(str(kind), f"in {one_line(str(kind))}")


def _place(said: Mapping[str, Any]) -> str:
    """Describe what confined the agent, and an image that the repository names and that is not used there."""
    text, image, kind = sandbox_text(said.get("sandbox")), said.get("image"), said.get("sandbox")
    unused = image is not None and kind not in (None, "docker")
    return (
        f"{text} (image {one_line(str(image))} is not used: the sandbox is {one_line(str(kind))})" if unused else text
    )


def set_up_text(environments: object) -> str:
    """Describe what was set up for the agent, and what could not be; empty where nothing was to be."""
    uses = [one for one in environments if isinstance(one, dict)] if isinstance(environments, list) else []
    setups = [one.get("setup") for one in uses if not one.get("problem")]
    named = [one_line(str(setup[0])) for setup in setups if isinstance(setup, list) and setup]
    failed = sum(1 for one in uses if one.get("problem"))
    said = [f"after {', '.join(named)}"] if named else []
    return " ".join([*said, *(["(a setup failed)" if failed == 1 else f"({failed} setups failed)"] if failed else [])])


_SANDBOXES = {"codex": "in Codex's own sandbox", "none": "without a sandbox"}


def model_calls_text(run: SpecWorkflowRun) -> str:
    """Describe how many calls of the model the run's agents made; empty where none has asked one."""
    if run.model_calls_capped is False:
        return "model calls not capped"
    if run.model_calls is None:
        return ""
    return "1 model call" if run.model_calls == 1 else f"{run.model_calls:,} model calls"


def heading(run: SpecWorkflowRun) -> Text:
    """Describe in two lines which run this is, and that it is a scripted one as soon as that is known."""
    first = run.phase or run.feature_key or run.repository
    parts = (run.repository, run.feature_key, selected_text(run), str(run.id)[:8])
    rest = (part for part in parts if part and part != first)
    named = Text.assemble((one_line(first), "bold"), "\n", (" · ".join(one_line(part) for part in rest), "dim"))
    return named.append(f"\n{SCRIPTED}", "yellow") if is_scripted(run) else named


SCRIPTED = "scripted: a script stands in for a coding agent, and no model is asked"


def is_scripted(run: SpecWorkflowRun) -> bool:
    """Return True if a scripted agent does the run's work, as far as the run says who does it."""
    snapshot = run.credential_audit.environment_snapshot if run.credential_audit is not None else {}
    told = [task.message.get("agent") for task in chain(run) if task.task_name is TaskName.SUBMIT]
    return "scripted" in {*told, snapshot.get("agent")}


def request(event: RunEvent) -> Text:
    """Describe what a person asked of a run, and who it was."""
    verb = _REQUESTS.get(event.type) or event.type.value.rpartition(".")[2].replace("_", " ")
    what = f": {_answer(event.data)}" if event.type is EventType.RUN_ANSWERED else ""
    return Text(one_line(f"{verb} by {event.actor}{what}"), "dim")


def _answer(data: Mapping[str, Any]) -> str:
    """Describe in a few words what was answered, and why."""
    word = next((word for word in (APPROVE, REJECT) if data.get(word)), None)
    what = word or str(data.get("choice") or data.get("text") or "")
    return f"{what} ({data['why']})" if data.get("why") else what


def requests(asked: Iterable[RunEvent]) -> list[Text]:
    """Describe in one line each what people asked of a run, and when."""
    return [request(event).append(f" {ago(event.created_at)}") for event in asked]


def selected_text(run: SpecWorkflowRun) -> str:
    """Describe what the run was asked to take up; empty where that is every open task."""
    if run.select is None:
        return ""
    only = ", ".join(filter(None, (run.select.phase, run.select.story, *run.select.tasks)))
    without = ", ".join(run.select.skip)
    return ", ".join(filter(None, (only and f"only {only}", without and f"without {without}")))


def stage_table(run: SpecWorkflowRun, console: Console, *, live: bool = False) -> Table:
    """Draw the five stages, one line each; `live` lets the stage at work turn."""
    shown = marks(console)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(min_width=8, no_wrap=True)
    table.add_column(min_width=6, justify="right", no_wrap=True, style="dim")
    table.add_column(ratio=1, overflow="fold")
    for task in chain(run):
        state = state_of(task, run)
        style = _STYLES[state]
        mark: RenderableType = Text(shown[state], style)
        if live and state == "started":
            mark = _spinner(console, style)
        again = f" (try {task.retry_count + 1})" if task.retry_count else ""
        table.add_row(
            mark,
            Text(
                task.task_name.value,
                "bold" if state == "started" else "" if state in {"succeeded", "failed"} else "dim",
            ),
            between(task.started_at, task.finished_at or (run.completed_at if run.status.terminal else None)),
            Text(note(task, run) + again, "red" if state == "failed" else ""),
        )
    return table


_spinners: dict[str, Spinner] = {}


def _spinner(console: Console, style: str) -> Spinner:
    """Keep one spinner over all frames: a new one would start at its first picture every time."""
    name = "line" if console.options.ascii_only else "dots"
    return _spinners.setdefault(name, Spinner(name, style=style))


def entry_text(entry: Entry) -> Text:
    """Show one entry of the agent's log."""
    sign, style = _KINDS[entry.kind]
    return Text(sign + entry.text, style if entry.good else "red")


def words(entries: Iterable[Entry]) -> RenderableType:
    """Show the agent's last entries, each cut to one line."""
    lines = []
    for entry in entries:
        line = entry_text(entry)
        line.plain = one_line(line.plain)
        line.no_wrap, line.overflow = True, "ellipsis"
        lines.append(line)
    return Padding(Group(*lines), (0, 0, 0, 2), expand=False) if lines else Text("")


def began(run: SpecWorkflowRun) -> datetime | None:
    """Return the moment from which a run's length counts: its last retry's start, else its first stage's."""
    retries = [task for task in run.tasks or [] if task.task_name is TaskName.RETRY]
    if retries:
        return retries[-1].started_at
    return min((task.started_at for task in chain(run) if task.started_at is not None), default=None)


def facts(run: SpecWorkflowRun) -> list[tuple[str, Text]]:
    """List by name what an ended run has left, or what it ended with."""
    found = [
        (name, Text(one_line(value)))
        for name, value in (("branch", run.branch_name), ("pull request", run.pull_request_url))
        if value
    ]
    if run.error is not None:
        found.append(("error", Text(in_commands(one_line(f"{run.error.message} ({run.error.code})")), "red")))
        if run.error.remediation:
            found.append(("fix", Text(in_commands(one_line(run.error.remediation)))))
    return found


def verdict(run: SpecWorkflowRun) -> list[Text]:
    """Describe how a run ended, after how long, and why if it had nothing to do."""
    took = between(began(run), run.completed_at)
    lines = [Text.assemble(status_text(run.status.value), (f" after {took}" if took else "", "dim"), _no_tick(run))]
    return [*lines, Text(one_line(run.reason))] if run.reason else lines


def _no_tick(run: SpecWorkflowRun) -> tuple[str, str]:
    """Describe a success that ticked no box."""
    for task in chain(run):
        said = task.message
        if run.status is RunStatus.SUCCEEDED and task.task_name is TaskName.FINALIZE and said.get("tasks"):
            return ("", "") if said.get("ticked") else (f"; 0 of {said['tasks']} tasks ticked", "bold yellow")
    return "", ""


def ending(run: SpecWorkflowRun) -> RenderableType:
    """Describe how the run ended and what exists of it."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts(run):
        table.add_row(name, value)
    return Group(*verdict(run), *([table] if table.row_count else []))
