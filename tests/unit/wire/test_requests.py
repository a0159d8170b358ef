"""What callers may ask for."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from moonmind import wire
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RetryMode
from moonmind.wire.requests import FEATURE_PATTERN, REPOSITORY_PATTERN


def test_the_quickstarts_body_is_read() -> None:
    body = wire.CreateRun.model_validate_json(
        '{"repository": "moonmind/spec-kit-reference", "featureKey": "spec-42-refresh-docs", "forcePhase": "publish"}'
    )
    assert (body.repository, body.feature_key, body.force_phase, body.notes) == (
        "moonmind/spec-kit-reference",
        "spec-42-refresh-docs",
        Stage.PUBLISH,
        None,
    )


def test_a_retry_resumes_unless_it_says_otherwise() -> None:
    assert wire.RetryRun.model_validate({}).mode is RetryMode.RESUME_FAILED_TASK
    assert wire.RetryRun.model_validate({"mode": "restart_from_discovery"}).mode is RetryMode.RESTART_FROM_DISCOVERY


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"repository": ""},
        {"repository": "a"},
        {"repository": "a/b/c"},
        {"repository": "https://github.com/a/b"},
        {"repository": "a/b.git"},
        {"repository": "../b"},
        {"repository": "a/b", "forcePhase": "finalize"},
        {"repository": "a/b", "notes": "a\0"},
        {"repository": "a/b", "featureKey": 3},
        {"repository": "a/b", "unknown": None},
        {"repository": "a/b", "select": {"tasks": ["T001"], "commit": "0" * 40}},
        {"repository": "a/b", "kind": "phase", "select": {"tasks": ["T001"], "commit": "0" * 40}},
        {"repository": "a/b", "kind": "ticks", "select": {"commit": "0" * 40}},
    ],
)
def test_what_is_not_allowed_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        wire.CreateRun.model_validate(body)


@given(st.from_regex(r"[A-Za-z0-9._/-]{1,60}", fullmatch=True))
def test_every_repository_that_passes_fits_the_published_pattern(name: str) -> None:
    try:
        body = wire.CreateRun(repository=name)
    except ValidationError:
        return
    assert re.fullmatch(REPOSITORY_PATTERN, body.repository)


@given(st.from_regex(REPOSITORY_PATTERN, fullmatch=True))
def test_every_repository_of_the_published_pattern_passes_but_for_dots_and_git(name: str) -> None:
    repository = name.strip()
    if repository.endswith((".git", "/.", "/..")):
        return
    assert wire.CreateRun(repository=name).repository == repository


@pytest.mark.parametrize(
    "key",
    [
        "specs/../x", "..", "../specs/x", "specs/x/..", "specs/ .. /x", ".", "./", "././x", "specs/./x", "specs/x/.",
        "specs//x", ".//x", "/specs/x", " /x", "/", "//", "C:\\x", "specs\\x", "x\\", "specs/ /x", "specs/x\0", "\0",
    ],
)  # fmt: skip
def test_a_feature_that_is_no_place_in_the_repository_is_refused(key: str) -> None:
    with pytest.raises(ValidationError):
        wire.CreateRun(repository="a/b", feature_key=key)


@pytest.mark.parametrize(
    "key",
    [
        "", " ", "001", "001-a", "specs/001-a", " ./specs/001-a/ ", "x//", "backend/specs/001-a", ".x", "..x", "...", "a..b",
        "specs/.x/..y", "x.", "ein Name/ü", "y" * 120, "y" * 121 + "/x",
    ],
)  # fmt: skip
def test_a_feature_that_may_be_in_the_repository_passes(key: str) -> None:
    assert wire.CreateRun(repository="a/b", feature_key=key).feature_key == key
    assert re.search(FEATURE_PATTERN, key)


@given(st.text(alphabet="./\\ x\n", max_size=12))
def test_a_feature_passes_if_and_only_if_it_fits_the_published_pattern(key: str) -> None:
    try:
        wire.CreateRun(repository="a/b", feature_key=key)
        passes = True
    except ValidationError:
        passes = False
    assert passes == bool(re.search(FEATURE_PATTERN, key))


@pytest.mark.parametrize(
    ("select", "stored"),
    [
        ({"story": "US1"}, {"story": "US1"}),
        ({"phase": "2"}, {"phase": "2"}),
        ({"phase": "Phase 3: User Story 1 - Ein Titel"}, {"phase": "Phase 3: User Story 1 - Ein Titel"}),
        ({"tasks": ["T001-T005"], "skip": ["T003"]}, {"tasks": ["T001-T005"], "skip": ["T003"]}),
        ({"tasks": ["T1,T2"], "story": None}, {"tasks": ["T1,T2"]}),
        ({"tasks": ["T-SB04"] * 200}, {"tasks": ["T-SB04"] * 200}),
        ({"tasks": [], "skip": []}, None),
        ({}, None),
    ],
)
def test_a_selection_is_kept_as_it_was_sent(select: dict[str, Any], stored: dict[str, Any] | None) -> None:
    body = wire.CreateRun.model_validate({"repository": "a/b", "select": select})
    assert body.select is not None
    assert body.select.stored() == stored


@pytest.mark.parametrize(
    ("select", "place"),
    [
        ({"story": "the first"}, ("select", "story")),
        ({"story": " "}, ("select", "story")),
        ({"phase": ""}, ("select", "phase")),
        ({"phase": "x" * 201}, ("select", "phase")),
        ({"tasks": ["first"]}, ("select", "tasks")),
        ({"tasks": ["T001", " , "]}, ("select", "tasks")),
        ({"tasks": ["T001-"]}, ("select", "tasks")),
        ({"tasks": "T001"}, ("select", "tasks")),
        ({"tasks": ["T001"] * 201}, ("select", "tasks")),
        ({"tasks": ["T001", "T" * 201]}, ("select", "tasks", 1)),
        ({"tasks": ["T001\0"]}, ("select", "tasks", 0)),
        ({"skip": ["T001..x"]}, ("select", "skip")),
        ({"skip": [3]}, ("select", "skip", 0)),
        ({"task": ["T001"]}, ("select", "task")),
    ],
)
def test_a_selection_that_cannot_be_read_is_refused_by_its_field(
    select: dict[str, Any], place: tuple[str | int, ...]
) -> None:
    with pytest.raises(ValidationError) as caught:
        wire.CreateRun.model_validate({"repository": "a/b", "select": select})
    (problem,) = caught.value.errors()
    assert problem["loc"] == place
