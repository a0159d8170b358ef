"""What is written under a claim when a stage reports; a claim that was lost writes nothing at all."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, literal, select, update
from sqlalchemy.exc import IntegrityError

from moonmind.db import row_mapping
from moonmind.db.attempt_rows import Attempts
from moonmind.db.clock import db_now, db_now_plus, earlier
from moonmind.db.conflicts import violated
from moonmind.db.in_transaction import InTransaction
from moonmind.db.journal import move_one, record
from moonmind.db.new_attempts import newest, open_attempts, reopened, successor
from moonmind.db.tables import ONE_FEATURE, active, attempt, leased, run
from moonmind.db.types import Timestamp
from moonmind.errors import ErrorInfo, FeatureBusy
from moonmind.runs.attention import CHOOSE_FEATURE
from moonmind.runs.event_types import EventType
from moonmind.runs.facts import facts_of
from moonmind.runs.machine import (
    Advance,
    AttemptState,
    Close,
    Decision,
    GoBack,
    RunStatus,
    TryAgain,
    Wait,
    WaitingReason,
)
from moonmind.runs.records import Claim, Run
from moonmind.runs.retry import DISPATCH_SECONDS

DAY = 86400.0


class Outcomes(InTransaction):
    """The records of one transaction."""

    def write(self, claim: Claim, decision: Decision, *, deadline_seconds: float = DAY) -> Run | None:
        """Write what becomes of a claimed run, and give the claim back; None for a claim that was lost.

        `deadline_seconds` is how long the run has from the end of a wait that renews its deadline. Raises FeatureBusy
        when discovery chose a feature that another active run works on; the whole transaction is undone then.
        """
        match decision:
            case Advance():
                return self._advance(claim, decision)
            case Wait():
                return self._wait(claim, decision, deadline_seconds)
            case TryAgain():
                return self._try_again(claim, decision)
            case GoBack():
                return self._go_back(claim, decision)
            case Close():
                return self._close(claim, decision)

    def _advance(self, claim: Claim, decision: Advance) -> Run | None:
        """Record that the stage is done and move on; the next stage is due at once."""
        changed = self._release(
            claim,
            stage=decision.stage,
            not_before=db_now(),
            dispatch_after=db_now_plus(DISPATCH_SECONDS),
            crashes=0,
            errors=0,
            dispatches=0,
            attention=None,
            **_facts(decision.result),
        )
        if changed is None:
            return None
        self._end(claim, changed, AttemptState.SUCCEEDED, result=dict(decision.result))
        data = {"attempt": claim.attempt.number, "next": decision.stage.value}
        record(self._connection, changed, EventType.ATTEMPT_SUCCEEDED, data, claim.attempt.stage)
        return changed

    def _wait(self, claim: Claim, decision: Wait, deadline_seconds: float) -> Run | None:
        """Release the claim until an instant, or for a number of seconds; the same attempt continues then."""
        seconds, until = decision.seconds, decision.until
        turn: Any = db_now_plus(seconds) if until is None else literal(until, run.c.not_before.type)
        deadline: Any = run.c.deadline
        if decision.renews_deadline:
            later = None if until is None else literal(until + timedelta(seconds=deadline_seconds), Timestamp())
            deadline = db_now_plus(seconds + deadline_seconds) if later is None else later
        changed = self._release(
            claim,
            not_before=turn,
            # A cancel that came while the stage worked, or a deadline before the turn, is not left until then.
            dispatch_after=case((run.c.cancel_requested_at.is_not(None), db_now()), else_=earlier(turn, deadline)),
            dispatches=0,
            waiting_reason=decision.reason,
            waiting_since=db_now(),
            deadline=deadline,
            **(facts_of(decision.checkpoint) | self._question(decision)),
        )
        if changed is None:
            return None
        if decision.checkpoint is not None:
            statement = update(attempt).where(attempt.c.id == claim.attempt.id)
            self._connection.execute(statement.values(checkpoint=dict(decision.checkpoint)))
        data = {
            "attempt": claim.attempt.number,
            "reason": decision.reason.value,
            "until": changed.not_before.isoformat(),
        }
        if (asked := decision.attention) is None:
            record(self._connection, changed, EventType.ATTEMPT_SUSPENDED, data)
        else:
            question = asked.stored()
            data |= {name: question[name] for name in ("kind", "text", "options")}
            record(self._connection, changed, EventType.RUN_ASKED, data)
        return changed

    def _question(self, decision: Wait) -> dict[str, Any]:
        """Return the columns of a question; a wait for anything else leaves an answer to the stage that asked."""
        if decision.attention is None:
            return {}
        now = self._connection.execute(select(db_now())).scalar_one()
        asked = {"attention": replace(decision.attention, asked_at=now).stored()}
        return asked | ({"feature_key": None} if decision.attention.kind == CHOOSE_FEATURE else {})

    def _try_again(self, claim: Claim, decision: TryAgain) -> Run | None:
        """Record the failed attempt and open the next one, due after a backoff; it resumes from the checkpoint."""
        changed = self._release(
            claim,
            errors=run.c.errors + 1,
            dispatches=0,
            not_before=db_now_plus(decision.seconds),
            dispatch_after=dispatch_at(db_now_plus(decision.seconds), run.c.deadline),
            waiting_reason=WaitingReason.BACKOFF,
            waiting_since=db_now(),
            **_facts(decision.checkpoint),
        )
        if changed is None:
            return None
        left = _left(claim, decision.checkpoint)
        self._end(claim, changed, AttemptState.FAILED, checkpoint=left, error=decision.error)
        open_attempts(self._connection, [successor(claim.attempt, changed, checkpoint=left, note=claim.attempt.note)])
        data = {
            "attempt": claim.attempt.number,
            "error": decision.error.as_json(),
            "until": changed.not_before.isoformat(),
        }
        record(self._connection, changed, EventType.ATTEMPT_RETRIED, data)
        return changed

    def _go_back(self, claim: Claim, decision: GoBack) -> Run | None:
        """Send the run back: fresh attempts from that stage on, due now; the first is given the note and the checkpoint."""
        stage, note = decision.stage, decision.note
        changed = self._release(
            claim,
            stage=stage,
            rounds=run.c.rounds + 1,
            errors=0,
            crashes=0,
            dispatches=0,
            not_before=db_now(),
            dispatch_after=db_now_plus(DISPATCH_SECONDS),
            attention=None,
            **_facts(decision.checkpoint),
        )
        if changed is None:
            return None
        self._end(claim, changed, AttemptState.FAILED, error=ErrorInfo("sent_back", note))
        latest = Attempts(self._connection).latest(claim.run.id)
        first = successor(newest(latest, stage), changed, checkpoint=decision.checkpoint, note=note)
        open_attempts(self._connection, [first, *reopened(latest, changed, stage)])
        data = {"attempt": claim.attempt.number, "to": stage.value, "note": note}
        record(self._connection, changed, EventType.ATTEMPT_SENT_BACK, data, claim.attempt.stage)
        return changed

    def _close(self, claim: Claim, decision: Close) -> Run | None:
        """End the run; stages whose turn never came keep saying so."""
        # Finalize removed the workspace; every other end leaves it for a retry on this host.
        host = {"agent_host": None} if decision.status is RunStatus.SUCCEEDED else {}
        changed = self._release(
            claim,
            status=decision.status,
            completed_at=db_now(),
            dispatch_after=None,
            dispatches=0,
            error=decision.error,
            reason=decision.reason,
            attention=None,
            **host,
            **facts_of(decision.checkpoint if decision.result is None else decision.result),
        )
        if changed is None:
            return None
        left = (
            {"checkpoint": _left(claim, decision.checkpoint)}
            if decision.result is None
            else {"result": dict(decision.result)}
        )
        self._end(claim, changed, decision.attempt, error=decision.error, **left)
        record(self._connection, changed, EventType.RUN_CLOSED, closing(changed) | {"attempt": claim.attempt.number})
        return changed

    def _release(self, claim: Claim, **values: Any) -> Run | None:
        """Change the run if the claim still holds, and give the claim back."""
        released = {"lease_owner": None, "lease_until": None, "waiting_reason": None, "waiting_since": None}
        mine = (run.c.id == claim.run.id, run.c.fence == claim.fence, leased)
        try:
            return move_one(self._connection, *mine, **(released | values))
        except IntegrityError as error:
            self._connection.rollback()
            if violated(error) != ONE_FEATURE:
                raise
            raise self._feature_busy(claim.run, values["feature_key"]) from None

    def _end(self, claim: Claim, changed: Run, state: AttemptState, **values: Any) -> None:
        ended = update(attempt).where(attempt.c.id == claim.attempt.id)
        self._connection.execute(ended.values(state=state, finished_at=changed.updated_at, **values))

    def _feature_busy(self, mine: Run, feature_key: str) -> FeatureBusy:
        same: list[ColumnElement[bool]] = [
            run.c.repository_key == mine.repository_key,
            run.c.feature_key == feature_key,
            run.c.id != mine.id,
            active,
        ]
        other = row_mapping.run_of(self._connection.execute(select(*row_mapping.RUN).where(*same)).first())
        if other is None:
            return FeatureBusy(f"Another run worked on {feature_key} of {mine.repository} a moment ago.")
        return FeatureBusy(f"Run {other.id} works on {feature_key} of {mine.repository}.", runId=str(other.id))


def dispatch_at(turn: ColumnElement[Any], deadline: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return when a waiting run is to be dispatched: at its turn or its deadline, or at once if it is to be cancelled.

    The cancel may have come after the stage looked for it last.
    """
    return case((run.c.cancel_requested_at.is_not(None), db_now()), else_=earlier(turn, deadline))


def closing(changed: Run) -> dict[str, Any]:
    """Return the data of a closed run's event."""
    data: dict[str, Any] = {"status": changed.status.value}
    if changed.error is not None:
        data["error"] = changed.error.as_json()
    if changed.reason is not None:
        data["reason"] = changed.reason
    return data


def _left(claim: Claim, checkpoint: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what the next attempt resumes from: the decision's checkpoint, else the one that was there."""
    left = claim.attempt.checkpoint if checkpoint is None else checkpoint
    return dict(left) if left else None


def _facts(stored: Mapping[str, Any] | None) -> dict[str, Any]:
    # The attempt is over, and its job with it, unless the stage says otherwise.
    return {"job_key": None, **facts_of(stored)}
