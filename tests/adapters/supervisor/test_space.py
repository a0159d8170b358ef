"""What the files of a build take, as it is counted while they change."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.supervisor.order import Space
from moonmind.adapters.supervisor.space import SpaceWatch, taken
from moonmind.adapters.supervisor.watch import End
from tests.support.trees import deepen
from tests.support.waiting import until

SIZE = 1 << 20


def write(place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(os.urandom(SIZE))


def test_files_are_counted_wherever_they_lie(tmp_path: Path) -> None:
    for name in ("one", "a/two", "a/b/c/d/three"):
        write(tmp_path / name)
    assert 3 * SIZE <= taken(str(tmp_path)) < 4 * SIZE


def linked(place: Path, outside: Path) -> None:
    place.symlink_to(outside)


def linked_twice(place: Path, _: Path) -> None:
    os.link(place.parent / "mine", place)


def sparse(place: Path, _: Path) -> None:
    with place.open("wb") as file:
        file.truncate(1 << 40)


def piped(place: Path, _: Path) -> None:
    os.mkfifo(place)


@pytest.mark.parametrize("odd", [linked, linked_twice, sparse, piped])
def test_what_takes_no_room_is_not_counted(tmp_path: Path, odd: Callable[[Path, Path], None]) -> None:
    folder = tmp_path / "folder"
    write(folder / "mine")
    write(tmp_path / "outside/file")
    before = taken(str(folder))
    for number in range(3):
        odd(folder / str(number), tmp_path / "outside")
    assert before <= taken(str(folder)) < before + SIZE // 4


def test_endless_folders_are_counted_to_a_bound(tmp_path: Path) -> None:
    write(tmp_path / "mine")
    deepen(tmp_path / "deep", 1200, leaf=None)
    assert SIZE <= taken(str(tmp_path)) < 3 * SIZE


@pytest.mark.parametrize("name", ["gone", "file"])
def test_what_is_no_folder_takes_nothing(tmp_path: Path, name: str) -> None:
    write(tmp_path / "file")
    assert taken(str(tmp_path / name)) == 0


@pytest.mark.parametrize(
    ("most", "free", "words"),
    [
        (
            SIZE,
            0,
            "what it wrote takes more than 1 MiB; raise SIZE",
        ),
        (1 << 40, 1 << 60, "its disk has less than 1073741824.0 GiB left; free some space on this host"),
    ],
)
def test_a_limit_that_is_reached_is_said(tmp_path: Path, most: int, free: int, words: str) -> None:
    for folder in ("a", "b"):
        write(tmp_path / folder / "file")
    watch = SpaceWatch(Space((str(tmp_path / "a"), str(tmp_path / "b")), most, free, "raise SIZE", 0.01))
    watch.begin()
    assert until(lambda: watch.problem, "the limit") == words


@pytest.mark.parametrize(("most", "free", "end"), [(SIZE, 0, End.SPACE_LIMIT), (1 << 40, 1 << 60, End.DISK_FULL)])
def test_a_disk_that_is_full_is_not_the_jobs_own_limit(tmp_path: Path, most: int, free: int, end: End) -> None:
    write(tmp_path / "one")
    write(tmp_path / "two")
    watch = SpaceWatch(Space((str(tmp_path),), most, free, count_seconds=0.01))
    watch.begin()
    assert until(lambda: watch.end, "the limit") is end


def test_what_was_there_before_is_not_counted(tmp_path: Path) -> None:
    write(tmp_path / "before")
    watch = SpaceWatch(Space((str(tmp_path),), SIZE, 0, count_seconds=0.01, before=taken(str(tmp_path))))
    watch.begin()
    write(tmp_path / "half/of")
    assert watch.end is None
    write(tmp_path / "more")
    assert until(lambda: watch.end, "the limit") is End.SPACE_LIMIT


def test_nothing_is_said_while_there_is_room(tmp_path: Path) -> None:
    watch = SpaceWatch(Space((str(tmp_path),), SIZE, 0, count_seconds=0.01))
    watch.begin()
    assert watch.problem == ""
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert until(lambda: watch.problem, "the limit").startswith("what it wrote takes more than 1 MiB")
