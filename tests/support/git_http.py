"""A forge's git over HTTP on loopback: git's own backend behind Basic authentication, as the real ones have it."""

import base64
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


@dataclass
class GitServer:
    """Serves the bare repositories below `root` to whoever knows `token`; `may_push` turns the right to push off."""

    root: Path
    token: str
    may_push: bool = True
    redirect: str = ""
    """Where every request is sent on to, if anywhere."""
    broken: bool = False
    """Every request is answered as by a proxy whose server is gone."""
    port: int = 0
    asked: list[str] = field(default_factory=list)
    """Request lines, for tests that look for what must not be in an address."""

    def url(self, repository: str) -> str:
        """Return the address that git fetches from and pushes to."""
        return f"http://127.0.0.1:{self.port}/{repository}"


class _Handler(BaseHTTPRequestHandler):
    served: GitServer

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.served.asked.append(self.requestline)
        body = body_of(self)
        if self.served.broken:
            self._say(502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>\n")
        elif self.served.redirect:
            self._say(301, {"Location": self.served.redirect.rstrip("/") + self.path}, b"")
        elif self.headers.get("Authorization") != self._wanted():
            self._say(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"who are you?\n")
        elif "git-receive-pack" in self.path and not self.served.may_push:
            self._say(403, {"Content-Type": "text/plain"}, b"this token may not push\n")
        else:
            self._say(*backend(self, self.served.root, self.path, body))

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def _wanted(self) -> str:
        return "Basic " + base64.b64encode(f"x-access-token:{self.served.token}".encode()).decode()


def body_of(handler: BaseHTTPRequestHandler) -> bytes:
    """Read a request's body, in chunks too: git sends large ones so."""
    if handler.headers.get("Transfer-Encoding") != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    body = b""
    while size := int(handler.rfile.readline().strip(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


def backend(handler: BaseHTTPRequestHandler, root: Path, path: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Let git's own server answer for the repositories below a folder."""
    address = urlsplit(path)
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "REQUEST_METHOD": handler.command,
        "PATH_INFO": address.path,
        "QUERY_STRING": address.query,
        "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
        "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        "REMOTE_USER": "moonmind",  # the backend lets only named users push
    }
    done = subprocess.run(
        ["git", "http-backend"], env=environment, input=body, capture_output=True, timeout=120, check=False
    )
    head, _, content = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
    return int(headers.pop("Status", "200 OK").split()[0]), headers, content


@contextmanager
def git_server(root: Path, token: str) -> Iterator[GitServer]:
    """Serve git repositories for as long as the block lasts."""
    served = GitServer(root, token)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"served": served}))
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def askpass(folder: Path, token: str) -> dict[str, str]:
    """Return the environment that lets git authenticate with a token, as a forge adapter does."""
    program = folder / "askpass"
    program.write_text('#!/bin/sh\ncase "$1" in Username*) echo x-access-token;; *) echo "$FORGE_TOKEN";; esac\n')
    program.chmod(0o755)
    return {"GIT_ASKPASS": str(program), "FORGE_TOKEN": token}
