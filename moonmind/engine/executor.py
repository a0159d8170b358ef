"""Claim, work, record: what every stage attempt is, whoever delivers it."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

import structlog

from moonmind.db.unit_of_work import Database
from moonmind.engine import forge_cooldown
from moonmind.engine.dispatch_loop import Notifier
from moonmind.engine.host import Host
from moonmind.engine.lease import HeldLease, LeaseKeeper, LeaseLost, StopRequested
from moonmind.engine.stage import Stages
from moonmind.engine.stage_context import ContextFactory, StageContext
from moonmind.errors import (
    AgentError,
    DeadlineReached,
    ErrorInfo,
    FeatureBusy,
    ForgeLimited,
    MoonMindError,
    Unavailable,
    Unexpected,
)
from moonmind.runs.chain import FIRST, Stage
from moonmind.runs.machine import (
    Advance,
    AttemptState,
    Close,
    Counts,
    Decision,
    Failed,
    GoBack,
    Outcome,
    RunStatus,
    TryAgain,
    Wait,
    WaitingReason,
    decide,
)
from moonmind.runs.records import Claim, Run
from moonmind.runs.retry import RetryPolicy

log = structlog.get_logger(__name__)

Results = Mapping[Stage, Mapping[str, Any]]


class ChainSignal(StrEnum):
    """What the delivering chain does next."""

    CONTINUE = "continue"
    """The next link has something to do, now or already."""
    STOP = "stop"
    """The rest of this chain has nothing to do; the row says when the next one comes."""


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


class Executor:
    """Runs one stage of one run, if the row says that it is time and ours."""

    def __init__(
        self,
        database: Database,
        stages: Stages,
        contexts: ContextFactory,
        keeper: LeaseKeeper,
        notifier: Notifier,
        host: Host,
        policy: RetryPolicy,
        recorder: Recorder,
    ) -> None:
        self._database = database
        self._stages = stages
        self._contexts = contexts
        self._keeper = keeper
        self._notifier = notifier
        self._host = host
        self._policy = policy
        self._recorder = recorder

    def execute(self, run_id: UUID, stage: Stage, chain_id: UUID | None = None) -> ChainSignal:
        """Claim the stage, do its work outside of any transaction, and record what came of it under the fence."""
        with structlog.contextvars.bound_contextvars(run_id=str(run_id), stage=stage.value):
            claimed = self._claim(run_id, stage, chain_id)
            if isinstance(claimed, ChainSignal):
                return claimed
            claim, results = claimed
            log.info("attempt.claimed", attempt=claim.attempt.number, fence=claim.fence)
            with self._keeper.keep(claim) as lease:
                try:
                    decision = self._work(claim, lease, results)
                except LeaseLost:
                    log.warning("attempt.abandoned", fence=claim.fence)
                    return ChainSignal.STOP
                except MoonMindError as error:
                    # Its agent may still be at work, so nothing is written: the lease runs out, and the next claim
                    # tries again to stop it.
                    log.error("attempt.not_stopped", code=error.code, message=error.message)
                    return ChainSignal.STOP
                return self._record(claim, lease, decision)

    def _claim(self, run_id: UUID, stage: Stage, chain_id: UUID | None) -> tuple[Claim, Results] | ChainSignal:
        with self._database.write() as uow:
            claim = uow.claims.take(
                run_id,
                stage,
                owner=self._host.new_owner(),
                chain_id=chain_id,
                host_id=self._host.id,
                lease_seconds=self._keeper.lease_seconds,
            )
            if claim is not None:
                # In the claim's own transaction: what it reads cannot be older than the claim.
                return claim, {} if stage is FIRST else uow.attempts.results(run_id)
            # A message for a stage that is past goes on: that heals a crash between the record and the next link.
            return ChainSignal.CONTINUE if uow.claims.passed(run_id, stage) else ChainSignal.STOP

    def _work(self, claim: Claim, lease: HeldLease, results: Results) -> Decision:
        try:
            context = self._contexts.make(claim, lease, results)
        except MoonMindError as error:
            return self._decide(claim, Failed(error.info(), error.retryable, outage=error.outage))
        if lease.cancelled or lease.overdue:
            return self._stopped(claim, lease, context)
        try:
            outcome = self._outcome(claim.run.stage, context)
        except LeaseLost:
            raise
        except StopRequested as stop:
            return self._stopped(claim, lease, context, stop.outside)
        except MoonMindError as error:
            log.warning("attempt.failed", code=error.code, message=error.message)
            outcome = Failed(error.info(), error.retryable, context.checkpoint, error.outage)
        except Exception as error:
            log.exception("attempt.broke")
            kind = type(error).__name__
            defect = Unexpected(f"the {claim.run.stage} stage met an error nobody planned for ({kind})")
            # Nobody knows how far the stage came: an agent that it started must not go on alone.
            outcome = Failed(defect.info(), transient=False, checkpoint=self._kept(context))
        if isinstance(outcome, Failed):
            # A slot is freed and a retry is allowed with this write: no agent of this attempt may be left at work.
            self._stages[claim.run.stage].stop_job(context)
        return self._decide(claim, outcome)

    def _outcome(self, stage: Stage, context: StageContext) -> Outcome:
        try:
            return self._stages[stage].run(context)
        except ForgeLimited as error:
            log.info("forge.limited", seconds=error.seconds, message=error.message)
            return forge_cooldown.suspend(context, error)

    def _decide(self, claim: Claim, outcome: Outcome) -> Decision:
        counts = Counts(claim.run.errors, claim.run.rounds)
        return decide(claim.run.stage, counts, outcome, self._policy, random.random())  # noqa: S311 - spreads load

    def _stopped(self, claim: Claim, lease: HeldLease, context: StageContext, outside: str = "") -> Close:
        """End a cancelled or overdue run: its agent is provably gone, its patch and thread are kept.

        `outside` says in a sentence what this try left at the forge; where it says nothing, earlier tries may have.
        """
        kept = self._kept(context)
        left = outside or self._left_before(claim, lease, context)
        left = f". {left}" if left else ""
        if lease.cancelled:
            said = f"cancelled during {claim.run.stage}{left}"
            error = ErrorInfo("cancelled", said, "Retry resumes at this stage with what was kept.")
            return Close(RunStatus.CANCELLED, AttemptState.FAILED, checkpoint=kept, error=error)
        late = DeadlineReached(f"the run's deadline passed during {claim.run.stage}{left}")
        return Close(RunStatus.FAILED, AttemptState.FAILED, checkpoint=kept, error=late.info())

    def _kept(self, context: StageContext) -> Mapping[str, Any]:
        """Stop the agent and keep its work; where that breaks, the stage's end is recorded all the same, and says so.

        Raises LeaseLost, and AgentError while the agent may still be at work.
        """
        stage = self._stages[context.run.stage]
        try:
            return stage.abandon(context)
        except (LeaseLost, AgentError):
            raise
        except Exception as error:
            log.exception("work.not_kept")
            stage.stop_job(context)
            why = error.message if isinstance(error, MoonMindError) else f"unexpected ({type(error).__name__})"
            return {**context.checkpoint, "notKept": f"what the stage had done could not be kept: {why}"}

    def _left_before(self, claim: Claim, lease: HeldLease, context: StageContext) -> str:
        url = claim.run.pull_request_url
        said = f"What it published stays: {url}" if url else ""
        look = self._stages[claim.run.stage].leftovers
        if look is None or not claim.again:
            return said
        lease.check_held()
        try:
            if forge_cooldown.held_back(context) is not None:
                why = "it takes no requests at the moment"
            else:
                return look(context) or said
        except LeaseLost:
            raise
        except ForgeLimited as error:
            forge_cooldown.suspend(context, error)
            why = error.message
        except MoonMindError as error:
            log.warning("leftovers.not_found", code=error.code, message=error.message)
            why = error.message
        except Exception as error:
            log.exception("leftovers.broke")
            why = f"an error nobody planned for ({type(error).__name__})"
        # The run ends all the same, and a person knows where to look.
        return ". ".join(filter(None, (said, f"What an earlier try left at the forge could not be found out: {why}")))

    def _record(self, claim: Claim, lease: HeldLease, decision: Decision) -> ChainSignal:
        """Write the decision; through a short outage of the database, as long as the lease is surely ours."""
        pause = 0.1
        while True:
            try:
                recorded = self._recorder.record(claim, decision)
                break
            except Unavailable as error:
                if lease.gone():
                    log.error("attempt.not_recorded", error=error.message)
                    return ChainSignal.STOP
                time.sleep(pause)  # the database is away; the lease bounds how long we try
                pause = min(pause * 2, 2.0)
            except Exception as error:
                if isinstance(decision, Close):
                    raise
                # What the stage reported cannot be written: the run ends with a reason, instead of losing lease by lease.
                log.exception("attempt.not_recorded")
                defect = Unexpected(f"what {claim.run.stage} reported could not be recorded ({type(error).__name__})")
                decision = Close(RunStatus.FAILED, AttemptState.FAILED, error=defect.info())
        if recorded.written:
            log.info("attempt.recorded", attempt=claim.attempt.number, decision=_said(decision))
        for run in recorded.due:
            self._notifier.notify(run)
        return ChainSignal.CONTINUE if recorded.advanced else ChainSignal.STOP


def _said(decision: Decision) -> str:
    """Name a decision in the log's few words."""
    match decision:
        case Advance(stage):
            return f"on to {stage}"
        case Close(status):
            return f"closed: {status}"
        case Wait(reason):
            return f"suspended: {reason}"
        case TryAgain(seconds):
            return f"again in {seconds:.0f} s"
        case GoBack(stage):
            return f"back to {stage}"
