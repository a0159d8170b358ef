"""Fetching and pushing over HTTP with a token, against git's own server."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import BranchMoved, PushRejected, VcsDenied, VcsError, VcsRefused, VcsUnreachable
from moonmind.ports.forge import Repository
from moonmind.redact import Redactor
from moonmind.settings import ambient_environment
from tests.support.git_http import GitServer, askpass, git_server
from tests.support.git_repos import commit_to, git, install_hook, make_bare, tip_of
from tests.support.vcs_scene import NAME, RUN

TOKEN = "very-secret-token-0123456789"  # made up


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    place = tmp_path / "forge" / "acme" / "demo.git"
    make_bare(place, {"README.md": "hello\n"})
    git(place, "config", "http.receivepack", "true")
    return place


@pytest.fixture
def server(bare: Path) -> Iterator[GitServer]:
    with git_server(bare.parent.parent, TOKEN) as served:
        yield served


@pytest.fixture
def repository(server: GitServer) -> Repository:
    return Repository(NAME, server.url("acme/demo.git"), "main")


@pytest.fixture
def with_token(tmp_path: Path, server: GitServer) -> Callable[[str], GitVcs]:
    def build(token: str) -> GitVcs:
        environment = ambient_environment() | {"no_proxy": "*"}
        return GitVcs(
            VcsOptions(
                tmp_path / "state",
                "http",
                lambda: askpass(tmp_path, token),
                environment,
                Redactor([token]),
                host=f"127.0.0.1:{server.port}",
            )
        )

    return build


@pytest.fixture
def vcs(with_token: Callable[[str], GitVcs], repository: Repository) -> GitVcs:
    made = with_token(TOKEN)
    made.fetch(repository)
    return made


def work(vcs: GitVcs) -> tuple[str, str]:
    start = vcs.branches(NAME)["main"]
    workspace = vcs.open_workspace(NAME, RUN, start)
    (workspace.path / "data.bin").write_bytes(bytes(range(256)) * 8000)
    return start, vcs.capture(NAME, RUN, workspace).commit


def test_a_token_fetches_and_pushes_and_is_kept_nowhere(
    vcs: GitVcs, server: GitServer, repository: Repository, bare: Path, tmp_path: Path
) -> None:
    _, commit = work(vcs)
    vcs.push(repository, "moonmind/x", commit, None)
    vcs.push(repository, "moonmind/x", commit, None)
    assert tip_of(bare, "moonmind/x") == commit
    vcs.fetch(repository)
    assert vcs.branches(NAME)["moonmind/x"] == commit
    kept = b"".join(path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file())
    assert TOKEN.encode() not in kept
    assert not [line for line in server.asked if TOKEN in line]


def test_a_wrong_token_is_denied(
    with_token: Callable[[str], GitVcs], vcs: GitVcs, repository: Repository, server: GitServer
) -> None:
    _, commit = work(vcs)
    stranger = with_token("another-secret-token-0123456789")
    with pytest.raises(VcsDenied):
        stranger.fetch(repository)
    with pytest.raises(VcsDenied):
        stranger.push(repository, "moonmind/x", commit, None)


def test_a_token_without_the_right_to_push_is_rejected_with_the_forges_words(
    vcs: GitVcs, server: GitServer, repository: Repository
) -> None:
    _, commit = work(vcs)
    server.may_push = False
    with pytest.raises(PushRejected, match="the token may not push moonmind/x") as caught:
        vcs.push(repository, "moonmind/x", commit, None)
    assert "this token may not push" in caught.value.details["stderr"]


def test_a_protected_branch_and_a_moved_one_are_told_apart(vcs: GitVcs, repository: Repository, bare: Path) -> None:
    start, commit = work(vcs)
    install_hook(bare, "update", "echo protected by order >&2; exit 1")
    with pytest.raises(PushRejected) as caught:
        vcs.push(repository, "moonmind/x", commit, None)
    assert "protected by order" in caught.value.details["stderr"]
    theirs = commit_to(bare, "moonmind/x", {"human": "1"}, "Mine", start=start)
    with pytest.raises(BranchMoved) as moved:
        vcs.push(repository, "moonmind/x", commit, None)
    assert moved.value.details["found"] == theirs


def test_git_talks_to_the_configured_host_only(vcs: GitVcs, repository: Repository, server: GitServer) -> None:
    asked = len(server.asked)
    for url in (
        "http://localhost:1/acme/demo.git",
        "http://127.0.0.1/acme/demo.git",
        "file:///etc",
        "https://127.0.0.1/x",
    ):
        with pytest.raises(VcsRefused, match="git may"):
            vcs.fetch(replace(repository, clone_url=url))
    assert len(server.asked) == asked


def test_a_redirect_takes_the_token_nowhere(
    vcs: GitVcs, repository: Repository, server: GitServer, tmp_path: Path
) -> None:
    with git_server(tmp_path / "forge", TOKEN) as elsewhere:
        server.redirect = elsewhere.url("")
        with pytest.raises(VcsError):
            vcs.fetch(repository)
        assert elsewhere.asked == []


def test_a_server_that_is_away_is_an_outage(vcs: GitVcs, repository: Repository, server: GitServer) -> None:
    server.broken = True
    with pytest.raises(VcsUnreachable) as caught:
        vcs.fetch(repository)
    assert (caught.value.retryable, caught.value.outage) == (True, True)
