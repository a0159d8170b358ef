"""What operators ask of a run: an answer, retry and cancel."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, exists, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from moonmind.db import row_mapping
from moonmind.db.attempt_rows import Attempts
from moonmind.db.clock import db_now, db_now_plus
from moonmind.db.conflicts import violated
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import move_one, record
from moonmind.db.new_attempts import newest, open_attempts, reopened, successor
from moonmind.db.outcomes import closing
from moonmind.db.run_rows import Runs, refuse_alias, run_active
from moonmind.db.tables import ONE_FEATURE, ONE_REQUEST, active, attempt, run, unleased
from moonmind.errors import ErrorInfo
from moonmind.runs.attention import Attention
from moonmind.runs.chain import Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import RETRYABLE_WITH, AttemptState, RetryMode, RunStatus, WaitingReason
from moonmind.runs.records import Run
from moonmind.runs.retry import DISPATCH_SECONDS

CANCELLED = ErrorInfo("cancelled", "The run was cancelled before this stage ended.", "Retry the run to go on.")

_PUBLISHING_BEGAN = exists().where(attempt.c.run_id == run.c.id, attempt.c.stage == Stage.PUBLISH, attempt.c.claims > 0)


class Requests(InTransaction):
    """The operators' requests of one transaction."""

    def retry(
        self,
        run_id: UUID,
        mode: RetryMode,
        notes: str | None,
        deadline_seconds: float,
        chain_id: UUID,
        accepted: Sequence[Mapping[str, str]] = (),
        *,
        actor: str | None = None,
    ) -> Run | None:
        """Open an ended run again, at the stage where it ended or at the first; None when its status forbids it.

        Raises RunActive when another run works on the feature by now; the whole transaction is undone then.
        """
        restart = mode is RetryMode.RESTART_FROM_DISCOVERY
        values: dict[str, Any] = {"stage": Stage.DISCOVER, "feature_key": None} if restart else {}
        if notes is not None:
            values["notes"] = notes
        allowed = sorted(status for status, modes in RETRYABLE_WITH.items() if mode in modes)
        if (own := self._name(run_id, allowed, requested=restart)) is not None:
            refuse_alias(self._connection, own[0], own[1], besides=run_id)
        try:
            changed = move_one(
                self._connection,
                run.c.id == run_id,
                run.c.status.in_(allowed),
                status=RunStatus.RETRYING,
                not_before=db_now(),
                dispatch_after=db_now_plus(DISPATCH_SECONDS),
                deadline=db_now_plus(deadline_seconds),
                chain_id=chain_id,
                dispatches=0,
                errors=0,
                crashes=0,
                rounds=0,
                cancel_requested_at=None,
                waiting_reason=None,
                waiting_since=None,
                job_key=None,
                error=None,
                reason=None,
                attention=None,
                completed_at=None,
                pruned_at=None,
                **values,
            )
        except IntegrityError as error:
            self._connection.rollback()
            index = violated(error)
            if index not in {ONE_REQUEST, ONE_FEATURE}:
                raise
            raise run_active(self._holder(run_id, index)) from None
        if changed is None:
            return None
        self._open(changed, resume=not restart, accepted=accepted)
        said: dict[str, Any] = {"mode": mode.value, "chainId": str(chain_id)}
        if accepted:
            said["accepted"] = [dict(one) for one in accepted]
        record(self._connection, changed, EventType.RUN_RETRIED, said, actor=actor)
        return changed

    def _name(self, run_id: UUID, allowed: Sequence[RunStatus], *, requested: bool) -> tuple[str, str] | None:
        """Return the run's repository and the feature that it will work on: the one it chose, else what was asked for.

        None where its status is not an allowed one: that is the answer then, whatever other runs work on.
        """
        asked = run.c.requested_key if requested else func.coalesce(run.c.feature_key, run.c.requested_key)
        found = self._connection.execute(
            select(run.c.repository_key, asked).where(run.c.id == run_id, run.c.status.in_(allowed))
        ).first()
        return None if found is None else (found[0], found[1])

    def _holder(self, run_id: UUID, index: str) -> Run | None:
        key = run.c.requested_key if index == ONE_REQUEST else run.c.feature_key
        mine = select(run.c.repository_key, key.label("key")).where(run.c.id == run_id).subquery()
        query = select(*row_mapping.RUN).where(run.c.repository_key == mine.c.repository_key, key == mine.c.key, active)
        return row_mapping.run_of(self._connection.execute(query).first())

    def _open(self, changed: Run, *, resume: bool, accepted: Sequence[Mapping[str, str]]) -> None:
        latest = Attempts(self._connection).latest(changed.id)
        before = newest(latest, changed.stage)
        checkpoint, note = (before.checkpoint, before.note) if resume else (None, None)
        if accepted:
            earlier = (checkpoint or {}).get("accepted") or []
            checkpoint = {**(checkpoint or {}), "accepted": [*earlier, *(dict(one) for one in accepted)]}
        first = successor(before, changed, checkpoint=checkpoint, note=note, operator_retry=True)
        open_attempts(self._connection, [first, *reopened(latest, changed, changed.stage)])

    def answer(
        self, asked: Run, answered: Attention, *, feature_key: str | None, deadline_seconds: float
    ) -> Run | None:
        """Write a person's answer to the question that `asked` shows; the run is due at once.

        None when that question is not open any more: answered, out of time, or its run cancelled. `feature_key` is the
        feature that the answer chooses, if it does. Raises RunActive when another run works on it by now; the question
        stays open then.
        """
        if feature_key is not None:
            refuse_alias(self._connection, asked.repository_key, feature_key, besides=asked.id)
        try:
            changed = move_one(
                self._connection,
                run.c.id == asked.id,
                active,
                unleased,
                run.c.waiting_reason == WaitingReason.NEEDS_ATTENTION,
                # Every question has a claim of its own.
                run.c.fence == asked.fence,
                run.c.not_before > db_now(),
                run.c.cancel_requested_at.is_(None),
                not_before=db_now(),
                dispatch_after=db_now_plus(DISPATCH_SECONDS),
                deadline=db_now_plus(deadline_seconds),
                dispatches=0,
                waiting_reason=None,
                waiting_since=None,
                attention=answered.stored(),
                **({} if feature_key is None else {"feature_key": feature_key}),
            )
        except IntegrityError as error:
            self._connection.rollback()
            if violated(error) != ONE_FEATURE:
                raise
            holder = Runs(self._connection).holder(asked.repository_key, ONE_FEATURE, asked.requested_key, feature_key)
            raise run_active(holder) from None
        if changed is not None:
            said = {} if answered.answer is None else answered.answer.stored()
            by = None if answered.answer is None else answered.answer.by
            record(self._connection, changed, EventType.RUN_ANSWERED, {"kind": answered.kind, **said}, actor=by)
        return changed

    def request_cancel(self, run_id: UUID, *, actor: str | None = None) -> Run | None:
        """Ask a run to stop; one that nobody holds, and that can have left nothing, is closed at once. None: no active run.

        `actor` is recorded with the first of several requests, which is the one that stops the run.
        """
        asked = move_one(
            self._connection,
            run.c.id == run_id,
            active,
            run.c.cancel_requested_at.is_(None),
            cancel_requested_at=db_now(),
            dispatch_after=db_now(),
        )
        if asked is not None:
            record(self._connection, asked, EventType.RUN_CANCEL_REQUESTED, {}, actor=actor)
        return self._close_idle(run_id) or asked or self._active(run_id)

    def _close_idle(self, run_id: UUID) -> Run | None:
        closed = move_one(
            self._connection,
            run.c.id == run_id,
            active,
            unleased,
            run.c.agent_host.is_(None),
            # A job without a host, such as a verification, has to be stopped by a claimer too.
            run.c.job_key.is_(None),
            # Whoever was lost at it may have left something at the forge: a claimer looks, and says what.
            or_(run.c.stage != Stage.PUBLISH, ~_PUBLISHING_BEGAN),
            run.c.cancel_requested_at.is_not(None),
            status=RunStatus.CANCELLED,
            completed_at=db_now(),
            dispatch_after=None,
            waiting_reason=None,
            waiting_since=None,
            attention=None,
        )
        if closed is not None:
            end_open_attempts(self._connection, closed, CANCELLED)
            record(self._connection, closed, EventType.RUN_CLOSED, closing(closed))
        return closed

    def _active(self, run_id: UUID) -> Run | None:
        return row_mapping.run_of(
            self._connection.execute(select(*row_mapping.RUN).where(run.c.id == run_id, active)).one_or_none()
        )


def end_open_attempts(connection: Connection, closed: Run, error: ErrorInfo) -> None:
    """Fail the attempts that a run closed without a claim left open; those not begun keep waiting."""
    is_open = or_(attempt.c.state == AttemptState.STARTED, attempt.c.state == AttemptState.RETRYING)
    statement = update(attempt).where(attempt.c.run_id == closed.id, is_open)
    connection.execute(statement.values(state=AttemptState.FAILED, error=error, finished_at=closed.updated_at))
