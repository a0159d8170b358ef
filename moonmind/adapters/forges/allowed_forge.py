"""The forge, as far as this installation may use it: no other repository is looked up, published to or probed."""

from collections.abc import Callable

from moonmind.errors import RepositoryNotAllowed
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import Forge, PullRequest, PullRequestDraft, Repository, always
from moonmind.repository_patterns import RepositoryPatterns


class AllowedForge:
    """A forge that knows the admitted repositories only, by the name asked for and by the one that they have now."""

    def __init__(self, forge: Forge, admitted: RepositoryPatterns) -> None:
        self._forge = forge
        self._admitted = admitted
        self.name = forge.name
        self.scheme = forge.scheme
        self.host = forge.host

    def check(self, repository: str | None = None) -> tuple[Check, ...]:
        """See `Forge`; a repository that is not admitted is a failed check, and nothing is asked about it."""
        if repository is None:
            return self._forge.check()
        try:
            self._admitted.require(repository)
        except RepositoryNotAllowed as error:
            return (*self._forge.check(), Check("repositories", CheckStatus.FAILED, error.message, error.advice))
        return self._forge.check(repository)

    def repository(self, name: str) -> Repository:
        """See `Forge`; raises RepositoryNotAllowed, also for an admitted name that leads to another repository."""
        self._admitted.require(name)
        found = self._forge.repository(name)
        self._admitted.require(found.full_name)
        return found

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """See `Forge`."""
        return self._forge.pull_requests(repository, branch)

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        """See `Forge`; raises RepositoryNotAllowed."""
        self._admitted.require(repository)
        return self._forge.ensure_pull_request(repository, draft, allowed=allowed)

    def git_environment(self) -> dict[str, str]:
        """See `Forge`."""
        return self._forge.git_environment()
