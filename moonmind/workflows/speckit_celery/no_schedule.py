"""What `worker -B` runs: nothing, since workers and API do by themselves what is to be done regularly."""

from typing import Any

from celery.beat import Scheduler


class NoSchedule(Scheduler):  # type: ignore[misc]  # Celery has no annotations
    """A schedule without entries, kept in no file."""

    def install_default_entries(self, data: Any) -> None:
        """Leave out Celery's own entry, which removes old results; see `bootstrap`."""
