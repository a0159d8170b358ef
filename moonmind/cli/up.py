"""The command `up`: one process that serves the API and, without a broker, does the work too."""

import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from uvicorn.importer import import_from_string

from moonmind import __version__
from moonmind.cli import consoles
from moonmind.cli.exits import Exit, code_of, say
from moonmind.cli.session import missing_database
from moonmind.cli.terminal_text import one_line
from moonmind.errors import Conflict, InvalidRequest, MoonMindError, Unavailable
from moonmind.ports.check import Check
from moonmind.ports.sandbox import SandboxKind
from moonmind.preflight.machine_checks import api_token
from moonmind.redact import Redactor
from moonmind.runtime import server_file
from moonmind.runtime.container import Container
from moonmind.services.tokens import no_token
from moonmind.settings import Settings, load_settings

_APPLICATION = "api_service.app:create_app"
_TOKEN_LENGTH = 16
"""Characters at least of a token that other machines may try."""
_GRACE_SECONDS = 5
"""How long open requests and event streams may go on once the end is asked for."""


class _Server(uvicorn.Server):
    """Announces its address once it answers, and takes that back before it stops answering."""

    def __init__(self, config: uvicorn.Config, url: str, settings: Settings, state: Any, *, is_open: bool) -> None:
        super().__init__(config)
        self._is_open = is_open
        self._state = state
        self._url = url
        self._settings = settings

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        gc.freeze()  # else the first collection looks at all of it
        gc.enable()
        if self.started:
            has_token = self._settings.api_token is not None
            server_file.announce(self._settings.var_dir, self._url, has_token=has_token)
            container: Container = self._state.container
            settings, of = self._settings, (container.agent, container.database)
            warnings = api_token(*of, is_set=has_token, is_open=self._is_open)
            greet(self._url, settings, warnings, kept=container.sandbox_pin.read())
            # Looked at beside serving: it asks the agent's program, which may take seconds.
            threading.Thread(target=warn_of, args=(container.preflight.agent,), name="agent check", daemon=True).start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        server_file.withdraw(self._settings.var_dir)
        await super().shutdown(sockets)


def serve(host: str, port: int) -> int:
    """Serve until interrupted or asked to end; both are a good end. Raises InvalidRequest, Conflict, Unavailable."""
    settings = load_settings()
    open_at = None if server_file.is_loopback(host) else host
    if open_at is not None and settings.api_token is None and missing_database(settings) is not None:
        raise no_token(open_at)  # seen here at once; where there is a database, it is asked before anything else starts
    if open_at is not None and settings.api_token is not None:
        given = len(settings.api_token.get_secret_value())
        if given < _TOKEN_LENGTH:
            raise InvalidRequest(
                f"{host} can be reached from other machines, and MOONMIND_API_TOKEN has {given} characters: it can be "
                f"guessed",
                remediation=f"Use {_TOKEN_LENGTH} characters or more (for instance `openssl rand -hex 32`), or serve on "
                "127.0.0.1.",
            )
    if settings.embedded and (other := server_file.find(settings.var_dir)) is not None:
        raise Conflict(
            f"MoonMind is already running here, at {other.url} (process {other.pid})",
            remediation="Use it, or stop it first.",
        )
    settings.claim_var("MOONMIND_VAR_DIR")
    listener = listen(host, port)
    bound = listener.getsockname()[1]
    url = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    application = import_from_string(_APPLICATION)(settings, open_at=open_at)
    config = uvicorn.Config(
        application,
        host=host,
        port=bound,
        log_config=None,  # our own formatter takes uvicorn's lines in
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = _Server(config, url, settings, application.state, is_open=open_at is not None)
    # uvicorn raises the signal that ended it once more, for the handler before this one: an end asked for is no failure.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    with listener:
        try:
            server.run(sockets=[listener])
        except SystemExit as ended:
            # uvicorn ends the process like this when the application cannot start; anything but ours is in the log.
            failure = getattr(application.state, "startup_failure", None)
            if isinstance(failure, MoonMindError):
                say(failure.info())
                return _leave(code_of(failure))
            return _leave(Exit.SETUP if ended.code else Exit.FINE)
    return _leave(Exit.FINE)


def warn_of(probe: Callable[[], Iterable[Check]]) -> None:
    """Report in one line that runs will fail at their agent, where its own check says so."""
    failed = [check for check in probe() if check.failed]
    if failed:
        said = "; ".join(one_line(check.message) for check in failed)
        fix = f" {one_line(failed[0].remediation)}" if failed[0].remediation else ""
        consoles.out().print(Text(f"  Runs will fail at submit: {said}.{fix}", "yellow"), soft_wrap=True)
        sys.stdout.flush()


def _leave(code: int) -> int:
    """Return the exit code, or end right here when a request still works: the interpreter would wait for its thread.

    The server has given up on such a request, and everything else is closed. The threads that run stages are daemons.
    """
    others = set(threading.enumerate()) - {threading.main_thread()}
    if any(not each.daemon for each in others):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return code


def _end(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(Exit.FINE)


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; port 0 takes a free one. Raises Unavailable."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol: connections take it over, and asyncio sends without delay only on those that say TCP.
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(2048)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise Unavailable(
            f"cannot listen on {host} port {port}: {reason}",
            remediation="Stop the program that uses the port, or choose another port with --port (0 picks a free one).",
        ) from None
    return listener


def greet(url: str, settings: Settings, warnings: Iterable[Check] = (), *, kept: str | None = None) -> None:
    """Print where the server is and what it works with, and each warning; `kept` is the sandbox that `auto` chose."""
    console = consoles.out()
    facts = Table.grid(padding=(0, 2, 0, 0))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    redactor = Redactor(settings.secrets())
    facts.add_row("API", Text(url, "bold cyan"))
    facts.add_row("database", redactor.text(_place(settings)))
    if settings.env_file is not None:
        facts.add_row("settings", one_line(str(settings.env_file)))
    facts.add_row("engine", "in this process" if settings.embedded else "Celery workers")
    stands_in = " (a script stands in for a coding agent)" if settings.agent == "scripted" else ""
    facts.add_row("agent", f"{settings.agent}{stands_in}, {settings.max_agents} at a time")
    facts.add_row("sandbox", _sandbox(settings, kept))
    only = f", {', '.join(settings.repositories)} only" if settings.repositories else ""
    place = f" (bare repositories in {_shown(settings.local_repos)})" if settings.forge == "local" else ""
    facts.add_row("forge", f"{settings.forge}{place}{only}")
    if settings.test_mode:
        facts.add_row("", "test mode: no Codex, no GitHub, nothing leaves this machine")
    for check in warnings:
        facts.add_row("", Text(f"{check.message}. {check.remediation}", "yellow"))
    console.print(Text.assemble("\n  ", ("MoonMind", "bold"), f" {__version__}\n"))
    console.print(Padding(facts, (0, 0, 0, 2), expand=False))
    console.print(
        Text(
            "\n  In another terminal: `moonmind run OWNER/NAME --watch` starts a run."
            "\n  Here, Ctrl-C stops MoonMind; open runs continue at the next start.\n",
            "dim",
        )
    )
    sys.stdout.flush()


def _sandbox(settings: Settings, kept: str | None) -> str:
    if settings.sandbox != "auto":
        kind, why = settings.sandbox, f"MOONMIND_SANDBOX={settings.sandbox}"
    elif kept is not None:
        kind, why = one_line(kept), "chosen at the first run; `moonmind sandbox reset` chooses again"
    else:
        return "not chosen yet: the first run does; `moonmind sandbox show` says what it would choose"
    if kind == SandboxKind.CODEX and settings.agent == "scripted":
        kind = SandboxKind.NONE.value  # Codex's own is not there for a script
    return f"{kind} ({why})"


def _place(settings: Settings) -> str:
    if not settings.sqlite:
        return settings.database_url.replace("+psycopg", "", 1)
    return _shown(Path(settings.database_url.removeprefix("sqlite:///")))


def _shown(path: Path) -> str:
    """Return a path, relative where it is below the working directory."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
