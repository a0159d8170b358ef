import io
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from moonmind.adapters.vcs.archive import write_archive
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.adapters.vcs.work_tree import WorkTree
from moonmind.errors import VcsError
from moonmind.ports.vcs import Archived, Workspace
from moonmind.redact import Redactor
from moonmind.settings import ambient_environment
from tests.support.vcs_scene import NAME, RUN, Scene, a_scene

SECRET = "s3cr3t-Value-0123456789"  # made up


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


@pytest.fixture
def workspace(scene: Scene) -> Workspace:
    return scene.vcs.open_workspace(NAME, RUN, scene.start)


def a_git_vcs(scene: Scene) -> GitVcs:
    return GitVcs(VcsOptions(scene.state, "file", dict[str, str], ambient_environment(), Redactor([SECRET])))


def archived(scene: Scene, workspace: Workspace, *names: str) -> tuple[Archived, dict[str, bytes]]:
    file = io.BytesIO()
    return a_git_vcs(scene).archive(NAME, RUN, workspace, file, names=names or None), contents(file)


def written(
    scene: Scene, workspace: Workspace, names: Sequence[str], **limits: int
) -> tuple[Archived, dict[str, bytes]]:
    """Write an archive under limits that small files reach."""
    tree = WorkTree(a_git_vcs(scene)._git, workspace.git_dir, workspace.path)
    file = io.BytesIO()
    return write_archive(tree, [name.encode() for name in names], file, Redactor([SECRET]), **limits), contents(file)


def contents(file: io.BytesIO) -> dict[str, bytes]:
    file.seek(0)
    with tarfile.open(fileobj=file) as archive:
        found = {}
        for member in archive:
            content = archive.extractfile(member) if member.isreg() else None
            found[member.name] = content.read() if content is not None else b"->" + member.linkname.encode()
    return found


def test_everything_that_changed_is_in_it_but_what_tools_made(scene: Scene, workspace: Workspace) -> None:
    top = workspace.path
    (top / "README.md").write_text("changed\n")
    (top / "new.bin").write_bytes(bytes(range(256)))
    (top / "link").symlink_to("/etc/passwd")
    (top / "odd\udcff").write_text("odd\n")
    (top / "git~1").mkdir()
    (top / "git~1" / "config").write_text("x\n")
    (top / "node_modules").mkdir()
    (top / "node_modules" / "a.js").write_text("x\n")
    os.mkfifo(top / "pipe")
    said, found = archived(scene, workspace)
    assert found == {
        "README.md": b"changed\n",
        "new.bin": bytes(range(256)),
        "link": b"->/etc/passwd",
        "odd\udcff": b"odd\n",
        "git~1/config": b"x\n",
    }
    assert (said.files, said.dropped) == (5, 0)
    assert archived(scene, workspace) == (said, found)


def test_where_git_cannot_list_the_files_are_found_all_the_same(
    scene: Scene, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace.path / "src" / "app.py").write_text("changed\n")
    (workspace.path / "new.py").write_text("x\n")

    def broken(*_: object, **__: object) -> bytes:
        raise VcsError("git wrote too much output")

    monkeypatch.setattr("moonmind.adapters.vcs.work_tree.WorkTree.git", broken)
    assert {"src/app.py", "new.py"} <= set(archived(scene, workspace)[1])


@pytest.mark.parametrize(
    "encode",
    [str.encode, lambda text: b"\xff\x00" + text.encode() + b"\xfe", lambda text: f"a={text};b={text}".encode()],
)
def test_our_secrets_are_masked(scene: Scene, workspace: Workspace, encode: Callable[[str], bytes]) -> None:
    (workspace.path / "dump").write_bytes(b"before " + encode(SECRET) + b" after")
    _, found = archived(scene, workspace)
    assert SECRET.encode() not in found["dump"]
    assert found["dump"].startswith(b"before ")


def test_a_name_a_link_and_a_large_file_with_a_secret_are_dropped(scene: Scene, workspace: Workspace) -> None:
    (workspace.path / SECRET).write_text("x")
    (workspace.path / "link").symlink_to(f"/x/{SECRET}")
    (workspace.path / "large").write_bytes(b"x" * 55 + SECRET.encode() + b"x" * 300)
    (workspace.path / "fine").write_bytes(b"y" * 500)
    said, found = written(scene, workspace, [SECRET, "link", "large", "fine"], whole=64)
    assert (found, said.dropped) == ({"fine": b"y" * 500}, 3)


def test_it_holds_so_much_and_no_more(scene: Scene, workspace: Workspace) -> None:
    for name in ("a", "b", "c"):
        (workspace.path / name).write_bytes(b"x" * 400)
    with (workspace.path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    said, found = written(scene, workspace, ["a", "b", "c", "sparse"], limit=1000)
    assert (set(found), said) == ({"a", "b"}, Archived(2, 800, 2))


@pytest.mark.parametrize("place", ["/etc/passwd", "../../outside", "src/../../x", "link/f"])
def test_nothing_outside_of_the_folder_is_read(scene: Scene, workspace: Workspace, place: str) -> None:
    (workspace.path / "link").symlink_to(workspace.path.parent)
    (workspace.path.parent / "f").write_text("not yours")
    (workspace.path.parent.parent / "outside").write_text("not yours")
    assert archived(scene, workspace, place)[1] == {}
