import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.runtime import server_file
from moonmind.runtime.server_file import ServerInfo


def test_an_announced_server_is_found_by_its_address_and_process(tmp_path: Path) -> None:
    server_file.announce(tmp_path / "var", "http://127.0.0.1:8123")
    assert server_file.find(tmp_path / "var") == ServerInfo("http://127.0.0.1:8123", os.getpid())


@pytest.mark.parametrize(
    ("url", "is_open"),
    [
        ("http://127.0.0.1:8000", False),
        ("http://127.9.9.9:8000", False),
        ("http://[::1]:8000", False),
        ("http://LOCALHOST:8000", False),
        ("http://0.0.0.0:8000", True),
        ("http://[::]:8000", True),
        ("http://10.0.0.1:8000", True),
        ("http://moonmind.example:8000", True),
    ],
)
def test_a_server_is_open_where_other_machines_reach_it(url: str, is_open: bool) -> None:
    assert ServerInfo(url, 1).is_open is is_open


@pytest.mark.parametrize("has_token", [True, False])
def test_a_server_says_that_it_has_a_token_and_not_which(tmp_path: Path, has_token: bool) -> None:
    server_file.announce(tmp_path, "http://127.0.0.1:1", has_token=has_token)
    server = server_file.find(tmp_path)
    assert server is not None
    assert server.has_token is has_token


def test_an_announcement_leaves_nothing_but_the_one_file(tmp_path: Path) -> None:
    server_file.announce(tmp_path, "http://127.0.0.1:1")
    server_file.announce(tmp_path, "http://127.0.0.1:2")
    assert [path.name for path in tmp_path.iterdir()] == ["server.json"]
    server = server_file.find(tmp_path)
    assert server is not None
    assert server.url == "http://127.0.0.1:2"


def test_a_withdrawn_server_is_not_found(tmp_path: Path) -> None:
    server_file.announce(tmp_path, "http://127.0.0.1:1")
    server_file.withdraw(tmp_path)
    assert server_file.find(tmp_path) is None


def test_the_announcement_of_another_process_is_not_withdrawn(tmp_path: Path) -> None:
    server_file.announce(tmp_path, "http://127.0.0.1:1")
    body = json.loads((tmp_path / "server.json").read_text())
    (tmp_path / "server.json").write_text(json.dumps(body | {"pid": os.getppid()}))
    server_file.withdraw(tmp_path)
    assert (tmp_path / "server.json").exists()


def test_a_server_whose_process_has_ended_is_not_found(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from moonmind.runtime.server_file import announce; announce(Path(sys.argv[1]), 'http://x')"
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=Path(__file__).parents[3])
    assert (tmp_path / "server.json").exists()
    assert server_file.find(tmp_path) is None


def test_a_server_that_has_ended_and_was_not_waited_for_is_not_found(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from moonmind.runtime.server_file import announce; announce(Path(sys.argv[1]), 'http://x'); sys.stdout.close()"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still a zombie
    try:
        assert server_file.find(tmp_path) is None
    finally:
        child.communicate()


def test_a_process_that_got_the_id_of_a_dead_server_is_not_taken_for_it(tmp_path: Path) -> None:
    server_file.announce(tmp_path, "http://127.0.0.1:1")
    body = json.loads((tmp_path / "server.json").read_text())
    (tmp_path / "server.json").write_text(json.dumps(body | {"startTime": "1"}))
    assert server_file.find(tmp_path) is None


def test_a_torn_or_foreign_file_is_no_server(tmp_path: Path) -> None:
    assert server_file.find(tmp_path) is None
    for text in ("", "{", "[]", "null", '{"url": "http://x"}', '{"url": "x", "pid": "many", "startTime": null}'):
        (tmp_path / "server.json").write_text(text)
        assert server_file.find(tmp_path) is None


def test_a_server_that_took_its_word_back_lives_until_it_has_ended(tmp_path: Path) -> None:
    server_file.announce(tmp_path, "http://127.0.0.1:8123")
    server = server_file.find(tmp_path)
    assert server is not None
    server_file.withdraw(tmp_path)
    assert server_file.find(tmp_path) is None
    assert server_file.lives(server)
    assert not server_file.lives(replace(server, start="another process, long ago"))
