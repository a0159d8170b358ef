"""Codex, driven as `codex exec --json` under our supervisor, each run with a CODEX_HOME of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from moonmind.adapters.agents.codex_checks import codex_checks, find_codex
from moonmind.adapters.agents.codex_home import (
    CHATGPT_BASE_URL,
    CONFIG_FILE,
    DEFAULT_BASE_URL,
    PROVIDER,
    TOKEN_VARIABLE,
    configuration,
    furnish,
    knows_thread,
    mode_of,
    opens_network,
    profile,
)
from moonmind.adapters.agents.codex_login import AUTH_FILE, Login, LoginKind, find_login
from moonmind.adapters.agents.codex_permissions import Reach, confined, holds
from moonmind.adapters.agents.codex_program import codex_program
from moonmind.adapters.agents.codex_project import distrusting, instructions
from moonmind.adapters.agents.credential_files import account_home, credential_files
from moonmind.adapters.agents.supervised_agent import SupervisedAgent
from moonmind.adapters.jobs.job_environment import proxies
from moonmind.adapters.sandbox_choice import ChosenSandbox, without_wall
from moonmind.adapters.supervisor import loan
from moonmind.adapters.supervisor.order import PROXY_TOKEN, PROXY_URL, KeyProxy, Loan, Order
from moonmind.errors import CredentialInvalid
from moonmind.ports.agent import AgentJob
from moonmind.ports.check import Check
from moonmind.ports.sandbox import WORKSPACE, Mount, SandboxKind

_HOME = "/codex"
"""CODEX_HOME behind a wall."""


class CodexAgent(SupervisedAgent):
    """OpenAI's Codex CLI. Its key or ChatGPT login stays in the supervisor.

    A stored login of a kind that only Codex can use is lent, to one job at a time.
    """

    name = "codex"
    brings = SandboxKind.CODEX

    def check(self) -> tuple[Check, ...]:
        """Probe binary, login, for keys the service's answer, and what confines a job."""
        return codex_checks(self._options, self._sandbox())

    def reaches_host(self) -> bool:
        """Return True without a sandbox, and where the operator's profile opens that of Codex to the network."""
        known = self._options.sandbox.known()
        return opens_network(self._options, known if known is not None and not self._lent() else self._sandbox().kind)

    def _lent(self) -> bool:
        """Return True if the login is one that only Codex can use, and is placed where its commands are."""
        login = find_login(self._options)
        return login.kind is not LoginKind.NONE and not login.behind_proxy

    def _sandbox(self, *, keep: bool = False, image: str | None = None) -> ChosenSandbox:
        chosen = super()._sandbox(keep=keep, image=image)
        if chosen.wall is None or not self._lent():
            return chosen
        return without_wall(
            self.brings,
            f"and not in {chosen.kind.value}: a login of this kind has to be lent to Codex, which would be behind one wall with "
            "its commands",
        )

    def _order(self, job: AgentJob) -> Order:
        login = find_login(self._options)
        if login.kind is LoginKind.NONE:
            raise CredentialInvalid(
                f"Codex has no login: {login.problem or f'there is no {login.auth_file}'}",
                remediation="Run `codex login`, or set CODEX_API_KEY, then retry.",
                check="codex.login",
            )
        sandbox = self._confined(job)
        home_key = job.home_key or job.key.partition("/")[0]
        own = self._codex_home(home_key)
        home = own if sandbox.wall is None else self._walled_home(job) / "codex"
        seen = self._seen(job, home, sandbox)
        confines = self._furnish(job, home, login, sandbox, seen)
        resumes = job.resume_thread is not None and knows_thread(home, job.resume_thread)
        mode = () if confines else (mode_of(sandbox.kind),)
        order = Order(
            folder=str(self._jobs.folder(job.key).path),
            argv=(seen.program, *_arguments(job.resume_thread if resumes else None, seen.workspace, *mode)),
            environment=seen.environment,
            cwd=str(job.workspace),
            stdin=job.prompt,
            log_path=str(job.log_path),
            stall_seconds=job.limits.stall_seconds,
            total_seconds=job.limits.total_seconds,
            output_bytes=job.limits.output_bytes,
            secrets=(*self._options.secrets, *login.secrets),
            # Codex counts a resumed conversation from its beginning.
            usage_before=self._jobs.usage_of(home_key, job.resume_thread) if resumes and job.resume_thread else {},
        )
        lent = Loan(str(login.auth_file), str(own / AUTH_FILE))
        if not login.behind_proxy:
            return replace(order, loan=lent, environment={**seen.environment, **proxies(self._options.environment)})
        if login.relayed:
            loan.settle(lent)  # an older program lent it to the run's last agent, which may have renewed its copy
        before = max(job.calls_before, self._jobs.calls_of(home_key))
        base = before if job.calls_base is None else job.calls_base
        most = base + job.limits.model_calls
        terms = KeyProxy(self._upstream(login), login.key or "", calls_before=before, calls_base=base, calls_most=most)
        if login.relayed:
            refresh_url = self._options.environment.get("CODEX_REFRESH_TOKEN_URL_OVERRIDE", "")
            terms = replace(terms, login=str(login.auth_file), refresh_url=refresh_url)
        order = _behind_proxy(order, terms)
        return order if sandbox.wall is None else self._behind(sandbox.wall, order, job, seen.mounts)

    def _seen(self, job: AgentJob, home: Path, sandbox: ChosenSandbox) -> "_Seen":
        found = find_codex(self._options)
        if sandbox.wall is None:
            return _Seen(found, job.workspace, self._environment(job) | {"CODEX_HOME": str(home)})
        program = codex_program(found)
        environment = self._walled_environment(job, {"CODEX_HOME": _HOME})
        mounts = (Mount(home, _HOME, writable=True), *program.mounts)
        return _Seen(program.command, Path(WORKSPACE), environment, mounts)

    def _upstream(self, login: Login) -> str:
        if login.key is not None:
            return self._options.codex_base_url or DEFAULT_BASE_URL
        backend = profile(self._options.codex_env, login.home).get("chatgpt_base_url", CHATGPT_BASE_URL)
        return f"{str(backend).rstrip('/')}/codex"

    def _furnish(self, job: AgentJob, home: Path, login: Login, sandbox: ChosenSandbox, seen: "_Seen") -> bool:
        """Write the run's configuration; True where Codex keeps commands to a permission profile, and needs no mode."""
        config = distrusting(configuration(self._options, login, mode_of(sandbox.kind)), seen.workspace)
        if not login.behind_proxy:
            # Codex itself has to log in to the network's proxy (below); its commands do not.
            policy = config.get("shell_environment_policy", {})
            shown = {**policy.get("set", {}), **proxies(seen.environment)}
            config = {**config, "shell_environment_policy": {**policy, "set": shown}}
        words = instructions(job.workspace, config)
        if sandbox.kind is SandboxKind.CODEX:
            temporary = self._jobs.folder(job.key).temporary
            (temporary / "home").mkdir(exist_ok=True, mode=0o700)
            reach = Reach(job.workspace, temporary, self._hidden(login))
            furnish(home, confined(config, reach), words)
            if holds(seen.program, reach, home / CONFIG_FILE, seen.environment):
                return True
        furnish(home, config, words)
        return False

    def _hidden(self, login: Login) -> tuple[Path, ...]:
        """Return what commands may not read: the state folder holds other runs' work and every login that is lent."""
        named = self._options.settings_file
        settings = (Path.cwd() / ".env", *([named] if named is not None else []))
        # The worker's home, as its environment and as its account have it, and root's, whose files root's agent could read.
        homes = {Path(self._options.environment.get("HOME") or "/root"), account_home(), Path("/root")}
        credentials = credential_files(sorted(homes))
        own = (self._options.state_folder, login.auth_file, login.home / ".env", *settings, *self._options.private)
        return tuple(dict.fromkeys((*own, *credentials)))

    def _before_removal(self, home_key: str) -> None:
        login = find_login(self._options)
        if login.kind is LoginKind.CHATGPT:
            loan.settle(Loan(str(login.auth_file), str(self._codex_home(home_key) / AUTH_FILE)))

    def _codex_home(self, home_key: str) -> Path:
        return self._jobs.home(home_key) / "codex"

    def secrets(self) -> tuple[str, ...]:
        """Return the values that no log, artifact or patch may hold: the stored login's among them."""
        return (*self._options.secrets, *find_login(self._options).secrets)


@dataclass(frozen=True, slots=True)
class _Seen:
    """How Codex and its commands see a job: by the host's paths, or by those behind a wall."""

    program: str
    workspace: Path
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...] = ()


def _arguments(thread: str | None, workspace: Path, *mode: str) -> tuple[str, ...]:
    """Return Codex's arguments. Without a mode a permission profile holds: a mode, however given, would replace it."""
    common = ("--json", "--skip-git-repo-check")
    if thread is not None:
        # `resume` knows neither -s nor -C: the working directory is the process's own.
        settings = (part for each in mode for part in ("-c", f'sandbox_mode="{each}"'))
        return ("exec", "resume", *common, *settings, thread, "-")
    settings = (part for each in mode for part in ("-s", each))
    return ("exec", *common, "--color", "never", *settings, "-C", str(workspace), "-")


def _behind_proxy(order: Order, terms: KeyProxy) -> Order:
    """Let Codex speak to the supervisor, which adds the key: Codex and its commands never hold it."""
    exempt = ",".join(filter(None, (order.environment.get("NO_PROXY"), "127.0.0.1,localhost")))
    environment = {**order.environment, TOKEN_VARIABLE: PROXY_TOKEN, "NO_PROXY": exempt, "no_proxy": exempt}
    setting = ("-c", f'model_providers.{PROVIDER}.base_url="{PROXY_URL}"')
    # Before the last argument, `-`, which stands for the prompt on standard input.
    argv = (*order.argv[:-1], *setting, order.argv[-1])
    return replace(order, argv=argv, environment=environment, proxy=terms)
