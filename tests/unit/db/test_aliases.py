import pytest

from moonmind.db.aliases import same_feature


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("specs/042-x", "042-x"),
        ("specs/042-x", "42"),
        ("specs/042-x", "042"),
        ("specs/042-x", "specs/042-x/"),
        ("specs/feature/x", "x"),
        ("specs/feature/x", "feature/x"),
        ("042", "042-x"),
        ("042-x", "042"),
        ("042-x", "042-x"),
        ("docs/specs/042-x", "specs/042-x"),
    ],
)
def test_two_names_of_one_feature_are_the_same(stored: str, asked: str) -> None:
    assert same_feature(stored, asked)
    assert same_feature(asked, stored)


@pytest.mark.parametrize(
    ("stored", "asked"),
    [("specs/042-x", "043-x"), ("specs/042-x", ""), ("", ""), ("", "042"), ("specs/042-x", "4"), ("specs/1-x", "x")],
)
def test_names_of_different_features_are_not(stored: str, asked: str) -> None:
    assert not same_feature(stored, asked)
    assert not same_feature(asked, stored)
