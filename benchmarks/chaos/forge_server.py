"""A forge without uniqueness: every create makes a pull request more, and is counted.

Some of its answers are lost after the work is done, some requests are refused before it.
"""

import itertools
import json
import random
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

LOST_SHARE = 0.04
"""Of the creates: made, but the connection is cut before the answer."""
BROKEN_SHARE = 0.02
"""Of all requests: answered 502, and nothing done."""


class ForgeServer:
    """Keeps the pull requests of all repositories of a campaign."""

    def __init__(
        self, seed: int, *, lost_share: float = LOST_SHARE, broken_share: float = BROKEN_SHARE, delay: float = 0.0
    ) -> None:
        self._shares = (lost_share, broken_share)
        self.delay = delay
        """Seconds before each answer."""
        self.askers: Counter[str] = Counter()
        """How often each process asked, by its id."""
        self._guard = threading.Lock()
        self._chance = random.Random(seed)
        self._numbers = itertools.count(1)
        self._pulls: dict[int, dict[str, Any]] = {}
        self.creates: Counter[tuple[str, str]] = Counter()
        """How often a pull request was made, by repository and branch."""
        self.made_at: dict[str, float] = {}
        """When the last one of a repository was made."""
        self.lost = 0
        self.broken = 0
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge.answer(self, None)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                forge.answer(self, json.loads(body))

            def log_message(self, *_: object) -> None:
                """Write no log: the judge reads the counts."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, name="forge", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, body: dict[str, Any] | None) -> None:
        """Do what is asked, and lose the answer now and then."""
        with self._guard:
            self.askers[request.headers.get("X-Process", "")] += 1
        time.sleep(self.delay)
        lost_share, broken_share = self._shares
        with self._guard:
            broken = self._chance.random() < broken_share
            lost = False
            if broken:
                self.broken += 1
            else:
                said = self._do(request.path, body)
                lost = body is not None and self._chance.random() < lost_share
                self.lost += lost
        if lost:
            request.close_connection = True
            request.connection.close()
            return
        content = b"broken" if broken else json.dumps(said).encode()
        request.send_response(502 if broken else 200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _do(self, path: str, body: dict[str, Any] | None) -> Any:
        place = urlsplit(path)
        if body is None:
            wanted = {name: values[0] for name, values in parse_qs(place.query).items()}
            found = [pull for pull in self._pulls.values() if wanted.items() <= pull.items()]
            return sorted(found, key=lambda pull: -pull["number"])
        number = place.path.removeprefix("/pulls").strip("/")
        if number:
            self._pulls[int(number)].update(title=body["title"], body=body["body"])
            return self._pulls[int(number)]
        made = next(self._numbers)
        self.creates[body["repository"], body["branch"]] += 1
        self.made_at[body["repository"]] = time.time()
        self._pulls[made] = {**body, "number": made, "url": f"{self.url}/pulls/{made}", "state": "open"}
        return self._pulls[made]
