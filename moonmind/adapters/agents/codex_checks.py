"""Probes what a Codex job needs: binary, version, login, and what the model service says to the key."""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from moonmind.adapters import process
from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_canary import NAME as PROJECT
from moonmind.adapters.agents.codex_canary import project_check
from moonmind.adapters.agents.codex_home import DEFAULT_BASE_URL, mode_of, profile
from moonmind.adapters.agents.codex_login import Login, LoginKind, find_login
from moonmind.adapters.agents.codex_program import codex_program
from moonmind.adapters.jobs.job_environment import harmless
from moonmind.adapters.sandbox_choice import ChosenSandbox
from moonmind.errors import CredentialInvalid, NotConfigured
from moonmind.ports.check import Check, CheckStatus

_SECONDS = 5.0
_INSTALL = (
    "Run `script/bootstrap`, which links the official binary into the virtualenv, or `npm install -g @openai/codex`, "
    "or set CODEX_BIN to the binary's path."
)


def codex_package(codex_bin: str | None, environment: Mapping[str, str]) -> Path | None:
    """Return the folder that holds Codex and what it brings along; None where there is none."""
    found = _codex(codex_bin, environment)
    try:
        return codex_program(found).package if found is not None else None
    except (CredentialInvalid, OSError):
        return None


def find_codex(options: AgentOptions) -> str:
    """Return the binary's path: CODEX_BIN, else `codex` on PATH, else beside this interpreter. Raises CredentialInvalid."""
    wanted = options.codex_bin or "codex"
    found = _codex(options.codex_bin, options.environment)
    if found is None:
        where = (
            f"CODEX_BIN names {wanted}, which is not a program" if options.codex_bin else "there is no `codex` on PATH"
        )
        raise CredentialInvalid(where, remediation=_INSTALL, check="codex.binary")
    return found


def _codex(codex_bin: str | None, environment: Mapping[str, str]) -> str | None:
    found = shutil.which(codex_bin or "codex", path=harmless(environment)["PATH"])
    if found is None and codex_bin is None:
        # Where script/bootstrap links it; on PATH only in an activated virtualenv.
        found = shutil.which("codex", path=str(Path(sys.executable).parent))
    return str(Path(found).absolute()) if found is not None else None


def codex_checks(options: AgentOptions, sandbox: ChosenSandbox) -> tuple[Check, ...]:
    """Return the answers in order: codex.binary, codex.login, codex.key, codex.project, and the sandbox's, `sandbox` last."""
    login = find_login(options)
    binary, stored = _binary(options), _login(options, login)
    project = _project(options, login, binary, stored, mode_of(sandbox.kind))
    return (binary, stored, _key(options, login), project, *sandbox.parts, sandbox.check)


def _binary(options: AgentOptions) -> Check:
    try:
        path = find_codex(options)
    except CredentialInvalid as missing:
        return Check("codex.binary", CheckStatus.FAILED, missing.message, missing.advice)
    try:
        done = process.run([path, "--version"], cwd=Path("/"), env=harmless(options.environment), timeout=_SECONDS)
    except NotConfigured as error:
        return Check("codex.binary", CheckStatus.FAILED, error.message, _INSTALL)
    if done.timed_out:
        return Check(
            "codex.binary", CheckStatus.UNKNOWN, f"{path} --version did not answer within {_SECONDS:.0f} seconds"
        )
    if not done.ok:
        return Check("codex.binary", CheckStatus.FAILED, f"{path} --version failed: {done.error_text[-300:]}", _INSTALL)
    version = done.text.strip().removeprefix("codex-cli").strip()
    return Check("codex.binary", CheckStatus.PASSED, f"Codex {version}", facts={"version": version, "path": path})


def _login(options: AgentOptions, login: Login) -> Check:
    facts = {"login": login.kind.value}
    if options.codex_env:
        facts["label"] = options.codex_env
    try:
        profile(options.codex_env, login.home)
    except NotConfigured as error:
        return Check("codex.login", CheckStatus.FAILED, error.message, error.advice, facts)
    if login.kind is LoginKind.NONE:
        message = login.problem or f"no login: there is no {login.auth_file}, and CODEX_API_KEY is not set"
        return Check("codex.login", CheckStatus.FAILED, message, "Run `codex login`, or set CODEX_API_KEY.", facts)
    # What a lent login is used for passes no proxy of ours.
    uncapped = "" if login.behind_proxy else "; model calls not capped"
    return Check("codex.login", CheckStatus.PASSED, f"{login.kind.value}{uncapped}", facts=facts)


def _project(options: AgentOptions, login: Login, binary: Check, stored: Check, mode: str) -> Check:
    if binary.status is not CheckStatus.PASSED or stored.failed:
        return Check(
            PROJECT,
            CheckStatus.SKIPPED,
            "not tested whether Codex ignores a repository's .codex folder: codex.binary and codex.login must pass first",
        )
    return project_check(options, login, binary.facts["path"], mode)


def _key(options: AgentOptions, login: Login) -> Check:
    if login.kind is LoginKind.NONE:
        return Check("codex.key", CheckStatus.SKIPPED, "not checked: Codex has no login")
    if login.key is None:
        return Check(
            "codex.key",
            CheckStatus.SKIPPED,
            "a ChatGPT login has no API key; an agent's first request shows whether it is valid",
        )
    import httpx  # late: a server starts without it

    base = (options.codex_base_url or DEFAULT_BASE_URL).rstrip("/")
    try:
        answer = httpx.get(f"{base}/models", headers={"Authorization": f"Bearer {login.key}"}, timeout=_SECONDS)
    except (httpx.HTTPError, httpx.InvalidURL, ImportError, ValueError) as error:
        # ImportError: a SOCKS proxy without its package. Values are not quoted: a header may be among them.
        return Check(
            "codex.key",
            CheckStatus.UNKNOWN,
            f"could not ask {base} whether it accepts the key ({type(error).__name__})",
        )
    if answer.status_code in (401, 403):
        return Check(
            "codex.key",
            CheckStatus.FAILED,
            f"{base} refuses the key (HTTP {answer.status_code})",
            "Replace the key: set CODEX_API_KEY to a valid one, or run `printenv OPENAI_API_KEY | codex login --with-api-key`.",
        )
    if answer.is_success:
        return Check("codex.key", CheckStatus.PASSED, f"{base} accepts the key")
    return Check(
        "codex.key", CheckStatus.UNKNOWN, f"{base} answered HTTP {answer.status_code} when asked about the key"
    )
