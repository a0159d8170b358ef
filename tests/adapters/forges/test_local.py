import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import ForgeError, RepositoryUnavailable
from moonmind.ports.check import CheckStatus
from moonmind.ports.forge import PullRequestDraft
from moonmind.sample import source
from moonmind.settings import ambient_environment
from tests.support.git_repos import commit_to, git, log_of, make_bare, modes_of, tip_of, tree_of

NAME = "octo/docs"
SAMPLE = {"README.md": b"hello\n", "run.sh": b"#!/bin/sh\n", 'odd "name"\\ größe': b"", "data": bytes(range(256))}
DRAFT = PullRequestDraft("topic", "main", "Title", "Body", ("a", "b"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "local repositories 100%25"


def a_forge(folder: Path) -> LocalForge:
    return LocalForge(ForgeOptions(local_repos=folder, sample=lambda: SAMPLE, environment=ambient_environment()))


@pytest.fixture
def forge(folder: Path) -> LocalForge:
    return a_forge(folder)


def test_a_repository_is_made_from_the_sample_at_first_use(forge: LocalForge, folder: Path) -> None:
    found = forge.repository(NAME)
    bare = folder / "octo" / "docs.git"
    assert (found.full_name, found.default_branch, found.empty) == (NAME, "main", False)
    assert tree_of(bare, "main") == SAMPLE
    assert modes_of(bare, "main") == {name: "100755" if name == "run.sh" else "100644" for name in SAMPLE}
    (logged,) = log_of(bare, "main")
    assert (logged.author, logged.committed_at) == ("MoonMind <noreply@moonmind.invalid>", 1767225600)
    assert git(bare, "fsck", "--strict") == b""


def test_the_packaged_sample_becomes_the_same_commit_everywhere(tmp_path: Path) -> None:
    tips = set()
    for place in ("one", "two"):
        options = ForgeOptions(local_repos=tmp_path / place, sample=source.files, environment=ambient_environment())
        LocalForge(options).repository(NAME)
        tips.add(tip_of(tmp_path / place / "octo" / "docs.git", "main"))
        assert tree_of(tmp_path / place / "octo" / "docs.git", "main") == source.files()
    assert len(tips) == 1


def test_work_in_a_repository_outlives_the_next_look(forge: LocalForge, folder: Path) -> None:
    forge.repository(NAME)
    commit = commit_to(folder / "octo" / "docs.git", "main", {"new": "x"}, "Work")
    a_forge(folder).repository(NAME)
    assert tip_of(folder / "octo" / "docs.git", "main") == commit


def test_many_first_looks_make_one_repository(folder: Path) -> None:
    names = [NAME, "Octo/Docs", "OCTO/DOCS"] * 3
    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(lambda name: a_forge(folder).repository(name), names))
    assert len(found) == 1
    assert [path.name for path in folder.iterdir() if not path.name.startswith(".")] == [
        found.pop().full_name.split("/")[0]
    ]


def test_what_a_crash_left_half_made_is_made_again(forge: LocalForge, folder: Path) -> None:
    leftover = folder / "octo" / ".docs.git.x.building"
    leftover.mkdir(parents=True)
    (leftover / "HEAD").write_text("garbage")
    assert not forge.repository(NAME).empty
    assert not leftover.exists()


def test_git_finds_the_repository_by_its_url_whatever_the_folder_is_called(
    forge: LocalForge, folder: Path, tmp_path: Path
) -> None:
    found = forge.repository(NAME)
    vcs = GitVcs(VcsOptions(tmp_path / "state", forge.scheme, forge.git_environment, ambient_environment()))
    vcs.fetch(found)
    assert vcs.branches(NAME) == {"main": tip_of(folder / "octo" / "docs.git", "main")}


def test_a_link_that_leads_out_of_the_folder_is_no_repository(forge: LocalForge, folder: Path, tmp_path: Path) -> None:
    make_bare(tmp_path / "elsewhere" / "docs.git", {"secret": "x"})
    (folder / "octo").mkdir(parents=True)
    (folder / "octo" / "docs.git").symlink_to(tmp_path / "elsewhere" / "docs.git")
    with pytest.raises(RepositoryUnavailable, match="leads out"):
        forge.repository(NAME)
    (folder / "evil").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RepositoryUnavailable, match="leads out"):
        forge.repository("evil/docs")
    with pytest.raises(RepositoryUnavailable):
        forge.repository("evil/new")
    assert not (tmp_path / "elsewhere" / "new.git").exists()


def test_the_address_of_a_pull_request_names_no_place_on_this_machine(forge: LocalForge, folder: Path) -> None:
    forge.repository(NAME)
    commit_to(
        folder / "octo" / "docs.git", "topic", {"new": "x"}, "Work", start=tip_of(folder / "octo" / "docs.git", "main")
    )
    assert forge.ensure_pull_request(NAME, DRAFT).url == "local://octo/docs/pull/1"


def test_the_record_is_readable_and_counts_what_was_created(forge: LocalForge, folder: Path) -> None:
    bare = folder / "octo" / "docs.git"
    forge.repository(NAME)
    head = commit_to(bare, "topic", {"new": "x"}, "Work", start=tip_of(bare, "main"))
    for _ in range(3):
        forge.ensure_pull_request(NAME, DRAFT)
    assert json.loads((folder / "octo" / "docs.pulls.json").read_bytes()) == {
        "version": 1,
        "creates": 1,
        "pulls": [
            {
                "number": 1,
                "state": "open",
                "branch": "topic",
                "base": "main",
                "title": "Title",
                "body": "Body",
                "labels": ["a", "b"],
                "head": head,
                "draft": False,
            }
        ],
    }


def test_a_refused_draft_leaves_no_record(forge: LocalForge, folder: Path) -> None:
    forge.repository(NAME)
    with pytest.raises(ForgeError):
        forge.ensure_pull_request(NAME, DRAFT)
    assert not (folder / "octo" / "docs.pulls.json").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"creates": 1}', '{"creates": 1, "pulls": [{"number": 1}]}'])
def test_a_broken_record_is_an_error_that_names_it(forge: LocalForge, folder: Path, content: str) -> None:
    forge.repository(NAME)
    (folder / "octo" / "docs.pulls.json").write_text(content)
    with pytest.raises(ForgeError, match=r"docs\.pulls\.json") as caught:
        forge.pull_requests(NAME, "topic")
    assert "Correct the file" in caught.value.advice


def test_a_broken_repository_is_the_forges_error(forge: LocalForge, folder: Path) -> None:
    forge.repository(NAME)
    shutil.rmtree(folder / "octo" / "docs.git" / "objects")
    with pytest.raises(ForgeError):
        forge.repository(NAME)


def test_the_probe_is_skipped_with_a_reason(forge: LocalForge) -> None:
    (check,) = forge.check(NAME)
    assert (check.name, check.status) == ("github", CheckStatus.SKIPPED)
    assert "local forge" in check.message
    assert forge.git_environment() == {}


def test_where_one_sample_is_made_a_mistyped_name_is_refused_with_what_to_do(folder: Path) -> None:
    options = ForgeOptions(
        local_repos=folder,
        sample=lambda: SAMPLE,
        environment=ambient_environment(),
        sample_only=source.REPOSITORY,
    )
    forge = LocalForge(options)
    assert forge.repository(source.REPOSITORY).full_name == source.REPOSITORY
    with pytest.raises(RepositoryUnavailable, match="there is no repository moonmind/spec-kit-referense") as refused:
        forge.repository("moonmind/spec-kit-referense")
    assert "git init --bare" in refused.value.advice
    assert not (folder / "moonmind" / "spec-kit-referense.git").exists()
