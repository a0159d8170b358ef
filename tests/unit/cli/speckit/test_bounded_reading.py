import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.trees import remove_tree
from moonmind.cli.speckit.bounded_reading import read_file, walk
from moonmind.cli.speckit.speckit_command import main
from moonmind.errors import SpecUnreadable
from tests.support.trees import deepen

SPEC = "specs/spec-42-refresh-docs"


def a_socket(place: Path) -> None:
    os.mknod(place, stat.S_IFSOCK | 0o600)


def a_link_to_a_pipe(place: Path) -> None:
    os.mkfifo(place.with_name("pipe"))
    place.symlink_to("pipe")


IN_ITS_PLACE: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a link to a device without end": lambda place: place.symlink_to("/dev/zero"),
    "a link to a terminal": lambda place: place.symlink_to("/dev/tty"),
    "a link to a pipe": a_link_to_a_pipe,
    "a socket": a_socket,
    "a folder": Path.mkdir,
    "a link to itself": lambda place: place.symlink_to(place.name),
    "a link to nothing": lambda place: place.symlink_to("nowhere"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("put", IN_ITS_PLACE.values(), ids=IN_ITS_PLACE)
def test_what_is_no_file_is_refused_at_once(tmp_path: Path, put: Callable[[Path], object]) -> None:
    put(tmp_path / "tasks.md")
    with pytest.raises(SpecUnreadable, match=r"tasks\.md"):
        read_file(tmp_path / "tasks.md")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["tasks.md", "spec.md", "plan.md"])
@pytest.mark.parametrize("kind", ["a pipe", "a link to a device without end", "a socket"])
@pytest.mark.parametrize("command", ["status", "next", "prompt", "doctor"])
def test_no_command_hangs_on_what_is_no_file(
    checkout: Path, capsys: pytest.CaptureFixture[str], command: str, kind: str, name: str
) -> None:
    place = checkout / SPEC / name
    place.unlink(missing_ok=True)
    IN_ITS_PLACE[kind](place)
    code = main([command, str(checkout)])
    assert code in {0, 1, 3, 4}
    out = "".join(capsys.readouterr())
    if command == "doctor" or name == "tasks.md":
        assert "not a file" in " ".join(out.split())


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "path", [".specify/feature.json", ".specify/integration.json", ".specify/memory/constitution.md"]
)
def test_doctor_says_what_it_cannot_read(checkout: Path, capsys: pytest.CaptureFixture[str], path: str) -> None:
    place = checkout / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to("/dev/zero")
    assert main(["doctor", str(checkout)]) in {0, 1}
    capsys.readouterr()


@pytest.mark.parametrize(("levels", "name"), [(1100, "d"), (3000, "x"), (30, "n" * 255)])
def test_a_deep_folder_of_the_project_is_passed_over(
    checkout: Path, capsys: pytest.CaptureFixture[str], levels: int, name: str
) -> None:
    deepen(checkout / "deep", levels, name=name)
    try:
        assert main(["status", str(checkout)]) == 0
        assert "T001" in capsys.readouterr().out
    finally:
        remove_tree(checkout / "deep")


def test_the_listing_follows_no_link_to_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "f").touch()
    (tmp_path / "a" / "round").symlink_to("..")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").symlink_to("a/f")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").touch()
    assert sorted(walk(tmp_path, {".git"})) == ["a/f", "file", "loop"]
