"""Agents end without a word; the job_poller looks."""

from datetime import datetime

import pytest
from structlog.testing import capture_logs

from moonmind.db.unit_of_work import Database
from moonmind.engine import job_poller as module
from moonmind.engine.host import Host
from moonmind.engine.job_poller import JobPoller
from moonmind.errors import Unavailable
from moonmind.ports.agent import JobEnd, JobState, JobStatus
from moonmind.runs.chain import Stage
from moonmind.runs.machine import WaitingReason
from moonmind.runs.records import Run
from tests.support.databases import (
    HOST,
    claim_run,
    event_types,
    everything,
    make_due,
    reach,
    read_run,
    register_host,
    set_columns,
    suspend,
)
from tests.support.engine_room import Clock, IdleAgent, Outage, Told, complaints
from tests.support.sweeps import OTHER
from tests.support.waiting import until


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def job_poller(database: Database, agent: IdleAgent, told: Told) -> JobPoller:
    register_host(database)
    return JobPoller(database, agent, told, Host(HOST, "a-host"), pace_seconds=0.02)


def suspended(database: Database, key: str) -> Run:
    run = suspend(database, reach(database, Stage.SUBMIT))
    set_columns(database, run.id, job_key=key)
    return read_run(database, run.id)


def is_due(database: Database, run: Run) -> bool:
    with database.read() as unit:
        return read_run(database, run.id).not_before <= unit.now()


@pytest.mark.parametrize(
    ("state", "wakes"),
    [(JobState.RUNNING, False), (JobState.ENDED, True), (JobState.LOST, True), (JobState.ABSENT, True)],
)
def test_a_run_is_woken_when_its_job_is_not_running_any_more(
    database: Database, job_poller: JobPoller, agent: IdleAgent, told: Told, state: JobState, wakes: bool
) -> None:
    run = suspended(database, "job")
    agent.at("job", state)
    with capture_logs() as logs:
        job_poller.look()
        job_poller.look()
    assert is_due(database, run) is wakes
    assert told.runs == ([run.id] if wakes else [])
    assert [entry["event"] for entry in logs] == (["attempt.woken"] if wakes else [])
    assert (event_types(database, run.id)[-1] == "attempt.woken") is wakes


@pytest.mark.parametrize("limit", [JobEnd.TIMED_OUT, JobEnd.STALLED])
def test_a_run_is_woken_when_its_job_has_outlived_a_limit(
    database: Database, job_poller: JobPoller, agent: IdleAgent, told: Told, limit: JobEnd
) -> None:
    run = suspended(database, "job")
    agent.at("job", JobState.RUNNING, overdue=limit)
    job_poller.look()
    assert told.runs == [run.id]
    assert is_due(database, run)


def test_a_run_without_a_job_has_nothing_to_wait_for(database: Database, job_poller: JobPoller, told: Told) -> None:
    run = suspend(database, reach(database, Stage.SUBMIT))
    set_columns(database, run.id, job_key=None)
    job_poller.look()
    assert told.runs == [run.id]


def test_only_waiting_for_an_agent_of_this_host_is_ended(database: Database, job_poller: JobPoller, told: Told) -> None:
    with database.write() as unit:
        unit.hosts.register(OTHER, "another")
    elsewhere = suspended(database, "elsewhere")
    set_columns(database, elsewhere.id, agent_host=OTHER)
    suspend(database, reach(database, Stage.SUBMIT), WaitingReason.CAPACITY)
    suspend(database, reach(database, Stage.SUBMIT), WaitingReason.QUOTA)
    claimed = suspended(database, "claimed")
    make_due(database, claimed.id)
    claim_run(database, claimed.id, Stage.SUBMIT)
    job_poller.look()
    before = everything(database)
    job_poller.look()
    assert (told.runs, everything(database)) == ([], before)


def test_a_job_that_cannot_be_looked_at_keeps_no_other_asleep(
    database: Database, job_poller: JobPoller, agent: IdleAgent, told: Told
) -> None:
    broken, ended = suspended(database, "broken"), suspended(database, "ended")
    agent.unreadable.add("broken")
    agent.at("ended", JobState.ENDED)
    with capture_logs() as logs:
        job_poller.look()
    assert told.runs == [ended.id]
    assert not is_due(database, broken)
    assert complaints(logs, "run_id") == [("agent.not_polled", str(broken.id))]


def test_a_job_poller_sends_its_hosts_heartbeat_every_ten_seconds(
    database: Database, agent: IdleAgent, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    job_poller = JobPoller(database, agent, told, Host(OTHER, "another"))
    job_poller.look()
    first = heard(database)
    clock.now += 9.9
    job_poller.look()
    assert heard(database) == first
    clock.now += 0.2
    job_poller.look()
    assert heard(database) > first


def heard(database: Database) -> datetime:
    with database.read() as unit:
        (one,) = unit.hosts.list()
    assert (one.id, one.name) == (OTHER, "another")
    return one.seen_at


def test_a_defect_at_one_job_keeps_no_other_asleep(database: Database, told: Told) -> None:
    class Breaking(IdleAgent):
        def poll(self, key: str) -> JobStatus:
            if key == "broken":
                raise ZeroDivisionError
            return super().poll(key)

    register_host(database)
    broken, ended = suspended(database, "broken"), suspended(database, "ended")
    agent = Breaking()
    agent.at("ended", JobState.ENDED)
    with capture_logs() as logs:
        JobPoller(database, agent, told, Host(HOST, "a-host")).look()
    assert told.runs == [ended.id]
    assert complaints(logs, "run_id") == [("agent.not_polled", str(broken.id))]


def test_an_outage_loses_no_end(database: Database, agent: IdleAgent, told: Told) -> None:
    register_host(database)
    run = suspended(database, "job")
    job_poller = JobPoller(Outage(database, times=1), agent, told, Host(HOST, "a-host"))
    with pytest.raises(Unavailable):
        job_poller.look()
    job_poller.look()
    assert told.runs == [run.id]


def test_a_started_job_poller_sees_the_end_by_itself(
    database: Database, job_poller: JobPoller, agent: IdleAgent, told: Told
) -> None:
    run = suspended(database, "job")
    agent.at("job", JobState.RUNNING)
    job_poller.start()
    agent.at("job", JobState.ENDED)
    until(lambda: told.runs == [run.id], "the wake")
    job_poller.close()
