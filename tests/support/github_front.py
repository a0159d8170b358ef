"""The one origin of `tests.support.github_site`: it knows tokens, names and faults, and asks emulator or git."""

import base64
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.support.git_http import backend, body_of

if TYPE_CHECKING:
    from tests.support.github_site import Fault, GitHub, Token

_API = "/api/v3"
_REPO = re.compile(r"^/repos/(?P<name>[^/]+/[^/?]+)(?P<rest>.*)$")
_GIT = re.compile(r"^/(?P<name>[^/]+/[^/]+?)\.git(?P<rest>/.*)$")
_KEPT = ("link", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-used",
         "x-ratelimit-resource", "x-github-request-id", "content-type")  # fmt: skip
_NOT_FOUND = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"}
_BAD = {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest", "status": "401"}
_FORBIDDEN = "Resource not accessible by personal access token"

Answer = tuple[int, dict[str, str], bytes]


def _say(status: int, body: Any, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, {"Content-Type": "application/json; charset=utf-8", **named}, json.dumps(body).encode()


def _whole(pulls: Any, drafts: set[str]) -> Any:
    """Add what GitHub says of a pull request and the emulator leaves out."""
    if isinstance(pulls, list):
        return [_whole(pull, drafts) for pull in pulls]
    if isinstance(pulls, dict) and "number" in pulls and "url" in pulls:
        return pulls | {"issue_url": pulls["url"].replace("/pulls/", "/issues/"), "draft": pulls["url"] in drafts}
    return pulls


class Front(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    site: "GitHub"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PATCH(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Keep quiet; `requests` has it."""

    def _answer(self) -> None:
        body = body_of(self)
        path = self.path.removeprefix(_API) if self.path.startswith(_API) else self.path
        fault = self.site.fault_for(self.command, path)
        if fault is not None and fault.cut == "before":
            self._hang_up(path)
            return
        answer = self._faulty(fault) or self._carry_out(path, body)
        if fault is not None and fault.cut == "after":
            self._hang_up(path)
            return
        self._send(path, *answer)

    def _faulty(self, fault: "Fault | None") -> Answer | None:
        if self.site.down:
            return 502, {"Content-Type": "text/html"}, b"<html><h1>502 Bad Gateway</h1></html>"
        if fault is not None and fault.status is not None:
            body = fault.body if isinstance(fault.body, bytes) else json.dumps(fault.body).encode()
            return fault.status, {"Content-Type": "application/json", **fault.headers}, body
        return None

    def _carry_out(self, path: str, body: bytes) -> Answer:
        if self.path.startswith(_API):
            return self._api(path, body)
        found = _GIT.match(path)
        return self._git(found["name"], found["rest"], body) if found else (404, {}, b"Not Found")

    # --- the API

    def _api(self, path: str, body: bytes) -> Answer:
        token = self._known()
        if token is None or token.expired:
            return _say(401, _BAD)
        status, headers, content = self._asked(token, path, body)
        if token.scopes is not None:
            headers["X-OAuth-Scopes"] = token.scopes
        if token.expires:
            headers["GitHub-Authentication-Token-Expiration"] = token.expires
        return status, headers, content

    def _asked(self, token: "Token", path: str, body: bytes) -> Answer:
        if path == "/user" and not token.is_user:
            return _say(403, {"message": "Resource not accessible by integration"})
        found = _REPO.match(path)
        if found is None:
            return self._forward(path, body)
        name, rest = found["name"], found["rest"]
        if new := self.site.renamed.get(name):
            moved = f"{self.site.api_url}/repos/{new}{rest}"
            return _say(
                301 if self.command == "GET" else 307, {"message": "Moved Permanently", "url": moved}, Location=moved
            )
        try:
            twin = self.site.twin(name)
        except KeyError:
            return _say(404, _NOT_FOUND)
        as_draft = self.command == "POST" and rest == "/pulls" and bool(json.loads(body).get("draft"))
        if (refused := self._refused(token, twin, rest, as_draft=as_draft)) is not None:
            return refused
        status, headers, content = self._forward(f"/repos/{twin}{rest}", body)
        if self.command == "POST" and rest == "/pulls" and status == 201:
            self._opened(twin, json.loads(content)["url"], as_draft=as_draft)
        if rest.startswith("/pulls") and status in {200, 201}:
            content = json.dumps(_whole(json.loads(content), self.site.drafts)).encode()
        if rest.partition("?")[0] == "" and status == 200:
            content = json.dumps(self._described(token, twin, json.loads(content))).encode()
        if (shown := self.site.renamed.get(twin)) is not None:
            content = content.replace(twin.encode(), shown.encode())
        return status, headers, content

    def _opened(self, twin: str, url: str, *, as_draft: bool) -> None:
        """Keep what the emulator does not know of a pull request."""
        with self.site.lock:
            self.site.created[twin] = self.site.created.get(twin, 0) + 1
            if as_draft:
                self.site.drafts.add(url)

    def _refused(self, token: "Token", twin: str, rest: str, *, as_draft: bool) -> Answer | None:
        """Return what stands against a request to a repository that is there."""
        if twin in token.hidden:
            return _say(404, _NOT_FOUND)
        if self.command == "GET":
            if twin in self.site.empty and rest.startswith("/commits"):
                return _say(409, {"message": "Git Repository is empty."})
            return _say(200, []) if twin in self.site.empty and rest.startswith("/branches") else None
        if twin in self.site.archived:
            return _say(403, {"message": "Repository was archived so is read-only."})
        if not token.may_push or (not token.may_open and rest == "/pulls"):
            return _say(403, {"message": _FORBIDDEN}, X_Accepted_GitHub_Permissions="pull_requests=write")
        if as_draft and twin in self.site.without_drafts:
            return _say(422, {"message": "Draft pull requests are not supported in this repository."})
        return None

    def _described(self, token: "Token", twin: str, repo: dict[str, Any]) -> dict[str, Any]:
        if not token.may_push:
            repo["permissions"] |= {"push": False, "admin": False, "maintain": False}
        return repo | {
            "archived": twin in self.site.archived,
            "private": twin in self.site.private,
            "size": 0 if twin in self.site.empty else repo["size"],
        }

    def _forward(self, path: str, body: bytes) -> Answer:
        # Shorter pages than were asked for, so that whoever does not turn them is found out.
        shorter = path.replace("per_page=100", "per_page=30")
        said = self.site.emulator.ask(self.command, shorter, json.loads(body) if body else None)
        headers = {name.title(): self._own(said.headers[name]) for name in _KEPT if name in said.headers}
        return said.status_code, headers, self._own(said.text).encode()

    def _own(self, text: str) -> str:
        return text.replace("https://api.github.com", self.site.api_url).replace("https://github.com", self.site.origin)

    # --- git

    def _git(self, name: str, rest: str, body: bytes) -> Answer:
        plain = {"Content-Type": "text/plain"}
        token = self._known()
        if token is None or token.expired:
            return 401, {"WWW-Authenticate": 'Basic realm="GitHub"', **plain}, b"Invalid username or token.\n"
        if new := self.site.renamed.get(name):
            return 301, {"Location": f"{self.site.origin}/{new}.git{rest}"}, b""
        try:
            twin = self.site.twin(name)
        except KeyError:
            twin = ""
        if not twin or twin in token.hidden:
            return 404, plain, b"Repository not found.\n"
        if "git-receive-pack" in rest:
            if twin in self.site.archived:
                return 403, plain, b"This repository was archived so it is read-only.\n"
            if not token.may_push:
                return 403, plain, f"Permission to {name}.git denied to mona.\n".encode()
        answer = backend(self, self.site.folder / "git", f"/{twin}.git{rest}", body)
        if self.command == "POST" and rest.startswith("/git-receive-pack"):
            self.site.copy(name)
        return answer

    # --- HTTP

    def _known(self) -> "Token | None":
        return self.site.tokens.get(self._presented())

    def _presented(self) -> str:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            return base64.b64decode(value).decode().partition(":")[2]
        return value

    def _hang_up(self, path: str) -> None:
        self._note(path, 0)
        self.close_connection = True

    def _note(self, path: str, status: int) -> None:
        from tests.support.github_site import Asked

        with self.site.lock:
            self.site.requests.append(Asked(self.command, path, status, self._presented()))

    def _send(self, path: str, status: int, headers: dict[str, str], body: bytes) -> None:
        self._note(path, status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
