"""The listing's opaque position: a time and an id, so that pages stay right while runs are added."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from moonmind.errors import InvalidRequest


def write_cursor(created_at: datetime, run_id: UUID) -> str:
    """Name the position right after a run."""
    micros = int(created_at.astimezone(UTC).timestamp() * 1_000_000 + 0.5)
    return base64.urlsafe_b64encode(f"{micros}:{run_id.hex}".encode()).decode().rstrip("=")


def read_cursor(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Read what `write_cursor` wrote; raises InvalidRequest for anything else."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        micros, run_id = base64.b64decode(padded, altchars=b"-_", validate=True).decode().split(":")
        seconds, rest = divmod(int(micros), 1_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest), UUID(run_id)
    except (ValueError, binascii.Error, OverflowError, OSError):
        raise InvalidRequest("the cursor was not returned by a listing", field="cursor") from None
