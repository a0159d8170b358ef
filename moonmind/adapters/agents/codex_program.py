"""Where the files of an installed Codex lie, and where a job behind a wall finds them."""

from dataclasses import dataclass
from pathlib import Path

from moonmind.errors import CredentialInvalid
from moonmind.ports.sandbox import Mount

FOLDER = "/opt/codex"
"""Behind a wall."""
_BESIDE = ("codex-resources", "codex-path")
"""Folders of a package, beside the one of its programs."""
_HELPERS = ("codex-code-mode-host",)
"""Programs that Codex looks for beside itself."""


@dataclass(frozen=True, slots=True)
class CodexProgram:
    """The native program of an installed Codex."""

    file: Path
    """Its own place: links are resolved."""
    package: Path | None
    """The folder that holds it with what it brings along; None for a program that stands alone."""

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """Return what a job has to see of it."""
        if self.package is not None:
            return (Mount(self.package, FOLDER),)
        beside = (self.file.with_name(name) for name in _HELPERS)
        helpers = (Mount(path, f"{FOLDER}/bin/{path.name}") for path in beside if path.is_file())
        return (Mount(self.file, self.command), *helpers)

    @property
    def command(self) -> str:
        """Return the program's path behind a wall."""
        return f"{FOLDER}/bin/{'codex' if self.package is None else self.file.name}"


def codex_program(found: str) -> CodexProgram:
    """Find the native program behind what CODEX_BIN or PATH name. Raises CredentialInvalid where that is another script.

    npm's `codex` is a script for Node that starts the program of a package for the platform.
    """
    file = Path(found).resolve()
    if file.suffix == ".js":
        places = (file.parents[2], file.parents[1] / "node_modules" / "@openai")
        native = [path for place in places for path in place.glob("codex-*/vendor/*/bin/codex")]
        if not native:
            raise CredentialInvalid(
                f"{found} is npm's launcher, and the program that it starts was not found beside it",
                remediation="Set CODEX_BIN to the native program, `.../vendor/<platform>/bin/codex`.",
                check="codex.binary",
            )
        file = native[0].resolve()
    above = file.parent.parent
    package = above if file.parent.name == "bin" and any((above / name).is_dir() for name in _BESIDE) else None
    return CodexProgram(file, package)
