"""Folders with odd files, names and bytes, and what becomes of each."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from moonmind.errors import VcsRefused
from moonmind.ports.vcs import Capture, Change, Workspace
from tests.support.git_repos import commit_to
from tests.support.vcs_scene import NAME, RUN, Scene, a_scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


@pytest.fixture
def workspace(scene: Scene) -> Workspace:
    return scene.vcs.open_workspace(NAME, RUN, scene.start)


def changes(scene: Scene, workspace: Workspace) -> dict[str, Change]:
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    return {change.path: change for change in scene.vcs.changes(NAME, scene.start, wip)}


def captured(scene: Scene, workspace: Workspace, *named: str) -> Capture:
    return scene.vcs.capture(NAME, RUN, workspace, named=named)


def content(scene: Scene, path: str) -> bytes | None:
    return scene.vcs.read(NAME, scene.vcs.wip(NAME, RUN) or "", path)


@pytest.mark.parametrize("attribute", ["ident", "working-tree-encoding=UTF-16LE", "filter=lfs", "-text", "binary"])
def test_bytes_are_taken_as_they_are_and_no_filter_runs(scene: Scene, workspace: Workspace, attribute: str) -> None:
    raw = b"one\r\ntwo\n$Id: 1$\r\n\xff\xfe"
    (workspace.path / ".gitattributes").write_text(f"* {attribute}\n")
    (workspace.path / "raw.txt").write_bytes(raw)
    changes(scene, workspace)
    assert content(scene, "raw.txt") == raw


@pytest.mark.parametrize(
    ("attributes", "name", "before", "written", "taken"),
    [
        ("* text=auto", "a.txt", None, b"one\r\ntwo\r\n", b"one\ntwo\n"),
        ("* text", "a.txt", None, b"one\r\ntwo\n", b"one\ntwo\n"),
        ("*.bat text eol=crlf", "a.bat", None, b"one\r\n", b"one\n"),
        ("*.sh eol=lf", "a.sh", None, b"one\r\n", b"one\n"),
        ("* crlf", "a.txt", None, b"one\r\n", b"one\n"),
        ("* text=auto\n*.txt -text", "a.txt", None, b"one\r\n", b"one\r\n"),
        ("* text=auto", "a.bin", None, b"one\r\n\0two\r\n", b"one\r\n\0two\r\n"),
        ("*.md text", "a.txt", None, b"one\r\n", b"one\r\n"),
        # Line ends that a file had already stay under `auto`, as git leaves them, and not where `text` is set.
        ("* text=auto", "a.txt", b"one\r\n", b"one\r\ntwo\r\n", b"one\r\ntwo\r\n"),
        ("* text", "a.txt", b"one\r\n", b"one\r\ntwo\r\n", b"one\ntwo\n"),
        ("* text=auto", "a.txt", b"one\n", b"one\r\ntwo\r\n", b"one\ntwo\n"),
    ],
)
def test_line_ends_are_taken_as_git_takes_them(
    scene: Scene, attributes: str, name: str, before: bytes | None, written: bytes, taken: bytes
) -> None:
    files: dict[str, bytes | str] = {".gitattributes": f"{attributes}\n", "old.txt": b"untouched\r\n"}
    start = commit_to(scene.bare, "main", files | ({} if before is None else {name: before}), "Attributes")
    scene.vcs.fetch(scene.repository)
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    (workspace.path / name).write_bytes(written)
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    assert scene.vcs.read(NAME, wip, name) == taken
    assert [change.path for change in scene.vcs.changes(NAME, start, wip)] == [name], "what is untouched stays as it is"
    assert scene.vcs.capture(NAME, RUN, workspace).commit == wip


def test_line_ends_of_many_files_with_long_names_are_taken(scene: Scene, workspace: Workspace) -> None:
    (workspace.path / ".gitattributes").write_text("* text=auto\n")
    names = [f"{'x' * 200}-{number}.txt" for number in range(1200)]
    for name in names:
        (workspace.path / name).write_bytes(b"one\r\n")
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    files = {file.path: file.size for file in scene.vcs.listing(NAME, wip)}
    assert {files[name] for name in names} == {len(b"one\n")}


def test_attributes_that_the_change_brings_count_and_their_programs_do_not_run(
    scene: Scene, workspace: Workspace
) -> None:
    (workspace.path / ".gitattributes").write_text("*.txt text filter=evil\n*.bin filter=lfs -text\n[attr]x text\n")
    (workspace.path / "sub").mkdir()
    (workspace.path / "sub/.gitattributes").write_text("*.txt -text\n")
    for name in ("a.txt", "sub/a.txt", "b.bin"):
        (workspace.path / name).write_bytes(b"one\r\n")
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    assert [content(scene, name) for name in ("a.txt", "sub/a.txt", "b.bin")] == [b"one\n", b"one\r\n", b"one\r\n"]
    paths = ["a.txt", "sub/a.txt", "b.bin", "README.md", "odd\nname"]
    assert scene.vcs.attributes(NAME, wip, paths, ("filter", "text")) == {
        "a.txt": {"filter": "evil", "text": "set"},
        "sub/a.txt": {"filter": "evil", "text": "unset"},
        "b.bin": {"filter": "lfs", "text": "unset"},
    }
    assert scene.vcs.attributes(NAME, scene.start, paths, ("filter",)) == {}


def test_attributes_of_the_repository_change_no_byte_on_the_way_out(scene: Scene) -> None:
    files = {".gitattributes": "* text eol=crlf filter=evil ident\n", "a.txt": "x\n$Id$\n"}
    start = commit_to(scene.bare, "main", files, "Attributes")
    scene.vcs.fetch(scene.repository)
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    assert (workspace.path / "a.txt").read_bytes() == b"x\n$Id$\n"
    assert scene.vcs.changes(NAME, start, scene.vcs.capture(NAME, RUN, workspace).commit) == ()


def test_links_are_taken_as_links_and_never_followed(scene: Scene, workspace: Workspace, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    (secret / "deep").mkdir(parents=True)
    (secret / "app.py").write_text("not yours")
    shutil.rmtree(workspace.path / "src")
    (workspace.path / "src").symlink_to(secret)
    (workspace.path / "passwd").symlink_to("/etc/passwd")
    (workspace.path / "odd").symlink_to(b"\xff\n..".decode("utf-8", "surrogateescape"))
    seen = changes(scene, workspace)
    assert {path: (change.status, change.link_target) for path, change in seen.items()} == {
        "src": ("A", str(secret)),
        "src/app.py": ("D", None),
        "passwd": ("A", "/etc/passwd"),
        "odd": ("A", "\\xff\n.."),
    }


def test_the_folder_itself_must_still_be_a_folder(scene: Scene, workspace: Workspace, tmp_path: Path) -> None:
    shutil.move(workspace.path, tmp_path / "moved")
    with pytest.raises(VcsRefused, match="folder is gone"):
        scene.vcs.capture(NAME, RUN, workspace)
    workspace.path.symlink_to(tmp_path / "moved")
    with pytest.raises(VcsRefused, match="folder is gone"):
        scene.vcs.capture(NAME, RUN, workspace)
    assert scene.vcs.find_workspace(NAME, RUN) is None
    again = scene.vcs.open_workspace(NAME, RUN, scene.start)
    assert not again.path.is_symlink()
    assert (tmp_path / "moved" / "README.md").exists(), "what the link pointed to is not touched"


@pytest.mark.parametrize(
    ("size", "named"), [(50 * 1024 * 1024 + 1, True), (10 * 1024 * 1024 + 1, False), (1 << 40, True)]
)
def test_a_huge_file_is_left_out_with_its_size_and_not_stored(
    scene: Scene, workspace: Workspace, size: int, named: bool
) -> None:
    with (workspace.path / "huge.bin").open("wb") as file:
        file.truncate(size)
    (workspace.path / "new.py").write_text("x\n")
    (left,) = captured(scene, workspace, "huge.bin" if named else "new.py").left_out
    assert (left.path, left.rule) == ("huge.bin", "size")
    assert f"it has {size} bytes" in left.words
    assert set(changes(scene, workspace)) == {"new.py"}
    (workspace.path / "huge.bin").rename(workspace.path / "huge.log")
    assert captured(scene, workspace).left_out == (), "ignored files may be of any size"


def test_a_large_file_that_a_task_names_is_taken(scene: Scene, workspace: Workspace) -> None:
    with (workspace.path / "data.bin").open("wb") as file:
        file.truncate(11 * 1024 * 1024)
    assert captured(scene, workspace, "data.bin").left_out == ()
    assert scene.vcs.changes(NAME, scene.start, scene.vcs.wip(NAME, RUN) or "") != ()


@pytest.mark.parametrize("mode", [stat.S_IFIFO, stat.S_IFSOCK])
def test_what_is_no_file_is_left_out_and_its_place_stays_as_it_was(
    scene: Scene, workspace: Workspace, mode: int
) -> None:
    os.mknod(workspace.path / "odd", mode | 0o600)
    assert changes(scene, workspace) == {}
    (workspace.path / "README.md").unlink()
    os.mknod(workspace.path / "README.md", mode | 0o600)
    (workspace.path / "new").write_text("x")
    (left,) = captured(scene, workspace).left_out
    assert (left.path, left.rule) == ("README.md", "special")
    assert set(changes(scene, workspace)) == {"new"}


@pytest.mark.parametrize("name", ["two\nlines", "größe", "a b", " lead", "-dash", ":(top)x", "*", '"q"', "a\tb", "\\n"])
def test_any_name_that_is_text_is_taken(scene: Scene, workspace: Workspace, name: str) -> None:
    (workspace.path / name).write_text("x\n")
    (change,) = changes(scene, workspace).values()
    assert (change.path, change.added) == (name, 1)
    assert content(scene, name) == b"x\n"


@pytest.mark.parametrize("name", ["caf\udce9", "\udcff\udcfe", "folder\udc80/file", "half\udce2\udc82"])
def test_a_name_that_is_no_text_is_left_out_and_the_rest_is_taken(
    scene: Scene, workspace: Workspace, name: str
) -> None:
    (workspace.path / name).parent.mkdir(exist_ok=True)
    (workspace.path / name).write_text("x")
    (workspace.path / "new").write_text("x")
    (left,) = captured(scene, workspace).left_out
    assert (left.rule, "\\x" in left.path) == ("name", True)
    left.path.encode()
    assert set(changes(scene, workspace)) == {"new"}


def test_a_name_that_is_no_text_on_the_base_stays_as_it_was(scene: Scene) -> None:
    start = commit_to(scene.bare, "main", {"a\udce9": "1\n", "b\udce9": "1\n"}, "Odd")
    scene.vcs.fetch(scene.repository)
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    assert captured(scene, workspace).left_out == ()
    (workspace.path / "a\udce9").write_text("2\n")
    (workspace.path / "new").write_text("x")
    taken = captured(scene, workspace)
    assert [left.path for left in taken.left_out] == ["a\\xe9"]
    assert {change.path for change in scene.vcs.changes(NAME, start, taken.commit)} == {"new"}


def test_a_tracked_file_that_the_rules_ignore_is_still_watched(scene: Scene) -> None:
    start = commit_to(scene.bare, "main", {"kept.log": "1\n"}, "Kept")
    scene.vcs.fetch(scene.repository)
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    (workspace.path / "kept.log").write_text("2\n")
    (workspace.path / ".gitignore").write_text("*\n")
    wip = scene.vcs.capture(NAME, RUN, workspace).commit
    assert {change.path for change in scene.vcs.changes(NAME, start, wip)} == {"kept.log", ".gitignore"}


def test_a_folder_and_a_file_may_change_places(scene: Scene, workspace: Workspace) -> None:
    shutil.rmtree(workspace.path / "src")
    (workspace.path / "src").write_text("now a file\n")
    (workspace.path / "README.md").unlink()
    (workspace.path / "README.md").mkdir()
    (workspace.path / "README.md" / "x").write_text("now a folder\n")
    seen = {path: change.status for path, change in changes(scene, workspace).items()}
    assert seen == {"README.md": "D", "README.md/x": "A", "src": "A", "src/app.py": "D"}
