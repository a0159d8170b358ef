"""The embedded engine's threads: each request's stages in turn, until one stops the chain."""

import threading
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from moonmind.adapters.dispatchers.threads import Execute, ThreadDispatcher
from moonmind.errors import Unavailable
from moonmind.ports.dispatcher import DispatchRequest
from moonmind.runs.chain import STAGES, Stage
from tests.support.engine_room import complaints
from tests.support.waiting import PATIENCE, until

Start = Callable[..., ThreadDispatcher]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[ThreadDispatcher] = []

    def one(execute: Execute, *, concurrency: int = 2) -> ThreadDispatcher:
        made.append(ThreadDispatcher(execute, concurrency=concurrency))
        made[-1].start()
        return made[-1]

    yield one
    for dispatcher in made:
        dispatcher.close(1.0)


def request(stage: Stage = Stage.DISCOVER, *, expires: float = 10.0) -> DispatchRequest:
    return DispatchRequest(uuid4(), stage, uuid4(), expires)


def test_a_chain_is_followed_from_its_stage_on_to_the_end(start: Start) -> None:
    executed: list[tuple[UUID, Stage, UUID]] = []

    def execute(*step: *tuple[UUID, Stage, UUID]) -> bool:
        executed.append(step)
        return True

    wanted = request(Stage.APPLY)
    start(execute).dispatch(wanted)
    until(lambda: len(executed) == 3, "the chain's end", pause=0.005)
    assert executed == [(wanted.run_id, stage, wanted.chain_id) for stage in STAGES[2:]]


def test_a_stage_that_stops_the_chain_is_its_last(start: Start) -> None:
    executed: list[Stage] = []

    def execute(_run: UUID, stage: Stage, _chain: UUID) -> bool:
        executed.append(stage)
        return stage is not Stage.SUBMIT

    dispatcher = start(execute, concurrency=1)
    dispatcher.dispatch(request())
    dispatcher.dispatch(request(Stage.FINALIZE))
    until(lambda: Stage.FINALIZE in executed, "the next request", pause=0.005)
    assert executed == [Stage.DISCOVER, Stage.SUBMIT, Stage.FINALIZE]


def test_runs_are_worked_on_at_once_as_many_as_there_are_threads(start: Start) -> None:
    together = threading.Barrier(3)

    def execute(_run: UUID, _stage: Stage, _chain: UUID) -> bool:
        together.wait(PATIENCE)
        return False

    dispatcher = start(execute, concurrency=2)
    for _ in range(2):
        dispatcher.dispatch(request())
    together.wait(PATIENCE)


def test_a_request_that_came_before_the_start_is_taken_and_one_that_waited_too_long_is_not(start: Start) -> None:
    executed: list[UUID] = []

    def execute(run: UUID, _stage: Stage, _chain: UUID) -> bool:
        executed.append(run)
        return False

    dispatcher = ThreadDispatcher(execute, concurrency=1)
    late, early = request(expires=0.0), request()
    dispatcher.dispatch(late)
    dispatcher.dispatch(early)
    dispatcher.start()
    until(lambda: executed, "the request", pause=0.005)
    dispatcher.close(1.0)
    assert executed == [early.run_id]


@pytest.mark.parametrize(
    ("error", "event"),
    [(Unavailable("the database is away"), "dispatch.not_followed"), (RuntimeError("a defect"), "dispatch.broke")],
)
def test_a_failure_ends_the_chain_and_not_the_thread(start: Start, error: Exception, event: str) -> None:
    executed: list[Stage] = []

    def execute(_run: UUID, stage: Stage, _chain: UUID) -> bool:
        executed.append(stage)
        if len(executed) == 1:
            raise error
        return False

    dispatcher = start(execute, concurrency=1)
    with capture_logs() as logs:
        dispatcher.dispatch(request())
        dispatcher.dispatch(request(Stage.PUBLISH))
        until(lambda: len(executed) == 2, "the next request", pause=0.005)
    assert (executed, complaints(logs)) == ([Stage.DISCOVER, Stage.PUBLISH], [event])


def test_the_end_waits_for_the_stage_at_work_and_begins_no_other(start: Start) -> None:
    begun, released, executed = threading.Event(), threading.Event(), list[Stage]()

    def execute(_run: UUID, stage: Stage, _chain: UUID) -> bool:
        begun.set()
        assert released.wait(PATIENCE)
        executed.append(stage)
        return True

    dispatcher = start(execute, concurrency=1)
    dispatcher.dispatch(request())
    dispatcher.dispatch(request())
    assert begun.wait(PATIENCE)
    threading.Timer(0.1, released.set).start()
    dispatcher.close(10.0)
    assert executed == [Stage.DISCOVER]


def test_the_end_waits_for_no_stage_longer_than_its_grace_and_holds_back_no_process(start: Start) -> None:
    begun, released = threading.Event(), threading.Event()

    def execute(_run: UUID, _stage: Stage, _chain: UUID) -> bool:
        begun.set()
        return released.wait(30)

    dispatcher = start(execute, concurrency=1)
    dispatcher.dispatch(request())
    assert begun.wait(PATIENCE)
    ended = threading.Thread(target=dispatcher.close, args=(0.1,), daemon=True)
    ended.start()
    ended.join(PATIENCE)
    assert not ended.is_alive()
    (left,) = [thread for thread in threading.enumerate() if thread.name == "stages-0"]
    assert left.daemon
    released.set()
    left.join(PATIENCE)
