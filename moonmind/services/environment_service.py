"""The environments of this host: what is there, and what is to go."""

import contextlib
import re
from collections.abc import Iterable, Iterator

from moonmind import wire
from moonmind.errors import External, InvalidRequest, MoonMindError, NotFound, Unavailable
from moonmind.ports.environments import BuildState, Environments, KnownEnvironment
from moonmind.redact import Redactor
from moonmind.runs import naming

_PREFIX = re.compile(r"(v[0-9]+-)?[0-9a-f]{4,32}")
_SHOWN = 5


class EnvironmentService:
    """Answers what is on this host, and removes it."""

    def __init__(self, environments: Environments, redactor: Redactor, *, space: int) -> None:
        """`space`: how many bytes of environments the host keeps."""
        self._environments = environments
        self._redactor = redactor
        self._space = space

    # --- what is on this host

    def here(self) -> wire.HostEnvironments:
        """List what is there and what is being built. Raises Unavailable."""
        items = [_shown(one) for one in self._known()]
        return wire.HostEnvironments(
            items=items, size_bytes=sum(one.size_bytes for one in items), space_bytes=self._space
        )

    def named(self, text: str) -> list[wire.HostEnvironment]:
        """Return those of a repository, or the one whose key begins so. Raises InvalidRequest, NotFound, Unavailable."""
        wanted = text.strip()
        if "/" in wanted:
            repository = naming.repository_key(naming.repository(wanted))
            found = [one for one in self.here().items if naming.repository_key(one.repository) == repository]
            if not found:
                raise NotFound(f"no environment of {wanted} is on this host", remediation=_LISTED)
            return found
        if not _PREFIX.fullmatch(wanted.lower()):
            raise InvalidRequest(
                f"{text[:80]!r} is neither OWNER/NAME nor the key of an environment",
                remediation="Use the whole key, or at least the first 4 of its digits and letters a to f; "
                "`moonmind environment list` lists the keys.",
            )
        found = [one for one in self.here().items if _begins(one.key, wanted.lower())]
        if not found:
            raise NotFound(f"no environment on this host has a key that starts with {wanted}", remediation=_LISTED)
        if len(found) > 1:
            keys = ", ".join(one.key for one in found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
            raise InvalidRequest(
                f"{len(found)} keys start with {wanted}: {keys}", remediation="Use more characters of the key."
            )
        return found

    def remove(self, chosen: Iterable[wire.HostEnvironment]) -> wire.RemovedEnvironments:
        """Remove these, and stop those builds that are under way; what jobs work in is kept, with what else cannot go."""
        removed, kept = [], []
        for one in chosen:
            try:
                gone = self._environments.remove(one.key)
                reason = "" if gone else self._lent(one.key)
            except External as error:
                gone, reason = False, self._redactor.text(error.message)
            if gone:
                removed.append(one)
            else:
                kept.append(wire.KeptEnvironment(environment=one, reason=reason))
        return wire.RemovedEnvironments(removed=removed, kept=kept)

    def _lent(self, key: str) -> str:
        runs = [run for one in self._known() if one.key == key for run in _runs_of(one)]
        return f"lent to the agent of run {', '.join(runs)}" if runs else "lent to a job that ends just now"

    def _known(self) -> tuple[KnownEnvironment, ...]:
        with self._in_words():
            return self._environments.known()

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn what a stage would try again into what a person may; no secret is in the words."""
        try:
            yield
        except MoonMindError as error:
            if not error.retryable:
                raise
            raise Unavailable(self._redactor.text(error.message), remediation=_AGAIN) from error


_LISTED = "`moonmind environment list` lists what is there."
_AGAIN = "Run the command again; if the error persists, check with `moonmind doctor`."


def _begins(key: str, wanted: str) -> bool:
    return key.startswith(wanted) or key.partition("-")[2].startswith(wanted)


def _runs_of(known: KnownEnvironment) -> list[str]:
    runs = (naming.run_of_job(job) for job in known.lent_to)
    return list(dict.fromkeys(str(run) for run in runs if run is not None))


def _shown(known: KnownEnvironment) -> wire.HostEnvironment:
    return wire.HostEnvironment(
        key=known.key,
        repository=known.repository,
        root=known.environment.root,
        state=known.state,
        setup=list(known.environment.setup),
        start=list(known.environment.start),
        run=known.run or None,
        size_bytes=known.size,
        begun_at=known.begun_at,
        built_at=known.built_at,
        used_at=known.used_at,
        build_seconds=round(known.seconds, 1) if known.state is BuildState.READY else None,
        lent_to=_runs_of(known),
    )
