"""Spec Kit's pointer is understood however a system writes it, and what it does not match is told."""

import json

import pytest

from moonmind.speckit.features import find_features, survey
from moonmind.speckit.pointer import FEATURE_JSON, MOST, follow, names_of, pointers_in, read_pointer, with_named

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
        {root: json.dumps({"feature_directory": named})},
        pointers_in(PATHS, find_features(PATHS)),
        find_features(PATHS),
        PATHS,
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
    assert follow({"": text}, pointers_in(PATHS, find_features(PATHS)), find_features(PATHS), PATHS) == (
        (),
        (".specify/feature.json",),
    )


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("named", "folder"), [("gone", None), ("src/b", "src/b"), ("src/b1", None), ("c", "p{}/c")])
def test_a_great_many_pointers_in_a_large_tree_are_followed_at_once(named: str, folder: str | None) -> None:
    projects = [f"p{number:05d}" for number in range(5_000)]
    paths = [f"{root}/{file}" for root in projects for file in (FEATURE_JSON, "c/x", *map(str, range(40)))]
    places = pointers_in([*paths, "src/b/x", "src/b10/x", FEATURE_JSON], ())
    assert list(places) == ["", *projects[: MOST - 1]]
    texts = dict.fromkeys(places, json.dumps({"feature_directory": named}))
    found, unread = follow(texts, places, (), [*paths, "src/b/x", "src/b10/x"])
    assert unread == ()
    assert len(found) == MOST
    assert found[-1].folder == (folder and folder.replace("{}", projects[MOST - 2][1:]))


ASIDE = (
    "specs/002-y",
    "specs/demo",
    "specs/completed/001-x",
    "demo/specs/003-z",
    "packages/tests/specs/004-t",
)


def named(pointer: str | None = None, *names: str) -> set[str]:
    text = None if pointer is None else json.dumps({"feature_directory": pointer})
    paths = [f"{folder}/tasks.md" for folder in ASIDE] + [FEATURE_JSON] * (pointer is not None)
    return {one.path for one in with_named(survey(paths), paths, lambda _: text, names)}


@pytest.mark.parametrize("folder", ASIDE[1:])
def test_what_is_set_aside_is_a_feature_where_it_is_named(folder: str) -> None:
    last = folder.rpartition("/")[2]
    assert named() == {ASIDE[0]}
    assert named(folder) == named(f"C:\\shop\\{folder}".replace("/", "\\")) == {ASIDE[0], folder}
    assert named(None, folder) == named(None, last) == named(None, *names_of(f"ada/{last}")) == {ASIDE[0], folder}


@pytest.mark.parametrize("asked", ["002-y", "2", "specs/002-y", "gone", "main", ""])
def test_a_name_that_fits_a_feature_at_work_takes_nothing_else_up(asked: str) -> None:
    paths = ["specs/002-y/tasks.md", "demo/specs/002-y/tasks.md"]
    assert [one.path for one in with_named(survey(paths), paths, lambda _: None, [asked])] == ["specs/002-y"]


@pytest.mark.parametrize("root", ["examples/shop", "demo", "tests/data"])
def test_the_pointer_of_a_demo_is_read_where_its_features_count(root: str) -> None:
    paths = [f"{root}/specs/001-x/tasks.md", f"{root}/{FEATURE_JSON}"]
    assert set(pointers_in(paths, find_features(paths))) == {root}
    beside = [*paths, "specs/002-y/tasks.md"]
    assert pointers_in(beside, find_features(beside)) == {}
