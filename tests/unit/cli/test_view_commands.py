import json
from collections.abc import Callable

import pytest

from moonmind.ports.check import Check, CheckStatus
from tests.support.terminal import Session

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
GOOD = Check("git.binary", CheckStatus.PASSED, "git 2.47")
BAD = Check("codex.login", CheckStatus.FAILED, "not logged in", "Run `codex login`.")
NOT_ASKED = Check("forge.repository", CheckStatus.SKIPPED, "none was named")
ODD = Check("codex.models", CheckStatus.UNKNOWN, "no answer", "Try again.")


def test_doctor_is_content_when_nothing_failed(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.preflight.checks = [GOOD, ODD]
    assert moonmind("doctor", "--repo", "acme/rockets") == 0
    assert session.preflight.asked == ["acme/rockets"]
    out = capsys.readouterr().out
    assert "git.binary" in out
    assert "Ready, but some checks could not be made." in out
    assert "● could not be made, or needs a look" in out
    session.preflight.checks = [GOOD, NOT_ASKED]
    assert moonmind("doctor") == 0
    out = capsys.readouterr().out
    assert "\nReady.\n" in out
    assert "●" not in out


def test_doctor_shows_the_fix_beside_the_failure(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.preflight.checks = [GOOD, BAD, NOT_ASKED]
    assert moonmind("doctor") == 1
    lines = capsys.readouterr().out.splitlines()
    place = next(index for index, line in enumerate(lines) if "not logged in" in line)
    assert "fix: Run `codex login`." in lines[place + 1]
    assert "1 of 2 checks failed." in lines[-1]


def test_doctor_with_json_is_one_document(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.preflight.checks = [GOOD, BAD]
    assert moonmind("doctor", "--json") == 1
    body = json.loads(capsys.readouterr().out)
    assert body["ready"] is False
    assert body["checks"][1] == {
        "name": "codex.login",
        "status": "failed",
        "message": "not logged in",
        "remediation": "Run `codex login`.",
    }
