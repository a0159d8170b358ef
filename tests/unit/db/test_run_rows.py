from dataclasses import replace

import pytest

from moonmind.db.run_rows import works_on
from tests.support.stage_parts import A_RUN


@pytest.mark.parametrize(
    ("requested", "feature", "asked", "same"),
    [
        ("42", "specs/042-x", "042-x", True),
        ("", "specs/042-x", "42", True),
        ("042-x", None, "specs/042-x", True),
        ("", None, "042-x", False),
        ("042-x", "backend/specs/042-x", "specs/042-x", False),
        ("backend/042-x", "backend/specs/042-x", "frontend/042-x", False),
        ("backend/042-x", "backend/specs/042-x", "backend/specs/042-x", True),
    ],
)
def test_a_run_works_on_what_it_found_and_before_that_on_what_it_was_asked_for(
    requested: str, feature: str | None, asked: str, same: bool
) -> None:
    assert works_on(replace(A_RUN, requested_key=requested, feature_key=feature), asked) is same
