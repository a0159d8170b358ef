"""What MoonMind needs of a forge, the service that has the pull requests. Every effect may be repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from moonmind.ports.check import Check


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as the forge names it now (a renamed one answers with its new name)."""

    full_name: str
    """`owner/name`."""
    clone_url: str
    """Where git fetches from and pushes to; never with a credential inside."""
    default_branch: str
    empty: bool = False
    files_url: str | None = None
    """The page of a commit's files, `{commit}` standing for its name; None where the forge has no pages."""


class PullState(StrEnum):
    """Where a pull request stands."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request as the forge stores it."""

    number: int
    url: str
    state: PullState
    branch: str
    base: str
    title: str
    body: str
    draft: bool = False
    """It cannot be merged before a person marks it as ready for review."""


@dataclass(frozen=True, slots=True)
class PullRequestDraft:
    """What the one open pull request of a branch should say."""

    branch: str
    base: str
    title: str
    body: str
    labels: tuple[str, ...] = ()
    draft: bool = False
    """To be opened as a draft where the repository has drafts; a pull request that is open already stays as it is."""


def always() -> None:
    """Allow every effect."""


class Forge(Protocol):
    """The service that has the pull requests. Raises ForgeError and its subclasses, and CredentialInvalid, only."""

    name: str
    scheme: str
    """The one transport git may use for this forge: `file`, `https`, or `http` on loopback."""
    host: str
    """The one host git may talk to, with its port where that is not the scheme's; empty where there is none."""

    def check(self, repository: str | None = None) -> tuple[Check, ...]:
        """Probe the credential, and the right to push where a repository is named."""
        ...

    def repository(self, name: str) -> Repository:
        """Look a repository up; raises RepositoryUnavailable, and RepositoryArchived where nothing can be published."""
        ...

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """List the pull requests of a branch in all states, newest first."""
        ...

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        """Make the branch's one open pull request say what the draft says: adopt, update or create it.

        Whether it is a draft is decided when it is created, and read from what is returned: a repository may have no
        drafts, and one that is open stays as it is.

        `allowed` is asked right before each effect, since looking up takes a while; what it raises ends the call.
        """
        ...

    def git_environment(self) -> dict[str, str]:
        """Return the environment that lets git authenticate (an askpass program); for the service's own git commands only."""
        ...
