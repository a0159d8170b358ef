"""The key proxy takes the operator's way to the model service: through the network's proxy, with its password."""

import base64
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from moonmind.adapters.supervisor.keyproxy import Proxy
from moonmind.adapters.supervisor.order import KeyProxy


class Network(BaseHTTPRequestHandler):
    """A network's proxy that notes who asks it for what, and answers in the service's place."""

    asked: list[tuple[str, str]]

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_CONNECT(self) -> None:
        self.asked.append((self.path, self.headers.get("Proxy-Authorization", "")))
        self.send_error(502)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        pass


@pytest.fixture
def network() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    class Fresh(Network):
        asked = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Fresh)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_address[1], Fresh.asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
@pytest.mark.parametrize(
    ("login", "shown"), [("user:pass@", "user:pass"), ("us%40er:p%2Fa%3Ass@", "us@er:p/a:ss"), ("", "")]
)
@pytest.mark.parametrize(
    ("upstream", "asked"),
    [("http://model.invalid/v1", "http://model.invalid/v1/models"), ("https://model.invalid/v1", "model.invalid:443")],
)
def test_the_service_is_asked_through_the_networks_proxy(
    network: tuple[int, list[tuple[str, str]]],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    login: str,
    shown: str,
    upstream: str,
    asked: str,
) -> None:
    port, seen = network
    for other in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
    name = name if upstream.startswith("http:") else name.replace("HTTP", "HTTPS").replace("http", "https")
    monkeypatch.setenv(name, f"http://{login}127.0.0.1:{port}")
    proxy = Proxy(KeyProxy(upstream, "the-key", calls_before=0, calls_base=0, calls_most=9))
    proxy.serve()
    try:
        with httpx.Client(trust_env=False) as client:
            client.get(f"{proxy.url}/models", headers={"Authorization": f"Bearer {proxy.token}"})
    finally:
        proxy.close()
    wanted = f"Basic {base64.b64encode(shown.encode()).decode()}" if shown else ""
    assert seen == [(asked, wanted)]
