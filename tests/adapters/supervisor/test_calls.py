import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from moonmind.adapters.supervisor.calls import LIMIT_CODE, CallCount
from moonmind.adapters.supervisor.folder import read_json
from moonmind.adapters.supervisor.keyproxy import Proxy
from moonmind.adapters.supervisor.order import KeyProxy
from tests.support.processes import free_port


class Service(BaseHTTPRequestHandler):
    """Answers with the status that the path names, and counts what reaches it."""

    url: str
    reached: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reached.append(self.path)
        status = self.path.rpartition("/")[2]
        if status == "drop":
            return
        self.send_response(int(status) if status.isdigit() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST  # noqa: N815 - the name that http.server looks for

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def service() -> Iterator[type[Service]]:
    class Fresh(Service):
        reached: list[str] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    Fresh.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield Fresh
    server.shutdown()
    thread.join()
    server.server_close()


class Front:
    """A key proxy with a limit, and its one client."""

    def __init__(self, url: str, kept: Path, *, most: int, before: int = 0, base: int = 0) -> None:
        terms = KeyProxy(url, "key", calls_before=before, calls_base=base, calls_most=most)
        self.proxy = Proxy(terms, kept)
        self.proxy.serve()
        self.kept = kept

    def ask(self, path: str, method: str = "POST") -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.proxy.token}"}
        return httpx.request(method, f"{self.proxy.url}/{path}", headers=headers, timeout=10)

    @property
    def total(self) -> int:
        return int((read_json(self.kept) or {})["total"])


@pytest.mark.parametrize("path", ["responses", "responses/compact", "chat/completions", "anything"])
def test_whatever_is_asked_counts_and_is_refused_at_the_limit(
    service: type[Service], tmp_path: Path, path: str
) -> None:
    front = Front(service.url, tmp_path / "calls.json", most=2)
    assert front.total == 0
    assert [front.ask(path).status_code for _ in range(4)] == [200, 200, 400, 400]
    assert len(service.reached) == front.total == 2
    refusal = front.ask(path)
    assert refusal.json()["error"]["code"] == LIMIT_CODE
    assert "2 calls were made, 2 are allowed" in refusal.json()["error"]["message"]
    assert front.proxy.calls.refused_at is not None
    front.proxy.close()


@pytest.mark.parametrize("path", ["400", "401", "404", "429", "500", "503", "307", "drop"])
def test_what_the_service_does_not_answer_does_not_count(service: type[Service], tmp_path: Path, path: str) -> None:
    front = Front(service.url, tmp_path / "calls.json", most=1)
    for _ in range(3):
        front.ask(path)
    assert front.total == 0
    assert front.ask("responses").status_code == 200
    assert front.total == 1
    front.proxy.close()


def test_looking_around_is_free_and_goes_on_at_the_limit(service: type[Service], tmp_path: Path) -> None:
    front = Front(service.url, tmp_path / "calls.json", before=7, most=7)
    assert front.ask("models", "GET").status_code == 200
    assert front.ask("responses").status_code == 400
    assert front.total == 7
    front.proxy.close()


def test_a_service_that_is_not_there_costs_nothing(tmp_path: Path) -> None:
    front = Front(f"http://127.0.0.1:{free_port()}/v1", tmp_path / "calls.json", most=1)
    assert [front.ask("responses").status_code for _ in range(3)] == [503, 503, 503]
    assert front.total == 0
    front.proxy.close()


def test_side_by_side_no_call_too_many_gets_through(service: type[Service], tmp_path: Path) -> None:
    front = Front(service.url, tmp_path / "calls.json", before=5, base=5, most=12)
    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(lambda _: front.ask("responses").status_code, range(24)))
    assert sorted(codes) == [200] * 7 + [400] * 17
    assert len(service.reached) == 7
    assert read_json(front.kept) == {"v": 1, "total": 12, "base": 5, "most": 12}
    front.proxy.close()


def test_a_call_is_written_down_before_it_is_made(tmp_path: Path) -> None:
    count = CallCount(tmp_path / "calls.json", KeyProxy("http://h", "k", calls_before=3))
    assert count.begin()
    assert json.loads((tmp_path / "calls.json").read_text())["total"] == 4
    count.take_back()
    assert json.loads((tmp_path / "calls.json").read_text())["total"] == 3


def test_a_call_that_cannot_be_written_down_is_not_made(service: type[Service], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    front = Front(service.url, tmp_path / "folder" / "calls.json", most=9)
    (tmp_path / "folder" / "calls.json").unlink()
    (tmp_path / "folder").rmdir()
    assert front.ask("responses").status_code == 503
    assert service.reached == []
    front.proxy.close()


def test_without_a_limit_nothing_is_refused() -> None:
    count = CallCount(None, KeyProxy("http://h", "k"))
    assert all(count.begin() for _ in range(1000))
    assert count.words() == "1000 calls were made"
