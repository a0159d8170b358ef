"""Names derived from a run: what a repeated effect finds itself again by."""

import hashlib
import re
import unicodedata
from uuid import UUID

from moonmind.errors import InvalidRequest
from moonmind.runs.chain import Stage

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
BRANCH_PREFIX = "moonmind/"
_SLUG_LENGTH = 80


def repository(text: str) -> str:
    """Check a repository's `owner/name` as the forge spells such names; raises InvalidRequest."""
    name = text.strip()
    if not _REPOSITORY.fullmatch(name) or name.split("/")[1] in {".", ".."} or name.endswith(".git"):
        raise InvalidRequest(
            f"repository must be owner/name as the forge spells it, not {text[:200]!r}", field="repository"
        )
    return name


def repository_key(name: str) -> str:
    """Give the form in which two spellings of one repository are equal."""
    return name.casefold()


def requested_key(text: str | None) -> str:
    """Give the feature request as it is stored and compared: trimmed, no leading `specs/`, no trailing `/`."""
    key = (text or "").strip().rstrip("/")
    return key.removeprefix("specs/")


def feature_slug(feature_key: str) -> str:
    """Turn a feature's key into one path-safe, ref-safe segment without `/`.

    A key that is not one already gets a part of its digest behind it: `a_b` and `a-b` are two features.
    """
    plain = unicodedata.normalize("NFKD", feature_key).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()[:_SLUG_LENGTH].strip("-")
    if slug and slug == feature_key:
        return slug
    digest = hashlib.sha256(feature_key.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{slug or 'feature'}-{digest}"


def branch(feature_key: str, number: int = 1) -> str:
    """Name the n-th branch of a feature: `moonmind/<slug>`, then `moonmind/<slug>-2`, ..."""
    suffix = "" if number == 1 else f"-{number}"
    return f"{BRANCH_PREFIX}{feature_slug(feature_key)}{suffix}"


def job_key(run_id: UUID, stage: Stage, attempt: int) -> str:
    """Name the one job that an attempt may start; starting it twice finds the first."""
    return f"{run_id}/{stage.value}-{attempt}"


def run_of_job(key: str) -> UUID | None:
    """Give the run that a job belongs to; None for a key that is not of this form."""
    try:
        return UUID(key.partition("/")[0])
    except ValueError:
        return None


def run_ref(run_id: UUID, name: str) -> str:
    """Name a ref that keeps a run's objects alive in the mirror: `start` or `wip`."""
    return f"refs/moonmind/runs/{run_id}/{name}"
