import json
from collections.abc import Callable

import pytest

from moonmind.cli.printer import Printer
from moonmind.cli.view_commands import report
from moonmind.ports.check import Check, CheckStatus

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
GOOD = Check("git.binary", CheckStatus.PASSED, "git 2.47")
BAD = Check("codex.login", CheckStatus.FAILED, "not logged in", "Run `codex login`.")
NOT_ASKED = Check("forge.repository", CheckStatus.SKIPPED, "none was named")
ODD = Check("codex.models", CheckStatus.UNKNOWN, "no answer", "Try again.")


def test_doctor_is_content_when_nothing_failed(capsys: Capture) -> None:
    assert report([GOOD, ODD], Printer()) == 0
    out = capsys.readouterr().out
    assert "git.binary" in out
    assert "Ready, but some checks need attention." in out
    assert "✓ 1 passed   ● 1 unclear or need attention" in out
    assert report([GOOD, NOT_ASKED], Printer()) == 0
    out = capsys.readouterr().out
    assert "\nReady.\n" in out
    assert "●" not in out


def test_doctor_shows_the_fix_beside_the_failure(capsys: Capture) -> None:
    assert report([GOOD, BAD, NOT_ASKED], Printer()) == 1
    lines = capsys.readouterr().out.splitlines()
    place = next(index for index, line in enumerate(lines) if "not logged in" in line)
    assert "fix: Run `codex login`." in lines[place + 1]
    assert "✓ 1 passed   ✗ 1 failed   – 1 not applicable or not tested" in lines
    assert "1 of 3 checks failed." in lines[-1]


def test_doctor_with_json_is_one_document(capsys: Capture) -> None:
    assert report([GOOD, BAD], Printer(as_json=True)) == 1
    body = json.loads(capsys.readouterr().out)
    assert body["ready"] is False
    assert body["checks"][1] == {
        "name": "codex.login",
        "status": "failed",
        "message": "not logged in",
        "remediation": "Run `codex login`.",
    }


def test_doctor_looks_at_the_repository_that_is_named(
    moonmind: Command, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOONMIND_REPOSITORIES", "acme/rockets")
    found = {}
    for repository in ("acme/rockets", "acme/other"):
        moonmind("doctor", "--repo", repository, "--json")
        checks = json.loads(capsys.readouterr().out)["checks"]
        found[repository] = {check["name"] for check in checks if check["status"] == "failed"}
    assert found["acme/other"] - found["acme/rockets"] == {"repositories"}
