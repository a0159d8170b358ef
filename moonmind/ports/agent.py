"""What we need from a coding agent: a job that is started once, outlives us, and leaves a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from moonmind.ports.check import Check
from moonmind.ports.environments import WorkEnvironment


@dataclass(frozen=True, slots=True)
class BriefTask:
    """A spec task as the agent gets it."""

    id: str
    text: str
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Brief:
    """The work in structured form, beside the prompt; adapters that do not read prose use it."""

    feature: str
    """Its path."""
    phase: str
    tasks: tuple[BriefTask, ...]


@dataclass(frozen=True, slots=True)
class JobLimits:
    """When the supervisor ends the agent by itself. Seconds of wall time; bytes of output."""

    stall_seconds: float = 900.0
    total_seconds: float = 4 * 3600.0
    output_bytes: int = 256 * 1024 * 1024
    model_calls: int = 400
    """Of one allowance of the run, whatever number of jobs it takes."""


@dataclass(frozen=True, slots=True)
class AgentJob:
    """Everything that starts an agent. `key` is `<run>/<stage>-<attempt>`: a second start finds the first."""

    key: str
    workspace: Path
    prompt: str
    brief: Brief
    log_path: Path
    """Where the redacted, growing JSONL log goes; its folder exists."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the adapter's allow-list; never a credential."""
    resume_thread: str | None = None
    """The agent's own conversation to go on with."""
    home_key: str = ""
    """The run id: attempts of one run share the agent's home, so that a thread can be resumed."""
    limits: JobLimits = field(default_factory=JobLimits)
    calls_before: int = 0
    """Model calls that the run is known to have made before; the adapter may know of more."""
    calls_base: int | None = None
    """How many it had made when its present allowance began; None: it begins with this job."""
    image: str | None = None
    """The image that the repository names for its jobs."""
    environments: tuple[WorkEnvironment, ...] = ()
    """What is lent to it; all of them are ready."""


class JobState(StrEnum):
    """Where a job stands."""

    ABSENT = "absent"
    """Never started here, or forgotten."""
    RUNNING = "running"
    ENDED = "ended"
    """A result is stored."""
    LOST = "lost"
    """It was started, its supervisor is gone, and there is no result."""


class JobEnd(StrEnum):
    """How a job ended, in the classes that ask for different answers."""

    COMPLETED = "completed"
    """The agent said that its turn is complete; whether work was done is judged elsewhere."""
    FAILED = "failed"
    STALLED = "stalled"
    TIMED_OUT = "timed_out"
    STOPPED = "stopped"
    QUOTA = "quota"
    """`resets_at` says until when, where the service did."""
    RATE_LIMITED = "rate_limited"
    CREDENTIAL = "credential"
    """The service refused the credential."""
    CALL_LIMIT = "call_limit"
    """The run has made as many calls of the model as it may."""
    UNAVAILABLE = "unavailable"
    """The model service was overloaded or could not be reached; trying again later may help."""
    SERVICE = "service"
    """What its environment starts did not start."""
    SANDBOX = "sandbox"
    """The sandbox could not be built, or ended under the agent; trying again later may help."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of the whole job, as the service counted them."""

    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelCalls:
    """What is known of the run's calls of the model, as of one of its jobs."""

    total: int = 0
    """Of all its jobs so far, this one included."""
    base: int = 0
    """The total when the present allowance began."""
    capped: bool = True
    """False: the job's calls pass no proxy of ours, so they are neither counted nor limited."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job left, read from its result file."""

    end: JobEnd
    message: str = ""
    """The agent's or the service's own words on a bad end; redacted."""
    exit_code: int | None = None
    thread_id: str | None = None
    report: str = ""
    """The agent's last message."""
    usage: Usage = field(default_factory=Usage)
    resets_at: datetime | None = None
    confirmed: bool = True
    """The service was heard to say so; False where the agent's output alone does, which must have no effect on other runs."""


@dataclass(frozen=True, slots=True)
class JobStatus:
    """What `poll` sees."""

    state: JobState
    thread_id: str | None = None
    pid: int | None = None
    """The supervisor's process id on this host."""
    agent_pid: int | None = None
    agent_started: str | None = None
    """The agent's start time as the kernel tells it: with the pid it identifies one process permanently."""
    result: JobResult | None = None
    model_calls: ModelCalls | None = None
    """None where the agent asks no model, or nothing is known."""
    overdue: JobEnd | None = None
    """The limit that a running job has outlived: its supervisor is stopped or hangs, and does not end it."""
    sandbox: str | None = None
    """The kind of sandbox that confines the job; None where that was not written down."""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Agent(Protocol):
    """A coding agent. All calls are quick: the work happens in the job's own supervised process."""

    name: str

    def secrets(self) -> tuple[str, ...]:
        """Return the values of the agent's own credential as it is now: no log, artifact or patch may hold them."""
        ...

    def check(self) -> tuple[Check, ...]:
        """Probe what a job needs: binary, version, login, the service's answer to the credential."""
        ...

    def reaches_host(self) -> bool:
        """Return True if a job's commands may open connections to this machine's own ports."""
        ...

    def takes_environments(self) -> bool:
        """Return True if environments can be lent to its jobs: they are behind a wall of ours."""
        ...

    def start(self, job: AgentJob) -> None:
        """Start the job unless it was started already; returns when its supervisor holds the lock. Raises AgentError."""
        ...

    def poll(self, key: str) -> JobStatus:
        """Look at a job by its key alone, from any process of this host."""
        ...

    def stop(self, key: str) -> None:
        """End the job and return when its processes are provably gone; its result stays. Raises AgentError."""
        ...

    def running(self) -> tuple[str, ...]:
        """List the keys of the jobs that are at work on this host, whichever process started them."""
        ...

    def forget(self, home_key: str) -> None:
        """Remove the run's job folders and agent home; running jobs are stopped first."""
        ...
