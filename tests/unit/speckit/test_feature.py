import pytest

from moonmind.speckit.feature import Feature, closeness, may_be_one, short_path


def a_feature(path: str) -> Feature:
    return Feature(path.partition("specs/")[2], path, f"{path}/tasks.md")


@pytest.mark.parametrize(
    ("path", "asked", "rank"),
    [
        ("specs/042-x", "042-x", 0),
        ("web/specs/042-x", "web/specs/042-x", 0),
        ("web/specs/042-x", "042-x", 1),
        ("web/specs/042-x", "web/042-x", 1),
        ("web/specs/042-x", "./web/042-x/", 1),
        ("a/b/specs/042-x", "b/042-x", None),
        ("web/specs/042-x", "api/042-x", None),
        ("web/specs/042-x", "api/specs/042-x", None),
        ("specs/feature/x", "feature/x", 0),
        ("specs/feature/x", "x", 2),
        ("specs/042-x", "42", 3),
        ("specs/042-x", "43", None),
        ("specs/042-x", "", None),
    ],
)
def test_a_request_is_the_closer_the_more_it_says(path: str, asked: str, rank: int | None) -> None:
    assert closeness(a_feature(path), asked) == rank


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("specs/042-x", 42),
        ("specs/20261122-101500-x", 20261122101500),
        ("specs/main", None),
        ("specs/spec-42-x", None),
        ("specs/3d-view", None),
    ],
)
def test_the_number_is_what_the_folder_starts_with(path: str, number: int | None) -> None:
    assert a_feature(path).number == number


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("specs/042-x", "042-x"),
        ("specs/042-x", "42"),
        ("specs/042-x", "specs/042-x/"),
        ("specs/042-x", "./specs/042-x/tasks.md"),
        ("specs/feature/x", "x"),
        ("specs/feature/x", "feature/x"),
        ("042", "042-x"),
        ("042-x", "042-x"),
        ("docs/specs/042-x", "042-x"),
        ("docs/specs/042-x", "docs/042-x"),
        ("docs/specs/042-x", "42"),
        ("docs/specs/feature/x", "feature/x"),
        ("docs/042-x", "042-x"),
    ],
)
def test_two_names_that_can_mean_one_feature_do(one: str, other: str) -> None:
    assert may_be_one(one, other)
    assert may_be_one(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("specs/042-x", "043-x"),
        ("specs/042-x", ""),
        ("", ""),
        ("specs/042-x", "4"),
        ("specs/1-x", "x"),
        ("docs/specs/042-x", "specs/042-x"),
        ("docs/specs/042-x", "web/specs/042-x"),
        ("docs/specs/042-x", "web/042-x"),
        ("docs/042-x", "web/042-x"),
        ("apps/docs/specs/042-x", "docs/042-x"),
        ("Docs/specs/042-x", "docs/specs/042-x"),
        ("caf\u00e9/specs/042-x", "cafe\u0301/specs/042-x"),
        ("docs/specs/042-x", "specs/docs/042-x"),
    ],
)
def test_names_of_different_features_do_not(one: str, other: str) -> None:
    assert not may_be_one(one, other)
    assert not may_be_one(other, one)


def test_a_short_path_leaves_out_specs_alone() -> None:
    assert short_path("a/specs/specs-b/c") == "a/specs-b/c"
