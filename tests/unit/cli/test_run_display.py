import io
import json
from contextlib import suppress
from datetime import timedelta

import pytest
from rich.console import Console

from moonmind.cli.agent_log import Entry, Kind
from moonmind.cli.run_display import JsonView, LineView, LiveView, view_for
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.runs.words import read_word
from moonmind.wire import RunEvent, SpecWorkflowRun, TaskName, Waiting
from tests.support.terminal import NOW, a_run


def at_work(done: int, **given: object) -> SpecWorkflowRun:
    run = a_run(done, **given)
    tasks = list(run.tasks or [])
    tasks[done] = tasks[done].model_copy(update={"state": AttemptState.STARTED, "started_at": NOW})
    return run.model_copy(
        update={"tasks": tasks, "current_task_name": tasks[done].task_name, "status": RunStatus.RUNNING}
    )


def says(text: str) -> Entry:
    return Entry(Kind.SAYS, text)


def shown(terminal: bool, width: int = 100) -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=width, height=40, force_terminal=terminal, markup=False, highlight=False), stream


def test_plain_lines_tell_the_story_in_its_order_and_once() -> None:
    console, stream = shown(terminal=False)
    waiting = Waiting(reason=WaitingReason.AGENT, until=NOW)
    with LineView(console) as view:
        view.show(at_work(0), [])
        view.show(at_work(0), [])
        view.show(at_work(1, waiting=waiting), [says("hello")])
        view.show(at_work(2), [says("goodbye")])
        view.show(a_run(5), [])
    told = [line.split()[:2] for line in stream.getvalue().splitlines()[1:]]
    assert told == [
        ["discover", "started"],
        ["discover", "succeeded"],
        ["submit", "started"],
        ["submit", "the"],
        ["agent", "hello"],
        ["agent", "goodbye"],
        ["submit", "succeeded"],
        ["apply", "started"],
        ["apply", "succeeded"],
        ["publish", "succeeded"],
        ["finalize", "succeeded"],
        ["succeeded", "after"],
    ]


def request(seq: int, kind: EventType, actor: str, **data: object) -> RunEvent:
    return RunEvent(id=seq, seq=seq, run_id=a_run().id, type=kind, created_at=NOW, actor=actor, data=data)


ASKED = [
    request(1, EventType.RUN_CREATED, "ana"),
    request(9, EventType.RUN_CANCEL_REQUESTED, "uid 1234"),
    request(14, EventType.RUN_RETRIED, "ci\x1b[31m\nbot"),
    request(15, read_word(EventType, "run.put_off"), "ben"),
]


def test_plain_lines_name_who_asked_once_each() -> None:
    console, stream = shown(terminal=False)
    with LineView(console) as view:
        for known in (1, 1, 2, 4, 4):
            view.show(at_work(0), [], ASKED[:known])
    told = [line for line in stream.getvalue().splitlines() if " by " in line]
    assert told == ["started by ana", "cancelled by uid 1234", "retried by ci bot", "put off by ben"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"choice": "specs/001-a", "why": None}, "answered by ana: specs/001-a"),
        ({"choice": "specs/001-a", "why": "it is\nfirst"}, "answered by ana: specs/001-a (it is first)"),
        ({"approve": True, "why": "a test's key"}, "answered by ana: approve (a test's key)"),
        ({"reject": True}, "answered by ana: reject"),
        ({"text": "call it\x1b[2J x"}, "answered by ana: call it x"),
    ],
)
def test_an_answer_is_shown_with_who_gave_it(data: dict[str, object], said: str) -> None:
    console, stream = shown(terminal=False)
    with LineView(console) as view:
        view.show(at_work(0), [], [request(2, EventType.RUN_ANSWERED, "ana", **data)])
    assert said in stream.getvalue().splitlines()


def test_the_picture_names_who_asked() -> None:
    console, stream = shown(terminal=True)
    with LiveView(console) as view:
        view.show(at_work(0), [], ASKED)
    for said in ("started by ana", "cancelled by uid 1234", "retried by ci bot"):
        assert said in stream.getvalue()


def test_a_stage_that_waits_again_and_again_has_started_once_per_attempt() -> None:
    console, stream = shown(terminal=False)
    later = NOW + timedelta(minutes=1)
    quota, agent = WaitingReason.QUOTA, WaitingReason.AGENT
    with LineView(console) as view:
        for reason, until in ((agent, NOW), (agent, later), (quota, NOW), (quota, later), (agent, NOW)):
            view.show(at_work(1, waiting=Waiting(reason=reason, until=until)), [])
            view.show(at_work(1), [])
        again = at_work(1)
        tasks = [
            task.model_copy(update={"retry_count": task.task_name is TaskName.SUBMIT}) for task in again.tasks or []
        ]
        view.show(again.model_copy(update={"tasks": tasks}), [])
    told = [" ".join(line.split()[:3]) for line in stream.getvalue().splitlines() if "submit" in line]
    assert told == ["submit started", "submit the agent", "submit the usage", "submit started"]


def test_plain_lines_end_where_their_words_end() -> None:
    console, stream = shown(terminal=False)
    with LineView(console) as view:
        view.show(at_work(1), [says("hello  ")])
        view.show(a_run(5, branch_name="moonmind/042-x", pull_request_url="https://forge/pull/1"), [])
    lines = stream.getvalue().splitlines()
    assert "branch        moonmind/042-x" in lines
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_picture_that_is_left_standing_does_not_turn() -> None:
    console, stream = shown(terminal=True)
    view = LiveView(console)
    with suppress(KeyboardInterrupt), view:
        view.show(at_work(1), [])
        raise KeyboardInterrupt
    assert "●" in stream.getvalue().rsplit("discover", 1)[1]


def test_the_picture_shows_every_stage_the_wait_and_the_last_words() -> None:
    console, stream = shown(terminal=True)
    with LiveView(console) as view:
        view.show(
            at_work(1, waiting=Waiting(reason=WaitingReason.AGENT, until=NOW)), [says(f"word {n}") for n in range(9)]
        )
    picture = stream.getvalue()
    for word in ("discover", "submit", "apply", "publish", "finalize", "the agent is running", "word 8"):
        assert word in picture
    assert "word 2" not in picture


def test_the_last_picture_says_how_it_ended() -> None:
    console, stream = shown(terminal=True)
    with LiveView(console) as view:
        view.show(a_run(5, branch_name="moonmind/042-x", pull_request_url="https://forge/pull/1"), [])
    assert "https://forge/pull/1" in stream.getvalue()


def test_an_agent_that_says_markup_shows_it_as_it_is() -> None:
    console, stream = shown(terminal=True)
    with LiveView(console) as view:
        view.show(at_work(1), [says("[red]not red[/red] [link=http://x]y[/link]")])
    assert "[red]not red[/red] [link=http://x]y[/link]" in stream.getvalue()


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    console, stream = shown(terminal=False, width=width)
    stages = a_run(5, branch_name="moonmind/" + "x" * 90, pull_request_url="https://forge/" + "y" * 90, phase="z" * 99)
    console.print(LiveView(console)._picture())
    view = LiveView(console)
    view._run = stages
    view._entries.append(says("w" * 300))
    console.print(view._picture())
    assert max(len(line) for line in stream.getvalue().splitlines()) <= width


def test_json_lines_are_whole_runs_and_only_changes(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonView() as view:
        for run in (a_run(), a_run(), a_run(1), a_run(5)):
            view.show(run, [])
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["status"] for line in lines] == ["pending", "running", "succeeded"]
    assert [task["taskName"] for task in lines[-1]["tasks"]] == [name.value for name in list(TaskName)[:5]]


def test_a_picture_is_drawn_only_where_one_can_be() -> None:
    assert isinstance(view_for(shown(terminal=True)[0]), LiveView)
    assert isinstance(view_for(shown(terminal=False)[0]), LineView)
