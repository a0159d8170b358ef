import socket
from pathlib import Path

import pytest

from moonmind.cli.main import main
from moonmind.engine import server_file

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
