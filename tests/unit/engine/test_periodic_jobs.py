"""What is done regularly: when it is due, in one process at a time."""

import threading
from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select, update
from structlog.testing import capture_logs

from moonmind.db.tables import cooldown
from moonmind.db.unit_of_work import Database
from moonmind.engine.periodic_jobs import PeriodicJob, PeriodicJobs
from moonmind.errors import Unavailable
from tests.support.databases import at_once
from tests.support.engine_room import Clock, Outage, complaints
from tests.support.waiting import PATIENCE, until

HOUR = 3600.0


def counting(done: list[str], name: str = "retention") -> PeriodicJob:
    return PeriodicJob(name, HOUR, lambda _: done.append(name))


def pass_time(database: Database, seconds: float) -> None:
    """Let the database's clock go on, as the rows see it."""
    with database._engine.begin() as connection:
        for name, then in connection.execute(select(cooldown.c.name, cooldown.c.until)).all():
            earlier = then - timedelta(seconds=seconds)
            connection.execute(update(cooldown).where(cooldown.c.name == name).values(until=earlier))


def test_a_job_is_done_at_the_first_look_and_again_after_its_time(database: Database) -> None:
    done: list[str] = []
    jobs = PeriodicJobs(database, [counting(done), counting(done, "other")])
    jobs.look()
    jobs.look()
    assert done == ["retention", "other"]
    pass_time(database, HOUR - 60.0)
    jobs.look()
    assert done == ["retention", "other"]
    pass_time(database, 61.0)
    jobs.look()
    assert done == ["retention", "other"] * 2


def test_of_processes_that_look_at_once_one_does_the_job(database: Database) -> None:
    done: list[str] = []
    for round_number in range(1, 4):
        processes = [PeriodicJobs(database, [counting(done)]) for _ in range(4)]
        assert at_once(4, lambda number: processes[number].look()) == [None] * 4  # noqa: B023 - called in this round
        assert len(done) == round_number
        pass_time(database, HOUR + 1.0)


def test_a_job_that_takes_long_breaks_off_before_another_process_may_begin_it(database: Database) -> None:
    clock, asked = Clock(), list[bool]()

    def work(stop: Callable[[], bool]) -> None:
        asked.append(stop())
        clock.now += HOUR / 2
        asked.append(stop())

    PeriodicJobs(database, [PeriodicJob("retention", HOUR, work)], clock=clock.monotonic).look()
    assert asked == [False, True]


def test_a_process_that_ends_waits_for_its_job_to_break_off(database: Database) -> None:
    begun, broke_off = threading.Event(), threading.Event()

    def work(stop: Callable[[], bool]) -> None:
        begun.set()
        until(stop, "the end of the process", pause=0.005)
        broke_off.set()

    jobs = PeriodicJobs(database, [PeriodicJob("retention", HOUR, work)])
    jobs.start()
    assert begun.wait(PATIENCE)
    jobs.close()
    assert broke_off.is_set()


def test_a_job_that_fails_keeps_no_other_from_being_done(database: Database) -> None:
    done: list[str] = []

    def refuse(_stop: Callable[[], bool]) -> None:
        raise Unavailable("the database does not answer")

    def defect(_stop: Callable[[], bool]) -> None:
        raise RuntimeError("nobody planned for this")

    jobs = [PeriodicJob("first", HOUR, refuse), PeriodicJob("second", HOUR, defect), counting(done)]
    with capture_logs() as logs:
        PeriodicJobs(database, jobs).look()
    assert (done, complaints(logs)) == (["retention"], ["job.failed", "job.broke"])


def test_an_outage_loses_no_job(database: Database) -> None:
    done: list[str] = []
    jobs = PeriodicJobs(Outage(database, times=1), [counting(done)], look_seconds=0.01)
    with capture_logs() as logs:
        jobs.start()
        until(lambda: done, "the job after the outage", 30)
        jobs.close()
    assert complaints(logs) == ["periodic-jobs.failed"]
