"""What we need to verify a change: a repository's test command run on a tree, as a job that outlives us."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from uuid import UUID

from moonmind.ports.agent import JobState
from moonmind.ports.environments import WorkEnvironment
from moonmind.proof.verification.test_results import RunEnd

REPORTS_VARIABLE = "MOONMIND_REPORTS"
"""Names the folder, empty at first, into which a command may write reports."""
UNITTEST_VARIABLE = "MOONMIND_UNITTEST"
"""Names the program that runs unittest with a report."""
NODE_REPORTER_VARIABLE = "MOONMIND_NODE_REPORTER"
"""Names the reporter for node's own test runner."""


@dataclass(frozen=True, slots=True)
class TestJob:
    """One command on one tree."""

    __test__ = False

    key: str
    check_out: Callable[[Path], None]
    """Writes the tree to a folder, which is not there yet."""
    run: str
    """For a shell."""
    seconds: float
    """How long it may take."""
    root: str = "."
    """The folder in which it runs; a job whose tree has none ends as one that could not be run."""
    files: Mapping[str, bytes | None] = field(default_factory=dict)
    """What is put over the tree, by path; None removes a file."""
    executable: frozenset[str] = frozenset()
    """Those of `files` that can be run."""
    reports: tuple[str, ...] = ()
    """Patterns, from the root, of reports that it writes into the tree; what is there before is removed."""
    environments: tuple[WorkEnvironment, ...] = ()
    """What is lent to it; all of them are ready."""
    image: str | None = None
    """The image that the repository names; only containers are of one."""


@dataclass(frozen=True, slots=True)
class TestJobResult:
    """What a job left."""

    __test__ = False

    end: RunEnd
    exit_code: int | None = None
    seconds: float = 0.0
    message: str = ""
    """Why it did not exit by itself; redacted."""
    reports: tuple[tuple[str, bytes], ...] = ()
    """Path and content of each."""
    log: Path | None = None
    """What it printed, redacted."""
    notes: tuple[str, ...] = ()
    """What is not as it should be: reports that were left out."""


class TestJobs(Protocol):
    """The test jobs of this installation on this host. All calls are quick: the work happens in supervised jobs."""

    def why_not(self) -> str | None:
        """Return why nothing is run here: jobs are behind no wall; None where they are, or the operator wants none.

        Raises SandboxFailed, SandboxUnavailable.
        """
        ...

    def sandbox(self) -> str:
        """Return what confines a job that starts now. Raises SandboxFailed, SandboxUnavailable."""
        ...

    def foundation(self, image: str | None) -> str:
        """Return what stands for the programs that a job finds: over others, tests may come to other results.

        `image` is the one that the repository names. Raises ImageNotAllowed, SandboxFailed, SandboxUnavailable.
        """
        ...

    def start(self, job: TestJob) -> str | None:
        """Start a job unless it was started already.

        Where as many jobs run on this host as may, nothing is started, and the key of one that has to end before comes back.
        Raises AgentUnknown, also where an environment is not there any more, AgentError, SandboxFailed, SandboxUnavailable,
        VcsError.
        """
        ...

    def state(self, key: str) -> JobState:
        """Return where a job stands; one that has outlived its limits has ended. Raises AgentUnknown."""
        ...

    def result(self, key: str) -> TestJobResult | None:
        """Return what a job left; None where it was lost, or never started. It has ended when this returns.

        Raises AgentUnknown.
        """
        ...

    def stop(self, run_id: UUID) -> None:
        """Stop all test jobs of a run, and remove their files. Raises AgentUnknown, AgentError."""
        ...

    def recall(self, name: str) -> bytes | None:
        """Return what was remembered of an earlier result; None where nothing was, or it was removed since."""
        ...

    def remember(self, name: str, content: bytes) -> None:
        """Keep a result for later runs on this host; `name` is made of hexadecimal digits."""
        ...
