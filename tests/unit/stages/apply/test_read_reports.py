import pytest

from moonmind.proof.verification.test_commands import TestCommand
from moonmind.stages.apply.verification_jobs import WantedRun, read_of
from moonmind.stages.apply.verification_plan import own_report

COMMAND = TestCommand("unit", "pytest -q")


@pytest.mark.parametrize(
    ("command", "own", "read"),
    [
        (COMMAND, "pytest.xml", ["pytest.xml"]),
        (TestCommand("unit", "python -m unittest"), "unittest.xml", []),
        (TestCommand("unit", "make test"), "", ["out/a.xml", "pytest.xml"]),
        (TestCommand("unit", "make test", reports=("out/*.xml",)), "", ["out/a.xml"]),
        (TestCommand("unit", "make >$MOONMIND_REPORTS/a", reports=("out/*.xml",)), "", ["out/a.xml", "pytest.xml"]),
    ],
)
def test_only_reports_that_a_command_was_asked_for_are_read(command: TestCommand, own: str, read: list[str]) -> None:
    assert own_report(command) == own
    one = WantedRun("after-1", command, command.run, "1" * 40, 60.0, report=own)
    assert [path for path, _ in read_of(one, [("out/a.xml", b"a"), ("pytest.xml", b"b")])] == read
