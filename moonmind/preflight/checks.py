"""One list of probes for submit, `doctor`, `/readyz` and retry: what a run needs before an agent costs money."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

from moonmind.errors import CredentialInvalid, SandboxFailed
from moonmind.ports.agent import Agent
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.forge import Forge
from moonmind.ports.sandbox import CHECK as SANDBOX_CHECK
from moonmind.ports.vcs import Vcs

Probe = Callable[[], tuple[Check, ...]]


class Need(StrEnum):
    """What a stage depends on beside the database: a group of checks."""

    AGENT = "agent"
    FORGE = "forge"
    TOOLS = "tools"


class Preflight:
    """Asks agent, forge, git and the toolchain, in that order."""

    def __init__(self, agent: Agent, forge: Forge, vcs: Vcs, toolchain: Sequence[Probe] = ()) -> None:
        self._agent = agent
        self._forge = forge
        self._vcs = vcs
        self._toolchain = tuple(toolchain)

    def agent(self) -> tuple[Check, ...]:
        """Probe what an agent needs."""
        return self._agent.check()

    def forge(self, repository: str | None = None) -> tuple[Check, ...]:
        """Probe what publishing needs, for one repository where it is named."""
        return self._forge.check(repository)

    def tools(self) -> tuple[Check, ...]:
        """Probe git and the toolchain: what is installed beside this process."""
        return (*self._vcs.check(), *(check for probe in self._toolchain for check in probe()))

    def run(self, repository: str | None = None) -> list[Check]:
        """Probe everything."""
        return [*self.agent(), *self.forge(repository), *self.tools()]


def summary(checks: Iterable[Check]) -> tuple[CheckStatus, str]:
    """Return one status and message for a group of checks, for the audit: failed beats passed beats skipped.

    Unknown counts as passed: a service that cannot be probed now is not a credential known to be bad.
    """
    found = list(checks)
    for wanted in (CheckStatus.FAILED, CheckStatus.UNKNOWN, CheckStatus.PASSED):
        matching = [check for check in found if check.status is wanted]
        if matching:
            status = CheckStatus.PASSED if wanted is CheckStatus.UNKNOWN else wanted
            return status, "; ".join(check.message for check in matching)
    return CheckStatus.SKIPPED, "; ".join(check.message for check in found) or "nothing to check"


def require(checks: Iterable[Check]) -> None:
    """Raise CredentialInvalid for the first failing check, with its fix; SandboxFailed where that is the sandbox."""
    for check in checks:
        if check.failed:
            if check.name == SANDBOX_CHECK:
                raise SandboxFailed(check.message, remediation=check.remediation or SandboxFailed.remediation)
            remediation = check.remediation or CredentialInvalid.remediation
            raise CredentialInvalid(check.message, remediation=remediation, check=check.name)
