from pathlib import Path

import pytest

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.vcs.git_vcs import GitVcs
from moonmind.adapters.vcs.vcs_options import VcsOptions
from moonmind.errors import CredentialInvalid
from moonmind.ports.check import Check, CheckStatus
from moonmind.preflight.checks import Preflight, require, summary
from moonmind.redact import Redactor
from moonmind.settings import ambient_environment
from tests.support.engine_room import IdleAgent, ProbedForge, failed, passed

SKIPPED = Check("codex", CheckStatus.SKIPPED, "a scripted agent does the work")
UNKNOWN = Check("forge.token", CheckStatus.UNKNOWN, "the forge did not answer")


@pytest.mark.parametrize(
    ("checks", "status", "message"),
    [
        ((), CheckStatus.SKIPPED, "nothing to check"),
        ((SKIPPED,), CheckStatus.SKIPPED, "a scripted agent does the work"),
        ((SKIPPED, passed("a", "one"), passed("b", "two")), CheckStatus.PASSED, "one; two"),
        ((passed("a", "one"), UNKNOWN), CheckStatus.PASSED, "the forge did not answer"),
        ((passed("a", "one"), UNKNOWN, failed("b", "expired")), CheckStatus.FAILED, "expired"),
        ((failed("a", "no binary"), failed("b", "no login")), CheckStatus.FAILED, "no binary; no login"),
    ],
)
def test_the_worst_answer_speaks_for_the_group_and_unknown_is_not_bad(
    checks: tuple[Check, ...], status: CheckStatus, message: str
) -> None:
    assert summary(checks) == (status, message)


def test_the_first_failing_check_is_required_to_be_fixed() -> None:
    require((passed("a"), SKIPPED, UNKNOWN))
    with pytest.raises(CredentialInvalid) as error:
        require((passed("a"), failed("codex.login", "expired", "Run `codex login`."), failed("b", "later")))
    assert (error.value.message, error.value.advice, error.value.details) == (
        "expired",
        "Run `codex login`.",
        {"check": "codex.login"},
    )


def test_a_check_that_knows_no_remedy_gets_the_general_one() -> None:
    with pytest.raises(CredentialInvalid) as error:
        require((failed("a", "broken"),))
    assert error.value.advice == CredentialInvalid.remediation


def test_the_whole_list_is_agent_forge_git_and_the_toolchain_in_that_order(tmp_path: Path) -> None:
    environment = ambient_environment()
    vcs = GitVcs(VcsOptions(tmp_path, "file", dict, environment, Redactor()))
    forge = ProbedForge(ForgeOptions(local_repos=tmp_path / "repositories", environment=environment))
    preflight = Preflight(IdleAgent(), forge, vcs, (lambda: (passed("speckit"),), lambda: (passed("uv"),)))
    names = [check.name for check in preflight.run("octo/demo")]
    git = [check.name for check in vcs.check()]
    assert names == ["codex.login", "forge.token", *git, "speckit", "uv"]
    assert git
