import json
from dataclasses import dataclass, field

import pytest

from moonmind.cli.agent_log import Entry
from moonmind.cli.follow import LogTail, ServiceSource, follow, log_of
from moonmind.errors import Unavailable
from moonmind.wire import SpecWorkflowRun, WorkflowArtifact
from tests.support.terminal import Session, a_run, with_log


def said(text: str) -> bytes:
    return json.dumps({"type": "item.completed", "item": {"type": "agent_message", "text": text}}).encode() + b"\n"


@dataclass
class Shown:
    looks: list[tuple[str, list[str]]] = field(default_factory=list)

    def show(self, run: SpecWorkflowRun, entries: list[Entry]) -> None:
        self.looks.append((run.status.value, [entry.text for entry in entries]))


def test_following_shows_every_look_and_gives_the_run_as_it_ended(session: Session) -> None:
    run = session.runs.add(a_run(), with_log(a_run(1)), with_log(a_run(5)))
    session.runs.files["submit/codex.jsonl"] = said("one") + said("two").rstrip()
    view = Shown()
    assert follow(ServiceSource(session, str(run.id)), view, pace=0).id == run.id
    assert view.looks == [("pending", []), ("running", ["one"]), ("succeeded", ["two"])]


def test_following_ends_when_the_check_says_so(session: Session) -> None:
    run = session.runs.add(a_run(1))
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Unavailable("the server ended")

    view = Shown()
    with pytest.raises(Unavailable):
        follow(ServiceSource(session, str(run.id)), view, pace=0, check=check)
    assert len(view.looks) == 2


def test_a_next_attempts_log_is_read_from_its_beginning(session: Session) -> None:
    run = session.runs.add(a_run(1))
    session.runs.files |= {"submit-1.jsonl": said("first") + b'{"torn', "submit-2.jsonl": said("second")}
    logs = [WorkflowArtifact(artifact_type="codex_logs", path=f"submit-{number}.jsonl") for number in (1, 2)]
    tail = LogTail(ServiceSource(session, str(run.id)))
    assert [entry.text for entry in tail.more(run.model_copy(update={"artifacts": logs[:1]}))] == ["first"]
    assert [entry.text for entry in tail.more(run.model_copy(update={"artifacts": logs}))] == ["second"]
    assert tail.more(run.model_copy(update={"artifacts": logs})) == []


def test_a_log_that_is_named_but_not_written_yet_is_empty(session: Session) -> None:
    run = session.runs.add(a_run(1, codex_logs_path="submit/codex.jsonl"))
    assert log_of(run) == ("submit/codex.jsonl", None)
    assert LogTail(ServiceSource(session, str(run.id))).more(run) == []


def test_a_log_longer_than_one_piece_is_read_whole(session: Session) -> None:
    run = session.runs.add(with_log(a_run(1)))
    session.runs.files["submit/codex.jsonl"] = said("x" * 900_000) * 3
    assert len(LogTail(ServiceSource(session, str(run.id))).more(run)) == 3


def test_a_log_that_has_stopped_growing_is_not_asked_for_again(session: Session) -> None:
    run = session.runs.add(a_run(5))
    session.runs.files["log"] = said("one")
    sealed = WorkflowArtifact(artifact_type="codex_logs", path="log", size_bytes=len(said("one")))
    tail = LogTail(ServiceSource(session, str(run.id)))
    assert len(tail.more(run.model_copy(update={"artifacts": [sealed]}))) == 1
    del session.runs.files["log"]  # whoever asks now is told that there is none
    assert tail.more(run.model_copy(update={"artifacts": [sealed]})) == []
