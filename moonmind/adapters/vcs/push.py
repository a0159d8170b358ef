"""Publishes a commit as a branch, only ever forward, and only from where the run last saw the branch."""

import re

from moonmind.adapters.git import Git
from moonmind.adapters.process import Completed
from moonmind.adapters.vcs.mirrors import Mirrors, object_name
from moonmind.adapters.vcs.objects import Objects
from moonmind.adapters.vcs.push_refusals import refusal
from moonmind.errors import BranchMoved, VcsRefused
from moonmind.ports.forge import Repository

_REFUSED = re.compile(r"^!\t[^\t]*\t(?P<summary>.*)$", re.MULTILINE)


class Publisher:
    """Pushes from the mirror."""

    def __init__(self, git: Git, mirrors: Mirrors, objects: Objects) -> None:
        self._git, self._mirrors, self._objects = git, mirrors, objects

    def push(self, repository: Repository, branch: str, commit: str, expected: str | None) -> None:
        """Publish a commit as a branch if that is still at `expected`, or at the commit already."""
        name, url = repository.full_name, self._mirrors.url(repository)
        mirror, ref = self._mirrors.existing(name), self._ref(branch)
        if expected is not None and not self._objects.is_ancestor(mirror, expected, commit):
            raise VcsRefused(f"{commit} is not based on {expected}: {branch} would lose published commits")
        done = self._git.run(
            "push", "--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no",
            f"--force-with-lease={ref}:{expected or ''}", "--end-of-options", url, f"{object_name(commit)}:{ref}",
            git_dir=mirror, environment=self._mirrors.credentials(), network=True, accept=(0, 1, 128),
        )  # fmt: skip
        if done.exit_code != 0:
            self._explain(done, mirror_url=url, repository=repository, branch=branch, commit=commit, expected=expected)
        self._mirrors.note_pushed(name, branch, commit)

    def tip(self, repository: Repository, branch: str) -> str | None:
        """Ask the forge where a branch is now."""
        listed = self._git.run(
            "ls-remote", "--refs", "--end-of-options", self._mirrors.url(repository), self._ref(branch),
            git_dir=self._mirrors.existing(repository.full_name),
            environment=self._mirrors.credentials(), network=True,
        )  # fmt: skip
        rows = (line.split("\t") for line in listed.text.splitlines())
        return next((commit for commit, ref in rows if ref == f"refs/heads/{branch}"), None)

    def _explain(
        self,
        done: Completed,
        *,
        mirror_url: str,
        repository: Repository,
        branch: str,
        commit: str,
        expected: str | None,
    ) -> None:
        """Return only if the branch is at the commit all the same."""
        failure = self._git.failure("push", done, network=True)
        refused = _REFUSED.search(done.text)
        if refused is None:
            raise refusal(failure, branch, summary=None)
        found = self.tip(repository, branch)
        if found == commit:
            return
        if found != expected:
            raise BranchMoved(
                f"{branch} is at {found or 'nothing: it was deleted'}, the run started from {expected or 'no such branch'}",
                branch=branch,
                found=found,
                expected=expected,
            )
        raise refusal(failure, branch, summary=refused["summary"], url=mirror_url)

    def _ref(self, branch: str) -> str:
        ref = f"refs/heads/{branch}"
        if branch.startswith("-") or self._git.run("check-ref-format", ref, git_dir=None, accept=(0, 1)).exit_code != 0:
            raise VcsRefused(f"not a branch name: {branch[:200]!r}")
        return ref
