import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.proof.path_globs import literal, matches


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("uv.lock", "uv.lock", True),
        ("uv.lock", "a/uv.lock", False),
        ("*.lock", "uv.lock", True),
        ("*.lock", "a/uv.lock", False),
        ("**/*.lock", "uv.lock", True),
        ("**/*.lock", "a/b/uv.lock", True),
        ("backend/**", "backend/src/a.py", True),
        ("backend/**", "backends/a.py", False),
        ("**", "a/b", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b/**/c", "a/b/b/x/c", True),
        ("a/**/b/**/c", "a/b/x", False),
        ("a*b", "a/b", False),
        ("req*/[dt]ev.txt", "requirements/dev.txt", True),
        ("Uv.lock", "uv.lock", False),
        ("a/**", "a", False),
        ("**/**/x", "x", True),
        ("**/x/**", "a/x/b", True),
        ("**/x/**", "x", False),
        ("a.b", "axb", False),
    ],
)
def test_a_pattern_fits_whole_paths(pattern: str, path: str, fits: bool) -> None:
    assert matches(pattern, path) is fits


@given(st.lists(st.text(min_size=1, max_size=10).filter(lambda name: "/" not in name), min_size=1).map("/".join))
def test_a_path_as_a_pattern_fits_itself_alone(path: str) -> None:
    assert matches(literal(path), path)
    assert not matches(literal(path), f"{path}x")


@pytest.mark.timeout(30)
@pytest.mark.parametrize("pattern", ["**/" * 150 + "x", "*a" * 200 + "x", "[" * 400, "**/a/" * 80 + "x", "?*" * 200])
def test_a_hostile_pattern_is_compared_at_once(pattern: str) -> None:
    for path in ("a/" * 240 + "a", "a" * 250):
        assert matches(pattern, path) in {True, False}
