"""Write what became of an attempt: one transaction, guarded by the fence, with its one event."""

from dataclasses import dataclass

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.engine.stage import Stages
from moonmind.errors import FeatureBusy
from moonmind.runs.machine import (
    Advance,
    AttemptState,
    Close,
    Decision,
    GoBack,
    RunStatus,
    Wait,
    WaitingReason,
)
from moonmind.runs.records import Claim, Run

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the executor does after the commit."""

    advanced: bool
    written: bool = True
    """False: the claim was lost before, and nothing was written."""
    due: tuple[Run, ...] = ()
    """Runs that became due by this write and are to be dispatched now."""


class Recorder:
    """Applies decisions. A stale fence writes nothing at all."""

    def __init__(self, database: Database, stages: Stages, *, run_deadline_seconds: float) -> None:
        self._database = database
        self._stages = stages
        self._deadline = run_deadline_seconds

    def record(self, claim: Claim, decision: Decision) -> Recorded:
        """Write the decision; raises Unavailable when the database is away (safe to call again)."""
        try:
            return self._write(claim, decision)
        except FeatureBusy as busy:
            # Discovery chose a feature that another active run holds: the constraint answered, so this run ends.
            return self._write(claim, Close(RunStatus.FAILED, AttemptState.FAILED, error=busy.info()))

    def _write(self, claim: Claim, decision: Decision) -> Recorded:
        with self._database.write() as uow:
            run = uow.outcomes.write(claim, decision, deadline_seconds=self._deadline)
            if run is None:
                log.warning("attempt.stale", fence=claim.fence)
                return Recorded(advanced=False, written=False)
            due: list[Run] = []
            if self._frees_slot(claim, decision) and uow.slots.free(claim.run.id) and not _waits_for_capacity(decision):
                due.extend(uow.wakeups.wake_capacity())
        match decision:
            case Advance() | Close(status=RunStatus.SUCCEEDED):
                return Recorded(advanced=True, due=tuple(due))
            case GoBack():
                return Recorded(advanced=False, due=(run, *due))
            case _:
                return Recorded(advanced=False, due=tuple(due))

    def _frees_slot(self, claim: Claim, decision: Decision) -> bool:
        """Return True if the agent's slot is over with this write."""
        holds = self._stages[claim.run.stage].holds_slot
        match decision:
            case Wait(frees_slot=frees):
                return frees and holds
            case Close():
                # The claim may have taken its slot after it was made: the row that it knows does not show that.
                return claim.run.agent_host is not None or holds
            case _:
                return holds


def _waits_for_capacity(decision: Decision) -> bool:
    """Return True if the run waits for an agent slot: waking another waiting run would only send that one back to wait."""
    return isinstance(decision, Wait) and decision.reason is WaitingReason.CAPACITY
