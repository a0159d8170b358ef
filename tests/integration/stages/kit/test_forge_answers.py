"""What the forge refuses is in the audit row before the run ends."""

from pathlib import Path

import pytest

from moonmind.errors import (
    CredentialInvalid,
    ForgeUnavailable,
    MoonMindError,
    RepositoryArchived,
    RepositoryUnavailable,
    VcsDenied,
    VcsUnreachable,
)
from moonmind.runs.chain import Stage
from moonmind.stages.kit import forge_answers
from tests.support.stage_world import World


@pytest.mark.parametrize(
    ("error", "code", "audits"),
    [
        (VcsDenied("401"), "credential_invalid", ["forge: credential_invalid"]),
        (CredentialInvalid("bad", check="github.sso"), "credential_invalid", ["forge: credential_invalid"]),
        (RepositoryUnavailable("no"), "repository_not_found", ["forge: repository_not_found"]),
        (RepositoryArchived("no"), "repository_archived", ["forge: repository_archived"]),
        (ForgeUnavailable("502"), "forge_unavailable", []),
        (VcsUnreachable("reset"), "git_unreachable", []),
    ],
)
def test_a_refusal_is_noted_and_an_outage_is_not(
    tmp_path: Path, error: MoonMindError, code: str, audits: list[str]
) -> None:
    world = World(tmp_path)
    with pytest.raises(MoonMindError) as caught, forge_answers.noted(world.context(Stage.DISCOVER)):
        raise error
    assert caught.value.code == code
    assert world.services.audits == audits
    if isinstance(caught.value, CredentialInvalid):
        assert caught.value.details["check"] in {"github.token", "github.sso"}
