import io
import json
import sys
from typing import Any

import pytest

from moonmind.cli.main import main
from moonmind.cli.sandbox_commands import trying
from moonmind.settings import Settings

Capture = pytest.CaptureFixture[str]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.sqlite
@pytest.mark.parametrize("command", ["show", "reset"])
@pytest.mark.parametrize(("sandbox", "kind"), [("none", "none"), ("codex", "none")])
def test_programs_are_told_the_kind(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, command: str, sandbox: str, kind: str
) -> None:
    monkeypatch.setenv("SPEC_WORKFLOW_TEST_MODE", "1")  # a script has no sandbox of its own
    monkeypatch.setenv("MOONMIND_SANDBOX", sandbox)
    assert main(["sandbox", command, "--json"]) == 0
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert (answer["ready"], answer["kind"], len(answer["checks"])) == (True, kind, 1)
    assert shown.err == ""


@pytest.mark.parametrize(
    ("given", "kept", "said"),
    [
        ({}, None, "bubblewrap"),
        ({}, "docker", "docker"),
        ({"sandbox_image": "sha256:" + "0" * 64}, None, "docker"),
        ({"sandbox": "bubblewrap"}, "docker", "bubblewrap"),
        ({}, "codex", None),
        ({"sandbox": "none"}, None, None),
    ],
)
def test_a_terminal_is_told_which_wall_is_tried(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], kept: str | None, said: str | None
) -> None:
    settings = Settings(_env_file=None, **({"sandbox": "auto"} | given))
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        with trying(settings, kept):
            pass
        heard = said is not None and stream.isatty()
        assert (f"Trying to get out of {said}; " in stream.getvalue()) is heard
        assert bool(stream.getvalue()) is heard
