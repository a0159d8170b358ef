"""What a move can be made with."""

from collections.abc import Callable

from hypothesis import strategies as st

from moonmind.errors import ErrorInfo
from moonmind.runs.attention import CHOOSE_FEATURE, Option
from moonmind.runs.chain import Stage
from moonmind.runs.machine import (
    Ask,
    AttemptState,
    Close,
    Done,
    Failed,
    NothingToDo,
    Redo,
    RunStatus,
    Suspend,
    WaitingReason,
)
from tests.model.repositories import Repositories
from tests.model.values import Held, Report
from tests.model.world import World

HOSTS = ("00000000000040008000000000000001", "00000000000040008000000000000002")
REPOSITORY = "octo/one"
REQUESTS = ("", "001-a", "002-b", "003-c")
FEATURES = ("specs/001-a", "specs/002-b", "specs/004-d")
RUNS = 4
KEPT = 8
"""How many claims are remembered, most of them lost."""

AWAY = ErrorInfo("away", "It did not answer.")
MISHAP = Failed(AWAY, transient=True)
BACK = Redo(Stage.SUBMIT, "again")
OUTAGE = Failed(AWAY, transient=True, outage=True)
DONE = Done()
WHICH = Ask(CHOOSE_FEATURE, "Which?", tuple(Option(feature, "") for feature in FEATURES))
WHAT_NOW = Ask("a-kind", "What now?")
AT_WORK = Suspend(WaitingReason.AGENT, 60.0, checkpoint={"jobKey": "a-job"})
NO_SLOT = Suspend(WaitingReason.CAPACITY, 60.0)
REPORTS: tuple[Report, ...] = (
    DONE,
    NothingToDo("nothing is left"),
    *(
        Suspend(reason, 60.0)
        for reason in WaitingReason
        if reason not in {WaitingReason.AGENT, WaitingReason.NEEDS_ATTENTION}
    ),
    WHICH,
    WHAT_NOW,
    AT_WORK,
    Suspend(WaitingReason.QUOTA, 86400.0),
    Failed(AWAY),
    MISHAP,
    OUTAGE,
    Redo(Stage.DISCOVER, "again"),
    BACK,
    Close(RunStatus.CANCELLED, AttemptState.FAILED, error=ErrorInfo("cancelled", "")),
    Close(RunStatus.FAILED, AttemptState.FAILED, error=ErrorInfo("deadline", "")),
)
TEN_DAYS = 864000.0
STEPS_OF_TIME = (10.0, 20.0, 50.0, 60.0, 60.0, 100.0, 100.0, 400.0, 8000.0, -10.0, -60.0, -400.0)

a_number = st.integers(0, RUNS - 1)
a_host = st.sampled_from((HOSTS[0], HOSTS[0], HOSTS[1]))
"""The first host more often, so that its runs come back to it."""
a_claim = st.sampled_from((0, 0, 0, 1, 2, 3, KEPT))
a_feature = st.sampled_from(FEATURES)
a_report = st.sampled_from(REPORTS)
heard_hosts = st.sampled_from(((), HOSTS[:1], HOSTS[1:], HOSTS))

Side = World | Repositories
LATE: tuple[Callable[[Side, Held], object], ...] = (
    lambda side, held: side.heartbeat(held),
    lambda side, held: side.give_back(held),
    lambda side, held: side.take_slot(held),
    lambda side, held: side.report(held, DONE),
    lambda side, held: side.report(held, NO_SLOT),
    lambda side, held: side.report(held, OUTAGE),
)
"""What a claimer may try that was away for too long."""
