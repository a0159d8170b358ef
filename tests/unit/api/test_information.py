"""What readiness shows beside what it decides by."""

import threading

from structlog.testing import LogCapture

from api_service.information import Information
from moonmind.ports.check import Check, CheckStatus
from tests.support.waiting import until

GIT = Check("git.binary", CheckStatus.PASSED, "git 2.47")


def test_slow_probes_hold_nobody_up_and_are_made_once(lines: LogCapture) -> None:
    asked: list[int] = []
    answer = threading.Event()

    def probe() -> list[Check]:
        asked.append(1)
        assert answer.wait(30)
        return [GIT]

    information = Information(probe)
    for _ in range(3):
        (first,) = information.checks()
        assert (first.name, first.status, first.informational) == ("preflight", CheckStatus.UNKNOWN, True)
    answer.set()
    (found,) = until(lambda: [one for one in information.checks() if one.name == "git.binary"], "the answer")
    assert (found.status, found.informational) == (CheckStatus.PASSED, True)
    information.close()
    assert len(asked) == 1
    assert lines.entries == []


def test_what_is_old_is_shown_until_it_was_looked_at_again() -> None:
    answers = [[GIT]]
    information = Information(lambda: answers.pop() if answers else [], kept_seconds=0.0)
    until(lambda: [one.name for one in information.checks()] == ["git.binary"], "the first answer")
    until(lambda: information.checks() == [], "the second")
    information.close()


def test_a_probe_that_breaks_is_said_and_made_again(lines: LogCapture) -> None:
    answers: list[Exception | list[Check]] = [RuntimeError("broken"), [GIT]]

    def probe() -> list[Check]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    information = Information(probe, kept_seconds=0.0)
    information.checks()
    information.close()
    assert "RuntimeError" in information._known[0].message
    assert [line["event"] for line in lines.entries] == ["readiness.not_probed"]
    information.checks()
    information.close()
    assert [one.name for one in information._known] == ["git.binary"]
