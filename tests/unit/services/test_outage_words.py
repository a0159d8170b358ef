"""Errors that a stage would wait out, as a person at a command gets them."""

import pytest

from moonmind.errors import (
    AgentUnknown,
    ForgeLimited,
    MoonMindError,
    RecipeUnreadable,
    RepositoryUnavailable,
    Unavailable,
    VcsUnreachable,
)
from moonmind.redact import Redactor
from moonmind.services.outage_words import in_words

SECRET = "glpat-0123456789abcdefghij"


@pytest.mark.parametrize(
    "error",
    [
        AgentUnknown(f"held by {SECRET}"),
        ForgeLimited(f"slow down, {SECRET}", seconds=5.0),
        VcsUnreachable(f"no answer from {SECRET}"),
    ],
)
def test_what_may_not_come_again_is_told_without_stages_and_secrets(error: MoonMindError) -> None:
    with pytest.raises(Unavailable) as caught, in_words(Redactor((SECRET,))):
        raise error
    assert caught.value.message == error.message.replace(SECRET, "[redacted]")
    assert "Run the command again" in caught.value.advice


@pytest.mark.parametrize(
    "error",
    [
        RecipeUnreadable("line 1"),
        RepositoryUnavailable("acme/none"),
        Unavailable("the forge asked to wait", remediation="Ask again after that."),
    ],
)
def test_what_has_its_own_advice_keeps_it(error: MoonMindError) -> None:
    with pytest.raises(type(error)) as caught, in_words(Redactor(())):
        raise error
    assert caught.value is error
