"""Registries of packages on loopback, which serve a few packages and remember what they were asked."""

import base64
import hashlib
import importlib.metadata
import io
import json
import re
import tarfile
import threading
import zipfile
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from tests.support.waiting import PATIENCE

_JSON, _HTML, _BINARY = "application/json", "text/html", "application/octet-stream"
WHEEL = "loud-1.0-py3-none-any.whl"
LOUD_PY = 'def shout(text: str) -> str:\n    return f"{text.upper()}!"\n'
LOUD_JS = "module.exports = (text) => `${text.toUpperCase()}!`;\n"
TARBALL = "/loud/-/loud-1.0.0.tgz"


class PackageRegistry(ThreadingHTTPServer):
    """Serves pages by path on 127.0.0.1, from a thread while it is a context manager; closed, it lets who asks wait."""

    daemon_threads = True

    def __init__(self, *, opened: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages: dict[str, tuple[str, bytes]] = {}
        self.asked: list[str] = []
        self.opened = threading.Event()
        if opened:
            self.opened.set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def add_wheel(self) -> None:
        """Serve `loud` as a Python index does (PEP 503)."""
        self.pages["/simple/loud/"] = (_HTML, f'<!DOCTYPE html><a href="/{WHEEL}">{WHEEL}</a>'.encode())
        self.pages[f"/{WHEEL}"] = (_BINARY, _wheel())

    def add_installed(self, *names: str) -> None:
        """Serve packages that are installed here, as an index would that has these versions of them alone."""
        for name in names:
            wheel, content = _wheel_of(importlib.metadata.distribution(name))
            self.pages[f"/simple/{name}/"] = (_HTML, f'<!DOCTYPE html><a href="/{wheel}">{wheel}</a>'.encode())
            self.pages[f"/{wheel}"] = (_BINARY, content)

    def add_tarball(self) -> dict[str, Any]:
        """Serve `loud` as an npm registry does; return what a lock file says of it."""
        content = _tarball()
        integrity = f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"
        dist = {"tarball": f"{self.url}{TARBALL}", "integrity": integrity}
        version = {"name": "loud", "version": "1.0.0", "dist": dist}
        whole = {"name": "loud", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
        self.pages["/loud"] = (_JSON, json.dumps(whole).encode())
        self.pages[TARBALL] = (_BINARY, content)
        return {"version": "1.0.0", "resolved": dist["tarball"], "integrity": integrity}


class _Handler(BaseHTTPRequestHandler):
    server: PackageRegistry

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the base class
        """Keep quiet; `asked` has it."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.opened.wait(PATIENCE)
        kind, content = self.server.pages.get(self.path, (_HTML, b""))
        self.send_response(200 if self.path in self.server.pages else 404)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _wheel() -> bytes:
    about = "loud-1.0.dist-info"
    files = {
        "loud.py": LOUD_PY,
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: loud\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in (*files, f"{about}/RECORD"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as wheel:
        for name, text in {**files, f"{about}/RECORD": record}.items():
            wheel.writestr(name, text)
    return made.getvalue()


def _wheel_of(installed: importlib.metadata.Distribution) -> tuple[str, bytes]:
    """Return the name and the content of a wheel with the files of an installed package, without its programs."""
    tags = re.findall(r"^Tag: (\S+)-(\S+)-(\S+)$", installed.read_text("WHEEL") or "", re.MULTILINE)
    pythons, binaries, platforms = (".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    name = f"{re.sub('[-_.]+', '_', installed.name).lower()}-{installed.version}-{pythons}-{binaries}-{platforms}.whl"
    files = [one for one in installed.files or () if ".." not in one.parts and one.suffix != ".pyc"]
    left_out = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
    packed = [one for one in files if not (one.parts[0].endswith(".dist-info") and one.name in left_out)]
    about = next(one.parts[0] for one in files if one.parts[0].endswith(".dist-info"))
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as wheel:
        for one in packed:
            wheel.writestr(str(one), Path(str(one.locate())).read_bytes())
        wheel.writestr(f"{about}/RECORD", "".join(f"{one},,\n" for one in (*packed, f"{about}/RECORD")))
    return name, made.getvalue()


def _tarball() -> bytes:
    files: Mapping[str, str] = {
        "package/package.json": json.dumps({"name": "loud", "version": "1.0.0", "main": "index.js"}),
        "package/index.js": LOUD_JS,
    }
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    return made.getvalue()
