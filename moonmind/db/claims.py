"""Taking, keeping and giving back the right to work on a run."""

from uuid import UUID

from sqlalchemy import ColumnElement, bindparam, func, or_, select, update

from moonmind.db import row_mapping
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import move_one, record
from moonmind.db.tables import active, attempt, leased, run, unleased
from moonmind.runs.chain import Stage, from_stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import AttemptState, RunStatus, WaitingReason
from moonmind.runs.records import Attempt, Claim, Pulse

due: ColumnElement[bool] = or_(
    run.c.not_before <= db_now(), run.c.cancel_requested_at.is_not(None), run.c.deadline <= db_now()
)
"""Its turn has come; a cancel and a passed deadline are work for a claimer too."""


_OF_RUN = attempt.c.run_id == bindparam("of_run", type_=attempt.c.run_id.type)
_OF_STAGE = attempt.c.stage == bindparam("of_stage", type_=attempt.c.stage.type)
_START = (
    update(attempt)
    .where(
        _OF_RUN,
        _OF_STAGE,
        attempt.c.number == select(func.max(attempt.c.number)).where(_OF_RUN, _OF_STAGE).scalar_subquery(),
    )
    .values(
        state=AttemptState.STARTED,
        claims=attempt.c.claims + 1,
        started_at=func.coalesce(attempt.c.started_at, db_now()),
    )
    .returning(*row_mapping.ATTEMPT, attempt.c.claims)
)
"""The start of a stage's latest attempt; built once, since a claim is made for every stage of every run."""


class Claims(InTransaction):
    """The claims of one transaction."""

    def take(
        self, run_id: UUID, stage: Stage, *, owner: str, chain_id: UUID | None, host_id: UUID, lease_seconds: float
    ) -> Claim | None:
        """Take the right to work on a stage, if it is the run's, due, held by nobody and not bound to another host.

        `attempt.checkpoint` is what the stage resumes from: of this attempt if it was suspended, else of the one before it.
        """
        changed = move_one(
            self._connection,
            run.c.id == run_id,
            run.c.stage == stage,
            active,
            unleased,
            or_(run.c.agent_host.is_(None), run.c.agent_host == host_id),
            due,
            # A question that nobody answered in time is closed by the janitor, not worked on.
            or_(
                run.c.waiting_reason.is_distinct_from(WaitingReason.NEEDS_ATTENTION),
                run.c.cancel_requested_at.is_not(None),
            ),
            status=RunStatus.RUNNING,
            fence=run.c.fence + 1,
            lease_owner=owner,
            lease_until=db_now_plus(lease_seconds),
            waiting_reason=None,
            waiting_since=None,
            dispatches=0,
            **({} if chain_id is None else {"chain_id": chain_id}),
        )
        if changed is None:
            return None
        started, claims = self._start(run_id, stage)
        data = {
            "attempt": started.number,
            "fence": changed.fence,
            "chainId": str(changed.chain_id),
            "resumed": claims > 1,
        }
        record(self._connection, changed, EventType.ATTEMPT_STARTED, data)
        return Claim(
            changed,
            started,
            changed.fence,
            owner,
            cancel_requested=changed.cancel_requested_at is not None,
            # Both instants are the database's: the deadline against the moment of the claim.
            deadline_passed=changed.deadline <= changed.updated_at,
            again=claims > 1 or started.number > 1,
        )

    def _start(self, run_id: UUID, stage: Stage) -> tuple[Attempt, int]:
        bound = {"of_run": run_id, "of_stage": stage}
        *fields, claims = self._connection.execute(_START, bound).one()
        return Attempt(*fields), claims

    def passed(self, run_id: UUID, stage: Stage) -> bool:
        """Return True if an active run is beyond this stage, so that a late message passes through."""
        query = select(run.c.id).where(run.c.id == run_id, active, run.c.stage.in_(from_stage(stage)[1:]))
        return self._connection.execute(query).one_or_none() is not None

    def heartbeat(self, run_id: UUID, fence: int, lease_seconds: float) -> Pulse | None:
        """Keep a claim for another lease; None: it is lost, and nothing may be done or written under it."""
        statement = (
            update(run)
            .where(run.c.id == run_id, run.c.fence == fence, leased)
            .values(lease_until=db_now_plus(lease_seconds))
            # Plain columns: SQLite 3.40 answers `cancel_requested_at IS NOT NULL` in this RETURNING with 1 for NULL.
            .returning(run.c.cancel_requested_at, run.c.deadline, db_now())
        )
        row = self._connection.execute(statement).one_or_none()
        if row is None:
            return None
        cancel_requested_at, deadline, now = row
        return Pulse(cancel_requested_at is not None, deadline <= now)

    def bind(self, run_id: UUID, fence: int, host_id: UUID) -> bool:
        """Keep the run to a host, where something of its own is; return False if the claim is no longer the caller's."""
        guards = (run.c.id == run_id, run.c.fence == fence, leased)
        # No event tells of it, so none is numbered: the numbers of a run's events have no gaps.
        bound = self._connection.execute(update(run).where(*guards).values(agent_host=host_id))
        return bound.rowcount == 1

    def return_lease(self, run_id: UUID, fence: int) -> bool:
        """Return a claim at a clean shutdown: the run is due at once, and neither an error nor a crash is counted."""
        changed = move_one(
            self._connection,
            run.c.id == run_id,
            run.c.fence == fence,
            leased,
            lease_owner=None,
            lease_until=None,
            not_before=db_now(),
            dispatch_after=db_now(),
        )
        if changed is None:
            return False
        record(self._connection, changed, EventType.LEASE_RETURNED, {"fence": fence})
        return True
