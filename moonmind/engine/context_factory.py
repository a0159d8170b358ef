"""Put one claim's world together."""

from collections.abc import Mapping
from typing import Any

from moonmind.db.unit_of_work import Database
from moonmind.engine.host import Host
from moonmind.engine.lease import HeldLease
from moonmind.engine.run_artifacts import RunArtifacts
from moonmind.engine.stage_context import StageContext
from moonmind.engine.stage_services import StageServices
from moonmind.ports.agent import Agent, JobLimits
from moonmind.ports.artifact_store import ArtifactStore
from moonmind.ports.forge import Forge
from moonmind.ports.scanner import Scanner
from moonmind.ports.vcs import Vcs
from moonmind.preflight.checks import Preflight
from moonmind.redact import Redactor
from moonmind.runs.chain import Stage
from moonmind.runs.records import Claim


class ContextFactory:
    """Knows the ports and limits of this process; makes a context per claim."""

    def __init__(
        self,
        database: Database,
        store: ArtifactStore,
        agent: Agent,
        forge: Forge,
        vcs: Vcs,
        preflight: Preflight,
        redactor: Redactor,
        scanner: Scanner,
        host: Host,
        *,
        limits: JobLimits,
        relook_seconds: float,
        max_agents: int,
    ) -> None:
        self._database = database
        self._store = store
        self._agent = agent
        self._forge = forge
        self._vcs = vcs
        self._preflight = preflight
        self._redactor = redactor
        self._scanner = scanner
        self._host = host
        self._limits = limits
        self._relook = relook_seconds
        self._max_agents = max_agents

    def make(self, claim: Claim, lease: HeldLease, results: Mapping[Stage, Mapping[str, Any]]) -> StageContext:
        """Put the claim's world together; `results` is what earlier stages recorded."""
        return StageContext(
            run=claim.run,
            attempt=claim.attempt,
            results=results,
            checkpoint=claim.attempt.checkpoint or {},
            note=claim.attempt.note,
            lease=lease,
            artifacts=RunArtifacts(claim.run.id, self._store, self._database, self._redactor, lease),
            services=StageServices(
                self._database,
                self._preflight,
                self._host,
                self._redactor,
                claim,
                lease,
                max_agents=self._max_agents,
            ),
            agent=self._agent,
            forge=self._forge,
            vcs=self._vcs,
            redactor=self._redactor,
            scanner=self._scanner,
            limits=self._limits,
            relook_seconds=self._relook,
        )
