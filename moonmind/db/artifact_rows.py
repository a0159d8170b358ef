"""The list of the files that runs left; the files themselves are in an artifact store."""

import builtins
from uuid import UUID

from sqlalchemy import select

from moonmind.db import row_mapping
from moonmind.db.clock import db_now
from moonmind.db.in_transaction import InTransaction
from moonmind.db.tables import artifact
from moonmind.runs.records import Artifact


class Artifacts(InTransaction):
    """The artifacts of one transaction."""

    def save(
        self,
        run_id: UUID,
        *,
        type: str,  # noqa: A002 (the wire's word)
        path: str,
        content_type: str,
        size: int | None,
        digest: str | None,
    ) -> None:
        """List a file, or record what became of one listed before; size and digest are None while it grows."""
        values = {
            "run_id": run_id,
            "path": path,
            "type": type,
            "content_type": content_type,
            "size": size,
            "digest": digest,
            "created_at": db_now(),
        }
        self._upsert(artifact, values, kept=frozenset({"created_at"}))

    def list(self, run_id: UUID) -> builtins.list[Artifact]:
        """List a run's files, oldest first."""
        query = (
            select(*row_mapping.ARTIFACT)
            .where(artifact.c.run_id == run_id)
            .order_by(artifact.c.created_at, artifact.c.path)
        )
        return [Artifact(*row) for row in self._connection.execute(query)]

    def get(self, run_id: UUID, path: str) -> Artifact | None:
        """Find one of a run's files by its path."""
        query = select(*row_mapping.ARTIFACT).where(artifact.c.run_id == run_id, artifact.c.path == path)
        row = self._connection.execute(query).one_or_none()
        return None if row is None else Artifact(*row)
