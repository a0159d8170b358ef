"""GitHub's API, emulated by `myworld` in a process of its own, with the TLS gateway that clients like `gh` need."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import Process, free_port
from tests.support.waiting import until

BIN = Path(sys.executable).parent
_TOKEN = re.compile(r"export GH_TOKEN=(\S+)\n")


@dataclass
class Emulator:
    """One emulated GitHub."""

    url: str
    """Where its API is in plain HTTP."""
    gateway_url: str
    ca_file: Path
    token: str
    folder: Path

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Ask its API directly."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.request(method, f"{self.url}{path}", json=body, headers=headers, timeout=30, trust_env=False)

    def gh(self, *arguments: str) -> str:
        """Run GitHub's own command line against it; fails the test when gh fails."""
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder),
            "GH_CONFIG_DIR": str(self.folder / "gh"),
            "GH_TOKEN": self.token,
            "GH_PROMPT_DISABLED": "1",
            "GH_NO_UPDATE_NOTIFIER": "1",
            "NO_COLOR": "1",
            "HTTPS_PROXY": self.gateway_url,
            "SSL_CERT_FILE": str(self.ca_file),
        }
        done = subprocess.run(
            [str(BIN / "gh"), *arguments], env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"gh {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def emulator(folder: Path, repositories: Mapping[str, Mapping[str, str]]) -> Iterator[Emulator]:
    """Start an emulated GitHub that holds the repositories: files by path, on `main`."""
    folder.mkdir(parents=True)
    owners = {name.split("/")[0] for name in repositories}
    seed = {
        "viewer": "mona",
        "users": [{"login": "mona"}, *({"login": owner, "type": "Organization"} for owner in sorted(owners))],
        # JSON is YAML, but for escapes beyond the basic plane.
        "repos": [{"name": name, "files": dict(files), "protected": {}} for name, files in repositories.items()],
    }
    place = folder / "gh.yaml"
    environment_file = {"name": "gh", "servers": {"github": {"service": "github", "seed": seed}}}
    place.write_text(json.dumps(environment_file, ensure_ascii=False), "utf-8")
    port, gateway, ca = free_port(), free_port(), folder / "ca"
    argv = [
        str(BIN / "myworld"), "serve", "--host", "127.0.0.1", "--port", str(port), "--env", str(place),
        "--gateway", str(gateway), "--no-passthrough", "--ca-dir", str(ca), "--time", "realtime",
    ]  # fmt: skip
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"}
    process = Process(argv, env=environment, cwd=folder, log=folder / "myworld.log")
    try:
        until(lambda: _TOKEN.search(process.text()) or not process.alive, "the emulated GitHub", 60)
        found = _TOKEN.search(process.text())
        assert found, process.text()[-4000:]
        made = Emulator(
            f"http://127.0.0.1:{port}/gw/api.github.com",
            f"http://127.0.0.1:{gateway}",
            ca / "myworld-ca.pem",
            found[1],
            folder,
        )
        until(lambda: _answers(made), "its API", 30)
        yield made
    finally:
        process.kill()


def _answers(made: Emulator) -> bool:
    try:
        return made.ask("GET", "/user").status_code == 200
    except httpx.TransportError:
        return False
