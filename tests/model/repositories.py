"""The model's moves made by the real repositories, each in the transaction that the product makes it in."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import event

from moonmind import bootstrap
from moonmind.db.unit_of_work import Database, UnitOfWork
from moonmind.engine.executor import Recorder
from moonmind.errors import RunActive
from moonmind.runs.attention import CHOOSE_FEATURE, Answered, Attention
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import RetryMode, Suspend
from moonmind.runs.records import Claim, NewRun, Run
from tests.model.tables import Tables
from tests.model.values import LEASE, LIFETIME, LIMIT, POLICY, SILENCE, Held, Report


class Repositories:
    """One database, and the claims that were ever taken in it, lost ones included."""

    def __init__(self, url: str) -> None:
        self._database = Database(url, pool_size=1)
        if url.startswith("sqlite"):
            # The rows outlive no crash, so no commit waits for the disk.
            event.listen(self._database._engine, "connect", lambda made, _: made.execute("PRAGMA synchronous=OFF"))
        self._recorder = Recorder(self._database, bootstrap.STAGES, run_deadline_seconds=LIFETIME)
        self.tables = Tables(url)
        self._claims: dict[tuple[str, int], Claim] = {}

    def empty(self, hosts: Sequence[str]) -> None:
        """Start over with nothing but hosts."""
        self.tables.empty()
        self._claims.clear()
        self.pass_time(0.0, hosts)

    def close(self) -> None:
        """Let go of the database."""
        self.tables.close()
        self._database.dispose()

    # --- time and hosts

    def pass_time(self, seconds: float, heard: Sequence[str]) -> None:
        """Move the clock, forward or back, and hear of hosts."""
        self.tables.pass_time(seconds)
        with self._database.write() as unit:
            for host in heard:
                unit.hosts.register(UUID(host), "a-host")

    # --- operators

    def add(self, key: str, repository: str, requested: str, stage: Stage, feature: str | None) -> bool:
        """Create a run; False when an active one has its feature."""
        results: dict[Stage, dict[str, str]] = {before: {} for before in STAGES[: stage.position]}
        new = NewRun(UUID(key), repository, requested, stage, uuid4(), LIFETIME, results=results, feature_key=feature)
        try:
            with self._database.write() as unit:
                unit.runs.add(new)
        except RunActive:
            return False
        return True

    def cancel(self, key: str) -> bool:
        """Ask a run to stop; False when it has ended."""
        with self._database.write() as unit:
            return unit.requests.request_cancel(UUID(key)) is not None

    def retry(self, key: str, mode: RetryMode) -> bool | None:
        """Open an ended run again; None: its status forbids it, False: another run has its feature."""
        try:
            with self._database.write() as unit:
                return unit.requests.retry(UUID(key), mode, None, LIFETIME, uuid4()) is not None or None
        except RunActive:
            return False

    def answer(self, key: str, choice: str, back: int) -> bool | None:
        """Answer what a run asked `back` claims ago; None: it does not ask that now, False: another run has that feature."""
        try:
            with self._database.write() as unit:
                run = unit.runs.get(UUID(key))
                asked = Attention.read(run.attention) if run is not None else None
                if run is None or asked is None:
                    return None
                answered = asked.answered(Answered(asked.kind, choice=choice))
                chosen = choice if asked.kind == CHOOSE_FEATURE else None
                then = replace(run, fence=run.fence - back)
                given = unit.requests.answer(then, answered, feature_key=chosen, deadline_seconds=LIFETIME)
                return given is not None or None
        except RunActive:
            return False

    # --- claimers

    def claim(self, key: str, stage: Stage, host: str) -> Held | None:
        """Take the right to work on a stage."""
        with self._database.write() as unit:
            claim = unit.claims.take(
                UUID(key), stage, owner=f"{host}:{uuid4()}", chain_id=None, host_id=UUID(host), lease_seconds=LEASE
            )
        if claim is None:
            return None
        self._claims[key, claim.fence] = claim
        counts = (claim.run.errors, claim.run.rounds)
        number, asked, late = claim.attempt.number, claim.cancel_requested, claim.deadline_passed
        return Held(key, claim.fence, claim.attempt.stage, number, host, counts, asked, late)

    def passed(self, key: str, stage: Stage) -> bool:
        """Return True if an active run is beyond a stage."""
        with self._database.read() as unit:
            return unit.claims.passed(UUID(key), stage)

    def heartbeat(self, held: Held) -> tuple[bool, bool] | None:
        """Keep a claim; says whether the run is to be cancelled and whether it is late."""
        with self._database.write() as unit:
            pulse = unit.claims.heartbeat(UUID(held.run), held.fence, LEASE)
        return None if pulse is None else (pulse.cancel_requested, pulse.deadline_passed)

    def give_back(self, held: Held) -> bool:
        """Return a claim at a clean shutdown."""
        with self._database.write() as unit:
            return unit.claims.return_lease(UUID(held.run), held.fence)

    def take_slot(self, held: Held) -> bool:
        """Take an agent slot of the claimer's host."""
        with self._database.write() as unit:
            return unit.slots.take(UUID(held.run), held.fence, UUID(held.host), LIMIT)

    def report(self, held: Held, report: Report, *, at_instant: bool = False) -> list[str] | None:
        """Record what a claimer says; returns the runs that became due by it, None for a lost claim."""
        if at_instant and isinstance(report, Suspend):
            with self._database.read() as unit:
                report = replace(report, until=unit.now() + timedelta(seconds=report.seconds))
        recorded = self._recorder.record(self._claims[held.run, held.fence], held.decision(report))
        return [run.id.hex for run in recorded.due] if recorded.written else None

    # --- dispatch loop, janitor and job poller

    def announce(self) -> list[str]:
        """Dispatch what is overdue, as two processes that saw the same rows do: only one of them succeeds."""
        with self._database.read() as unit:
            seen = unit.dispatch.overdue(100)
        first, second = [], []
        for run in seen:
            with self._database.write() as unit:
                first.append(unit.dispatch.note(run.id, dispatches=run.dispatches))
                second.append(unit.dispatch.note(run.id, dispatches=run.dispatches))
        assert all(first)
        assert not any(second)
        return _keys(seen)

    def unconfirmed(self, key: str) -> None:
        """Take a dispatch back."""
        with self._database.write() as unit:
            unit.dispatch.unconfirmed(UUID(key))

    def wake(self, key: str) -> bool:
        """Make a run due whose agent has ended."""
        with self._database.write() as unit:
            return unit.wakeups.wake(UUID(key)) is not None

    def suspended(self, host: str) -> list[str]:
        """List the runs whose agents a host is to look at."""
        with self._database.read() as unit:
            return _keys(unit.wakeups.suspended_on_job(UUID(host), 100))

    def wake_capacity(self, limit: int) -> list[str]:
        """Make the oldest runs due that wait for a slot."""
        with self._database.write() as unit:
            return [run.id.hex for run in unit.wakeups.wake_capacity(limit)]

    def expire(self) -> list[str]:
        """Free the runs whose holders fell silent; returns the runs that a freed slot woke."""
        with self._database.write() as unit:
            return _free_slots(unit, unit.rescues.expire_leases(POLICY.max_crashes))

    def restart(self) -> int:
        """Free every run at the start of an embedded engine."""
        with self._database.write() as unit:
            return unit.rescues.release_all_leases()

    def answer_nobody(self) -> list[str]:
        """End the runs that waited for a person for too long."""
        with self._database.write() as unit:
            return _keys(unit.rescues.close_unanswered())

    def give_up_hosts(self) -> list[str]:
        """Free the runs of silent hosts while another one is heard of."""
        with self._database.write() as unit:
            silent = unit.rescues.silent_hosts(SILENCE)
            return _keys([run for host in silent for run in unit.rescues.give_up_host(host, POLICY.max_crashes)])

    def close_stranded(self) -> list[str]:
        """End the runs of silent hosts that should stop; returns the runs that a freed slot woke."""
        with self._database.write() as unit:
            return _free_slots(unit, unit.rescues.close_stranded(SILENCE))

    def forget_job(self, key: str) -> None:
        """Note that an ended run's job is over."""
        with self._database.write() as unit:
            unit.rescues.forget_job(UUID(key))


def _keys(runs: Sequence[Run]) -> list[str]:
    return sorted(run.id.hex for run in runs)


def _free_slots(unit: UnitOfWork, runs: Sequence[Run]) -> list[str]:
    """Do as the janitor does with the slots of the runs that it ended."""
    freed = [run for run in runs if run.status.terminal and unit.slots.free(run.id)]
    return [run.id.hex for run in unit.wakeups.wake_capacity(len(freed))] if freed else []
