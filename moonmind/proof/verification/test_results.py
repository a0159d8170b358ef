"""What came of running a repository's test commands: the values that reports are read into and that verdicts are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class TestOutcome(StrEnum):
    """What became of one test."""

    __test__ = False  # not one of pytest's

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    """It could not be loaded, or broke outside of what it asserts."""
    SKIPPED = "skipped"


BAD = (TestOutcome.FAILED, TestOutcome.ERROR)


@dataclass(frozen=True, slots=True)
class TestCase:
    """One test of a report."""

    __test__ = False

    id: str
    """What it is called in one run as in the next: `tests/test_cart.py::TestTotal::test_empty`."""
    outcome: TestOutcome
    file: str = ""
    """The path of its file from the repository's root; empty where the report does not show it."""
    message: str = ""
    """Why it failed or was skipped: the end of what the report says, hostile text."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TestReport:
    """All that the reports of one run of a command say; empty where there is none."""

    __test__ = False

    cases: Mapping[str, TestCase] = field(default_factory=lambda: MappingProxyType({}))
    """By id, in the order in which they were reported."""
    unread: tuple[str, ...] = ()
    """Reports that could not be read, each with the reason."""
    read: int = 0
    """How many could be, those without a test among them."""

    @property
    def known(self) -> bool:
        """Return True if it says which tests ran, though it may have been none."""
        return self.read > 0 or bool(self.cases)

    def those(self, *outcomes: TestOutcome) -> tuple[str, ...]:
        """Return the ids of the tests with one of these outcomes."""
        return tuple(one.id for one in self.cases.values() if one.outcome in outcomes)


class RunEnd(StrEnum):
    """How one run of a command ended, whatever its tests say."""

    EXITED = "exited"
    """By itself: `exit_code` says how."""
    TIMED_OUT = "timed out"
    STOPPED = "stopped"
    """By a bound of ours other than time: output, disk, processes, memory."""
    HOST = "host"
    """What ran it failed: too little room was left on the disk, or its supervisor hung."""
    SERVICE = "service"
    """What its environment starts did not start."""
    SANDBOX = "sandbox"
    """The sandbox could not be built, or ended under it."""


@dataclass(frozen=True, slots=True)
class CommandRun:
    """One run of a test command on one tree."""

    end: RunEnd
    exit_code: int | None = None
    report: TestReport = TestReport()
    output: str = ""
    """The end of what it printed, redacted: hostile text."""
    seconds: float = 0.0
    message: str = ""
    """Why it did not exit by itself."""

    @property
    def green(self) -> bool:
        """Return True if the command says that all went well, and no report says otherwise."""
        bad = self.report.those(TestOutcome.FAILED, TestOutcome.ERROR)
        return self.end is RunEnd.EXITED and self.exit_code == 0 and not bad
