"""A whole GitHub on loopback under one origin: the emulated API below /api/v3, and git's own server beside it.

The API is `tests.support.github_emulator`; what it lacks is done here as GitHub does it: tokens of every kind, drafts, renamed,
archived, hidden and empty repositories, pull requests that close with their branch. What is pushed by git is copied into
the emulator, whose commits have names of their own.
"""

import base64
import contextlib
import re
import secrets
import string
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support import git_repos
from tests.support.github_emulator import Emulator, emulator
from tests.support.github_front import Front

MANY = [f"acme/demo-{number}" for number in range(60)]
"""Names for the repositories of tests that share a site."""


def a_token() -> str:
    """Make up a token that looks like a classic one."""
    return "ghp_" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(36))


@dataclass
class Token:
    """What one token is good for."""

    scopes: str | None = "repo, workflow"
    """None: a fine-grained token, for which GitHub lists no scopes."""
    may_push: bool = True
    may_open: bool = True
    """May open pull requests."""
    expires: str | None = None
    expired: bool = False
    hidden: frozenset[str] = frozenset()
    """Repositories that it does not see."""
    is_user: bool = True
    """False: an installation's token, which may not ask who it is."""


@dataclass
class Fault:
    """What becomes of the next requests that it fits."""

    method: str
    path: re.Pattern[str]
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    cut: str | None = None
    """`before` or `after`: the connection ends without an answer, before or after the request was carried out."""
    seconds: float = 0.0

    def fits(self, method: str, path: str) -> bool:
        return self.method in {method, "*"} and bool(self.path.search(path))


@dataclass(frozen=True)
class Asked:
    """A request that was made."""

    method: str
    path: str
    status: int
    token: str


@dataclass
class GitHub:
    """The site, and what people and GitHub itself do there."""

    folder: Path
    emulator: Emulator
    token: str
    tokens: dict[str, Token]
    names: list[str]
    port: int = 0
    down: bool = False
    """Every request is answered as by a proxy whose servers are gone."""
    renamed: dict[str, str] = field(default_factory=dict)
    archived: set[str] = field(default_factory=set)
    private: set[str] = field(default_factory=set)
    empty: set[str] = field(default_factory=set)
    without_drafts: set[str] = field(default_factory=set)
    """Repositories whose plan has no draft pull requests."""
    drafts: set[str] = field(default_factory=set)
    """The emulator's addresses of the pull requests that are drafts; it knows none itself."""
    faults: list[Fault] = field(default_factory=list)
    requests: list[Asked] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    created: dict[str, int] = field(default_factory=dict)
    taken: int = 0
    _copied: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.origin}/api/v3"

    @property
    def settings(self) -> dict[str, str]:
        """Return what lets MoonMind find this GitHub."""
        return {"GH_TOKEN": self.token, "GITHUB_API_URL": self.api_url, "GITHUB_SERVER_URL": self.origin}

    def twin(self, name: str) -> str:
        """Return the name that a repository was seeded with; raises KeyError where there is none."""
        old = {new.casefold(): old for old, new in self.renamed.items()}
        known = {seeded.casefold(): seeded for seeded in self.names}
        return {**known, **old}[name.casefold()]

    def bare(self, name: str) -> Path:
        return self.folder / "git" / f"{self.twin(name)}.git"

    # --- what people do

    def push(self, name: str, branch: str, files: Mapping[str, str], message: str = "A person's change") -> str:
        """Commit on a branch, begun at main where it is new."""
        bare = self.bare(name)
        commit = git_repos.commit_to(bare, branch, files, message, start=git_repos.tip_of(bare, "main"))
        self.copy(name)
        return commit

    def merge(self, name: str, branch: str) -> None:
        """Merge a branch, by its open pull request where it has one."""
        git_repos.merge(self.bare(name), branch, "main")
        opened = [
            pull["number"] for pull in self.pulls(name) if pull["head"]["ref"] == branch and pull["state"] == "open"
        ]
        if opened:
            done = self.emulator.ask("PUT", f"/repos/{self.twin(name)}/pulls/{opened[0]}/merge", {})
            assert done.status_code == 200, done.text
        else:
            # The branch's very commit: one made again from its files is another one as soon as the clock has moved on.
            twin = f"/repos/{self.twin(name)}"
            tip = self.emulator.ask("GET", f"{twin}/git/ref/heads/{branch}").json()["object"]["sha"]
            done = self.emulator.ask("PATCH", f"{twin}/git/refs/heads/main", {"sha": tip, "force": True})
            assert done.status_code == 200, done.text
        with self.lock:
            self._copied[self.twin(name)]["main"] = self._tree(name, "main")
        self.copy(name)

    def delete(self, name: str, branch: str) -> None:
        git_repos.delete_branch(self.bare(name), branch)
        self.copy(name)

    def rename(self, old: str, new: str) -> None:
        self.renamed[old] = new

    def pulls(self, name: str) -> list[dict[str, Any]]:
        """List all pull requests, newest first."""
        return list(self.emulator.ask("GET", f"/repos/{self.twin(name)}/pulls?state=all&per_page=100").json())

    def creates(self, name: str) -> int:
        """Count the pull requests that were ever created, whoever got the answer."""
        return self.created.get(self.twin(name), 0)

    def files(self, name: str, branch: str) -> dict[str, bytes]:
        """Read a branch as git has it."""
        return git_repos.tree_of(self.bare(name), branch)

    # --- what goes wrong

    def fail(self, method: str, path: str, status: int, *, times: int = 1, body: Any = None, **headers: str) -> None:
        """Answer the next requests that fit with a status instead of carrying them out."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fault = Fault(method, re.compile(path), times, status, named, body if body is not None else {"message": "no"})
        with self.lock:
            self.faults.append(fault)

    def cut(self, method: str, path: str, *, after: bool = True, times: int = 1) -> None:
        """End the connection of the next requests that fit, after or before they are carried out."""
        with self.lock:
            self.faults.append(Fault(method, re.compile(path), times, cut="after" if after else "before"))

    def slow(self, method: str, path: str, seconds: float, times: int = 1) -> None:
        """Keep the next requests that fit waiting."""
        with self.lock:
            self.faults.append(Fault(method, re.compile(path), times, seconds=seconds))

    def fault_for(self, method: str, path: str) -> Fault | None:
        with self.lock:
            found = next((fault for fault in self.faults if fault.fits(method, path)), None)
            if found is not None:
                found.times -= 1
                if found.times <= 0:
                    self.faults.remove(found)
        if found is not None and found.seconds:
            time.sleep(found.seconds)
        return found

    # --- the copy

    def copy(self, name: str) -> None:
        """Bring the emulator's branches up to git's, and close what lost its branch."""
        twin = self.twin(name)
        with self.lock:
            copied = self._copied.setdefault(twin, {})
            bare = self.folder / "git" / f"{twin}.git"
            listed = git_repos.git(bare, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").decode().split()
            if listed:
                self.empty.discard(twin)
            for branch in sorted(listed, key=lambda one: one != "main"):
                self._copy_branch(twin, branch, copied)
            for branch in set(copied) - set(listed):
                self._close(twin, branch)
                del copied[branch]

    def _copy_branch(self, twin: str, branch: str, copied: dict[str, dict[str, str]]) -> None:
        wanted = self._tree(twin, branch)
        if branch not in copied:
            main = self.emulator.ask("GET", f"/repos/{twin}/git/ref/heads/main").json()["object"]["sha"]
            made = self.emulator.ask("POST", f"/repos/{twin}/git/refs", {"ref": f"refs/heads/{branch}", "sha": main})
            assert made.status_code == 201, made.text
            copied[branch] = dict(copied.get("main", {}))
        for path, blob in wanted.items():
            if copied[branch].get(path) == blob:
                continue
            content = git_repos.git(self.folder / "git" / f"{twin}.git", "cat-file", "blob", blob)
            body = {"message": "as in git", "content": base64.b64encode(content).decode(), "branch": branch}
            if path in copied[branch]:
                body["sha"] = copied[branch][path]
            done = self.emulator.ask("PUT", f"/repos/{twin}/contents/{path}", body)
            assert done.status_code == 200, f"{path}: {done.text}"
            copied[branch][path] = blob

    def _close(self, twin: str, branch: str) -> None:
        for pull in self.pulls(twin):
            if pull["head"]["ref"] == branch and pull["state"] == "open":
                self.emulator.ask("PATCH", f"/repos/{twin}/pulls/{pull['number']}", {"state": "closed"})
        self.emulator.ask("DELETE", f"/repos/{twin}/git/refs/heads/{branch}")

    def _tree(self, name: str, branch: str) -> dict[str, str]:
        listed = git_repos.git(self.bare(name), "ls-tree", "-r", "-z", branch).decode()
        rows = (entry.split("\t", 1) for entry in listed.split("\0") if entry)
        return {path: head.split()[2] for head, path in rows}


@contextmanager
def github(folder: Path, repositories: Mapping[str, Mapping[str, str]]) -> Iterator[GitHub]:
    """Serve a GitHub with these repositories, files by path; one without files is empty."""
    bares = folder / "git"
    for name, files in repositories.items():
        git_repos.make_bare(bares / f"{name}.git", files)
        git_repos.git(bares / f"{name}.git", "config", "http.receivepack", "true")
    with emulator(folder / "emulator", repositories) as emulated, contextlib.ExitStack() as stack:
        token = a_token()
        made = GitHub(folder, emulated, token, {token: Token()}, list(repositories))
        for name, files in repositories.items():
            if files:
                made._copied[name] = {"main": made._tree(name, "main")}
            else:
                made.empty.add(name)
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Front,), {"site": made}))
        server.daemon_threads = True
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        stack.callback(server.server_close)
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        yield made


def holder(site: GitHub, **rights: Any) -> str:
    """Return a new token with these rights."""
    token = a_token()
    site.tokens[token] = Token(**rights)
    return token


def take(site: GitHub) -> str:
    """Return one of MANY that no other test has."""
    with site.lock:
        site.taken += 1
        return MANY[site.taken - 1]
