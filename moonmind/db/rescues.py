"""Taking runs back from workers and hosts that are gone."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, case, delete, or_, select, update

from moonmind.db import row_mapping
from moonmind.db.attempt_rows import Attempts
from moonmind.db.clock import db_chance, db_now, db_now_plus
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import move, record_all
from moonmind.db.new_attempts import newest, open_attempts, successor
from moonmind.db.operator_requests import CANCELLED, end_open_attempts
from moonmind.db.outcomes import closing, dispatch_at
from moonmind.db.tables import active, agent_slot, attempt, host, leased, run, unleased
from moonmind.errors import DeadlineReached, ErrorInfo, Unanswered, WorkerLost
from moonmind.runs.attention import Attention
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.runs.records import Run
from moonmind.runs.retry import CRASH_SPREAD_SECONDS, RetryPolicy

_NO_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}
_NO_WAIT: dict[str, Any] = {"waiting_reason": None, "waiting_since": None}
_asking = run.c.waiting_reason.is_not_distinct_from(WaitingReason.NEEDS_ATTENTION)
_TEXT_SHOWN = 300
"""Characters of a question that the error of a run repeats."""
MAX_CRASHES = RetryPolicy().max_crashes


class Rescues(InTransaction):
    """The rescues of one transaction: idempotent, and safe beside other janitors."""

    def expire_leases(self, max_crashes: int) -> list[Run]:
        """Free the runs whose holders stopped renewing; one that lost its last allowed worker fails as `worker_lost`.

        The rows come back as they are now, closed ones included: their agents are the caller's to stop.
        """
        overdue = run.c.lease_until < db_now()
        turn = db_now_plus(case((run.c.crashes >= 1, db_chance() * CRASH_SPREAD_SECONDS), else_=0.0))
        last = run.c.crashes + 1 >= max_crashes
        closed = self._close_lost(overdue, leased, last)
        freed = move(
            self._connection,
            run.c.id.in_(_locked(overdue, leased)),
            overdue,
            leased,
            crashes=run.c.crashes + 1,
            # Only here: a second use would draw another instant. What is not due is not dispatched, whatever stands below.
            not_before=turn,
            dispatch_after=db_now(),
            dispatches=0,
            **_NO_LEASE,
        )
        record_all(
            self._connection,
            [(one, EventType.LEASE_EXPIRED, {"fence": one.fence, "crashes": one.crashes}) for one in freed],
        )
        return [*closed, *freed]

    def release_all_leases(self) -> int:
        """Free every run at the start of an embedded engine, counting nothing, and make every open row dispatchable.

        Only for whoever holds the lock of the one process there is: its predecessor is dead and its queue empty.
        """
        freed = move(self._connection, leased, not_before=db_now(), dispatch_after=db_now(), dispatches=0, **_NO_LEASE)
        record_all(self._connection, [(one, EventType.LEASE_RETURNED, {"fence": one.fence}) for one in freed])
        self._connection.execute(
            update(run)
            .where(active, unleased)
            .values(dispatch_after=dispatch_at(run.c.not_before, run.c.deadline), dispatches=0)
        )
        return len(freed)

    def silent_hosts(self, silence_seconds: float) -> list[UUID]:
        """List the hosts that hold runs and were not heard of for so long, while another one was."""
        heard = host.c.seen_at >= db_now_plus(-silence_seconds)
        another = select(host.c.id).where(heard).exists()
        bound = select(run.c.id).where(run.c.agent_host == host.c.id, active, unleased, ~_asking)
        query = select(host.c.id).where(~heard, another, bound.exists()).order_by(host.c.seen_at)
        return list(self._connection.execute(query).scalars())

    def give_up_host(self, host_id: UUID, max_crashes: int = MAX_CRASHES) -> list[Run]:
        """Free a silent host's runs for the others: each goes on in a new attempt, or fails after too many crashes.

        One that waits for a person keeps its question: whether its host is heard of matters once it is answered.
        """
        mine = and_(run.c.agent_host == host_id, ~_asking)
        # A run that is held goes on there, and keeps its slot; once its lease ends, it is given up as well.
        unheld = select(run.c.id).where(mine, unleased)
        self._connection.execute(
            delete(agent_slot).where(agent_slot.c.host_id == host_id, agent_slot.c.run_id.in_(unheld))
        )
        closed = self._close_lost(mine, unleased, run.c.crashes + 1 >= max_crashes, agent_host=None)
        freed = move(
            self._connection,
            run.c.id.in_(_locked(mine, unleased)),
            mine,
            unleased,
            agent_host=None,
            job_key=None,
            crashes=run.c.crashes + 1,
            not_before=db_now(),
            dispatch_after=db_now(),
            dispatches=0,
            **_NO_WAIT,
        )
        lost = ErrorInfo(
            "host_lost", "The host of this run's agent fell silent.", "Nothing to do: another host goes on."
        )
        for one in freed:
            self._renew(one, lost)
        record_all(self._connection, [(one, EventType.HOST_LOST, {"host": str(host_id)}) for one in freed])
        return [*closed, *freed]

    def close_stranded(self, silence_seconds: float) -> list[Run]:
        """End the runs that should stop and are bound to a host that no one hears of: nobody else could do it."""
        silent = select(host.c.id).where(host.c.seen_at < db_now_plus(-silence_seconds))
        bound = (unleased, run.c.agent_host.in_(silent))
        cancelled = self._end(RunStatus.CANCELLED, CANCELLED, (*bound, run.c.cancel_requested_at.is_not(None)))
        late = DeadlineReached("The run's deadline passed while its host was silent.").info()
        return [*cancelled, *self._end(RunStatus.FAILED, late, (*bound, run.c.deadline <= db_now()))]

    def ended_with_job(self, host_id: UUID, limit: int) -> list[Run]:
        """List ended runs of a host whose job nobody has seen end; a retry that comes first clears the job."""
        query = (
            select(*row_mapping.RUN)
            .where(~active, run.c.agent_host == host_id, run.c.job_key.is_not(None))
            .order_by(run.c.completed_at.desc())
            .limit(limit)
        )
        return row_mapping.runs_of(self._connection.execute(query))

    def orphans(self, host_id: UUID, run_ids: Collection[UUID]) -> set[UUID]:
        """Pick those whose agents have no business on a host any more: ended, or given to another host meanwhile.

        Whoever starts an agent binds the run to the host first, so that one that was just started is none of them.
        """
        elsewhere = or_(~active, run.c.agent_host.is_distinct_from(host_id))
        query = select(run.c.id).where(run.c.id.in_(run_ids), unleased, elsewhere)
        return set(self._connection.execute(query).scalars())

    def forget_job(self, run_id: UUID) -> None:
        """Note that an ended run's job is over."""
        self._connection.execute(update(run).where(run.c.id == run_id, ~active).values(job_key=None))

    def close_unanswered(self) -> list[Run]:
        """End the runs that waited for a person until their attention deadline."""
        guards = (active, unleased, _asking, run.c.not_before <= db_now())
        late = row_mapping.runs_of(self._connection.execute(select(*row_mapping.RUN).where(*guards)))
        return [
            closed
            for one in late
            for closed in self._end(RunStatus.FAILED, _unanswered(one), (run.c.id == one.id, *guards))
        ]

    def _renew(self, freed: Run, lost: ErrorInfo) -> None:
        before = newest(Attempts(self._connection).latest(freed.id), freed.stage)
        if before.state is not AttemptState.STARTED:
            return
        ended = update(attempt).where(attempt.c.id == before.id)
        self._connection.execute(ended.values(state=AttemptState.FAILED, error=lost, finished_at=freed.updated_at))
        open_attempts(self._connection, [successor(before, freed, checkpoint=before.checkpoint, note=before.note)])

    def _close_lost(self, *guards: ColumnElement[bool], **values: Any) -> list[Run]:
        error = WorkerLost("The workers that held this stage died, one after the other.").info()
        return self._end(RunStatus.FAILED, error, guards, crashes=run.c.crashes + 1, **values)

    def _end(
        self, status: RunStatus, error: ErrorInfo, guards: Sequence[ColumnElement[bool]], **values: Any
    ) -> list[Run]:
        closed = move(
            self._connection,
            run.c.id.in_(_locked(*guards)),
            *guards,
            status=status,
            completed_at=db_now(),
            dispatch_after=None,
            error=error,
            attention=None,
            **_NO_LEASE,
            **_NO_WAIT,
            **values,
        )
        for one in closed:
            end_open_attempts(self._connection, one, error)
        record_all(self._connection, [(one, EventType.RUN_CLOSED, closing(one)) for one in closed])
        return closed


def _unanswered(late: Run) -> ErrorInfo:
    asked = Attention.read(late.attention)
    text = asked.text if asked is not None else "a person's answer was needed"
    text = text if len(text) <= _TEXT_SHOWN else text[:_TEXT_SHOWN].rstrip() + "…"
    return Unanswered(
        f"No answer came by {late.not_before:%Y-%m-%d %H:%M} UTC: {text}",
        remediation=f"Retry it with `moonmind retry {late.id}`: it asks again. Then answer with `moonmind answer {late.id}`.",
    ).info()


def _locked(*guards: ColumnElement[bool]) -> Select[tuple[UUID]]:
    # Another janitor's rows are left to it: two that locked several rows in different orders would wait for each other.
    return select(run.c.id).where(active, *guards).with_for_update(skip_locked=True)
