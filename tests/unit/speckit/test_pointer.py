"""Spec Kit's pointer is understood however a system writes it, and what it does not match is told."""

import json

import pytest

from moonmind.speckit.features import find_features
from moonmind.speckit.pointer import FEATURE_JSON, MOST, follow, pointers_in, read_pointer

PATHS = (
    "specs/001-a/tasks.md",
    "specs/011-b/tasks.md",
    "backend/specs/004-c/tasks.md",
    "specs/012-new/spec.md",
    ".specify/feature.json",
    "backend/.specify/feature.json",
)


def followed(named: str, root: str = "") -> tuple[str | None, str | None]:
    found, unread = follow(
        {root: json.dumps({"feature_directory": named})}, pointers_in(PATHS), find_features(PATHS), PATHS
    )
    assert unread == ()
    return found[0].feature.path if found[0].feature else None, found[0].folder


@pytest.mark.parametrize(
    "named",
    [
        "specs/011-b",
        "specs\\011-b",
        ".\\specs\\011-b\\",
        "./specs/011-b/tasks.md",
        "/home/ana/shop/specs/011-b",
        "C:\\Users\\ana\\shop\\specs\\011-b",
        "C:/Users/ana/shop/specs/011-b",
        "Specs/011-B",
        "011-b",
        "../specs/011-b",
        "..\\specs\\011-b",
        "specs/011-b/spec.md",
    ],
)
def test_a_pointer_is_read_with_any_separator_relative_or_absolute(named: str) -> None:
    assert followed(named) == ("specs/011-b", None)


@pytest.mark.parametrize("named", ["specs/004-c", "specs\\004-c", "/work/shop/backend/specs/004-c"])
def test_a_nested_project_has_a_pointer_of_its_own(named: str) -> None:
    assert followed(named, "backend") == ("backend/specs/004-c", None)


def test_a_folder_without_tasks_is_told_apart_from_nothing() -> None:
    assert followed("specs/012-new") == (None, "specs/012-new")
    assert followed("specs/099-gone") == (None, None)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "7", '{"feature_directory": 7}', "[" * 100_000])
def test_a_pointer_that_says_nothing_is_said_to(text: str) -> None:
    assert read_pointer(text) is None
    assert follow({"": text}, pointers_in(PATHS), find_features(PATHS), PATHS) == ((), (".specify/feature.json",))


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("named", "folder"), [("gone", None), ("src/b", "src/b"), ("src/b1", None), ("c", "p{}/c")])
def test_a_great_many_pointers_in_a_large_tree_are_followed_at_once(named: str, folder: str | None) -> None:
    projects = [f"p{number:05d}" for number in range(5_000)]
    paths = [f"{root}/{file}" for root in projects for file in (FEATURE_JSON, "c/x", *map(str, range(40)))]
    places = pointers_in([*paths, "src/b/x", "src/b10/x", FEATURE_JSON])
    assert list(places) == ["", *projects[: MOST - 1]]
    texts = dict.fromkeys(places, json.dumps({"feature_directory": named}))
    found, unread = follow(texts, places, (), [*paths, "src/b/x", "src/b10/x"])
    assert unread == ()
    assert len(found) == MOST
    assert found[-1].folder == (folder and folder.replace("{}", projects[MOST - 2][1:]))
