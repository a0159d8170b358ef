"""Both agents, each told by its own means to behave in the same few ways."""

import json
import os
import shutil
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex import CodexAgent
from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.agents.supervised_agent import SupervisedAgent
from moonmind.adapters.jobs.job_timing import JobTiming
from moonmind.adapters.sandbox_choice import set_to
from moonmind.ports.agent import AgentJob, Brief, BriefTask, JobLimits, JobState, JobStatus
from tests.support.processes import each_process, inner_pid
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until

KEY = f"sk-test-{uuid4().hex}"
"""Of this process alone: tests that look for it in all processes run beside others that use theirs."""
SECRET = "hunter2-hunter2-hunter2"
_HOUR = 3600.0


def codex_binary() -> str | None:
    """Find the real Codex: named for tests, from its Python package, or on PATH."""
    named = os.environ.get("MOONMIND_TEST_CODEX_BIN")
    if named:
        return named
    try:
        from codex_cli_bin import bundled_codex_path
    except ImportError:
        return shutil.which("codex")
    return str(bundled_codex_path())


def confines(binary: str, folder: Path) -> bool:
    """Return True if Codex's own sandbox can be set up here; inside of many containers it cannot."""
    probe = [binary, "sandbox", "-c", 'sandbox_mode="workspace-write"', "--", "true"]
    done = subprocess.run(probe, env={"CODEX_HOME": str(folder), "PATH": os.defpath}, capture_output=True, check=False)
    return done.returncode == 0


def adding(path: str, content: str) -> str:
    """Write the patch with which the model adds a file."""
    lines = "".join(f"+{line}\n" for line in content.splitlines())
    return f"*** Begin Patch\n*** Add File: {path}\n{lines}*** End Patch"


class Scene(ABC):
    """One run of an agent: its folders, its behaviour, its processes."""

    name: str

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = root / "state"
        self.workspace = root / "work" / "tree"
        self.workspace.mkdir(parents=True)
        self.go = root / "go"
        self.left = self.workspace / "left.pid"
        self.installation_id = f"test-{root.name}-{os.getpid()}"
        self.timing = JobTiming()
        self.cleanup = ExitStack()

    @property
    def agent(self) -> SupervisedAgent:
        return self.build(self.options())

    @abstractmethod
    def build(self, options: AgentOptions) -> SupervisedAgent: ...

    @abstractmethod
    def options(self) -> AgentOptions: ...

    @abstractmethod
    def behave(self, *plays: str) -> None:
        """Choose a behaviour for each attempt; the last one serves all later attempts."""

    def job(self, attempt: int = 1, *, resume: str | None = None, limits: JobLimits | None = None) -> AgentJob:
        return AgentJob(
            key=f"run-1/submit-{attempt}",
            workspace=self.workspace,
            prompt="Do the tasks of the phase.",
            brief=Brief("feature", "Phase 1: Setup", (BriefTask("T001", "Write made.txt", ("made.txt",)),)),
            log_path=self.root / f"log-{attempt}.jsonl",
            environment={"FROM_THE_JOB": "yes"},
            resume_thread=resume,
            home_key="run-1",
            limits=limits or JobLimits(),
        )

    def log(self, attempt: int = 1) -> list[dict[str, Any]]:
        path = self.root / f"log-{attempt}.jsonl"
        return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []

    def started(self, job: AgentJob) -> JobStatus:
        """Start a job and wait until its agent has a thread."""
        self.agent.start(job)

        def has_thread() -> JobStatus | None:
            status = self.agent.poll(job.key)
            return status if status.thread_id is not None or status.state is not JobState.RUNNING else None

        return until(has_thread, "the agent's thread")

    def ended(self, job: AgentJob, seconds: float = 45.0) -> JobStatus:
        def over() -> JobStatus | None:
            status = self.agent.poll(job.key)
            return status if status.state is not JobState.RUNNING else None

        return until(over, f"the end of {job.key}", seconds)

    def processes(self) -> set[int]:
        """List every process, ours or the agent's, that carries this scene in its environment."""
        found = set()
        for place in each_process():
            if int(place.name) != os.getpid():
                try:
                    if self.installation_id.encode() in (place / "environ").read_bytes():
                        found.add(int(place.name))
                except OSError:
                    continue
        return found

    def left_process(self) -> int:
        """Wait for the process that the agent leaves, and find it: the agent may count processes of its own."""

        def found() -> int | None:
            number = self.left.read_text().strip() if self.left.exists() else ""
            return next((pid for pid in self.processes() if number and number == inner_pid(pid)), None)

        return until(found, "a process of the agent's")

    def close(self) -> None:
        try:
            self.agent.stop("run-1/submit-1")
            self.agent.forget("run-1")
        finally:
            self.cleanup.close()


class ScriptedScene(Scene):
    name = "scripted"

    def options(self) -> AgentOptions:
        return AgentOptions(
            state_folder=self.state,
            installation_id=self.installation_id,
            secrets=(SECRET,),
            environment=dict(os.environ),
            script=self.root / "script.json",
            timing=self.timing,
        )

    @property
    def agent(self) -> ScriptedAgent:
        return self.build(self.options())

    def build(self, options: AgentOptions) -> ScriptedAgent:
        return ScriptedAgent(options)

    def behave(self, *plays: str) -> None:
        attempts = [[*self._steps(play)] for play in plays]
        (self.root / "script.json").write_text(json.dumps({"version": 1, "attempts": attempts}))

    def _steps(self, play: str) -> list[dict[str, Any]]:
        done: list[dict[str, Any]] = [
            {"usage": {"inputTokens": 100, "outputTokens": 10}},
            {"end": "completed", "message": "T001: done"},
        ]
        steps: dict[str, list[dict[str, Any]]] = {
            "work": [{"say": "I begin."}, {"write": "made.txt", "content": "made\n"}, *done],
            "wait": [{"say": "I wait."}, {"wait_for": str(self.go)}, {"write": "made.txt", "content": "made\n"}, *done],
            "leave": [{"leave_running": _HOUR, "pid_file": "left.pid"}, {"hang": True}],
            "leave and end": [{"leave_running": _HOUR, "pid_file": "left.pid"}, *done],
            "hang": [{"hang": True}],
            "leak": [{"say": f"the key is {KEY} and the password {SECRET}"}, {"print_environment": True}, *done],
            "credential": [{"end": "credential", "message": "unexpected status 401 Unauthorized"}],
            "quota": [{"end": "quota", "message": "You've hit your usage limit.", "resetsInSeconds": 600}],
            "unavailable": [{"end": "unavailable", "message": "Selected model is at capacity."}],
            "failed": [{"end": "failed", "message": "The model does not exist."}],
        }
        return steps[play]


class CodexScene(Scene):
    name = "codex"
    sandbox = "none"
    """The harder case: nothing but the supervisor keeps commands from outliving their agent."""

    def options(self) -> AgentOptions:
        return AgentOptions(
            state_folder=self.state,
            installation_id=self.installation_id,
            secrets=(SECRET,),
            environment=dict(os.environ),
            codex_bin=codex_binary(),
            codex_home=self.root / "operator",
            codex_base_url=self.server.url,
            codex_api_key=KEY,
            codex_model="gpt-5.5",
            sandbox=set_to(self.sandbox),
        )

    def build(self, options: AgentOptions) -> SupervisedAgent:
        return CodexAgent(options)

    def behave(self, *plays: str) -> None:
        turns = [turn for play in plays for turn in self._turns(play)]
        log = self.root / "server.jsonl"
        self.server = self.cleanup.enter_context(ResponsesServer({"turns": turns, "per_request": True}, log, KEY))

    def _turns(self, play: str) -> list[dict[str, Any]]:
        made = {"patch": "*** Begin Patch\n*** Add File: made.txt\n+made\n*** End Patch"}
        done = {"message": "T001: done"}
        leave = f"setsid sleep {_HOUR:.0f} & echo $! > left.pid"
        turns: dict[str, list[dict[str, Any]]] = {
            "work": [made, done],
            "wait": [made | {"wait_for": str(self.go)}, done],
            "leave": [{"exec": f"{leave}; sleep {_HOUR:.0f}"}],
            "leave and end": [{"exec": leave}, done],
            "hang": [{"hang": _HOUR}],
            "leak": [{"exec": f"echo {KEY} {SECRET}; env; cat $CODEX_HOME/auth.json $CODEX_HOME/config.toml"}, done],
            "credential": [{"status": 401, "body": {"error": {"message": "Incorrect API key provided"}}}],
            "quota": [
                {
                    "status": 429,
                    "body": {
                        "error": {
                            "type": "usage_limit_reached",
                            "plan_type": "plus",
                            "resets_at": int(time.time()) + 600,
                        }
                    },
                }
            ],
            "unavailable": [{"status": 503, "body": {"error": {"code": "server_is_overloaded", "message": "busy"}}}],
            "failed": [{"status": 400, "body": {"error": {"message": "The model does not exist."}}}],
        }
        return turns[play]
