import pytest

from moonmind.speckit.feature import Feature, closeness


def a_feature(path: str) -> Feature:
    return Feature(path.partition("specs/")[2], path, f"{path}/tasks.md")


@pytest.mark.parametrize(
    ("path", "asked", "rank"),
    [
        ("specs/042-x", "042-x", 0),
        ("web/specs/042-x", "web/specs/042-x", 0),
        ("web/specs/042-x", "042-x", 1),
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
