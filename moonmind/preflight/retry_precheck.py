"""Whether a retry is known to fail again: only what this process can say of the machine that will do the work."""

from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import UUID

from moonmind.db.unit_of_work import Database
from moonmind.errors import CredentialInvalid
from moonmind.ports.check import Check, CheckStatus
from moonmind.preflight.checks import Need, Preflight
from moonmind.runs.records import CredentialAudit, Run

_FRESH = timedelta(minutes=5)
"""A host that was heard of within this time may do the work."""

_INSTALLED = frozenset({"binary", "login", "project"})
"""Last parts of the names of checks that look at what is installed on one machine. A key is good or bad everywhere."""


class RetryPrecheck:
    """Probes what the next stages of a run need.

    Embedded, this process does the work itself and its answers count. Otherwise the workers do, maybe elsewhere: that a
    tool or a login is missing here then counts only where it was what the run failed by, on this very host.
    """

    def __init__(self, database: Database, preflight: Preflight, *, works_here: bool, host_id: UUID | None) -> None:
        self._database = database
        self._preflight = preflight
        self._works_here = works_here
        self._host_id = host_id

    def refuse(self, run: Run, needs: Collection[Need]) -> None:
        """Raise CredentialInvalid, with the fix, when a retry of stages that need this is known to fail again."""
        checks: list[Check] = []
        if Need.AGENT in needs:
            checks += self._telling(run, self._preflight.agent())
        if Need.FORGE in needs:
            checks += self._preflight.forge(run.repository)
        if Need.TOOLS in needs:
            checks += self._telling(run, self._preflight.tools(), all_installed=True)
        for check in checks:
            if check.failed:
                raise CredentialInvalid(
                    f"retrying would fail again: {check.message}",
                    remediation=check.remediation or CredentialInvalid.remediation,
                    check=check.name,
                )

    def _telling(self, run: Run, checks: Iterable[Check], *, all_installed: bool = False) -> list[Check]:
        """Leave out the failures that say nothing of the machine that will do the work."""
        found = list(checks)
        installed = {check.name for check in found if all_installed or check.name.rpartition(".")[2] in _INSTALLED}
        bad = {check.name for check in found if check.failed} & installed
        if self._works_here or not bad or self._failed_by(run, bad, tools=all_installed):
            return found
        return [check for check in found if check.name not in bad]

    def _failed_by(self, run: Run, bad: set[str], *, tools: bool) -> bool:
        error = run.error
        if error is None or error.code != CredentialInvalid.code:
            return False
        with self._database.read() as uow:
            audit, hosts, now = uow.audits.get(run.id), uow.hosts.list(), uow.now()
        fresh = {host.id for host in hosts if now - host.seen_at < _FRESH}
        if fresh - {self._host_id} or self._host_id not in {host.id for host in hosts}:
            return False
        return error.details.get("check") in bad or (not tools and _agent_failed(audit))


def _agent_failed(audit: CredentialAudit | None) -> bool:
    return audit is not None and audit.codex_status == CheckStatus.FAILED.value
