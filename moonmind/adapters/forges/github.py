"""Publishes to GitHub, or to a GitHub Enterprise: its REST API by PyGithub, its git over HTTPS with the token."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from moonmind.adapters.forges.askpass import Askpass
from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.github_api import GitHubApi, answer_of
from moonmind.adapters.forges.github_checks import github_checks
from moonmind.adapters.forges.github_errors import Answer
from moonmind.errors import ForgeError, ForgeRefused, RepositoryArchived, RepositoryUnavailable
from moonmind.ports.check import Check
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState, Repository, always

if TYPE_CHECKING:
    from github import GithubException
    from github.PullRequest import PullRequest as GitHubPull
    from github.Repository import Repository as GitHubRepository


class GitHubForge:
    """The `Forge` port over GitHub."""

    name = "github"

    def __init__(self, options: ForgeOptions) -> None:
        self._api = GitHubApi(options)
        self._labels = options.labels
        self._askpass = Askpass(options.state_folder)
        server = urlsplit(self._api.server_url)
        self.scheme, self.host = server.scheme, server.netloc

    def check(self, repository: str | None = None) -> tuple[Check, ...]:
        """Probe the token, and the right to see and to push where a repository is named."""
        return github_checks(self._api, repository)

    def repository(self, name: str) -> Repository:
        """Look a repository up under its present name."""
        with self._api.client(f"look up {name[:200]}") as client:
            found = self._api.look_up(client, name)
            refuse_closed(found.raw_data)
            # Its size is in kilobytes: nothing tells an empty repository from a small one but that it has no branch.
            empty = not found.raw_data.get("size") and not found.get_branches().get_page(0)
            return Repository(
                full_name=found.full_name,
                # Made by us: the token goes to the configured host, whatever an answer says.
                clone_url=f"{self._api.server_url}/{found.full_name}.git",
                default_branch=found.default_branch,
                empty=empty,
                files_url=f"{self._api.server_url}/{found.full_name}/blob/{{commit}}",
            )

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """List the pull requests of a branch in all states, newest first."""
        with self._api.client(f"list the pull requests of {branch}") as client:
            found = self._api.look_up(client, repository)
            return tuple(_shown(pull) for pull in _of_branch(found, branch))

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        """Make the branch's one open pull request say what the draft says."""
        from github import GithubException

        with self._api.client(f"open the pull request of {draft.branch}") as client:
            found = self._api.look_up(client, repository)
            refuse_closed(found.raw_data)
            pull = _open(_of_branch(found, draft.branch))
            if pull is None:
                try:
                    pull = _created(found, draft, allowed)
                except GithubException as error:
                    pull = self._adopted(found, draft, error)
            changed = _changes(pull, draft)
            if changed:
                allowed()
                pull.edit(**changed)
            wanted = dict.fromkeys((*draft.labels, *self._labels))
            if missing := [label for label in wanted if label not in {has.name for has in pull.labels}]:
                allowed()
                pull.add_to_labels(*missing)
            return _shown(pull)

    def git_environment(self) -> dict[str, str]:
        """Return the environment of an askpass program that gives the token to the configured host only."""
        return self._askpass.environment(self.scheme, self.host, self._api.token)

    def _adopted(self, found: GitHubRepository, draft: PullRequestDraft, error: GithubException) -> GitHubPull:
        """Return the pull request that another client created first. Raises the error that GitHub's refusal means if none."""
        if error.status != 422:
            raise error
        if (pull := _open(_of_branch(found, draft.branch))) is not None:
            return pull
        answer = answer_of(error)
        words = "; ".join(answer.complaints) or answer.message
        if "already exists" in words:
            raise ForgeError(
                f"GitHub answered {words!r} for {draft.branch}, and does not list its pull request yet"
            ) from None
        if "No commits between" in words:
            raise ForgeRefused(
                f"nothing to merge: {draft.base} already contains {draft.branch}", branch=draft.branch, base=draft.base
            ) from None
        for field, branch in (("head", draft.branch), ("base", draft.base)):
            if answer.invalid(field):
                if _has_branch(found, branch):
                    raise ForgeError(f"GitHub does not accept {branch} as {field} yet") from None
                raise ForgeRefused(f"{found.full_name} has no branch {branch}", branch=branch) from None
        raise error


def refuse_closed(data: dict[str, Any]) -> None:
    """Raise for a repository that takes neither branches nor pull requests."""
    name = data.get("full_name")
    if data.get("archived"):
        raise RepositoryArchived(f"{name} is archived and accepts neither branches nor pull requests")
    if data.get("disabled"):
        raise RepositoryUnavailable(
            f"{name} is disabled by GitHub", remediation="Ask its owner, or GitHub's support; then retry."
        )


def _of_branch(found: GitHubRepository, branch: str) -> list[GitHubPull]:
    """List a branch's pull requests, newest first. GitHub answers with all there are where it does not get the filter."""
    owner = found.full_name.split("/")[0]
    pulls = found.get_pulls(state="all", head=f"{owner}:{branch}", sort="created", direction="desc")
    return sorted((pull for pull in pulls if pull.head.ref == branch), key=lambda pull: pull.number, reverse=True)


def _open(pulls: Iterable[GitHubPull]) -> GitHubPull | None:
    return next((pull for pull in pulls if pull.state == "open"), None)


def _created(found: GitHubRepository, draft: PullRequestDraft, allowed: Callable[[], None]) -> GitHubPull:
    """Open a pull request; not as a draft where the repository has none, as those of some plans."""
    from github import GithubException

    allowed()
    try:
        return found.create_pull(
            base=draft.base, head=draft.branch, title=draft.title, body=draft.body or "", draft=draft.draft
        )
    except GithubException as error:
        if not draft.draft or error.status != 422 or not _lacks_drafts(answer_of(error)):
            raise
    return _created(found, replace(draft, draft=False), allowed)


def _lacks_drafts(answer: Answer) -> bool:
    return any("draft pull requests are not supported" in text.lower() for text in (answer.message, *answer.complaints))


def _changes(pull: GitHubPull, draft: PullRequestDraft) -> dict[str, Any]:
    """Return the fields to edit; texts that differ only in line endings are equal, since GitHub changes these."""
    wanted = {
        "title": (pull.title, draft.title),
        "body": (pull.body or "", draft.body),
        "base": (pull.base.ref, draft.base),
    }
    return {name: new for name, (old, new) in wanted.items() if old.replace("\r\n", "\n") != new}


def _has_branch(found: GitHubRepository, branch: str) -> bool:
    from github import UnknownObjectException

    try:
        return found.get_branch(branch).name == branch
    except UnknownObjectException:
        return False


def _shown(pull: GitHubPull) -> PullRequest:
    state = PullState.MERGED if pull.merged_at else PullState(pull.state)
    return PullRequest(
        number=pull.number,
        url=pull.html_url,
        state=state,
        branch=pull.head.ref,
        base=pull.base.ref,
        title=pull.title,
        body=(pull.body or "").replace("\r\n", "\n"),
        draft=bool(pull.draft),
    )
