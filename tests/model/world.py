"""The model: runs, hosts and slots as plain values, moved as the design says.

It knows no SQL and no clock but `now`, a number that only `pass_time` changes. `decide` is the product's; everything
else is written a second time here, so that the repositories can be held against it.
"""

from collections.abc import Sequence

from moonmind.errors import ErrorInfo
from moonmind.runs.attention import CHOOSE_FEATURE
from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import (
    Advance,
    AttemptState,
    Close,
    Decision,
    GoBack,
    RetryMode,
    RunStatus,
    TryAgain,
    Wait,
    WaitingReason,
    may_retry,
)
from tests.model.laws import RunRow, Snapshot
from tests.model.rescued import Rescued
from tests.model.values import LEASE, LIFETIME, LIMIT, Held, Report, Row, Try


class World(Rescued):
    """Every move that the repositories know."""

    # --- time and hosts

    def pass_time(self, seconds: float, heard: Sequence[str]) -> None:
        """Move the clock, forward or back, and hear of hosts."""
        self.now += seconds
        self.seen |= dict.fromkeys(heard, self.now)

    # --- operators

    def add(self, key: str, repository: str, requested: str, stage: Stage, feature: str | None) -> bool:
        """Create a run; False when an active one has its feature."""
        others = [row for row in self._active() if row.repository == repository]
        for row in others:
            names = {name.removeprefix("specs/") for name in (row.feature, row.requested) if name}
            if requested in names or requested == row.requested or (feature and feature == row.feature):
                return False
        row = Row(key, repository, requested, feature, stage, self.now, self.now + 10, self.now + LIFETIME)
        before = STAGES[: stage.position]
        row.tries = {one: [Try(AttemptState.SUCCEEDED if one in before else AttemptState.WAITING)] for one in STAGES}
        row.events.append(EventType.RUN_CREATED)
        self.rows[key] = row
        return True

    def cancel(self, key: str) -> bool:
        """Ask a run to stop; False when it has ended."""
        row = self.rows[key]
        if row.status.terminal:
            return False
        if not row.cancel:
            row.cancel, row.dispatch_at = True, self.now
            row.events.append(EventType.RUN_CANCEL_REQUESTED)
        published = row.stage is Stage.PUBLISH and any(one.claims for one in row.tries[Stage.PUBLISH])
        if row.free and row.host is None and row.job is None and not published:
            self._close_open(row, RunStatus.CANCELLED, row.error)
        return True

    def retry(self, key: str, mode: RetryMode) -> bool | None:
        """Open an ended run again; None: its status forbids it, False: another run has its feature."""
        row = self.rows[key]
        if not may_retry(row.status, mode):
            return None
        restart = mode is RetryMode.RESTART_FROM_DISCOVERY
        feature = None if restart else row.feature
        asked = (feature or row.requested).removeprefix("specs/")
        others = [one for one in self._active() if one.repository == row.repository]
        for one in others:
            taken = None if one.chooses else (one.feature or one.requested).removeprefix("specs/")
            if one.requested == row.requested or (feature and one.feature == feature) or (asked and asked == taken):
                return False
        row.status, row.feature, row.error, row.cancel, row.job, row.waiting = (
            RunStatus.RETRYING, feature, None, False, None, None,
        )  # fmt: skip
        row.stage = Stage.DISCOVER if restart else row.stage
        row.turn, row.dispatch_at, row.deadline = self.now, self.now + 10, self.now + LIFETIME
        row.dispatches = row.errors = row.crashes = row.rounds = 0
        row.forget_question()
        self._reopen(row)
        row.events.append(EventType.RUN_RETRIED)
        return True

    def answer(self, key: str, choice: str, back: int) -> bool | None:
        """Answer what a run asked `back` claims ago; None: it does not ask that now, False: another run has that feature."""
        row = self.rows[key]
        if row.asks is None:
            return None
        feature = choice if row.asks == CHOOSE_FEATURE else None
        for one in self._active(but=row):
            named = None if one.chooses else (one.feature or one.requested).removeprefix("specs/")
            if feature and one.repository == row.repository and named == feature.removeprefix("specs/"):
                return False
        if back or not row.open_question or row.cancel or row.turn <= self.now:
            return None
        row.waiting, row.answered, row.feature = None, True, feature or row.feature
        row.turn, row.dispatch_at, row.deadline = self.now, self.now + 10, self.now + LIFETIME
        row.dispatches = 0
        row.events.append(EventType.RUN_ANSWERED)
        return True

    # --- claimers

    def claim(self, key: str, stage: Stage, host: str) -> Held | None:
        """Take the right to work on a stage."""
        row = self.rows[key]
        asked = row.open_question and not row.cancel
        if not (row.free and row.stage is stage and row.host in {None, host} and self._due(row)) or asked:
            return None
        row.status, row.until, row.waiting, row.dispatches = RunStatus.RUNNING, self.now + LEASE, None, 0
        row.fence += 1
        row.latest.state = AttemptState.STARTED
        row.latest.claims += 1
        row.events.append(EventType.ATTEMPT_STARTED)
        number = len(row.tries[stage])
        return Held(key, row.fence, stage, number, host, (row.errors, row.rounds), row.cancel, row.deadline <= self.now)

    def passed(self, key: str, stage: Stage) -> bool:
        """Return True if an active run is beyond a stage."""
        row = self.rows[key]
        return not row.status.terminal and row.stage.position > stage.position

    def holds(self, held: Held) -> bool:
        """Return True if a claim is still true."""
        row = self.rows[held.run]
        return row.fence == held.fence and row.until is not None

    def heartbeat(self, held: Held) -> tuple[bool, bool] | None:
        """Keep a claim; says whether the run is to be cancelled and whether it is late."""
        if not self.holds(held):
            return None
        row = self.rows[held.run]
        row.until = self.now + LEASE
        return row.cancel, row.deadline <= self.now

    def give_back(self, held: Held) -> bool:
        """Return a claim at a clean shutdown."""
        if not self.holds(held):
            return False
        self._free(self.rows[held.run], EventType.LEASE_RETURNED)
        return True

    def take_slot(self, held: Held) -> bool:
        """Take an agent slot of the claimer's host."""
        row = self.rows[held.run]
        if self.slots.get(row.key) == held.host:
            return self.holds(held)
        if list(self.slots.values()).count(held.host) >= LIMIT or not self.holds(held):
            return False
        row.host = self.slots[row.key] = held.host
        row.events.append(EventType.SLOT_TAKEN)
        return True

    def report(self, held: Held, report: Report, *, at_instant: bool = False) -> list[str] | None:
        """Record what a claimer says; returns the runs that became due by it, None for a lost claim."""
        if not self.holds(held):
            return None
        row, decision = self.rows[held.run], held.decision(report)
        if isinstance(decision, Advance) and (chosen := decision.result.get("featureKey")):
            if any(one.repository == row.repository and one.feature == chosen for one in self._active(but=row)):
                busy = ErrorInfo("feature_busy", "")
                decision = Close(RunStatus.FAILED, AttemptState.FAILED, error=busy)
            else:
                row.feature = chosen
        row.until = row.waiting = None
        row.dispatches = 0
        self._apply(row, decision)
        woken: list[str] = []
        keeps = isinstance(decision, Wait) and decision.reason is WaitingReason.AGENT
        if not keeps and row.key in self.slots:
            del self.slots[row.key]
            woken = self.wake_capacity(1) if row.waiting is not WaitingReason.CAPACITY else []
        return [row.key, *woken] if isinstance(decision, GoBack) else woken

    def _apply(self, row: Row, decision: Decision) -> None:
        now = self.now
        if isinstance(decision, Advance | GoBack | Close):
            row.forget_question()
        match decision:
            case Advance(stage, _):
                row.latest.state = AttemptState.SUCCEEDED
                row.stage, row.turn, row.dispatch_at, row.job = stage, now, now + 10, None
                row.crashes = row.errors = 0
                row.events.append(EventType.ATTEMPT_SUCCEEDED)
            case Wait(reason, seconds, _, kept, renews_deadline, _):
                row.turn, row.waiting = now + seconds, reason
                row.deadline = row.turn + LIFETIME if renews_deadline else row.deadline
                row.dispatch_at = self._dispatch_at(row)
                row.job = (kept or {}).get("jobKey", row.job)
                if (asked := decision.attention) is None:
                    row.events.append(EventType.ATTEMPT_SUSPENDED)
                else:
                    row.asks, row.answered = asked.kind, False
                    row.feature = None if asked.kind == CHOOSE_FEATURE else row.feature
                    row.events.append(EventType.RUN_ASKED)
            case TryAgain(seconds, _, _):
                row.latest.state = AttemptState.FAILED
                row.tries[row.stage].append(Try(AttemptState.RETRYING))
                row.errors += 1
                row.turn, row.waiting, row.job = now + seconds, WaitingReason.BACKOFF, None
                row.dispatch_at = self._dispatch_at(row)
                row.events.append(EventType.ATTEMPT_RETRIED)
            case GoBack(stage, _, _):
                row.latest.state = AttemptState.FAILED
                row.stage, row.turn, row.dispatch_at, row.job = stage, now, now + 10, None
                row.rounds += 1
                row.crashes = row.errors = 0
                self._reopen(row)
                row.events.append(EventType.ATTEMPT_SENT_BACK)
            case Close(status, attempt, _, _, error, _):
                row.latest.state = attempt
                row.status, row.dispatch_at, row.error = status, None, error.code if error else None
                row.host = None if status is RunStatus.SUCCEEDED else row.host
                row.events.append(EventType.RUN_CLOSED)

    # --- the rows

    def read(self) -> Snapshot:
        """Return what the tables should say."""
        found = Snapshot(slots=dict(self.slots))
        for key, row in self.rows.items():
            found.runs[key] = RunRow(
                key, row.host, row.until is not None, row.cancel, row.status.terminal, row.error, row.asks,
                row.answered, row.repository, row.requested, row.feature, row.status, row.stage.position, row.fence, row.dispatches, row.waiting,
                row.errors, row.crashes, row.rounds, row.job, len(row.events),
                None if row.until is None else row.until - self.now, row.turn - self.now,
                None if row.dispatch_at is None else row.dispatch_at - self.now, row.deadline - self.now,
            )  # fmt: skip
            for stage, tries in row.tries.items():
                listed = [(number, one.state, one.claims) for number, one in enumerate(tries, 1)]
                found.tries[key, stage.position] = listed
            found.events[key] = list(enumerate(row.events, 1))
        return found
