"""What a stage is given: the run as claimed, what came before, and the ports."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moonmind.engine.lease import HeldLease
from moonmind.engine.run_artifacts import RunArtifacts
from moonmind.engine.stage_services import StageServices
from moonmind.errors import Unexpected
from moonmind.ports.agent import Agent, JobLimits
from moonmind.ports.forge import Forge
from moonmind.ports.scanner import Scanner
from moonmind.ports.vcs import Vcs
from moonmind.redact import Redactor
from moonmind.runs.chain import Stage
from moonmind.runs.records import Attempt, Run


@dataclass(frozen=True, slots=True)
class StageContext:
    """What one claim works with. `results` are those of earlier stages; `checkpoint` is what this stage left before."""

    run: Run
    attempt: Attempt
    results: Mapping[Stage, Mapping[str, Any]]
    checkpoint: Mapping[str, Any]
    """Of this attempt if it was suspended, else of the attempt before it; empty at first."""
    note: str | None
    """Why the run was sent back here (Redo), for the agent's next prompt."""
    lease: HeldLease
    artifacts: RunArtifacts
    services: StageServices
    agent: Agent
    forge: Forge
    vcs: Vcs
    redactor: Redactor
    scanner: Scanner
    limits: JobLimits
    relook_seconds: float
    """How long a run suspended on its agent sleeps at most."""

    def result_of(self, stage: Stage) -> Mapping[str, Any]:
        """Return an earlier stage's result; raises Unexpected where there is none (a broken row)."""
        try:
            return self.results[stage]
        except KeyError:
            raise Unexpected(f"the run has no recorded result of {stage}", stage=stage.value) from None
