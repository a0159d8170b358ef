import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moonmind.adapters.git import Git, GitOptions
from moonmind.errors import VcsDenied, VcsError, VcsRefused
from moonmind.redact import Redactor
from moonmind.settings import ambient_environment
from tests.support.git_repos import make_bare

TOKEN = "very-secret-token-0123456789"


def a_git(folder: Path, scheme: str = "file", **environment: str) -> Git:
    ambient = ambient_environment() | environment
    return Git(GitOptions(folder / "home", scheme, ambient, Redactor([TOKEN])))


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    make_bare(tmp_path / "bare.git", {"a": "1"})
    return tmp_path / "bare.git"


def test_git_sees_an_environment_made_from_nothing(tmp_path: Path, bare: Path) -> None:
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text("#!/bin/sh\nenv\n")
    spy.chmod(0o755)
    given = {
        "PATH": f"{spy.parent}:{ambient_environment()['PATH']}",
        "GIT_TRACE": "1",
        "GIT_TRACE_CURL": "1",
        "GIT_DIR": "/elsewhere",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.fsmonitor",
        "GIT_CONFIG_VALUE_0": "true",
        "GH_TOKEN": TOKEN,
        "HTTPS_PROXY": "http://proxy.invalid:1",
    }
    said = a_git(tmp_path, **given).run("version", git_dir=bare, environment={"GIT_TOKEN": "for-this-one"}).text
    seen = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert seen["HOME"] == str(tmp_path / "home")
    assert (seen["GIT_TERMINAL_PROMPT"], seen["GIT_CONFIG_GLOBAL"], seen["LC_ALL"]) == ("0", "/dev/null", "C")
    assert seen["HTTPS_PROXY"] == "http://proxy.invalid:1"
    assert seen["GIT_TOKEN"] == "for-this-one"
    assert TOKEN not in said
    assert not {"GIT_TRACE", "GIT_TRACE_CURL", "GIT_DIR", "GIT_CONFIG_COUNT"} & seen.keys()


def test_nobodys_configuration_is_read(tmp_path: Path, bare: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / ".gitconfig").write_text("[core]\n  editor = evil\n")
    (tmp_path / "home" / ".config" / "git").mkdir(parents=True)
    (tmp_path / "home" / ".config" / "git" / "config").write_text("[core]\n  editor = evil\n")
    listed = a_git(tmp_path).run("config", "--list", "--show-origin", git_dir=bare).text
    assert "evil" not in listed
    assert {line.split("\t")[0].split(":")[0] for line in listed.splitlines()} == {"file", "command line"}
    assert "core.hookspath=/dev/null" in listed
    assert "protocol.file.allow=always" in listed


def test_no_repository_is_looked_for(tmp_path: Path, bare: Path) -> None:
    nested = a_git(bare / "inside")
    with pytest.raises(VcsRefused, match="not a git repository"):
        nested.run("rev-parse", "--git-dir", git_dir=None)


def test_a_missing_git_is_refused_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(VcsRefused) as caught:
        a_git(tmp_path, PATH=str(tmp_path)).run("version", git_dir=None)
    assert "Install git" in caught.value.advice


def test_another_transport_than_the_forges_is_refused_for_good(tmp_path: Path, bare: Path) -> None:
    for url in (f"file://{bare}", "ext::sh -c 'touch x'", "ssh://localhost/x", "git://localhost/x"):
        with pytest.raises(VcsRefused, match="not allowed"):
            a_git(tmp_path, "https").run("ls-remote", url, git_dir=None, network=True)


def test_an_output_without_end_is_refused(tmp_path: Path, bare: Path) -> None:
    with pytest.raises(VcsRefused, match="too much output"):
        a_git(tmp_path).run("ls-tree", "-r", "main", git_dir=bare, limit=10)


def test_a_failure_says_which_command_and_what_git_said(tmp_path: Path, bare: Path) -> None:
    with pytest.raises(VcsRefused) as caught:
        a_git(tmp_path).run("cat-file", "blob", "0" * 40, git_dir=bare)
    assert caught.value.message.startswith("git cat-file failed: fatal:")
    assert caught.value.details["command"] == "git cat-file"
    assert not caught.value.retryable


def test_a_held_lock_is_worth_another_try_and_an_old_one_is_removed(tmp_path: Path, bare: Path) -> None:
    lock = bare / "refs" / "heads" / "main.lock"
    lock.touch()
    git = a_git(tmp_path)
    move = ("update-ref", "-d", "refs/heads/main")
    for _ in range(2):
        with pytest.raises(VcsError) as caught:
            git.run(*move, git_dir=bare)
        assert caught.value.retryable
        assert lock.exists()
    os.utime(lock, (time.time() - 3600,) * 2)
    with pytest.raises(VcsError):
        git.run(*move, git_dir=bare)
    assert not lock.exists()
    git.run(*move, git_dir=bare)


class Answer:
    """A forge's web server that gives one answer, and keeps what it was asked."""

    def __init__(self, status: int, body: str = "", headers: dict[str, str] | None = None) -> None:
        self.status, self.body, self.headers = status, body, headers or {}
        self.asked: list[str | None] = []
        self.port = 0


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer.asked.append(self.headers.get("Authorization"))
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body.encode())

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/acme/demo"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def asking(tmp_path: Path) -> Callable[[str], None]:
    """Ask a forge with a token, as a fetch does."""
    askpass = tmp_path / "askpass"
    askpass.write_text('#!/bin/sh\ncase "$1" in Username*) echo x-access-token;; *) echo "$FORGE_TOKEN";; esac\n')
    askpass.chmod(0o755)

    def ask(url: str) -> None:
        credentials = {"GIT_ASKPASS": str(askpass), "FORGE_TOKEN": TOKEN}
        a_git(tmp_path, "http", no_proxy="*").run("ls-remote", url, git_dir=None, network=True, environment=credentials)

    return ask


def test_a_refused_token_is_denied_and_appears_nowhere(asking: Callable[[str], None]) -> None:
    answer = Answer(401, f"the token {TOKEN} has expired", {"WWW-Authenticate": "Basic realm=x"})
    with serving(answer) as url, pytest.raises(VcsDenied) as caught:
        asking(url)
    assert any(header is not None and header.startswith("Basic ") for header in answer.asked), "the token was sent"
    assert not caught.value.retryable
    assert TOKEN not in f"{caught.value.message}{caught.value.details}"


@pytest.mark.parametrize("status", [403, 404])
def test_no_right_to_read_is_denied(asking: Callable[[str], None], status: int) -> None:
    with serving(Answer(status, f"no, {TOKEN}")) as url, pytest.raises(VcsDenied) as caught:
        asking(url)
    assert TOKEN not in f"{caught.value.message}{caught.value.details}"


def test_a_forge_in_trouble_is_worth_another_try(asking: Callable[[str], None]) -> None:
    with serving(Answer(503, "later")) as url, pytest.raises(VcsError) as caught:
        asking(url)
    assert caught.value.retryable
    with pytest.raises(VcsError) as caught:
        asking(url)
    assert caught.value.retryable, "nobody listens there any more"


def test_a_token_never_follows_a_redirect_to_another_host(asking: Callable[[str], None]) -> None:
    other = Answer(401, "", {"WWW-Authenticate": "Basic realm=x"})
    with serving(other) as elsewhere:
        moved = Answer(302, "", {"Location": elsewhere + "/info/refs?service=git-upload-pack"})
        with serving(moved) as url, pytest.raises(VcsError):
            asking(url)
    assert moved.asked
    assert other.asked == []


def test_without_a_credential_nobody_is_asked_and_the_answer_comes_at_once(tmp_path: Path) -> None:
    answer = Answer(401, "", {"WWW-Authenticate": "Basic realm=x"})
    with serving(answer) as url, pytest.raises(VcsDenied):
        a_git(tmp_path, "http", no_proxy="*").run("ls-remote", url, git_dir=None, network=True)
    assert answer.asked == [None]
