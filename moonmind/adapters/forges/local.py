"""A forge without a server: bare repositories in a folder, and a record of pull requests beside each.

It is what demo and test mode publish to. A person merges with git alone: once the base holds the branch's tip, the pull
request is merged; once the branch is gone, it is closed.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from urllib.parse import quote

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local_pulls import Pull, Register, opened
from moonmind.adapters.forges.local_repository import BareRepositories, BareRepository
from moonmind.adapters.git import Git, GitOptions
from moonmind.errors import ForgeError, ForgeRefused, VcsError
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState, Repository, always


class LocalForge:
    """The `Forge` port over a folder."""

    name = "local"
    scheme = "file"
    host = ""

    def __init__(self, options: ForgeOptions) -> None:
        self._labels = options.labels
        git = Git(GitOptions(options.local_repos.absolute() / ".git-home", self.scheme, options.environment))
        self._repositories = BareRepositories(git, options.local_repos, options.sample, options.sample_only)

    def check(self, repository: str | None = None) -> tuple[Check, ...]:  # noqa: ARG002 - every folder may be written
        """Return one skipped check: there is no credential to probe."""
        message = "the local forge keeps repositories in a folder and needs no credential"
        return (Check("github", CheckStatus.SKIPPED, message, facts={"forge": self.name}),)

    def repository(self, name: str) -> Repository:
        """Look a repository up; one that is not there is made from the sample."""
        with _ours():
            found = self._repositories.find(name)
            return Repository(
                full_name=found.full_name,
                clone_url=f"file://{quote(str(found.path))}",
                default_branch=self._repositories.default_branch(found),
                empty=not self._repositories.branches(found),
            )

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """List the pull requests of a branch in all states, newest first."""
        with self._register(repository) as (found, register):
            return tuple(_shown(found, pull) for pull in register.of_branch(branch))

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        """Make the branch's one open pull request say what the draft says."""
        draft = replace(draft, labels=(*dict.fromkeys((*draft.labels, *self._labels)),))
        with self._register(repository) as (found, register):
            branches = self._repositories.branches(found)
            for wanted in (draft.branch, draft.base):
                if wanted not in branches:
                    raise ForgeRefused(f"{found.full_name} has no branch {wanted}", branch=wanted)
            head, base = branches[draft.branch], branches[draft.base]
            if self._repositories.holds(found, base, head):
                raise ForgeRefused(
                    f"nothing to merge: {draft.base} already contains {draft.branch}",
                    branch=draft.branch,
                    base=draft.base,
                )
            pulls = register.of_branch(draft.branch)
            allowed()
            pull = next((pull for pull in pulls if pull.state is PullState.OPEN), None)
            if pull is None:
                pull = register.create(draft, head)
            else:
                pull = register.update(
                    pull, head=head, base=draft.base, title=draft.title, body=draft.body, labels=draft.labels
                )
            return _shown(found, pull)

    def git_environment(self) -> dict[str, str]:
        """Return an empty environment: folders need no credential."""
        return {}

    @contextlib.contextmanager
    def _register(self, repository: str) -> Iterator[tuple[BareRepository, Register]]:
        """Hold a repository's pull requests, brought up to date with what people did by git."""
        with _ours():
            found = self._repositories.find(repository)
            with opened(found.path.with_suffix(".pulls.json")) as register:
                branches = self._repositories.branches(found)
                for pull in [pull for pull in register.pulls.values() if pull.state is PullState.OPEN]:
                    register.update(pull, **self._seen(found, pull, branches))
                yield found, register

    def _seen(self, found: BareRepository, pull: Pull, branches: dict[str, str]) -> dict[str, str]:
        head = branches.get(pull.branch, pull.head)
        base = branches.get(pull.base)
        if base is not None and self._repositories.holds(found, base, head):
            return {"state": PullState.MERGED, "head": head}
        if pull.branch not in branches or base is None:
            return {"state": PullState.CLOSED}
        return {"head": head}


def _shown(found: BareRepository, pull: Pull) -> PullRequest:
    return PullRequest(
        number=pull.number,
        url=f"local://{found.full_name}/pull/{pull.number}",
        state=pull.state,
        branch=pull.branch,
        base=pull.base,
        title=pull.title,
        body=pull.body,
        draft=pull.draft,
    )


@contextlib.contextmanager
def _ours() -> Iterator[None]:
    """Turn git's failures into the forge's."""
    try:
        yield
    except VcsError as error:
        kind = ForgeError if error.retryable else ForgeRefused
        raise kind(error.message, remediation=error.advice, **error.details) from error
