"""Shows that the installed Codex leaves a repository's own configuration alone: in a repository that would leave a mark."""

import contextlib
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import tomli_w

from moonmind.adapters import process
from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_home import PROVIDER, TOKEN_VARIABLE, configuration, furnish
from moonmind.adapters.agents.codex_login import Login
from moonmind.adapters.agents.codex_project import distrusting
from moonmind.adapters.jobs.job_environment import MARK, harmless
from moonmind.adapters.supervisor import kernel
from moonmind.errors import MoonMindError
from moonmind.ports.check import Check, CheckStatus

NAME = "codex.project"
_STALE_SECONDS = 3600.0
_FIX = (
    "Do not run this Codex: install another version (`script/bootstrap` installs one that passes), or set CODEX_BIN to it. "
    "If a system-wide configuration (/etc/codex) trusts folders, remove that."
)

_UNTRIED = "could not test whether Codex ignores a repository's .codex folder"
_TRY = "Run `codex exec` once in an empty folder and fix the error that it prints; then run `moonmind doctor` again."

_proven: set[tuple[object, ...]] = set()
"""Of this process: the program's file and the configuration with which it left no mark."""


def project_check(options: AgentOptions, login: Login, binary: str, mode: str) -> Check:
    """Start Codex as a run does, in a folder whose configuration names a command, and see that the command is not run.

    No model is asked: a server on loopback refuses the one request. What passed is not tried again by this process.
    """
    try:
        config = _configuration(options, login, mode)
        file = Path(binary).resolve()
        stat = file.stat()
        key = (file, stat.st_ino, stat.st_size, stat.st_mtime_ns, mode, tomli_w.dumps(config))
        if key not in _proven:
            marks, asked, words = _try(options, binary, config, mode)
            if marks:
                message = (
                    f"Codex runs commands that a repository's .codex folder names ({', '.join(marks)}): anyone who can "
                    "push to the repository could run programs outside of the sandbox"
                )
                return Check(NAME, CheckStatus.FAILED, message, _FIX)
            if not asked:
                ending = words or "it printed nothing"
                message = f"{_UNTRIED}: Codex ended before it called the model ({ending})"
                return Check(NAME, CheckStatus.UNKNOWN, message, _TRY)
            _proven.add(key)
    except (OSError, MoonMindError) as error:
        return Check(NAME, CheckStatus.UNKNOWN, f"{_UNTRIED}: {error}", _TRY)
    return Check(NAME, CheckStatus.PASSED, "Codex ignores a repository's .codex folder (tested)")


def _configuration(options: AgentOptions, login: Login, mode: str) -> dict[str, Any]:
    config = configuration(options, replace(login, key="canary"), mode)
    # The operator's own programs are not what is tried, and would be started once more.
    return {name: value for name, value in config.items() if name not in ("mcp_servers", "hooks", "notify")}


def _try(options: AgentOptions, binary: str, config: dict[str, Any], mode: str) -> tuple[list[str], bool, str]:
    """Return the ways that worked, whether Codex came as far as asking the model, and its last words otherwise."""
    seconds = options.timing.canary
    with _folder(options.state_folder / "canaries") as folder, _model() as (url, asked):
        workspace, home, temporary, marks = (folder / name for name in ("tree", "codex", "tmp", "marks"))
        for made in (workspace / ".git", home, temporary, marks):
            made.mkdir(parents=True, mode=0o700)
        (workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        _plant(workspace, marks)
        furnish(home, distrusting(config, workspace))
        mark = f"{options.installation_id}/{folder.name}"
        environment = harmless(options.environment) | {
            "HOME": str(temporary),
            "TMPDIR": str(temporary),
            "CODEX_HOME": str(home),
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
            TOKEN_VARIABLE: "canary",
            MARK: mark,
        }
        argv = [binary, "exec", "--json", "--skip-git-repo-check", "--color", "never", "-s", mode]
        argv += ["-C", str(workspace), "-c", f'model_providers.{PROVIDER}.base_url="{url}"', "-"]
        done = process.run(argv, cwd=workspace, env=environment, input=b"Say yes.", timeout=seconds)
        kernel.kill_all(lambda: kernel.marked(MARK, mark), seconds=seconds)
        words = f"it did not end within {seconds:.0f} seconds" if done.timed_out else done.error_text[-300:]
        return sorted(path.name for path in marks.iterdir()), asked.is_set(), words


def _plant(workspace: Path, marks: Path) -> None:
    def command(name: str) -> list[str]:
        return ["/bin/sh", "-c", ': > "$0"', str(marks / name)]

    program, *arguments = command("MCP server")
    config = {
        # Required: where it is taken for one, no model is asked before it has been started.
        "mcp_servers": {"canary": {"command": program, "args": arguments, "required": True}},
        "notify": command("notify"),
        "features": {"hooks": True},
    }
    hook = {"hooks": [{"type": "command", "command": f": > '{marks}/hook'"}]}
    (workspace / ".codex").mkdir()
    (workspace / ".codex" / "config.toml").write_text(tomli_w.dumps(config))
    (workspace / ".codex" / "hooks.json").write_text(json.dumps({"hooks": {"SessionStart": [hook]}}))


@contextlib.contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in parent.iterdir():  # by a process that was killed
        if time.time() - left.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    # What cannot be removed now is removed as stale later.
    with tempfile.TemporaryDirectory(prefix="canary-", dir=parent, ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextlib.contextmanager
def _model() -> Iterator[tuple[str, threading.Event]]:
    """Serve a model that refuses whatever it is asked, which ends Codex at once; the event says that it was asked."""
    asked = threading.Event()

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.set()
            self.send_error(400)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="canary", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
