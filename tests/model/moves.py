"""Any move at any time, by anyone: what Hypothesis chooses from, for the model alone or beside real repositories."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from moonmind.runs.chain import STAGES, Stage
from moonmind.runs.machine import WAITS_FOR_JOB, Ask, Done, Failed, RetryMode
from tests.model import laws
from tests.model.choices import (
    AT_WORK,
    BACK,
    DONE,
    FEATURES,
    HOSTS,
    KEPT,
    LATE,
    MISHAP,
    NO_SLOT,
    OUTAGE,
    REPOSITORY,
    REQUESTS,
    RUNS,
    STEPS_OF_TIME,
    TEN_DAYS,
    WHAT_NOW,
    WHICH,
    Side,
    a_claim,
    a_feature,
    a_host,
    a_number,
    a_report,
    heard_hosts,
)
from tests.model.repositories import Repositories
from tests.model.values import Held, Report, Row
from tests.model.world import World

T = TypeVar("T")
some_claim = precondition(lambda self: self.held)


class Moves(RuleBasedStateMachine):
    """Several runs, two hosts, and claims that are kept long after they were lost."""

    def __init__(self, repositories: Repositories | None = None) -> None:
        super().__init__()
        self.world = World(HOSTS)
        self.real = repositories
        self.keys: list[str] = []
        self.held: list[Held] = []
        if repositories is not None:
            repositories.empty(HOSTS)
        self.before = laws.Snapshot()
        self.sound = True

    def make(self, move: Callable[[Side], T], *, claims: str | None = None, retries: str | None = None) -> T:
        """Make a move in the model and, where there is one, in the database; both must say and leave the same."""
        self.sound = False
        expected = move(self.world)
        after = should = self.world.read()
        if self.real is not None:
            self.real.tables.stand_still()
            said = move(self.real)
            assert said == expected, f"the database says {said}, the model {expected}"
            after = self.real.tables.read()
            laws.check_same(after, should)
        laws.check(self.before, after, claimed=claims if expected else None, retried=retries if expected else None)
        self.before, self.sound = after, True
        return expected

    def ask_both(self, question: Callable[[Side], object]) -> None:
        """Ask what changes nothing; both must say the same."""
        if self.real is not None:
            self.sound = False
            self.real.tables.stand_still()
            said, expected = question(self.real), question(self.world)
            assert said == expected, f"the database says {said}, the model {expected}"
            self.sound = True

    def _pick(self, number: int, wanted: Callable[[Row], bool]) -> Row:
        """Choose a run: one that a move is meant for, if there is any; with the highest number any run."""
        rows = [self.world.rows[key] for key in self.keys]
        fitting = [row for row in rows if number + 1 < RUNS and wanted(row)] or rows
        return fitting[number % len(fitting)]

    def _claim(self, back: int) -> Held:
        """Choose a claim: a true one if there is any, or so many back, which mostly is a lost one."""
        true = [held for held in self.held if not back and self.world.holds(held)]
        return (true or self.held)[-min(max(back, 1), len(true or self.held))]

    # --- operators

    @initialize(stage=st.sampled_from((Stage.DISCOVER, Stage.SUBMIT, Stage.APPLY)))
    def begin(self, stage: Stage) -> None:
        """There are runs at several stages, whatever rules an example leaves out."""
        self._add("", Stage.DISCOVER, "")
        self._add("003-c", Stage.SUBMIT, FEATURES[2])
        self._add("002-b", stage, FEATURES[1])

    @precondition(lambda self: len(self.keys) < RUNS)
    @rule(
        requested=st.sampled_from(REQUESTS),
        stage=st.sampled_from((Stage.DISCOVER, Stage.SUBMIT, Stage.PUBLISH)),
        feature=a_feature,
    )
    def add(self, requested: str, stage: Stage, feature: str) -> None:
        self._add(requested, stage, feature)

    def _add(self, requested: str, stage: Stage, feature: str) -> None:
        key = f"{0x1000 + len(self.keys):032x}"
        known = None if stage is Stage.DISCOVER else feature
        if self.make(lambda side: side.add(key, REPOSITORY, requested, stage, known)):
            self.keys.append(key)

    @rule(run=a_number, mode=st.sampled_from((None, *RetryMode)))
    def ask(self, run: int, mode: RetryMode | None) -> None:
        """An operator asks for a retry or, without a mode, for the end."""
        key = self._pick(run, lambda row: row.status.terminal is (mode is not None)).key
        if mode is None:
            self.make(lambda side: side.cancel(key))
        else:
            self.make(lambda side: side.retry(key, mode), retries=key)

    @rule(
        run=a_number,
        host=a_host,
        question=st.sampled_from((None, WHICH, WHAT_NOW)),
        choice=a_feature,
        back=st.sampled_from((0, 0, 1)),
    )
    def answer(self, run: int, host: str, question: Ask | None, choice: str, back: int) -> None:
        """A person answers a question: in time, twice, or one that is not open any more."""
        if question is not None:
            row = self._pick(run, self._ready)
            self._work(row, row.host or host, [question])
        key = self._pick(run, lambda row: row.open_question).key
        self.make(lambda side: side.answer(key, choice, back))

    # --- claimers

    @rule(run=a_number, off=st.sampled_from((0, 0, 0, -1, 1, 2)), host=a_host)
    def deliver(self, run: int, off: int, host: str) -> None:
        """A message arrives: in its time, twice, late, or before its turn."""
        row = self._pick(run, self._ready)
        self._deliver(row, host, STAGES[(row.stage.position + off) % len(STAGES)])

    def _ready(self, row: Row) -> bool:
        return row.free and (row.turn <= self.world.now or row.cancel)

    def _deliver(self, row: Row, host: str, stage: Stage | None = None) -> Held | None:
        key, at = row.key, stage or row.stage
        held = self.make(lambda side: side.claim(key, at, host), claims=key)
        if held is None:
            self.ask_both(lambda side: side.passed(key, at))
        else:
            self.held = [*self.held[1 - KEPT :], held]
        return held

    @rule(run=a_number, feature=a_feature, stages=st.sampled_from((1, 1, 2, 5)))
    def go_on(self, run: int, feature: str, stages: int) -> None:
        """One stage after the other is done, so that runs get to their end."""
        row = self._pick(run, self._ready)
        self._work(row, row.host or HOSTS[0], [DONE] * stages, feature)

    @rule(run=a_number, host=a_host)
    def send_back(self, run: int, host: str) -> None:
        """A later stage is not content, however often the agent has another look."""
        row = self._pick(run, lambda row: self._ready(row) and row.stage.position > Stage.SUBMIT.position)
        if row.stage.position > Stage.SUBMIT.position:
            self._work(row, row.host or host, [BACK, DONE, BACK])

    @rule(run=a_number, host=a_host, times=st.integers(1, 4), error=st.sampled_from((MISHAP, OUTAGE)))
    def stumble(self, run: int, host: str, times: int, error: Failed) -> None:
        """A stage fails several times in a row."""
        row = self._pick(run, self._ready)
        self._work(row, row.host or host, [error] * times, pause=100.0)

    def _work(
        self, row: Row, host: str, reports: Sequence[Report], feature: str = FEATURES[0], *, pause: float = 0.0
    ) -> None:
        """Claim and report, again and again, as long as there is a claim to be had."""
        for report in reports:
            if (held := self._deliver(row, host)) is None:
                return
            self._report(held, report, feature)
            if pause:
                self._pass(pause, HOSTS)

    @rule(run=a_number, host=a_host, report=a_report, feature=a_feature)
    def work(self, run: int, host: str, report: Report, feature: str) -> None:
        """A stage is claimed and reports, as almost all do."""
        row = self._pick(run, self._ready)
        self._work(row, row.host or host, [report], feature)

    @some_claim
    @rule(claim=a_claim, report=a_report, feature=a_feature, at_instant=st.booleans())
    def report(self, claim: int, report: Report, feature: str, at_instant: bool) -> None:
        """A claimer reports, whether its claim is true or lost."""
        self._report(self._claim(claim), report, feature, at_instant=at_instant)

    def _report(self, held: Held, report: Report, feature: str, *, at_instant: bool = False) -> None:
        if report is DONE and held.stage is Stage.DISCOVER:
            report = Done({"featureKey": feature})
        self.make(lambda side: side.report(held, report, at_instant=at_instant))

    @some_claim
    @rule(claim=a_claim, keeps=st.sampled_from((True, True, False)))
    def keep(self, claim: int, keeps: bool) -> None:
        """A claimer renews its lease or, at a shutdown, gives it back."""
        held = self._claim(claim)
        if keeps:
            self.make(lambda side: side.heartbeat(held))
        else:
            self.make(lambda side: side.give_back(held))

    @rule(run=a_number, host=a_host, waits=st.booleans(), claim=a_claim)
    def start_agent(self, run: int, host: str, waits: bool, claim: int) -> None:
        """Submit asks for a slot, and may go on to wait for its agent, or for the next slot."""
        row = self._pick(run, lambda row: self._ready(row) and row.stage is Stage.SUBMIT)
        if row.stage is Stage.SUBMIT:
            self._deliver(row, row.host or host)
        held = self._claim(claim) if self.held else None
        if held is None or held.stage is not Stage.SUBMIT:
            return
        taken = self.make(lambda side: side.take_slot(held))
        if waits:
            suspend = AT_WORK if taken else NO_SLOT
            self.make(lambda side: side.report(held, suspend))

    # --- dispatch loop, janitor and job poller

    @rule(run=a_number, confirmed=st.booleans(), limit=st.integers(0, 2))
    def publish(self, run: int, confirmed: bool, limit: int) -> None:
        """Overdue runs are announced; a dispatch is not confirmed; a slot seems free to a run."""
        key = self._pick(run, lambda row: row.free).key
        self.make(lambda side: side.announce())
        if not confirmed:
            self.make(lambda side: side.unconfirmed(key))
        if limit:
            self.make(lambda side: side.wake_capacity(limit))

    @rule(run=a_number, host=a_host)
    def wake(self, run: int, host: str) -> None:
        """The job poller finds that an agent has ended."""
        row = self._pick(run, lambda row: row.waiting in WAITS_FOR_JOB)
        key, looks = row.key, row.host or host
        self.ask_both(lambda side: side.suspended(looks))
        self.make(lambda side: side.wake(key))

    @rule(run=a_number, restarted=st.sampled_from((False, False, False, True)))
    def sweep(self, run: int, restarted: bool) -> None:
        """The janitor looks, perhaps after a restart of the one process there is."""
        if restarted:
            self.make(lambda side: side.restart())
        self.make(lambda side: side.expire())
        self.make(lambda side: side.answer_nobody())
        self.make(lambda side: side.close_stranded())
        key = self._pick(run, lambda row: row.status.terminal and row.job is not None).key
        self.make(lambda side: side.forget_job(key))

    # --- time and hosts

    @rule(seconds=st.sampled_from(STEPS_OF_TIME), heard=heard_hosts)
    def pass_time(self, seconds: float, heard: tuple[str, ...]) -> None:
        """Time passes, or is set back, and some hosts are still heard of."""
        self._pass(seconds, heard)

    def _pass(self, seconds: float, heard: tuple[str, ...]) -> None:
        self.make(lambda side: side.pass_time(seconds, heard))

    @rule(run=a_number, host=a_host, late=st.sampled_from((None, *LATE)))
    def lose_worker(self, run: int, host: str, late: Callable[[Side, Held], object] | None) -> None:
        """A worker falls silent with its claim, and may come back when another has it."""
        row = self._pick(run, self._ready)
        lost = self._deliver(row, row.host or host)
        self._pass(50.0, HOSTS)
        self.make(lambda side: side.expire())
        if lost is not None and late is not None:
            self._deliver(row, row.host or host)
            self.make(lambda side: late(side, lost))

    @rule(lost=st.sampled_from(HOSTS))
    def lose_host(self, lost: str) -> None:
        """A host falls silent, and its leases with it, while the other one is heard of."""
        self._pass(400.0, tuple(host for host in HOSTS if host != lost))
        self.make(lambda side: side.expire())
        self.make(lambda side: side.give_up_hosts())
        self.make(lambda side: side.close_stranded())

    def teardown(self) -> None:
        """No run sticks: with time and living hosts each one ends, or is announced and claimed."""
        if not self.sound:
            return
        self._pass(TEN_DAYS, HOSTS)
        self.make(lambda side: side.expire())
        self.make(lambda side: side.answer_nobody())
        self._pass(60.0, HOSTS)
        going = [row for row in self.world.rows.values() if not row.status.terminal]
        assert self.make(lambda side: side.announce()) == sorted(row.key for row in going)
        for row in going:
            assert self._deliver(row, row.host or HOSTS[0])


def beside(repositories: Repositories) -> type[Moves]:
    """Return the moves that are made in a database, too."""

    class Beside(Moves):
        def __init__(self) -> None:
            super().__init__(repositories)

    return Beside
