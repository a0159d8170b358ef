"""Builds an image for job containers, by the operator's own `docker build`."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from moonmind.adapters.sandboxes.docker_client import INSTALL
from moonmind.errors import SandboxFailed

TAG = "moonmind-sandbox"
_PACKAGED = Path(__file__).with_name("image") / "Dockerfile"
"""In an installed package."""
_IN_CHECKOUT = Path(__file__).parents[3] / "deploy/sandbox/Dockerfile"


def dockerfile() -> Path:
    """Return the Dockerfile that comes with MoonMind."""
    return _PACKAGED if _PACKAGED.is_file() else _IN_CHECKOUT


def build_image(
    environment: Mapping[str, str], *, log: int, tag: str = TAG, file: Path | None = None, base: str | None = None
) -> str:
    """Build an image and return its id; what the build prints goes to the file descriptor `log`. Raises SandboxFailed.

    The client's configuration is the operator's, whose login may be needed for the base. `file`'s own folder is the context.
    """
    file = (file or dockerfile()).absolute()
    if not file.is_file():
        raise SandboxFailed(f"there is no Dockerfile {file}", remediation="Correct --file.")
    program = shutil.which("docker", path=environment.get("PATH"))
    if program is None:
        raise SandboxFailed("there is no `docker` on PATH", remediation=INSTALL)
    with tempfile.TemporaryDirectory(prefix="moonmind-") as folder:
        made = Path(folder) / "id"
        options = [f"--tag={tag}", f"--file={file}", f"--iidfile={made}"]
        options += [f"--build-arg=BASE={base}"] if base else []
        code = subprocess.run(
            [program, "build", *options, str(file.parent)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=False,
        ).returncode
        if code != 0 or not made.is_file():
            raise SandboxFailed(
                f"no image was built: `docker build` ended with exit code {code}",
                remediation="Read what it printed above, correct that, and build again.",
            )
        return made.read_text().strip()
