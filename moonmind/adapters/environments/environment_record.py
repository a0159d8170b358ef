"""What is written down of an environment that was built, and of a build that failed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from moonmind.ports.sandbox import SandboxKind
from moonmind.proof.environments.environment_value import Environment

VERSION = 1
HOME, FOLDERS, COPIED = "home", "folders", "copied"


@dataclass(frozen=True, slots=True)
class Build:
    """What was built, and how."""

    repository: str
    environment: Environment
    run: str
    """The id of the one run that it is for; empty: for every run of the repository."""
    sandbox: SandboxKind
    built_at: datetime
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {
            "repository": self.repository,
            "environment": self.environment.as_json(),
            "run": self.run,
            "sandbox": self.sandbox.value,
            "built_at": self.built_at.isoformat(),
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "Build":
        """Read what `as_json` wrote. Raises LookupError, TypeError, ValueError."""
        return cls(
            repository=str(body["repository"]),
            environment=_environment(body["environment"]),
            run=str(body["run"]),
            sandbox=SandboxKind(body["sandbox"]),
            built_at=datetime.fromisoformat(body["built_at"]),
            seconds=float(body["seconds"]),
        )


@dataclass(frozen=True, slots=True)
class BuiltFiles:
    """What a build made."""

    folders: tuple[str, ...] = ()
    """Paths below the checkout, which are lent."""
    copied: tuple[str, ...] = ()
    """Files and links below the checkout, of which each borrower gets a copy."""
    left_out: tuple[str, ...] = ()
    """The first of many that a borrower does not get: what no rule hides would look like the agent's own work."""
    files: int = 0
    size: int = 0
    """Bytes on the disk."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> "BuiltFiles":
        """Read its fields. Raises LookupError, TypeError, ValueError."""
        return cls(
            folders=tuple(body["folders"]),
            copied=tuple(body["copied"]),
            left_out=tuple(body["left_out"]),
            files=int(body["files"]),
            size=int(body["size"]),
        )


@dataclass(frozen=True, slots=True)
class EnvironmentRecord:
    """An environment of the store."""

    key: str
    place: Path
    build: Build
    built: BuiltFiles

    @property
    def home(self) -> Path:
        """Return the folder that becomes a borrower's HOME."""
        return self.place / HOME

    def folder(self, number: int) -> Path:
        """Return what becomes a folder of the checkout, by its place among `folders`."""
        return self.place / FOLDERS / str(number)

    def copy(self, number: int) -> Path:
        """Return what becomes a file or link of the checkout, by its place among `copied`."""
        return self.place / COPIED / str(number)

    def as_json(self) -> dict[str, Any]:
        """Return the stored form."""
        return {"v": VERSION, "key": self.key, **self.build.as_json(), **asdict(self.built)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any], place: Path) -> "EnvironmentRecord":
        """Read what `as_json` wrote. Raises LookupError, TypeError, ValueError."""
        if body["v"] != VERSION:
            raise ValueError(f"an environment of version {body['v']}")
        return cls(str(body["key"]), place, Build.from_json(body), BuiltFiles.from_json(body))


@dataclass(frozen=True, slots=True)
class FailedBuild:
    """The last build of a key, which failed."""

    key: str
    message: str
    job: str
    at: datetime
    log: Path
    """What it printed; it need not be there."""
    by_sandbox: bool = False
    """The sandbox ended under it, or was not there: no fault of the setup's."""


def _environment(body: Mapping[str, Any]) -> Environment:
    return Environment(
        root=str(body["root"]),
        image=body["image"],
        setup=tuple(body["setup"]),
        start=tuple(body["start"]),
        key_files=tuple(body["key_files"]),
        variables=tuple(sorted(body["variables"].items())),
        paths=tuple(body["paths"]),
        ecosystems=tuple(body["ecosystems"]),
    )
