import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from moonmind.cli.agent_log import Entry
from moonmind.cli.follow import LogTail, ServiceSource, follow, log_of
from moonmind.errors import Unavailable
from moonmind.runs.machine import RunStatus
from moonmind.runtime.container import Container
from moonmind.wire import RunEvent, SpecWorkflowRun
from tests.support.databases import add_run, claim_run, set_columns
from tests.support.terminal import end, keep

LOG = "submit/codex.jsonl"


def said(text: str) -> bytes:
    return json.dumps({"type": "item.completed", "item": {"type": "agent_message", "text": text}}).encode() + b"\n"


@dataclass
class Shown:
    looks: list[tuple[str, list[str]]] = field(default_factory=list)
    asked: list[list[str | None]] = field(default_factory=list)

    def show(self, run: SpecWorkflowRun, entries: list[Entry], asked: Sequence[RunEvent]) -> None:
        self.looks.append((run.status.value, [entry.text for entry in entries]))
        self.asked.append([event.actor for event in asked])


def test_following_shows_every_look_and_gives_the_run_as_it_ended(container: Container) -> None:
    database = container.database
    run = add_run(database)

    def moves() -> Iterator[None]:
        claim_run(database, run.id)
        keep(database, run.id, "codex_logs", LOG, said("one"), sealed=False)
        yield
        keep(database, run.id, "codex_logs", LOG, said("one") + said("two").rstrip())
        end(database, run.id, RunStatus.SUCCEEDED)
        yield

    view, steps = Shown(), moves()

    def move() -> None:
        next(steps)

    ended = follow(ServiceSource(container.runs, str(run.id)), view, pace=0, meanwhile=move)
    assert ended.id == run.id
    assert view.looks == [("pending", []), ("running", ["one"]), ("succeeded", ["two"])]


def test_following_shows_who_asked_for_what(container: Container) -> None:
    run = add_run(container.database, started_by="ana")

    def moves() -> Iterator[None]:
        claim_run(container.database, run.id)
        yield
        container.runs.cancel(run.id, actor="ben")
        yield
        container.runs.cancel(run.id, actor="cleo")
        yield
        end(container.database, run.id, RunStatus.CANCELLED)
        yield

    view, steps = Shown(), moves()
    follow(ServiceSource(container.runs, str(run.id)), view, pace=0, meanwhile=lambda: next(steps))
    assert view.asked == [["ana"], ["ana"], ["ana", "ben"], ["ana", "ben"], ["ana", "ben"]]


def test_following_ends_when_the_check_says_so(container: Container) -> None:
    run = add_run(container.database)
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Unavailable("the server ended")

    view = Shown()
    with pytest.raises(Unavailable):
        follow(ServiceSource(container.runs, str(run.id)), view, pace=0, check=check)
    assert len(view.looks) == 2


def test_a_next_attempts_log_is_read_from_its_beginning(container: Container) -> None:
    run = add_run(container.database)
    tail = LogTail(ServiceSource(container.runs, str(run.id)))
    keep(container.database, run.id, "codex_logs", "submit-1.jsonl", said("first") + b'{"torn', sealed=False)
    assert [entry.text for entry in tail.more(container.runs.get(run.id))] == ["first"]
    keep(container.database, run.id, "codex_logs", "submit-2.jsonl", said("second"))
    assert [entry.text for entry in tail.more(container.runs.get(run.id))] == ["second"]
    assert tail.more(container.runs.get(run.id)) == []


def test_what_the_attempt_before_left_unfinished_comes_before_the_next_attempts_log(container: Container) -> None:
    run = add_run(container.database)
    tail = LogTail(ServiceSource(container.runs, str(run.id)))
    item = {"id": "item_0", "type": "command_execution", "command": "make"}
    begun = json.dumps({"type": "item.started", "item": item}).encode() + b"\n"
    keep(container.database, run.id, "codex_logs", "submit-1.jsonl", begun, sealed=False)
    assert tail.more(container.runs.get(run.id)) == []
    keep(container.database, run.id, "codex_logs", "submit-2.jsonl", said("second"))
    assert [entry.text for entry in tail.more(container.runs.get(run.id))] == ["make  (not finished)", "second"]


def test_a_log_that_is_named_but_not_written_yet_is_empty(container: Container) -> None:
    run = add_run(container.database)
    set_columns(container.database, run.id, codex_logs_path=LOG)
    shown = container.runs.get(run.id)
    assert log_of(shown) == (LOG, None)
    assert LogTail(ServiceSource(container.runs, str(run.id))).more(shown) == []


def test_a_log_longer_than_one_piece_is_read_whole(container: Container) -> None:
    run = add_run(container.database)
    keep(container.database, run.id, "codex_logs", LOG, said("x" * 900_000) * 3)
    assert len(LogTail(ServiceSource(container.runs, str(run.id))).more(container.runs.get(run.id))) == 3


def test_a_log_that_has_stopped_growing_is_not_asked_for_again(container: Container) -> None:
    run = add_run(container.database)
    keep(container.database, run.id, "codex_logs", LOG, said("one"))
    shown = container.runs.get(run.id)
    tail = LogTail(ServiceSource(container.runs, str(run.id)))
    assert len(tail.more(shown)) == 1
    place = container.settings.artifact_root / str(run.id) / LOG
    place.write_bytes(place.read_bytes() + said("two"))  # what is sealed does not grow: whoever asks now reads this
    assert tail.more(shown) == []
