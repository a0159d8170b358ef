"""Histories as old programs wrote them, which nobody can change: fetched as plain git does, unless they can do harm."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import VcsRefused
from moonmind.ports.forge import Repository
from moonmind.settings import ambient_environment
from tests.support.git_http import askpass, git_server
from tests.support.git_repos import commit_to, git, make_bare, tip_of
from tests.support.vcs_scene import FILES, NAME, RUN, a_vcs

GOOD = b"A U Thor <a@example.org> 1700000000 +0000"

AUTHORS: dict[str, bytes] = {
    "no email": b"A U Thor 1700000000 +0000",
    "empty name": b"<a@example.org> 1700000000 +0000",
    "no name and no email": b"<> 1700000000 +0000",
    "no space before the email": b"A U Thor<a@example.org> 1700000000 +0000",
    "no space before the date": b"A U Thor <a@example.org>1700000000 +0000",
    "an email in an email": b"A <a <b@example.org> 1700000000 +0000",
    "a name with a bracket": b"A > Thor <a@example.org> 1700000000 +0000",
    "no date": b"A U Thor <a@example.org>",
    "a date in words": b"A U Thor <a@example.org> Thu Nov 4 +0000",
    "a date before all dates": b"A U Thor <a@example.org> -42 +0000",
    "a date beyond all dates": b"A U Thor <a@example.org> 18446744073709551617 +0000",
    "a date in a far year": b"A U Thor <a@example.org> 99999999999 +0000",
    "a date with zeros": b"A U Thor <a@example.org> 0001700000000 +0000",
    "no zone": b"A U Thor <a@example.org> 1700000000",
    "a zone of its own": b"A U Thor <a@example.org> 1700000000 +051800",
    "a zone in letters": b"A U Thor <a@example.org> 1700000000 CEST",
    "no letter of text": b"\xff\xfe <\xff> 1700000000 +0000",
}


def literally(bare: Path, kind: str, content: bytes) -> str:
    return git(bare, "hash-object", "-t", kind, "-w", "--literally", "--stdin", data=content).decode().strip()


def forge(folder: Path) -> tuple[Path, str]:
    bare = folder / "forge" / "acme" / "demo.git"
    make_bare(bare, {})
    return bare, commit_to(bare, "main", FILES, "Begin\n")


def tree_of(bare: Path, commit: str) -> bytes:
    return git(bare, "rev-parse", f"{commit}^{{tree}}").strip()


def put_on_top(bare: Path, content: bytes) -> str:
    commit = literally(bare, "commit", content)
    git(bare, "update-ref", "refs/heads/main", commit)
    return commit


def goes_the_whole_way(folder: Path, bare: Path) -> None:
    """Take the repository from a fetch to a push, as a run does."""
    vcs = a_vcs(folder / "state")
    repository = Repository(NAME, f"file://{bare}", "main")
    vcs.fetch(repository)
    start = vcs.branches(NAME)["main"]
    assert start == tip_of(bare, "main")
    assert "README.md" in {file.path for file in vcs.listing(NAME, start)}
    changed = vcs.changed_at(NAME, start, ".")
    assert changed is None or changed.tzinfo is UTC
    workspace = vcs.open_workspace(NAME, RUN, start)
    (workspace.path / "new.py").write_text("x\n")
    wip = vcs.capture(NAME, RUN, workspace).commit
    assert vcs.restore(NAME, RUN, start, vcs.patch(NAME, start, wip)) == wip
    when = datetime(2026, 1, 2, tzinfo=UTC)
    commit = vcs.commit(NAME, tree_of=wip, parent=start, replace={}, message="Add it\n", when=when)
    vcs.push(repository, "moonmind/x", commit, None)
    assert tip_of(bare, "moonmind/x") == commit


@pytest.mark.parametrize("role", ["author", "committer"])
@pytest.mark.parametrize("line", AUTHORS.values(), ids=AUTHORS)
@pytest.mark.in_every_run(8)
def test_an_odd_line_about_who_and_when_stops_nothing(tmp_path: Path, line: bytes, role: str) -> None:
    bare, parent = forge(tmp_path)
    author, committer = (line, GOOD) if role == "author" else (GOOD, line)
    put_on_top(
        bare,
        b"tree %b\nparent %b\nauthor %b\ncommitter %b\n\nOdd\n"
        % (tree_of(bare, parent), parent.encode(), author, committer),
    )
    if role == "author":  # one further down; a committer's date at the tip is read for the run's own commits
        commit_to(bare, "main", {"later.txt": "x\n"}, "Later\n")
    goes_the_whole_way(tmp_path, bare)


def two_authors(bare: Path, parent: str) -> None:
    tree = tree_of(bare, parent)
    put_on_top(
        bare,
        b"tree %b\nparent %b\nauthor %b\nauthor %b\ncommitter %b\n\nx\n" % (tree, parent.encode(), GOOD, GOOD, GOOD),
    )


def nul_in_the_message(bare: Path, parent: str) -> None:
    put_on_top(
        bare,
        b"tree %b\nparent %b\nauthor %b\ncommitter %b\n\na\0b\n" % (tree_of(bare, parent), parent.encode(), GOOD, GOOD),
    )


def zero_padded_mode(bare: Path, parent: str) -> None:
    blob = bytes.fromhex(git(bare, "rev-parse", f"{parent}:README.md").decode())
    inner = literally(bare, "tree", b"100644 f\0" + blob)
    tree = literally(bare, "tree", b"100644 README.md\0" + blob + b"040000 src\0" + bytes.fromhex(inner))
    put_on_top(
        bare, b"tree %b\nparent %b\nauthor %b\ncommitter %b\n\nx\n" % (tree.encode(), parent.encode(), GOOD, GOOD)
    )


def group_writable_mode(bare: Path, parent: str) -> None:
    blob = bytes.fromhex(git(bare, "rev-parse", f"{parent}:README.md").decode())
    tree = literally(bare, "tree", b"100664 README.md\0" + blob)
    put_on_top(
        bare, b"tree %b\nparent %b\nauthor %b\ncommitter %b\n\nx\n" % (tree.encode(), parent.encode(), GOOD, GOOD)
    )


def long_attributes(bare: Path, parent: str) -> None:
    commit_to(bare, "main", {".gitattributes": f"*.x {'a' * 4000}\n"}, "Attributes\n")


def attributes_that_are_a_link(bare: Path, parent: str) -> None:
    names = (".gitattributes", ".gitignore", ".mailmap")
    commit_to(bare, "main", dict.fromkeys(names, "README.md"), "Links\n", modes=dict.fromkeys(names, "120000"))


@pytest.mark.parametrize(
    "make",
    [
        two_authors,
        nul_in_the_message,
        zero_padded_mode,
        group_writable_mode,
        long_attributes,
        attributes_that_are_a_link,
    ],
)
def test_an_odd_commit_or_tree_stops_nothing(tmp_path: Path, make: Callable[[Path, str], None]) -> None:
    bare, parent = forge(tmp_path)
    make(bare, parent)
    goes_the_whole_way(tmp_path, bare)


@pytest.mark.parametrize("line", [AUTHORS["no email"], AUTHORS["a date in words"], AUTHORS["no space before the date"]])
def test_the_same_over_http(tmp_path: Path, line: bytes) -> None:
    bare, parent = forge(tmp_path)
    tree = tree_of(bare, parent)
    tip = put_on_top(bare, b"tree %b\nparent %b\nauthor %b\ncommitter %b\n\nx\n" % (tree, parent.encode(), line, line))
    with git_server(tmp_path / "forge", "a-token-0123456789") as server:
        environment = ambient_environment() | {"no_proxy": "*"}
        options = VcsOptions(
            tmp_path / "state", "http", lambda: askpass(tmp_path, "a-token-0123456789"), environment,
            host=f"127.0.0.1:{server.port}",
        )  # fmt: skip
        vcs = GitVcs(options)
        vcs.fetch(Repository(NAME, server.url("acme/demo.git"), "main"))
        assert vcs.branches(NAME) == {"main": tip}


MODULES = '[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n'


def entry(name: bytes, mode: bytes = b"100644") -> Callable[[bytes], bytes]:
    return lambda blob: mode + b" " + name + b"\0" + blob


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ((entry(b".git"),), "hasDotgit"),
        ((entry(b".GIT"),), "hasDotgit"),
        ((entry(b"git~1"),), "hasDotgit"),
        ((entry(b".."),), "hasDotdot"),
        ((entry(b"."),), "hasDot"),
        ((entry(b"a/b"),), "fullPathname"),
        ((entry(b"a"), entry(b"a")), "duplicateEntries"),
        ((entry(b"b"), entry(b"a")), "treeNotSorted"),
        ((entry(b".gitmodules", b"120000"),), "gitmodulesSymlink"),
    ],
)
def test_a_tree_that_can_do_harm_is_refused(
    tmp_path: Path, entries: tuple[Callable[[bytes], bytes], ...], word: str
) -> None:
    bare, parent = forge(tmp_path)
    blob = bytes.fromhex(git(bare, "rev-parse", f"{parent}:README.md").decode())
    tree = literally(bare, "tree", b"".join(make(blob) for make in entries))
    put_on_top(bare, b"tree %b\nauthor %b\ncommitter %b\n\nx\n" % (tree.encode(), GOOD, GOOD))
    with pytest.raises(VcsRefused, match=word):
        a_vcs(tmp_path / "state").fetch(Repository(NAME, f"file://{bare}", "main"))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"name": "../../evil"}, "gitmodulesName"),
        ({"url": "-u./payload"}, "gitmodulesUrl"),
        ({"path": "--upload-pack=touch x"}, "gitmodulesPath"),
    ],
)
def test_submodules_that_can_do_harm_are_refused(tmp_path: Path, values: dict[str, str], word: str) -> None:
    bare, _ = forge(tmp_path)
    text = MODULES.format(**{"name": "lib", "path": "lib", "url": "https://x.invalid/lib", **values})
    commit_to(bare, "main", {".gitmodules": text}, "Modules\n")
    with pytest.raises(VcsRefused, match=word):
        a_vcs(tmp_path / "state").fetch(Repository(NAME, f"file://{bare}", "main"))
