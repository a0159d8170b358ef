"""The environments of this host: what a repository needs, what is there, what is being built, and what is to go."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from moonmind import wire
from moonmind.db.unit_of_work import Database
from moonmind.engine import forge_cooldown
from moonmind.engine.environment_orders import RepositoryEnvironments
from moonmind.errors import External, ImageNotAllowed, InvalidRequest, NotConfigured, NotFound
from moonmind.ports.agent import Agent
from moonmind.ports.environments import BuildState, Environments, KnownEnvironment
from moonmind.ports.forge import Forge
from moonmind.ports.vcs import Vcs
from moonmind.proof.environments.environment_plan import EnvironmentPlan
from moonmind.proof.environments.environment_value import Environment, key_paths
from moonmind.proof.recipe import RECIPE_FILE
from moonmind.redact import Redactor
from moonmind.repository_patterns import RepositoryPatterns
from moonmind.runs import naming
from moonmind.services.environment_following import FollowedBuild, FollowedBuilds
from moonmind.services.outage_words import in_words

_PREFIX = re.compile(r"(v[0-9]+-)?[0-9a-f]{4,32}")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Looked:
    """A repository as it was fetched, at the head of a branch."""

    full_name: str
    branch: str
    commit: str
    contents: RepositoryEnvironments
    plan: EnvironmentPlan


class EnvironmentService:
    """Answers what is needed and what is there, builds it, and removes it."""

    def __init__(
        self,
        database: Database,
        environments: Environments,
        agent: Agent,
        forge: Forge,
        vcs: Vcs,
        redactor: Redactor,
        *,
        mode: str,
        space: int,
        admitted: RepositoryPatterns = RepositoryPatterns(),  # noqa: B008 - frozen, and admits all
    ) -> None:
        """`mode` is that of MOONMIND_ENVIRONMENTS; `space` how many bytes of environments the host keeps."""
        self._database = database
        self._environments = environments
        self._agent = agent
        self._forge = forge
        self._vcs = vcs
        self._redactor = redactor
        self._mode = mode
        self._space = space
        self._admitted = admitted

    # --- what a repository needs

    def show(self, repository: str, branch: str | None = None) -> wire.RepositoryEnvironments:
        """Fetch a repository, and answer what it needs at the head of a branch, its default one if none is named.

        Raises RepositoryNotAllowed, InvalidRequest, NotFound, RecipeUnreadable, and Unavailable where there is no answer now.
        """
        with in_words(self._redactor):
            looked = self._look(repository, branch)
            why_not = self._why_not(looked.plan)
            return wire.RepositoryEnvironments(
                repository=looked.full_name,
                branch=looked.branch,
                commit=looked.commit,
                declared=looked.plan.declared,
                not_here=why_not,
                environments=[self._needed(one, looked, here=why_not is None) for one in looked.plan.environments],
                notes=[*looked.plan.notes, *(() if looked.plan.declared else looked.plan.found.notes)],
            )

    def build(self, repository: str, branch: str | None = None) -> FollowedBuilds:
        """Return the environments that a repository needs, to be followed until they are ready.

        Raises what `show` raises, and NotConfigured where nothing is set up here.
        """
        with in_words(self._redactor):
            looked = self._look(repository, branch)
            if (why_not := self._why_not(looked.plan)) is not None:
                raise NotConfigured(f"nothing is set up on this host: {why_not}", remediation=_SANDBOX)
            asked = [one for one in looked.plan.environments if not one.empty]
            orders = [(order, self._environments.key(order)) for order in looked.contents.orders(asked)]
        return FollowedBuilds(
            looked.full_name,
            [FollowedBuild(self._environments, self._redactor, order, key) for order, key in orders if key is not None],
            self._redactor,
        )

    def _look(self, repository: str, branch: str | None) -> _Looked:
        name = naming.repository(repository)
        self._admitted.require(name)
        with self._database.read() as uow:
            cooldown = uow.cooldowns.get(forge_cooldown.FORGE_COOLDOWN)
        if cooldown is not None:
            raise forge_cooldown.unavailable(cooldown.until)
        found = self._forge.repository(name)
        if found.empty:
            raise NotFound(f"{found.full_name} is empty: there is no commit", remediation="Push a first commit.")
        self._vcs.fetch(found)
        branches = self._vcs.branches(found.full_name)
        wanted = branch if branch is not None else found.default_branch
        if wanted not in branches:
            raise NotFound(
                f"{found.full_name} has no branch {wanted[:200]!r}", remediation="Name one that it has with --ref."
            )
        contents = RepositoryEnvironments(self._vcs, found.full_name, branches[wanted], branches[wanted])
        return _Looked(found.full_name, wanted, branches[wanted], contents, contents.plan())

    def _why_not(self, plan: EnvironmentPlan) -> str | None:
        """Return why runs set up nothing of it on this host; None where they do."""
        if self._mode == "off":
            return "MOONMIND_ENVIRONMENTS=off"
        if self._mode == "declared" and not plan.declared:
            return f"MOONMIND_ENVIRONMENTS=declared, and no {RECIPE_FILE} says what is needed"
        if (why := self._environments.why_not()) is not None:
            return why
        return None if self._agent.takes_environments() else "its agents work behind no wall of MoonMind's"

    def _needed(self, one: Environment, looked: _Looked, *, here: bool) -> wire.RepositoryEnvironment:
        detected = () if looked.plan.declared else looked.plan.found.environments
        found = next((seen for seen in detected if seen.environment == one), None)
        return wire.RepositoryEnvironment(
            root=one.root,
            image=one.image,
            setup=list(one.setup),
            start=list(one.start),
            variables=dict(one.variables),
            paths=list(one.paths),
            shown_by=[] if found is None else list(dict.fromkeys(step.source for step in found.steps)),
            key_files=list(key_paths(one, looked.contents.files)),
            hosts=list(self._environments.hosts(one)),
            notes=[*([] if found is None else found.notes), *self._of_image(one)],
            **(self._standing(one, looked) if here and not one.empty else {}),
        )

    def _of_image(self, one: Environment) -> list[str]:
        """Return what is to be said of an image that the recipe names: that no job runs in it here."""
        if one.image is None or self._environments.takes_images():
            return []
        return [f"image {one.image} is not used: the sandbox is not docker"]

    def _standing(self, one: Environment, looked: _Looked) -> dict[str, Any]:
        """Return where it stands on this host."""
        (order,) = looked.contents.orders([one])
        try:
            key = self._environments.key(order)
        except ImageNotAllowed as error:
            return {"state": BuildState.FAILED, "message": self._redactor.text(f"{error.message} {error.advice}")}
        if key is None:
            return {}
        status = self._environments.look(key)
        known = next((each for each in self._environments.known() if each.key == key), None)
        ready = status.state is BuildState.READY
        return {
            "key": key,
            "state": status.state,
            "message": self._redactor.text(status.message) or None,
            "begun_at": None if known is None else known.begun_at,
            "built_at": None if known is None else known.built_at,
            "build_seconds": round(status.seconds, 1) if ready else None,
            "size_bytes": status.size if ready else None,
        }

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
        with in_words(self._redactor):
            return self._environments.known()


_SANDBOX = "`moonmind sandbox show` says what jobs run in, docs/environments.md when something is set up."
_LISTED = "`moonmind environment list` lists what is there."


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
