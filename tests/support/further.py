"""Leaves further cases of a kind to `script/test --full`: what carries the marker `full` is deselected otherwise.

A test with the marker `in_every_run(N)` keeps N of its cases, spread over all of them.

A run of any size says how many cases it left out, in a line of its own above pytest's closing one. Hypothesis tries more
examples with --full, too, where a test does not name a number.
"""

import os
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

OPTION = "--full"
EXAMPLES, FURTHER_EXAMPLES = 40, 300
LEFT_OUT = pytest.StashKey[int]()


class LeftOut:
    """Hears from the processes of pytest-xdist, each of which collects everything, how many cases they left out."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: object, error: object) -> None:
        """Take over the count of a process that has ended."""
        found = getattr(node, "workeroutput", {}).get("left_out", 0)
        self._config.stash[LEFT_OUT] = max(found, self._config.stash[LEFT_OUT])


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that runs every case."""
    parser.addoption(OPTION, action="store_true", help="run the further cases of kinds that every run tests, too")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count, and say how many examples Hypothesis tries."""
    config.stash[LEFT_OUT] = 0
    if config.getoption(OPTION):
        os.environ.setdefault("MOONMIND_TEST_MODEL_EXAMPLES", "200")
    examples = FURTHER_EXAMPLES if config.getoption(OPTION) else EXAMPLES
    settings.register_profile("moonmind", settings(), max_examples=examples, deadline=None)
    settings.load_profile("moonmind")
    config.pluginmanager.register(LeftOut(config), "left-out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is marked; skipped tests would hide those that were skipped for want of something."""
    if config.getoption(OPTION):
        return
    further = [item for item in items if item.get_closest_marker("full")] + beyond(items)
    config.hook.pytest_deselected(items=further)
    items[:] = [item for item in items if item not in set(further)]
    config.stash[LEFT_OUT] = len(further)


def beyond(items: list[pytest.Item]) -> list[pytest.Item]:
    """List the cases that the marker `in_every_run` leaves to --full."""
    cases: dict[tuple[Path, str], list[pytest.Item]] = defaultdict(list)
    for item in items:
        if item.get_closest_marker("in_every_run") and not item.get_closest_marker("full"):
            cases[item.path, item.nodeid.partition("[")[0]].append(item)
    left = []
    for of_one in cases.values():
        marker = of_one[0].get_closest_marker("in_every_run")
        count = min(marker.args[0], len(of_one)) if marker else len(of_one)
        kept = {number * len(of_one) // count for number in range(count)}
        left += [item for number, item in enumerate(of_one) if number not in kept]
    return left


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the count to the process that prints the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was left out."""
    if count := config.stash[LEFT_OUT]:
        noun = "further case runs" if count == 1 else "further cases run"
        terminalreporter.write_line(f"{count:,} {noun} with script/test --full")
