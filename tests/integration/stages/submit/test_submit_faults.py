import io
import json
import os
import signal
import tarfile
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.jobs.job_timing import JobTiming
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.trees import remove_tree
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.engine.lease import LeaseLost
from moonmind.errors import AgentUnknown, Unavailable, VcsError
from moonmind.ports.agent import AgentJob, JobLimits, JobState, JobStatus
from moonmind.ports.vcs import Capture, Workspace
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Suspend, WaitingReason
from tests.support.processes import alive
from tests.support.stage_parts import Listed, checkpoint_of
from tests.support.stage_world import World, discovered, failed
from tests.support.waiting import until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with discovered(World(tmp_path)) as made:
        yield made


class Stumbling(GitVcs):
    """A git that fails once when the work is to be taken."""

    stumbled = False

    def capture(self, repository: str, run_id: UUID, workspace: Workspace, *, named: Collection[str] = ()) -> Capture:
        if not self.stumbled:
            self.stumbled = True
            raise VcsError("the disk was full")
        return super().capture(repository, run_id, workspace, named=named)


def test_work_that_could_not_be_taken_once_is_taken_later_without_asking_the_agent_again(world: World) -> None:
    world.vcs = Stumbling(world.vcs_options)
    outcome = failed(world.drive(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("git_failed", True)
    done = world.step(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-1")
    assert world.numbers[Stage.SUBMIT] == 2


class Dropping(Listed):
    """A list of artifacts whose database is away once."""

    dropped = False

    def seal(self, path: str) -> None:
        if not self.dropped:
            type(self).dropped = True
            raise Unavailable("the database does not answer")
        super().seal(path)


@pytest.mark.parametrize("end", ["completed", "failed"])
def test_a_log_that_could_not_be_sealed_once_starts_no_other_agent(
    world: World, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Dropping, "dropped", False)
    world.artifacts = Dropping(world.run_id, world.store, world.database, world.redactor)
    world.plays({"write": "a.py", "content": "x"}, {"end": end, "message": "so it is"}, then=({"hang": True},))
    outcome = failed(world.drive(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("unavailable", True)
    assert checkpoint_of(outcome)["finishedJob"] == f"{world.run_id}/submit-1"
    again = world.step(Stage.SUBMIT)
    if end == "completed":
        assert isinstance(again, Done), again
        assert again.result["jobKey"].endswith("submit-1")
    else:
        assert "so it is" in failed(again).error.message
    assert world.agent.poll(f"{world.run_id}/submit-2").state is JobState.ABSENT


class Blind(ScriptedAgent):
    """An agent whose jobs cannot be looked at, as when a process has no descriptor left."""

    def poll(self, key: str) -> JobStatus:
        raise AgentUnknown(f"the state of job {key} could not be read: [Errno 24] Too many open files")


def blind(world: World) -> Blind:
    return Blind(world.agent._options)


@pytest.mark.parametrize("known_by", ["kept", "row"])
def test_an_agent_that_cannot_be_looked_at_is_waited_for(world: World, tmp_path: Path, known_by: str) -> None:
    go = tmp_path / "go"
    world.plays({"wait_for": str(go)}, {"write": "a.py", "content": "x"}, then=({"hang": True},))
    assert isinstance(world.step(Stage.SUBMIT), Suspend)
    if known_by == "row":
        world.job_key = str(world.checkpoints.pop(Stage.SUBMIT)["jobKey"])
    sighted, world.agent = world.agent, blind(world)
    for _ in range(7):
        suspended = world.step(Stage.SUBMIT)
        assert isinstance(suspended, Suspend), suspended
        assert (suspended.reason, suspended.seconds) == (WaitingReason.AGENT, 60.0)
        # The run's row has the job by this: one that a retry has forgotten would be woken every second.
        assert known_by == "row" or checkpoint_of(suspended)["jobKey"] == f"{world.run_id}/submit-1"
    world.agent = sighted
    go.touch()
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-1")


def test_a_job_that_nobody_is_known_to_have_started_is_tried_again_when_it_cannot_be_looked_at(world: World) -> None:
    world.agent = blind(world)
    outcome = failed(world.step(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("agent_unknown", True)


class BlindAfterStart(ScriptedAgent):
    """An agent that cannot be looked at once it is started."""

    started = False

    def start(self, job: AgentJob) -> None:
        super().start(job)
        self.started = True

    def poll(self, key: str) -> JobStatus:
        if self.started:
            raise AgentUnknown("Too many open files")
        return super().poll(key)


def test_an_agent_that_cannot_be_looked_at_right_after_its_start_is_waited_for(world: World) -> None:
    sighted, world.agent = world.agent, BlindAfterStart(world.agent._options)
    suspended = world.step(Stage.SUBMIT)
    assert isinstance(suspended, Suspend), suspended
    assert checkpoint_of(suspended)["jobKey"] == f"{world.run_id}/submit-1"
    world.agent = sighted
    assert isinstance(world.drive(Stage.SUBMIT), Done)


def test_work_is_not_taken_while_something_of_the_agent_is_still_there(world: World) -> None:
    world.agent = ScriptedAgent(replace(world.agent._options, timing=JobTiming(kill=0.2)))
    assert isinstance(world.step(Stage.SUBMIT), Suspend)
    world.wait_for_agent()
    path = world.agent._jobs.folder(f"{world.run_id}/submit-1").result
    clean = path.read_bytes()
    first = kernel.identify(1)  # the first process takes no SIGKILL, from whomever
    left = [{"pid": first.pid, "started": first.started}]
    path.write_text(json.dumps(json.loads(clean) | {"survivors": 1, "left": left}))
    outcome = failed(world.step(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == ("agent_unknown", True)
    assert "cannot be ended: 1" in outcome.error.message
    assert checkpoint_of(outcome)["finishedJob"] == f"{world.run_id}/submit-1"
    path.write_text(json.dumps(json.loads(clean) | {"survivors": 1, "left": [left[0] | {"started": "another"}]}))
    done = world.step(Stage.SUBMIT)  # it has gone meanwhile
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-1")


def test_a_reset_that_has_passed_is_no_busy_loop(world: World) -> None:
    world.plays({"end": "quota", "message": "no more", "resetsInSeconds": 0})
    suspended = world.drive(Stage.SUBMIT)
    assert isinstance(suspended, Suspend), suspended
    assert (suspended.reason, suspended.until, suspended.seconds) == (WaitingReason.QUOTA, None, 60.0)


def test_a_rate_limit_waits_and_costs_no_attempt(world: World) -> None:
    world.plays({"end": "rate_limited", "message": "slow down"}, then=({"write": "a.py", "content": "x"},))
    suspended = world.drive(Stage.SUBMIT)
    assert isinstance(suspended, Suspend), suspended
    assert (suspended.reason, suspended.until, suspended.seconds) == (WaitingReason.RATE_LIMIT, None, 60.0)
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"] == f"{world.run_id}/submit-1.1"
    assert world.numbers[Stage.SUBMIT] == 1


def unusable(folder: Path) -> None:
    (folder / "git~1").mkdir()
    (folder / "git~1" / "odd").write_text("the only copy\n")
    (folder / "made.py").write_text("x = 1\n")


def test_work_that_cannot_be_taken_is_kept_and_a_retry_asks_no_agent_for_it(world: World) -> None:
    outcome = failed(world.submit_with(unusable))
    assert (outcome.error.code, outcome.transient) == ("git_refused", False)
    (path,) = world.artifacts.of("work_archive")
    assert path in outcome.error.message
    with tarfile.open(fileobj=io.BytesIO(world.artifacts.read(path))) as archive:
        assert set(archive.getnames()) == {"git~1/odd", "made.py"}
    again = failed(world.drive(Stage.SUBMIT))
    assert again.error.code == "git_refused"
    remove_tree(world.workspace / "git~1")  # the cause was outside of the agent's hands: a person saw to it
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-1")
    assert world.artifacts.of("prompt") == ["codex/prompt-1.md"]


def test_a_retry_with_notes_asks_the_same_thread_and_quotes_the_refusal(world: World) -> None:
    outcome = failed(world.submit_with(unusable))
    world.notes = "Call the folder something else."
    world.plays({"delete": "git~1/odd"}, {"write": "a.py", "content": "x"})
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["jobKey"].endswith("submit-3" if world.numbers[Stage.SUBMIT] == 3 else "submit-2")
    assert done.result["codexTaskId"] == checkpoint_of(outcome)["codexTaskId"]
    assert "git~1/odd has a name that some systems treat" in world.artifacts.read("codex/prompt-2.md").decode()


def stopped(world: World, *then: dict[str, object], limits: JobLimits) -> JobStatus:
    """Let an agent write a file; then stop its supervisor until the job has outlived a limit or `then` is done."""
    world.limits = limits
    go = world.folder / "go"
    begun = ({"write": "half.py", "content": "HALF = True\n"}, {"say": "half done"}, {"wait_for": str(go)})
    world.plays(*begun, *then)
    key = f"{world.run_id}/submit-1"
    assert isinstance(world.step(Stage.SUBMIT), Suspend)
    until((world.workspace / "half.py").exists, "the agent's work")
    status = until(lambda: seen if (seen := world.agent.poll(key)).thread_id else None, "the thread's name")
    assert status.pid is not None
    os.kill(status.pid, signal.SIGSTOP)
    go.touch()
    return until(lambda: seen if (seen := world.agent.poll(key)).overdue else None, "the end of its time")


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        (JobLimits(stall_seconds=60, total_seconds=3), "agent_timeout"),
        (JobLimits(stall_seconds=3, total_seconds=60), "agent_stalled"),
    ],
)
def test_a_job_whose_supervisor_is_stopped_ends_at_its_limit_with_work_and_thread_kept(
    world: World, limits: JobLimits, code: str
) -> None:
    status = stopped(world, {"hang": True}, limits=limits)
    outcome = failed(world.step(Stage.SUBMIT))
    assert (outcome.error.code, outcome.transient) == (code, False)
    assert "its supervisor did not see to that" in outcome.error.message
    assert checkpoint_of(outcome)["codexTaskId"] == status.thread_id is not None
    assert b"HALF = True" in world.artifacts.read(checkpoint_of(outcome)["partialPatch"])
    assert status.agent_pid is not None
    assert status.pid is not None
    for pid in (status.pid, status.agent_pid):
        assert not alive(pid)


def test_an_agent_that_was_done_before_its_supervisor_was_stopped_has_done_its_work(world: World) -> None:
    stopped(world, {"end": "completed", "message": "done"}, limits=JobLimits(stall_seconds=3, total_seconds=60))
    done = world.step(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["report"] == "done"


def test_a_job_that_is_overdue_and_cannot_be_ended_is_not_said_to_have_ended(world: World) -> None:
    stopped(world, {"hang": True}, limits=JobLimits(stall_seconds=60, total_seconds=3))
    world.lease.break_after = 0
    with pytest.raises(LeaseLost):
        world.step(Stage.SUBMIT)
    assert world.agent.poll(f"{world.run_id}/submit-1").state is JobState.RUNNING
