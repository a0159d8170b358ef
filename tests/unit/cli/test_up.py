import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from moonmind.cli.main import main
from moonmind.cli.up import greet, listen, warn_of
from moonmind.ports.check import Check, CheckStatus
from moonmind.runtime import server_file
from moonmind.settings import Settings

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_other_machines_are_let_in_only_with_a_token(host: str, capsys: Capture) -> None:
    assert main(["up", "--host", host]) == 2
    err = capsys.readouterr().err
    assert "no token protects the API" in err
    assert "MOONMIND_API_TOKEN" in err


def test_a_port_that_is_taken_is_said(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["up", "--port", str(taken.getsockname()[1])]) == 5
    assert "--port" in capsys.readouterr().err


def test_a_second_server_of_one_folder_names_the_first(tmp_path: Path, capsys: Capture) -> None:
    server_file.announce(tmp_path / "var", "http://127.0.0.1:8123")
    assert main(["up"]) == 3
    assert "http://127.0.0.1:8123" in capsys.readouterr().err


def test_a_wrong_setting_is_said_before_anything_starts(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://localhost")
    assert main(["up"]) == 4
    assert "CELERY_BROKER_URL" in capsys.readouterr().err


def test_a_token_that_can_be_guessed_lets_no_other_machine_in(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONMIND_API_TOKEN", "fifteen-letters")
    assert main(["up", "--host", "0.0.0.0"]) == 2
    err = capsys.readouterr().err
    assert "MOONMIND_API_TOKEN has 15 characters" in err
    assert "fifteen-letters" not in err


def test_an_agent_that_cannot_work_is_said_in_one_line(capsys: Capture) -> None:
    good = Check("codex.binary", CheckStatus.PASSED, "codex 1")
    bad = Check("codex.login", CheckStatus.FAILED, "Codex is not logged in", "Run `codex login`.")
    warn_of(lambda: [good, bad])
    assert capsys.readouterr().out == "  Runs will fail at submit: Codex is not logged in. Run `codex login`.\n"
    warn_of(lambda: [good])
    assert capsys.readouterr().out == ""


def test_the_greeting_says_who_could_call_the_server_that_should_not(capsys: Capture) -> None:
    greet(
        "http://127.0.0.1:1", Settings(_env_file=None), [Check("api.token", CheckStatus.UNKNOWN, "Agents may", "Do.")]
    )
    assert "Agents may. Do." in capsys.readouterr().out


def test_the_greeting_says_where_the_repositories_of_the_local_forge_are(tmp_path: Path, capsys: Capture) -> None:
    for folder, shown in (
        (Path("var/repositories"), "var/repositories"),
        (tmp_path / "r", "r"),
        (Path("/srv"), "/srv"),
    ):
        greet("http://127.0.0.1:1", Settings(_env_file=None, forge_name="local", local_repos=folder))
        assert f"local (bare repositories in {shown})" in capsys.readouterr().out
    greet("http://127.0.0.1:1", Settings(_env_file=None))
    assert "bare repositories" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "kept", "said"),
    [
        ({}, None, "not chosen yet: the first run does"),
        ({}, "bubblewrap", "bubblewrap (chosen at the first run"),
        ({}, "codex", "codex (chosen at the first run"),
        ({"test_mode": True}, "codex", "none (chosen at the first run"),
        ({"sandbox": "docker"}, "bubblewrap", "docker (MOONMIND_SANDBOX=docker)"),
        ({"sandbox": "none"}, None, "none (MOONMIND_SANDBOX=none)"),
        ({"sandbox": "codex", "test_mode": True}, None, "none (MOONMIND_SANDBOX=codex)"),
    ],
)
def test_the_greeting_names_what_jobs_run_in(
    capsys: Capture, given: dict[str, Any], kept: str | None, said: str
) -> None:
    greet("http://127.0.0.1:1", Settings(_env_file=None, **({"sandbox": "auto"} | given)), kept=kept)
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("sandbox"))
    assert line.split(maxsplit=1)[1].startswith(said)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "0.0.0.0", "::"])
def test_answers_are_sent_without_delay(host: str) -> None:
    async def serve() -> int:
        taken: asyncio.Queue[int] = asyncio.Queue()

        def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            taken.put_nowait(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with listen(host, 0) as listener:
            server = await asyncio.start_server(accept, sock=listener)
            async with server:
                _, writer = await asyncio.open_connection(*listener.getsockname()[:2])
                writer.close()
                return await asyncio.wait_for(taken.get(), 20)

    assert asyncio.run(serve()) == 1
