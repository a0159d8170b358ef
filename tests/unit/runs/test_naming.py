"""Names that repeated effects find themselves again by."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import InvalidRequest
from moonmind.runs import naming
from moonmind.runs.chain import Stage

RUN = UUID("11111111-2222-4333-8444-555555555555")


@pytest.mark.parametrize("name", ["o/n", "moonmind/spec-kit-reference", "A-b/c.d_e-f", "0/0"])
def test_an_owner_and_a_name_are_a_repository(name: str) -> None:
    assert naming.repository(f" {name} ") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "o",
        "o/",
        "/n",
        "o/n/m",
        "-o/n",
        "o/..",
        "o/.",
        "o/n.git",
        "o n/m",
        "../n",
        "https://h/o/n",
        "o/" + "n" * 101,
    ],
)
def test_anything_else_is_refused_with_its_own_words(name: str) -> None:
    with pytest.raises(InvalidRequest, match="owner/name"):
        naming.repository(name)


@pytest.mark.parametrize(
    ("given_key", "stored"),
    [
        (None, ""),
        ("", ""),
        (" 042-x ", "042-x"),
        ("specs/042-x", "specs/042-x"),
        ("./specs/042-x/", "specs/042-x"),
        ("042-x//", "042-x"),
    ],
)
def test_a_request_is_stored_in_one_form(given_key: str | None, stored: str) -> None:
    assert naming.requested_key(given_key) == stored


@given(st.text(max_size=200), st.integers(1, 99))
def test_a_branch_is_one_safe_segment_below_the_prefix(key: str, number: int) -> None:
    name = naming.branch(naming.feature_slug(key), number)
    assert re.fullmatch(r"moonmind/[a-z0-9][a-z0-9-]*", name)
    assert not name.endswith("-")
    assert "--" not in name.removeprefix("moonmind/") or number > 1


def test_the_first_branch_has_no_number() -> None:
    assert naming.branch("042-refresh-docs") == "moonmind/042-refresh-docs"
    assert naming.branch("042-refresh-docs", 2) == "moonmind/042-refresh-docs-2"


@pytest.mark.parametrize(
    "other", ["042_refresh_docs", "042-Refresh-docs", "042/refresh-docs", "042-refresh-döcs", "字"]
)
def test_two_features_never_share_a_branch(other: str) -> None:
    assert naming.feature_slug(other) != naming.feature_slug("042-refresh-docs")
    assert naming.feature_slug(other) == naming.feature_slug(other)


@given(st.text(max_size=300))
def test_a_name_from_a_path_is_one_safe_segment_and_tells_its_path(path: str) -> None:
    for digits in (naming.SHORT_DIGEST, naming.LONG_DIGEST):
        slug = naming.path_slug(path, digits)
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-[0-9a-f]{8,64}", slug)
        assert len(slug) <= 80 + 1 + digits
        for number in (1, 2, 37):
            assert naming.is_named_by_path(naming.branch(slug, number), path)
    assert not naming.is_named_by_path(naming.branch(naming.feature_slug("x")), path)
    assert not naming.is_named_by_path(naming.branch(naming.path_slug(path + "/")), path)


@pytest.mark.parametrize(
    ("path", "readable"),
    [
        ("backend/specs/001-a", "backend-001-a"),
        ("specs/001-a", "001-a"),
        ("Apps/Web/specs/feature/X", "apps-web-feature-x"),
        ("字/specs/字", "feature"),
        (f"{'deep/' * 60}specs/001-a", "deep-001-a"),
    ],
)
def test_a_name_from_a_path_can_be_read(path: str, readable: str) -> None:
    assert naming.path_slug(path).rpartition("-")[0].endswith(readable)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a-b/specs/001-a", "a/specs/b-001-a"),
        ("backend/specs/001-a", "Backend/specs/001-a"),
        ("caf\u00e9/specs/001-a", "cafe\u0301/specs/001-a"),
        ("a b/specs/001-a", "a_b/specs/001-a"),
        ("x/specs/specs/001-a", "x/specs/001-a"),
    ],
)
def test_two_paths_never_share_a_name_even_where_case_does_not_count(one: str, other: str) -> None:
    assert naming.path_slug(one).casefold() != naming.path_slug(other).casefold()


def test_repositories_are_compared_without_case() -> None:
    assert naming.repository_key("Owner/Name") == naming.repository_key("owner/NAME")


def test_a_job_is_named_by_run_stage_and_attempt() -> None:
    assert naming.job_key(RUN, Stage.SUBMIT, 2) == f"{RUN}/submit-2"


def test_run_refs_are_out_of_the_branches_namespace() -> None:
    assert naming.run_ref(RUN, "wip") == f"refs/moonmind/runs/{RUN}/wip"
