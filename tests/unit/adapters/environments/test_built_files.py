"""What a build made, as it is found and kept."""

import os
import socket
import stat
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.environments import built_files
from moonmind.adapters.environments.built_files import checkout_of, find_made, take
from moonmind.adapters.environments.environment_record import BuiltFiles
from moonmind.errors import EnvironmentRefused
from tests.support.built_environments import CHECKOUT, MADE, everything, write
from tests.support.trees import deepen


class Site:
    """A checkout and a home in which a build works."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.workspace, self.home = folder / "workspace", folder / "home"
        self.workspace.mkdir()
        self.home.mkdir()
        write(self.workspace, CHECKOUT)
        self.checkout = checkout_of(self.workspace)

    def settle(self, ignored: Callable[[list[str]], set[str]] = everything) -> BuiltFiles:
        self.found = find_made(self.workspace, self.checkout, ignored)
        return take(self.found, self.workspace, self.home, self.folder / "folders", self.folder / "copied")

    def lent(self, path: str) -> Path:
        """Return where a path of the checkout is now, of which a folder is lent."""
        for number, folder in enumerate(self.found.folders):
            if path == folder or path.startswith(f"{folder}/"):
                return self.folder / "folders" / str(number) / path[len(folder) + 1 :]
        return self.folder / "copied" / str(self.found.copied.index(path))

    def left(self) -> set[str]:
        """List what is lent, by its path in the checkout."""
        left = set()
        for top, paths in (("folders", self.found.folders), ("copied", self.found.copied)):
            assert {path.name for path in (self.folder / top).iterdir()} == {str(n) for n in range(len(paths))}
            for number, path in enumerate(paths):
                place = self.folder / top / str(number)
                left |= {
                    path + str(found)[len(str(place)) :]
                    for found in [place, *place.rglob("*")]
                    if not _plain_folder(found)
                }
        assert not self.workspace.exists()
        return left


def _plain_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_new_folders_are_lent_and_nothing_else_is_kept(site: Site) -> None:
    write(site.folder, MADE)
    write(site.workspace, {"src/app.py": "changed\n", "src/__pycache__/app.pyc": "x", ".git/config": "x"})
    found = site.settle()
    assert found.folders == (".venv", "node_modules", "packages/web/node_modules")
    assert (found.copied, found.left_out) == ((), ())
    lent = {path.removeprefix("workspace/") for path in MADE if path.startswith("workspace/")}
    assert site.left() == lent


def test_taking_again_finds_the_same(site: Site) -> None:
    write(site.folder, MADE)
    write(site.workspace, {"local.cfg": "a"})
    first = site.settle()
    again = take(site.found, site.workspace, site.home, site.folder / "folders", site.folder / "copied")
    assert again == first


def test_what_no_rule_hides_is_left_out_and_named(site: Site) -> None:
    write(site.workspace, {"reports/new.md": "x", "notes": "x", "local.cfg": "x", "dist/a": "x"})
    (site.workspace / "current").symlink_to("dist")
    found = site.settle(lambda paths: {"dist/", "local.cfg", "current"} & set(paths))
    assert (found.folders, found.copied) == (("dist",), ("current", "local.cfg"))
    assert found.left_out == ("notes", "reports/")
    assert site.left() == {"dist/a", "local.cfg", "current"}


def test_everything_can_be_read_and_no_program_changes_its_user(site: Site) -> None:
    write(site.folder, MADE)
    closed = site.home / ".cache"
    (site.workspace / ".venv/bin/python").chmod(0o6711)
    (site.workspace / "node_modules").chmod(0o500)
    (site.home / ".cache/pip/wheel").chmod(0)
    closed.chmod(0)
    site.home.chmod(0)
    site.workspace.chmod(0)
    site.settle()
    assert stat.S_IMODE(site.lent("node_modules").stat().st_mode) == 0o500
    assert stat.S_IMODE(site.lent(".venv/bin/python").stat().st_mode) == 0o711
    assert stat.S_IMODE(closed.stat().st_mode) == 0o500
    assert stat.S_IMODE((closed / "pip/wheel").stat().st_mode) == 0o400


def test_what_is_no_file_goes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    write(site.folder, MADE)
    os.mkfifo(site.home / "pipe")
    os.mkfifo(site.workspace / "pipe")
    monkeypatch.chdir(site.workspace / ".venv")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
    (site.workspace / ".venv").chmod(0o555)
    found = site.settle()
    assert found.left_out == ("pipe",)
    assert not [path for path in site.folder.rglob("*") if path.is_fifo() or path.is_socket()]
    assert stat.S_IMODE(site.lent(".venv").stat().st_mode) == 0o555


@pytest.mark.parametrize("outside", ["kept", "/etc"])
def test_a_link_is_neither_followed_nor_taken_for_a_folder(site: Site, tmp_path: Path, outside: str) -> None:
    write(tmp_path / "kept", {"file": "kept"})
    (tmp_path / "kept/file").chmod(0o4755)
    write(site.folder, MADE)
    for place in (site.workspace / "linked", site.workspace / ".venv/linked", site.home / "linked"):
        place.symlink_to(tmp_path / outside)
    found = site.settle(lambda paths: {path for path in paths if path.endswith("/")})
    assert found.left_out == ("linked",)
    assert stat.S_IMODE((tmp_path / "kept/file").stat().st_mode) == 0o4755
    assert (site.home / "linked").is_symlink()


@pytest.mark.parametrize("place", ["src", "packages/web"])
def test_a_folder_of_the_repository_that_became_a_link_is_refused(site: Site, tmp_path: Path, place: str) -> None:
    (site.workspace / place).rename(tmp_path / "moved")
    (site.workspace / place).symlink_to(tmp_path / "moved")
    with pytest.raises(EnvironmentRefused, match=f"`{place}`"):
        site.settle()
    assert list((tmp_path / "moved").iterdir())


def test_what_changed_its_kind_is_left_out(site: Site) -> None:
    (site.workspace / "README.md").unlink()
    write(site.workspace, {"README.md/inside": "x"})
    (site.workspace / "src/app.py").unlink()
    (site.workspace / "src").rmdir()
    (site.workspace / "src").write_text("x")
    found = site.settle()
    assert (found.folders, found.copied, found.left_out) == ((), (), ("README.md/", "src"))
    assert site.left() == set()


@pytest.mark.parametrize("name", ["a b", "a\nb", "ä\U0001f980", "-dash", "$(x)'\"", "a\\b,c=d"])
def test_odd_names_are_found(site: Site, name: str) -> None:
    write(site.workspace, {f"{name}/{name}": "x", f"src/{name}": "x"})
    found = site.settle()
    assert (found.folders, found.copied) == ((name,), (f"src/{name}",))


def test_names_that_are_no_text_are_left_out(site: Site) -> None:
    os.mkdir(os.fsencode(site.workspace) + b"/\xff")
    assert site.settle().left_out == ("\\xff",)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({f"f{number}/x": "x" for number in range(built_files.MOST_FOLDERS + 1)}, "301 folders"),
        ({f"f{number}": "x" for number in range(built_files.MOST_COPIED + 1)}, "201 single files"),
        ({"large": "x" * (built_files.MOST_COPIED_BYTES + 1)}, "64 MiB"),
    ],
    ids=["folders", "files", "bytes"],
)
def test_more_than_can_be_lent_is_refused(site: Site, files: dict[str, str], words: str) -> None:
    write(site.workspace, files)
    with pytest.raises(EnvironmentRefused, match=words) as refusal:
        site.settle()
    assert refusal.value.advice.endswith(".")


@pytest.mark.parametrize(
    ("bound", "names", "folder", "words"),
    [
        ("MOST_IN_FOLDER", 6, "home", r"the setup made more than 5 files in one folder, `\$HOME`"),
        ("MOST_IN_FOLDER", 6, "home/.cache/a\udcff", r"more than 5 files in one folder, `\$HOME/.cache/a\\xff`"),
        ("MOST_IN_FOLDER", 6, "workspace/node_modules/x", "more than 5 files in one folder, `node_modules/x`"),
        ("MOST_IN_FOLDER", 6, "workspace/src", "more than 5 files in one folder, `src`"),
        ("MOST_IN_FOLDER", 6, "workspace", "more than 5 files in one folder, the topmost one"),
        ("MOST_NAMES", 40, "home/x", "more than 40 files and folders"),
        ("MOST_NAMES", 40, "workspace/.venv", "more than 40 files and folders"),
        ("MOST_NAMES", 40, "workspace/src", "more than 40 files and folders"),
        ("MOST_NEW", 31, "workspace/src", "more than 30 files and folders in the repository's own folders, .* `src`"),
        ("MOST_NEW", 31, "workspace", "more than 30 files and folders in the repository's own folders"),
    ],
)
def test_more_names_than_can_be_looked_at_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, names: int, folder: str, words: str
) -> None:
    site = Site(tmp_path)
    monkeypatch.setattr(built_files, bound, {"MOST_IN_FOLDER": 5, "MOST_NAMES": 40, "MOST_NEW": 30}[bound])
    write(site.folder, {f"{folder}/f{number}": "x" for number in range(names)})
    with pytest.raises(EnvironmentRefused, match=words) as refusal:
        site.settle()
    assert refusal.value.advice.endswith("retry the run.")


@pytest.mark.parametrize(
    ("bound", "most", "words"),
    [("MOST_IN_FOLDER", 1, "one folder, the topmost one"), ("MOST_NAMES", 3, "3 files and folders")],
)
def test_a_repository_of_more_names_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str, most: int, words: str
) -> None:
    monkeypatch.setattr(built_files, bound, most)
    with pytest.raises(EnvironmentRefused, match=f"the repository has more than .*{words}"):
        Site(tmp_path)


def test_names_are_not_remembered(site: Site) -> None:
    folder = site.home / "many"
    folder.mkdir()
    for number in range(5_000):
        os.close(os.open(folder / f"a-file-of-many-{number}", os.O_CREAT | os.O_WRONLY))
    tracemalloc.start()
    try:
        assert site.settle().files == 5_000
        assert tracemalloc.get_traced_memory()[1] < 1 << 18
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("top", ["home", "workspace/node_modules"])
def test_endless_folders_are_refused(site: Site, top: str) -> None:
    deepen(site.folder / top, built_files.MOST_DEPTH + 2)
    with pytest.raises(EnvironmentRefused, match="inside of folders"):
        site.settle()


@pytest.mark.parametrize("folder", ["home", "workspace/.venv"])
def test_what_lies_on_the_disk_is_counted_once(tmp_path: Path, folder: str) -> None:
    found = []
    for links in (0, 3):
        (tmp_path / str(links)).mkdir()
        site = Site(tmp_path / str(links))
        write(site.folder, {f"{folder}/file": "x" * 100_000})
        for number in range(links):
            os.link(site.folder / folder / "file", site.folder / folder / str(number))
        found.append(site.settle())
    assert found[0].size >= 100_000
    assert [one.size for one in found] == [found[0].size] * 2
    assert [one.files for one in found] == [1, 4]
