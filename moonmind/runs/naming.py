"""Names derived from a run: what a repeated effect finds itself again by."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from uuid import UUID

from moonmind.errors import InvalidRequest
from moonmind.runs.chain import Stage

_REPOSITORY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]{1,100}")
BRANCH_PREFIX = "moonmind/"
_SLUG_LENGTH = 80
_BUILDS = "env/"
_TESTS = "verify-"
SHORT_DIGEST, LONG_DIGEST = 8, 64
"""Hexadecimal digits behind a name; the long form is for two paths that the short one would give one name."""


def repository(text: str) -> str:
    """Check a repository's `owner/name` as the forge spells such names; raises InvalidRequest."""
    name = text.strip()
    if not _REPOSITORY.fullmatch(name) or name.split("/")[1] in {".", ".."} or name.casefold().endswith(".git"):
        raise InvalidRequest(f"{text[:200]!r} is not owner/name as the forge spells it", field="repository")
    return name


def repository_key(name: str) -> str:
    """Return the form in which two spellings of one repository are equal."""
    return name.casefold()


def requested_key(text: str | None) -> str:
    """Return the feature request as it is stored and compared: trimmed, no leading `./`, no trailing `/`.

    A leading `specs/` stays: where several folders have the same name, it tells which is meant.
    """
    return (text or "").strip().removeprefix("./").rstrip("/")


def is_feature_request(text: str) -> bool:
    """Return True for what may name a feature: nothing, or a path inside the repository whose every folder has a name."""
    asked = text.strip()
    folders = requested_key(asked).split("/")
    return not asked or ("\\" not in asked and all(folder.strip() not in {"", ".", ".."} for folder in folders))


def feature_slug(feature_key: str) -> str:
    """Turn a feature's key into one path-safe, ref-safe segment without `/`.

    A key that is not one already gets a part of its digest behind it: `a_b` and `a-b` are two features.
    """
    slug = _readable(feature_key)[:_SLUG_LENGTH].strip("-")
    if slug and slug == feature_key:
        return slug
    return f"{slug or 'feature'}-{_digest(feature_key)[:SHORT_DIGEST]}"


def path_slug(feature_path: str, digits: int = SHORT_DIGEST) -> str:
    """Turn a feature's path into such a segment, for a key that is not the feature's alone: `backend-001-a-1f0c22ab`."""
    parts = [part for part in feature_path.split("/") if part != "specs"]
    slug = _readable("-".join(parts))[-_SLUG_LENGTH:].strip("-")
    return f"{slug or 'feature'}-{_digest(feature_path)[:digits]}"


def branch(slug: str, number: int = 1) -> str:
    """Name the n-th branch of a feature: `moonmind/<slug>`, then `moonmind/<slug>-2`, ..."""
    suffix = "" if number == 1 else f"-{number}"
    return f"{BRANCH_PREFIX}{slug}{suffix}"


def is_named_by_path(branch_name: str, feature_path: str) -> bool:
    """Return True if a feature's branch has its name from the path: its key was not its alone then."""
    slugs = (path_slug(feature_path, digits) for digits in (SHORT_DIGEST, LONG_DIGEST))
    return any(re.fullmatch(rf"{re.escape(branch(slug))}(-\d+)?", branch_name) for slug in slugs)


def _readable(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", plain).strip("-").lower()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def job_key(run_id: UUID, stage: Stage, attempt: int) -> str:
    """Name the one job that an attempt may start; starting it twice finds the first."""
    return f"{run_id}/{stage.value}-{attempt}"


def run_of_job(key: str) -> UUID | None:
    """Return the run that a job belongs to; None for a key that is not of this form."""
    try:
        return UUID(key.partition("/")[0])
    except ValueError:
        return None


def build_key(environment: str, number: int) -> str:
    """Name the n-th build of an environment: a job that belongs to no run."""
    return f"{_BUILDS}{environment}-{number}"


def is_build_of(key: str, environment: str) -> bool:
    """Return True for a job that builds this environment."""
    return is_build(key) and key.removeprefix(_BUILDS).rpartition("-")[0] == environment


def is_build(key: str) -> bool:
    """Return True for a job that builds an environment: several runs may wait for it, and none of them may stop it."""
    return key.startswith(_BUILDS)


def test_key(run_id: UUID, attempt: int, name: str) -> str:
    """Name a test job of an attempt at apply: `after-1`, `before-1`."""
    return f"{run_id}/{_TESTS}{attempt}-{name}"


def is_test_job(key: str) -> bool:
    """Return True for a job that runs a repository's tests."""
    return key.partition("/")[2].startswith(_TESTS)


def run_ref(run_id: UUID, name: str) -> str:
    """Name a ref that keeps a run's objects alive in the mirror: `start` or `wip`."""
    return f"refs/moonmind/runs/{run_id}/{name}"


_PLAIN_TASK = re.compile(r"[A-Za-z0-9][\w.-]{0,39}", re.ASCII)
_MOST_NAMED = 20


def accept_command(run_id: UUID, tasks: Iterable[str]) -> str:
    """Return the command that ticks tasks of a run in the name of whoever types it; ids that a shell could misread are left out."""
    named = [one for one in tasks if _PLAIN_TASK.fullmatch(one)] or ["TASK"]
    return f'moonmind accept {str(run_id)[:8]} {" ".join(named[:_MOST_NAMED])} --why "REASON"'
