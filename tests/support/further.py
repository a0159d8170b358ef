"""Leaves further cases of a kind to `script/test --full`: what carries the marker `full` is deselected otherwise.

A run of any size says how many cases it left out, in a line of its own above pytest's closing one.
"""

import pytest

OPTION = "--full"
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
    """Begin to count."""
    config.stash[LEFT_OUT] = 0
    config.pluginmanager.register(LeftOut(config), "left-out")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is marked; skipped tests would hide those that were skipped for want of something."""
    if config.getoption(OPTION):
        return
    further = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=further)
    items[:] = [item for item in items if item not in set(further)]
    config.stash[LEFT_OUT] = len(further)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the count to the process that prints the summary."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = session.config.stash[LEFT_OUT]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was left out."""
    if count := config.stash[LEFT_OUT]:
        noun = "further case runs" if count == 1 else "further cases run"
        terminalreporter.write_line(f"{count:,} {noun} with script/test --full")
