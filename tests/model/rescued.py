"""The model's half that no claimer and no operator moves: what dispatch loop, janitor and job poller do."""

from collections.abc import Iterable, Sequence

from moonmind.runs.chain import from_stage
from moonmind.runs.event_types import EventType
from moonmind.runs.machine import WAITS_FOR_JOB, AttemptState, RunStatus, WaitingReason
from moonmind.runs.retry import CRASH_SPREAD_SECONDS
from tests.model.values import CHANCE, OPEN, POLICY, SILENCE, Row, Try


class Rescued:
    """All rows, and the moves that bring them back to work."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.now = 0.0
        self.rows: dict[str, Row] = {}
        self.slots: dict[str, str] = {}
        self.seen = dict.fromkeys(hosts, 0.0)

    def announce(self) -> list[str]:
        """Dispatch what is overdue."""
        found = [
            row for row in self.rows.values() if row.free and self._due(row) and (row.dispatch_at or 0.0) <= self.now
        ]
        for row in found:
            row.dispatch_at = self.now + min(10.0 * 2**row.dispatches, 900.0)
            row.dispatches += 1
        return sorted(row.key for row in found)

    def unconfirmed(self, key: str) -> None:
        """Take a dispatch back."""
        row = self.rows[key]
        if row.free:
            row.dispatch_at, row.dispatches = self.now + 5, max(0, row.dispatches - 1)

    def wake(self, key: str) -> bool:
        """Make a run due whose agent has ended."""
        row = self.rows[key]
        if not (row.free and row.waiting in WAITS_FOR_JOB and row.turn > self.now):
            return False
        row.turn, row.dispatch_at, row.dispatches = self.now, self.now + 10, 0
        row.events.append(EventType.ATTEMPT_WOKEN)
        return True

    def suspended(self, host: str) -> list[str]:
        """List the runs whose agents a host is to look at."""
        waits = [row for row in self.rows.values() if row.free and row.waiting in WAITS_FOR_JOB]
        return sorted(row.key for row in waits if row.host == host and row.turn > self.now)

    def wake_capacity(self, limit: int) -> list[str]:
        """Make the oldest runs due that wait for a slot."""
        waits = [row for row in self.rows.values() if row.free and row.waiting is WaitingReason.CAPACITY]
        woken = [row for row in waits if row.turn > self.now][:limit]
        for row in woken:
            row.turn = row.dispatch_at = self.now
            row.dispatches = 0
            row.events.append(EventType.ATTEMPT_WOKEN)
        return [row.key for row in woken]

    def expire(self) -> list[str]:
        """Free the runs whose holders fell silent; returns the runs that a freed slot woke."""
        late = [row for row in self.rows.values() if row.until is not None and row.until < self.now]
        for row in late:
            row.crashes += 1
            if row.crashes >= POLICY.max_crashes:
                self._close_open(row, RunStatus.FAILED, "worker_lost")
            else:
                self._free(row, EventType.LEASE_EXPIRED)
                row.turn += CHANCE * CRASH_SPREAD_SECONDS if row.crashes > 1 else 0.0
        return self._free_slots(late)

    def restart(self) -> int:
        """Free every run at the start of an embedded engine."""
        held = [row for row in self.rows.values() if row.until is not None]
        for row in held:
            self._free(row, EventType.LEASE_RETURNED)
        for row in self._active():
            row.dispatch_at, row.dispatches = self._dispatch_at(row), 0
        return len(held)

    def answer_nobody(self) -> list[str]:
        """End the runs that waited for a person for too long."""
        late = [row for row in self.rows.values() if row.open_question and row.turn <= self.now]
        for row in late:
            self._close_open(row, RunStatus.FAILED, "unanswered")
        return sorted(row.key for row in late)

    def give_up_hosts(self) -> list[str]:
        """Free the runs of silent hosts while another one is heard of."""
        silent = self._silent()
        bound = [row for row in self.rows.values() if row.free and row.host in silent and not row.open_question]
        gone = bound if silent < set(self.seen) else []
        freed = {row.key for row in gone}
        self.slots = {key: host for key, host in self.slots.items() if key not in freed}
        for row in gone:
            row.crashes += 1
            row.host = None
            if row.crashes >= POLICY.max_crashes:
                self._close_open(row, RunStatus.FAILED, "worker_lost")
                continue
            row.turn = row.dispatch_at = self.now
            row.dispatches, row.job, row.waiting = 0, None, None
            if row.latest.state is AttemptState.STARTED:
                row.latest.state = AttemptState.FAILED
                row.tries[row.stage].append(Try(AttemptState.RETRYING))
            row.events.append(EventType.HOST_LOST)
        return sorted(row.key for row in gone)

    def close_stranded(self) -> list[str]:
        """End the runs of silent hosts that should stop; returns the runs that a freed slot woke."""
        silent = self._silent()
        bound = [row for row in self.rows.values() if row.free and row.host in silent]
        ended = [row for row in bound if row.cancel or row.deadline <= self.now]
        for row in ended:
            code = "cancelled" if row.cancel else "deadline"
            self._close_open(row, RunStatus.CANCELLED if row.cancel else RunStatus.FAILED, code)
        return self._free_slots(ended)

    def forget_job(self, key: str) -> None:
        """Note that an ended run's job is over."""
        row = self.rows[key]
        row.job = None if row.status.terminal else row.job

    def _active(self, but: Row | None = None) -> list[Row]:
        return [row for row in self.rows.values() if not row.status.terminal and row is not but]

    def _due(self, row: Row) -> bool:
        return row.turn <= self.now or row.cancel or row.deadline <= self.now

    def _dispatch_at(self, row: Row) -> float:
        return self.now if row.cancel else min(row.turn, row.deadline)

    def _silent(self) -> set[str]:
        return {host for host, seen in self.seen.items() if seen < self.now - SILENCE}

    def _free(self, row: Row, event: EventType) -> None:
        row.until = None
        row.turn = row.dispatch_at = self.now
        row.dispatches = 0 if event is EventType.LEASE_EXPIRED else row.dispatches
        row.events.append(event)

    def _free_slots(self, ended: Iterable[Row]) -> list[str]:
        freed = [row.key for row in ended if row.status.terminal and row.key in self.slots]
        self.slots = {key: host for key, host in self.slots.items() if key not in freed}
        return self.wake_capacity(len(freed)) if freed else []

    def _close_open(self, row: Row, status: RunStatus, error: str | None) -> None:
        row.status, row.error = status, error
        row.until = row.waiting = row.dispatch_at = None
        row.forget_question()
        for attempts in row.tries.values():
            for one in attempts:
                one.state = AttemptState.FAILED if one.state in OPEN else one.state
        row.events.append(EventType.RUN_CLOSED)

    def _reopen(self, row: Row) -> None:
        row.tries[row.stage].append(Try(AttemptState.RETRYING))
        for stage in from_stage(row.stage)[1:]:
            if row.tries[stage][-1].state is not AttemptState.WAITING:
                row.tries[stage].append(Try())
