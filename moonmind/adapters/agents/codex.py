"""Codex, driven as `codex exec --json` under our supervisor, each run with a CODEX_HOME of its own."""

from dataclasses import replace
from pathlib import Path

from moonmind.adapters.agents.base import SupervisedAgent
from moonmind.adapters.agents.codex_checks import codex_checks, find_codex
from moonmind.adapters.agents.codex_home import DEFAULT_BASE_URL, PROVIDER, TOKEN_VARIABLE, furnish, knows_thread
from moonmind.adapters.agents.codex_login import AUTH_FILE, LoginKind, find_login
from moonmind.adapters.agents.toml import toml_value
from moonmind.adapters.supervisor import loan
from moonmind.adapters.supervisor.order import PROXY_TOKEN, PROXY_URL, KeyProxy, Loan, Order
from moonmind.errors import CredentialInvalid
from moonmind.ports.agent import AgentJob
from moonmind.ports.check import Check


class CodexAgent(SupervisedAgent):
    """OpenAI's Codex CLI. Its key, if it has one, stays in the supervisor; a ChatGPT login is lent to one job at a time."""

    name = "codex"

    def check(self) -> tuple[Check, ...]:
        """Probe binary, login and, for keys, the service's answer."""
        return codex_checks(self._options)

    def _order(self, job: AgentJob) -> Order:
        login = find_login(self._options)
        if login.kind is LoginKind.NONE:
            raise CredentialInvalid(
                f"Codex has no login: {login.problem or f'there is no {login.auth_file}'}",
                remediation="Run `codex login`, or set CODEX_API_KEY, then retry.",
                check="codex.login",
            )
        home_key = job.home_key or job.key.partition("/")[0]
        home = self._codex_home(home_key)
        furnish(home, self._options, login)
        environment = self._environment(job) | {"CODEX_HOME": str(home)}
        resumes = job.resume_thread is not None and knows_thread(home, job.resume_thread)
        order = Order(
            folder=str(self._jobs.folder(job.key).path),
            argv=(find_codex(self._options), *self._arguments(job, resumes=resumes)),
            environment=environment,
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
        if login.key is None:
            return replace(order, loan=Loan(str(login.auth_file), str(home / AUTH_FILE)))
        return _behind_proxy(order, login.key, self._options.codex_base_url or DEFAULT_BASE_URL)

    def _arguments(self, job: AgentJob, *, resumes: bool) -> tuple[str, ...]:
        common = ("--json", "--skip-git-repo-check")
        if resumes and job.resume_thread is not None:
            # `resume` knows neither -s nor -C: the working directory is the process's own.
            sandbox = f"sandbox_mode={toml_value(self._options.sandbox)}"
            return ("exec", "resume", *common, "-c", sandbox, job.resume_thread, "-")
        return ("exec", *common, "--color", "never", "-s", self._options.sandbox, "-C", str(job.workspace), "-")

    def _before_removal(self, home_key: str) -> None:
        login = find_login(self._options)
        if login.kind is LoginKind.CHATGPT:
            loan.settle(Loan(str(login.auth_file), str(self._codex_home(home_key) / AUTH_FILE)))

    def _codex_home(self, home_key: str) -> Path:
        return self._jobs.home(home_key) / "codex"

    def _secrets(self) -> tuple[str, ...]:
        return (*self._options.secrets, *find_login(self._options).secrets)


def _behind_proxy(order: Order, key: str, base_url: str) -> Order:
    """Let Codex speak to the supervisor, which adds the key: Codex and its commands never hold it."""
    exempt = ",".join(filter(None, (order.environment.get("NO_PROXY"), "127.0.0.1,localhost")))
    environment = {**order.environment, TOKEN_VARIABLE: PROXY_TOKEN, "NO_PROXY": exempt, "no_proxy": exempt}
    setting = ("-c", f'model_providers.{PROVIDER}.base_url="{PROXY_URL}"')
    # Before the last argument, `-`, which stands for the prompt on standard input.
    argv = (*order.argv[:-1], *setting, order.argv[-1])
    return replace(order, argv=argv, environment=environment, proxy=KeyProxy(base_url, key))
