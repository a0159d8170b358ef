import pytest

from moonmind.ports.vcs import Change
from moonmind.proof.policy.asked_paths import Named
from tests.support.plans import a_change
from tests.support.policy import found


def gone(path: str) -> Change:
    return a_change(path, "D", old="100644")


def deletions(
    *changes: Change, rest: int = 0, asked: tuple[Named, ...] = (), sizes: dict[str, int] | None = None
) -> list[str]:
    there = [f"kept/{number}.py" for number in range(rest)]
    return [one.path for one in found(*changes, there=there, asked=asked, sizes=sizes) if one.rule == "deletion"]


@pytest.mark.parametrize(
    ("count", "rest", "many"),
    [(20, 1000, True), (19, 1000, False), (5, 10, True), (5, 11, False), (4, 0, False), (60, 0, True)],
)
def test_many_files_that_nobody_asked_to_delete_make_a_draft(count: int, rest: int, many: bool) -> None:
    assert deletions(*(gone(f"src/{number}.py") for number in range(count)), rest=rest) == (["src"] if many else [])


def test_what_a_task_asks_to_delete_does_not_count() -> None:
    changes = [gone(f"src/old/{number}.py") for number in range(30)]
    assert deletions(*changes, rest=10, asked=(Named("T1", "src/old/", removed=True),)) == []
    assert deletions(*changes, rest=10, asked=(Named("T1", "src/old/"),)) == ["src/old"]
    assert deletions(*changes, rest=10, asked=(Named("T1", "src/older/", removed=True),)) == ["src/old"]


def test_moved_files_are_not_lost() -> None:
    changes = [gone(f"src/{number}.py") for number in range(30)] + [
        a_change(f"lib/{number}.py") for number in range(30)
    ]
    assert deletions(*changes, rest=10) == []
    assert deletions(*changes[:45], rest=40) == [], "15 are lost, of 70"
    assert deletions(*changes[:31], rest=10) == ["src"]


def test_emptied_files_are_lost() -> None:
    changes = [Change(f"src/{number}.py", "M", "100644", "100644", 0, 50) for number in range(30)]
    assert deletions(*changes, rest=10, sizes={one.path: 1 for one in changes}) == ["src"]
    assert deletions(*changes, rest=10, sizes={one.path: 90 for one in changes}) == []
    binary = [Change(f"img/{number}.png", "M", "100644", "100644", -1, -1) for number in range(30)]
    assert deletions(*binary, rest=10, sizes={one.path: 0 for one in binary}) == ["img"]


@pytest.mark.parametrize(
    ("deleted", "added", "lost"),
    [
        (50, 0, True),
        (50, 1, True),
        (50, 24, True),
        (50, 25, False),
        (50, 90, False),
        (0, 0, False),
        (-1, -1, False),
        (-1, 3, True),
        (9, -1, True),
    ],
)
def test_a_file_of_the_same_name_is_a_move_only_if_it_may_hold_the_same(deleted: int, added: int, lost: bool) -> None:
    changes = [
        change
        for number in range(30)
        for change in (
            Change(f"old/{number}/__init__.py", "D", "100644", "000000", 0, deleted),
            Change(f"new/{number}/__init__.py", "A", "000000", "100644", added, 0),
        )
    ]
    assert deletions(*changes, rest=10) == (["old"] if lost else [])


@pytest.mark.parametrize(
    ("added", "deleted", "size", "lost"),
    [
        (1, 40, 5, True),
        (1, 5, 5, True),
        (1, 1, 6, False),
        (2, 100, 60, True),
        (0, 100, 3000, False),
        (40, 40, 80, False),
    ],
)
def test_files_in_which_a_share_is_left_that_does_nothing_are_emptied(
    added: int, deleted: int, size: int, lost: bool
) -> None:
    changes = [Change(f"src/{number}.py", "M", "100644", "100644", added, deleted) for number in range(30)]
    assert deletions(*changes, rest=10, sizes={one.path: size for one in changes}) == (["src"] if lost else [])


def test_files_of_several_folders_are_named_by_what_they_share() -> None:
    assert deletions(*(gone(f"{'ab'[number % 2]}/{number}.py") for number in range(30))) == ["."]
    assert deletions(*(gone(f"src/{'ab'[number % 2]}/{number}.py") for number in range(30))) == ["src"]
