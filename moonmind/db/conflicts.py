"""Which of the unique indexes a write ran into."""

from sqlalchemy.exc import IntegrityError

from moonmind.db.tables import ONE_FEATURE, ONE_IDEMPOTENCY_KEY, ONE_REQUEST
from moonmind.errors import Conflict

_SQLITE = {
    "run.repository_key, run.requested_key": ONE_REQUEST,
    "run.repository_key, run.feature_key": ONE_FEATURE,
    "run.idempotency_key": ONE_IDEMPOTENCY_KEY,
}


class DuplicateIdempotencyKey(Conflict):
    """A run with this Idempotency-Key came first; the service reads it and answers with it."""

    code = "duplicate_idempotency_key"
    remediation = "Read the run that the key already made."


def violated(error: IntegrityError) -> str | None:
    """Name the unique index that refused the write; None for any other constraint, which is a defect."""
    diagnosis = getattr(error.orig, "diag", None)
    if diagnosis is not None:
        return str(diagnosis.constraint_name)
    return _SQLITE.get(str(error.orig).removeprefix("UNIQUE constraint failed: "))
