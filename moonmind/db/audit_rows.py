"""What was found of the credentials before an agent was started."""

from dataclasses import asdict
from uuid import UUID

from sqlalchemy import select

from moonmind.db import row_mapping
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import credential_audit
from moonmind.runs.records import CredentialAudit


class Audits(InTransaction):
    """The credential audits of one transaction; a run has one, its last."""

    def save(self, audit: CredentialAudit) -> None:
        """Store the run's audit in place of an earlier one."""
        self._upsert(credential_audit, asdict(audit) | {"snapshot": dict(audit.snapshot)})

    def get(self, run_id: UUID) -> CredentialAudit | None:
        """Read the run's audit."""
        query = select(*row_mapping.AUDIT).where(credential_audit.c.run_id == run_id)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else CredentialAudit(*row)
