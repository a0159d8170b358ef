"""The few further writes and reads a stage may make while it works: audit, slot, cooldowns, history."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from moonmind.db.unit_of_work import Database
from moonmind.engine.host import Host
from moonmind.engine.lease import HeldLease
from moonmind.errors import ErrorInfo, MoonMindError
from moonmind.ports.check import CheckStatus
from moonmind.preflight.checks import Preflight, require, summary
from moonmind.preflight.workflow_right import workflow_right
from moonmind.redact import Redactor
from moonmind.runs.chain import Stage
from moonmind.runs.records import Claim, CredentialAudit


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """The feature's last other run that reached a stage: what it was given, and what its stages recorded."""

    id: UUID
    notes: str | None
    results: Mapping[Stage, Mapping[str, Any]]
    error: ErrorInfo | None
    """How that stage ended without a result."""


class StageServices:
    """What a stage may do with the database under its claim, besides its outcome."""

    def __init__(
        self,
        database: Database,
        preflight: Preflight,
        host: Host,
        redactor: Redactor,
        claim: Claim,
        lease: HeldLease,
        *,
        max_agents: int,
        keeps_audit: bool = True,
    ) -> None:
        """Serve the stage that holds the claim.

        `keeps_audit`: False where the claim is only imagined, and no row is there that an audit could belong to.
        """
        self._database = database
        self._preflight = preflight
        self._host = host
        self._redactor = redactor
        self._claim = claim
        self._lease = lease
        self._max_agents = max_agents
        self._keeps_audit = keeps_audit

    def audit_credentials(self) -> None:
        """Probe all that a run needs, store agent's and forge's audit; raises CredentialInvalid with the failing check."""
        agent = self._preflight.agent()
        forge = self._preflight.forge(self._claim.run.repository)
        tools = self._preflight.tools()
        codex_status, codex_message = summary(agent)
        github_status, github_message = summary(forge)
        snapshot = {name: value for check in (*tools, *agent, *forge) for name, value in check.facts.items()}
        self._save(codex_status, codex_message, github_status, github_message, snapshot)
        require((*agent, *forge, *tools))

    def check_workflows(self, named: tuple[str, ...]) -> None:
        """Probe whether the token may change these workflows and store the answer; raises CredentialInvalid."""
        checks = self._preflight.forge(self._claim.run.repository)
        facts = {name: value for check in checks for name, value in check.facts.items()}
        right = workflow_right(facts, named)
        if right is not None:
            self._note("forge", *summary((*checks, right)), facts)
            require((right,))

    def note_refused_credential(self, error: MoonMindError, *, whose: Literal["agent", "forge"] = "forge") -> None:
        """Store in the audit row that a service refused its credential while a stage used it."""
        self._note(whose, CheckStatus.FAILED, error.message)

    def audit_forge(self) -> None:
        """Probe the forge's credential and store the answer in the audit row; refuses nothing."""
        checks = self._preflight.forge(self._claim.run.repository)
        facts = {name: value for check in checks for name, value in check.facts.items()}
        self._note("forge", *summary(checks), facts)

    def _note(
        self,
        whose: Literal["agent", "forge"],
        status: CheckStatus,
        message: str,
        facts: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        with self._database.read() as uow:
            known = uow.audits.get(self._claim.run.id)
        skipped = (CheckStatus.SKIPPED, "not reached")
        codex = (CheckStatus(known.codex_status), known.codex_message) if known is not None else skipped
        github = (CheckStatus(known.github_status), known.github_message) if known is not None else skipped
        if whose == "agent":
            codex = (status, message)
        else:
            github = (status, message)
        self._save(*codex, *github, {**(known.snapshot if known is not None else {}), **facts})

    def take_slot(self) -> bool:
        """Take one of this host's agent slots for the run; False when all are taken."""
        self._lease.check()
        with self._database.write() as uow:
            return uow.slots.take(self._claim.run.id, self._claim.fence, self._host.id, self._max_agents)

    def stay_here(self) -> bool:
        """Keep the run to this host until it ends, since what it waits for is here; False for a claim that was lost."""
        self._lease.check()
        with self._database.write() as uow:
            return uow.claims.bind(self._claim.run.id, self._claim.fence, self._host.id)

    def cooldown(self, name: str) -> datetime | None:
        """Return when a cooldown ends; None where none is in force."""
        with self._database.read() as uow:
            known = uow.cooldowns.get(name)
        return known.until if known is not None else None

    def set_cooldown(self, name: str, until: datetime, reason: str) -> None:
        """Write a cooldown for every run of the installation."""
        self._lease.check()
        with self._database.write() as uow:
            uow.cooldowns.set(name, until, self._redactor.text(reason))

    def extend_cooldown(self, name: str, seconds: float, reason: str) -> datetime:
        """Write a cooldown of so many seconds, unless one lasts longer; returns when it ends. Also a run that ends may."""
        self._lease.check_held()
        with self._database.write() as uow:
            until = uow.now() + timedelta(seconds=seconds)
            known = uow.cooldowns.get(name)
            if known is not None and known.until >= until:
                return known.until
            uow.cooldowns.set(name, until, self._redactor.text(reason))
        return until

    def earlier_run(self, feature_key: str, reached: Stage, *, kind: str | None = None) -> EarlierRun | None:
        """Return the feature's last other run, of that kind or of any, that reached that stage, whatever came of it there."""
        run = self._claim.run
        with self._database.read() as uow:
            found = uow.runs.last_that_reached(reached, run.repository_key, feature_key, run.id, kind=kind)
            earlier = uow.runs.get(found) if found is not None else None
            if earlier is None:
                return None
            ended = uow.attempts.latest(earlier.id)[reached.position]
            return EarlierRun(earlier.id, earlier.notes, uow.attempts.results(earlier.id), ended.error)

    def commits_of(self, run_ids: Iterable[UUID]) -> frozenset[str]:
        """Return the commits that these runs made, as far as this installation knows them."""
        with self._database.read() as uow:
            return uow.attempts.commits(run_ids)

    def approval_of_recipe(self, recipe: str) -> Mapping[str, Any] | None:
        """Return the newest approval that apply recorded in the run's repository for a recipe whose tests cannot be run."""
        with self._database.read() as uow:
            return uow.attempts.approval_of_recipe(self._claim.run.repository_key, recipe)

    def _save(
        self,
        codex_status: CheckStatus,
        codex_message: str,
        github_status: CheckStatus,
        github_message: str,
        snapshot: dict[str, str],
    ) -> None:
        if not self._keeps_audit:
            return
        self._lease.check()
        with self._database.write() as uow:
            now = uow.now()
            uow.audits.save(
                CredentialAudit(
                    run_id=self._claim.run.id,
                    codex_status=codex_status.value,
                    codex_message=self._redactor.text(codex_message),
                    codex_checked_at=None if codex_status is CheckStatus.SKIPPED else now,
                    github_status=github_status.value,
                    github_message=self._redactor.text(github_message),
                    github_checked_at=None if github_status is CheckStatus.SKIPPED else now,
                    snapshot={name: self._redactor.text(value) for name, value in snapshot.items()},
                )
            )
