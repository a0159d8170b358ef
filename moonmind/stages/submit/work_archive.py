"""Keeps what no patch holds of an agent's work in an archive among the run's artifacts. Nothing here ends a stage."""

from collections.abc import Sequence

import structlog

from moonmind.engine.lease import LeaseLost
from moonmind.engine.stage_context import StageContext
from moonmind.ports.vcs import Workspace

KIND = "work_archive"
MEDIA_TYPE = "application/gzip"

log = structlog.get_logger(__name__)


def keep_files(
    context: StageContext, repository: str, workspace: Workspace, label: str, names: Sequence[str] | None = None
) -> str | None:
    """Archive files of the folder, everything that changed without `names`; return the artifact's path, None without one.

    Whatever goes wrong is logged: it must not hide why the work could not be taken. Raises LeaseLost alone.
    """
    path = f"archives/{'work' if names is None else 'left-out'}-{label}.tar.gz"
    try:
        kept = context.artifacts.keep(
            KIND,
            path,
            MEDIA_TYPE,
            lambda file: context.vcs.archive(repository, context.run.id, workspace, file, names=names),
        )
    except LeaseLost:
        raise
    except Exception:
        log.exception("work.not_archived")
        return None
    log.info("work.archived", files=kept.files, bytes=kept.size, dropped=kept.dropped)
    return path
