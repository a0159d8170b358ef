"""Runs Docker's command line against the operator's engine, with a configuration that is ours and empty."""

import json
import shutil
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from moonmind.adapters import process
from moonmind.errors import NotConfigured, SandboxFailed, SandboxUnavailable

_SECONDS = 30.0
_QUICK_SECONDS = 10.0
_LIMIT = 4 << 20
_DOWN = (
    "cannot connect to the docker daemon",
    "is the docker daemon running",
    "error during connect",
    "failed to connect to the docker api",
    "connection refused",
    "connection reset",
    "unexpected eof",
    "i/o timeout",
    "context deadline exceeded",
)
_REFUSED = "permission denied while trying to connect"
INSTALL = "Install Docker's command line (Debian: docker.io; Docker's own packages: docker-ce-cli), and put it on PATH."
# What reaches an engine: nothing else of the operator's environment changes what the client does for us.
_PASSED_ON = (
    "PATH",
    "HOME",
    "SSH_AUTH_SOCK",
    "DOCKER_API_VERSION",
    "DOCKER_TLS_VERIFY",
    *(name for proxy in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") for name in (proxy, proxy.lower())),
)


class DockerClient:
    """Docker's command line. The engine is the operator's: DOCKER_HOST, else DOCKER_CONTEXT, else `docker context use`.

    That is read once. The configuration file is not the operator's, since it can put proxies, and whatever plugins do, into
    every container.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._given = environment
        self._folder = folder

    @cached_property
    def program(self) -> str:
        """Return the program's path. Raises SandboxFailed."""
        found = shutil.which("docker", path=self._given.get("PATH") or "/usr/local/bin:/usr/bin:/bin")
        if found is None:
            raise SandboxFailed("there is no `docker` on PATH", remediation=INSTALL)
        return found

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what a proof by this client depends on beside the engine. Raises SandboxFailed."""
        stat = Path(self.program).stat()
        return self.program, stat.st_ino, stat.st_size, stat.st_mtime_ns, self.host

    @property
    def environment(self) -> dict[str, str]:
        """Return the client's environment, and make the empty folder that it names. Raises SandboxFailed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        passed = {name: self._given[name] for name in _PASSED_ON if name in self._given}
        return passed | self._address | {"DOCKER_CONFIG": str(self._folder)}

    @cached_property
    def host(self) -> str:
        """Return the engine's address. Raises SandboxFailed."""
        return self._address["DOCKER_HOST"]

    @cached_property
    def _address(self) -> dict[str, str]:
        own = self._given.get("DOCKER_CONFIG") or str(Path(self._given.get("HOME", "/")) / ".docker")
        if host := self._given.get("DOCKER_HOST"):
            return {"DOCKER_HOST": host, "DOCKER_CERT_PATH": self._given.get("DOCKER_CERT_PATH") or own}
        done = self._run(("context", "inspect", "--format", "{{json .}}"), dict(self._given), _QUICK_SECONDS)
        try:
            context: dict[str, Any] = json.loads(done.text)
            address = {"DOCKER_HOST": context["Endpoints"]["docker"]["Host"]}
        except (ValueError, KeyError, TypeError):
            raise SandboxFailed(
                f"where Docker's engine is cannot be read: {last_line(done) or '`docker context inspect` said nothing'}",
                remediation="Correct DOCKER_CONTEXT or `docker context use`, or set DOCKER_HOST.",
            ) from None
        if context.get("TLSMaterial", {}).get("docker"):
            # Its certificates lie beside the context, named as DOCKER_CERT_PATH wants them.
            address |= {"DOCKER_CERT_PATH": f"{context['Storage']['TLSPath']}/docker", "DOCKER_TLS_VERIFY": "1"}
        return address

    def argv(self, *words: str) -> tuple[str, ...]:
        """Return a command of the client's. Raises SandboxFailed."""
        return (self.program, *words)

    def ask(self, *words: str, seconds: float = _SECONDS) -> process.Completed:
        """Run a short command to its end. Raises SandboxUnavailable where no engine answers, SandboxFailed where none can."""
        done = self._run(words, self.environment, seconds)
        if done.timed_out:
            raise SandboxUnavailable(f"Docker's engine did not answer `docker {words[0]}` within {seconds:.0f} s")
        if not done.ok:
            self.judge(last_line(done))
        return done

    def judge(self, words: str) -> None:
        """Raise SandboxUnavailable where these words of the client's say that no engine answers, SandboxFailed where none may."""
        said = words.lower()
        if _REFUSED in said:
            raise SandboxFailed(
                f"this user may not use Docker's engine at {self.host}",
                remediation="Add the user to the group `docker`, or run a rootless engine; then start MoonMind again.",
            )
        if any(down in said for down in _DOWN):
            raise SandboxUnavailable(f"Docker's engine at {self.host} does not answer: {words}")

    def _run(self, words: Sequence[str], environment: Mapping[str, str], seconds: float) -> process.Completed:
        try:
            return process.run(self.argv(*words), cwd=Path("/"), env=environment, timeout=seconds, limit=_LIMIT)
        except NotConfigured as error:
            raise SandboxFailed(error.message, remediation=INSTALL) from error
        except OSError as error:  # no memory, no files left
            raise SandboxUnavailable(f"docker {words[0]} could not be run: {error.strerror}") from error

    def documents(self, *words: str) -> list[Any] | None:
        """Return what a command prints, a JSON value a line; None where it ends with an error. Raises as `ask` does."""
        done = self.ask(*words)
        if not done.ok:
            return None
        try:
            return [json.loads(line) for line in done.text.splitlines() if line.strip()]
        except ValueError as error:
            raise SandboxUnavailable(f"`docker {words[0]}` printed what is no JSON: {done.text[:200]!r}") from error


def last_line(done: process.Completed) -> str:
    """Return the last line that a command wrote to standard error, without the client's own preface."""
    lines = [line.strip() for line in done.error_text.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(("Run 'docker", "See 'docker"))]
    return lines[-1].removeprefix("docker: ").removeprefix("Error response from daemon: ")[:500] if lines else ""
