"""Counts what ran of each kind of test: a run that skipped a whole kind must not look like a full one.

The counts stand right above pytest's closing line. With `CI=true` in the environment the run fails when no test of a
kind passed, and when a test was skipped for want of something that can be installed. What no program can bring (another
kernel, another user) is a skip whose reason begins with `machine: `.
"""

import os
from collections.abc import Generator

import pytest

MACHINE = "machine: "
KINDS = ("sqlite", "postgres", "rabbitmq", "codex_real", "github_emulator", "docker")


class MarkerNotes:
    """Writes a test's kinds into its reports, in the process that runs it: a report is all that travels from there."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note the markers of the test; names of files and folders are no markers."""
        report = yield
        report.__dict__["kinds"] = [kind for kind in KINDS if item.get_closest_marker(kind)]
        return report


class MarkerCounts:
    """Listens to one session, in the process that prints its summary."""

    def __init__(self, *, gate: bool) -> None:
        self._gate = gate
        self._kinds: dict[str, tuple[str, ...]] = {}
        self._outcomes: dict[str, str] = {}
        self._wanting: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test: it passed when its call did and nothing before or after went wrong."""
        self._kinds[report.nodeid] = tuple(getattr(report, "kinds", ()))
        if report.failed:
            self._outcomes[report.nodeid] = "failed"
        elif report.skipped:
            self._outcomes.setdefault(report.nodeid, "skipped")
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            if not hasattr(report, "wasxfail") and not reason.removeprefix("Skipped: ").startswith(MACHINE):
                self._wanting[report.nodeid] = reason
        elif report.when == "call":
            self._outcomes.setdefault(report.nodeid, "passed")

    def count(self, kind: str, outcome: str) -> int:
        """Count the tests of a kind that ended so."""
        return sum(kind in self._kinds.get(test, ()) for test, ended in self._outcomes.items() if ended == outcome)

    @property
    def missing(self) -> tuple[str, ...]:
        """List the kinds that the gate asks for and that no passed test stands for."""
        return tuple(kind for kind in KINDS if self._gate and not self.count(kind, "passed"))

    @property
    def wanting(self) -> tuple[str, ...]:
        """List the tests that the gate asks for and that were skipped for want of something, with their reasons."""
        return tuple(f"{test}: {reason}" for test, reason in self._wanting.items() if self._gate)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Close the gate; a run that failed for another reason keeps its status."""
        if (self.missing or self.wanting) and session.exitstatus in {
            pytest.ExitCode.OK,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        }:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Generator[None]:
        """Print the counts after every other summary."""
        yield
        terminalreporter.section("tests per marker")
        for kind in KINDS:
            counts = ", ".join(f"{self.count(kind, outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))
            terminalreporter.write_line(f"{kind:<15} {counts}")
        if self.missing:
            terminalreporter.write_line(f"CI=true, and no test passed of: {', '.join(self.missing)}", red=True)
        for skipped in self.wanting:
            terminalreporter.write_line(f"CI=true, and skipped: {skipped}", red=True)


def pytest_configure(config: pytest.Config) -> None:
    """Count in every session that runs tests; the gate belongs to CI."""
    config.pluginmanager.register(MarkerNotes(), "marker-notes")
    if not config.option.collectonly and not hasattr(config, "workerinput"):
        gate = os.environ.get("CI") == "true"
        config.pluginmanager.register(MarkerCounts(gate=gate), "marker-counts")
