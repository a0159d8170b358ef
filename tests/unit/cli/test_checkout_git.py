"""A git work tree is read, and nothing that its configuration names is started."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from moonmind.cli.checkout_git import WorkTree
from moonmind.settings import ambient_environment
from tests.support.git_repos import git, make_bare

FILE = "specs/001-a/tasks.md"
CHANGED = datetime.fromtimestamp(1767225600, UTC)
"""When the tests' commits are made."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of `acme/rockets`."""
    make_bare(tmp_path / "acme" / "rockets.git", {FILE: "- [ ] T001 Write a.py\n"})
    git(tmp_path, "clone", "--quiet", str(tmp_path / "acme" / "rockets.git"), "clone")
    return tmp_path / "clone"


def tree_of(place: Path) -> WorkTree:
    found = WorkTree.around(place, ambient_environment())
    assert found is not None
    return found


def test_a_folder_outside_of_a_work_tree_has_none(tmp_path: Path) -> None:
    assert WorkTree.around(tmp_path, ambient_environment()) is None


def test_what_was_fetched_is_read_from_anywhere_in_the_tree(clone: Path) -> None:
    tree = tree_of(clone / "specs" / "001-a")
    assert tree.top == clone
    assert (tree.remote_of("acme/rockets"), tree.default_branch("origin")) == ("origin", "main")
    assert tree.fetched("origin", "main", FILE) == b"- [ ] T001 Write a.py\n"
    assert tree.fetched("origin", "main", "specs/002-b/tasks.md") is None
    assert tree.fetched("origin", "other", FILE) is None


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://github.com/Acme/Rockets.git", "acme/rockets"),
        ("https://user@github.example/acme/rockets/", "acme/rockets"),
        ("git@github.com:acme/rockets.git", "acme/rockets"),
        ("ssh://git@github.com:22/acme/rockets", "acme/rockets"),
        ("/srv/git/acme/rockets.git", "acme/rockets"),
        ("file:///srv/acme/rockets.git", "acme/rockets"),
    ],
)
def test_a_remote_is_known_by_the_end_of_its_address(clone: Path, url: str, name: str) -> None:
    git(clone, "remote", "set-url", "origin", url)
    assert tree_of(clone).remote_of(name) == "origin"
    assert tree_of(clone).remote_of("acme/other") is None


def test_of_several_remotes_origin_goes_first_and_any_counts(clone: Path) -> None:
    git(clone, "remote", "add", "a-copy", "https://github.com/acme/rockets.git")
    assert tree_of(clone).remote_of("acme/rockets") == "origin"
    git(clone, "remote", "set-url", "origin", "https://github.com/me/rockets.git")
    assert tree_of(clone).remote_of("acme/rockets") == "a-copy"


@pytest.mark.parametrize(
    "setting",
    [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.hooksPath",
        "credential.helper",
        "filter.x.smudge",
        "remote.origin.uploadpack",
        "alias.cat-file",
        "alias.log",
        "gpg.program",
        "gpg.ssh.program",
        "diff.external",
        "diff.x.textconv",
        "diff.x.command",
    ],
)
def test_no_program_of_the_configuration_is_started(clone: Path, tmp_path: Path, setting: str) -> None:
    mark = tmp_path / "started"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {mark}\n")
    program.chmod(0o755)
    git(clone, "config", setting, f"!{program}" if setting.startswith("alias") else str(program))
    git(clone, "config", "log.showSignature", "true")
    git(clone, "config", "log.follow", "true")
    git(clone, "config", "log.diffMerges", "on")
    (clone / ".gitattributes").write_text("* filter=x diff=x\n")
    (clone / ".git" / "info" / "attributes").write_text("* filter=x diff=x\n")
    # A clone that may fetch what it lacks, and lacks it.
    git(clone, "config", "remote.origin.promisor", "true")
    git(clone, "config", "remote.origin.url", f"ext::{program} x:acme/rockets")
    git(clone, "config", "core.repositoryFormatVersion", "1")
    git(clone, "config", "extensions.partialClone", "origin")
    missing = git(clone, "rev-parse", f"refs/remotes/origin/main:{FILE}").decode().strip()
    (clone / ".git" / "objects" / missing[:2] / missing[2:]).unlink()
    tree = tree_of(clone)
    assert tree.remote_of("acme/rockets") == "origin"
    assert tree.fetched("origin", "main", FILE) is None
    assert tree.changed_at("specs/001-a", 10) == CHANGED
    assert not mark.exists()


@pytest.mark.parametrize(
    ("folder", "seconds", "known"),
    [
        ("specs/001-a", 10, True),
        ("specs", 10, True),
        ("specs/*", 10, False),
        ("specs/002-b", 10, False),
        (".", 0, False),
    ],
)
def test_the_last_commit_of_a_folder_has_a_time(clone: Path, folder: str, seconds: float, known: bool) -> None:
    assert tree_of(clone).changed_at(folder, seconds) == (CHANGED if known else None)


def test_a_tree_that_is_broken_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    assert tree_of(tmp_path).remote_of("acme/rockets") is None
    assert tree_of(tmp_path).changed_at("specs", 10) is None
