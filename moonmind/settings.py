"""Every setting, read once per process from the environment and `.env`, then passed down; there is no global."""

import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    ByteSize,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from moonmind import env_file, var_folder
from moonmind.env_file import VARIABLE
from moonmind.errors import NotConfigured
from moonmind.github_urls import GitHubUrls, checked_origin, github_urls
from moonmind.redact.urls import url_secrets
from moonmind.repository_patterns import checked
from moonmind.setting_sources import Environment, File
from moonmind.unknown_variables import unknown_variables

_MINUTE = 60.0
_HOUR = 3600.0
_DAY = 86400.0
_CREDENTIAL = re.compile(r"TOKEN|KEY|PASS|SECRET|AUTH|CREDENTIAL|LOGIN", re.IGNORECASE)
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9])?(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")

SANDBOXES = ("auto", "docker", "bubblewrap", "codex", "none")
FORMER_SANDBOXES = {"workspace-write": "codex", "danger-full-access": "none"}
"""Modes of Codex that named a sandbox before there were others."""

_LIMITS = {
    "sandbox_memory": "is no size of 64 MiB or more; write it as 4GiB or 512MiB",
    "sandbox_cpus": "is no number of cores above 0; write it as 2 or 1.5",
    "sandbox_processes": "is no whole number of 16 or more; write it as 1024",
}
"""What is said of a limit that cannot be read."""


class Settings(BaseSettings):
    """The settings of one process. Names in the environment are the aliases; empty values count as unset."""

    model_config = SettingsConfigDict(
        env_file=(),  # ours is read in its place; only `_env_file=None` reads none
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    _needs_broker: ClassVar[bool] = True
    """PostgreSQL serves several processes, which hear of runs by a broker."""

    env_file: Path | None = Field(None, validation_alias=VARIABLE)
    """The file that settings were read from beside the environment: the one that is set, else the working directory's
    `.env`; None where there is neither."""

    # --- where messages go and rows live
    broker_url: str | None = Field(None, validation_alias="CELERY_BROKER_URL")
    """Unset: the API process runs the embedded engine over `memory://`."""
    result_backend: str | None = Field(None, validation_alias="CELERY_RESULT_BACKEND")
    database: str | None = Field(None, validation_alias="DATABASE_URL")
    queue: str = Field("codex", validation_alias="SPEC_WORKFLOW_CODEX_QUEUE", min_length=1)
    artifact_root: Path = Field(Path("var/artifacts/spec_workflows"), validation_alias="SPEC_WORKFLOW_ARTIFACT_ROOT")
    state_dir: Path | None = Field(None, validation_alias="MOONMIND_STATE_DIR")
    """Unset: `$XDG_STATE_HOME/moonmind/<installation id>`."""
    xdg_state_home: Path | None = Field(None, validation_alias="XDG_STATE_HOME")
    var_dir: Path = Field(Path("var"), validation_alias="MOONMIND_VAR_DIR")
    """SQLite, the lock and the server's address; relative to the working directory."""

    # --- who does the work
    test_mode: bool = Field(False, validation_alias="SPEC_WORKFLOW_TEST_MODE")
    """Agent `scripted` and forge `local`, nothing else."""
    agent_name: str = Field("codex", validation_alias="MOONMIND_AGENT")
    forge_name: str = Field("github", validation_alias="MOONMIND_FORGE")
    sandbox: str = Field("auto", validation_alias="MOONMIND_SANDBOX")
    """What confines jobs: `auto`, or a kind of ports/sandbox.py; the modes of Codex, which stood here before, are taken as
    the kinds that they mean."""
    sandbox_image: str | None = Field(None, validation_alias="MOONMIND_SANDBOX_IMAGE")
    """The image of job containers; naming one has `auto` choose `docker`."""
    sandbox_images: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="MOONMIND_SANDBOX_IMAGES")
    """Images that a repository's `.moonmind.yml` may name beside that one; where there is no such one, the first is the image of
    all other jobs; comma-separated."""
    sandbox_read: Annotated[tuple[Path, ...], NoDecode] = Field((), validation_alias="MOONMIND_SANDBOX_READ")
    """Files and folders that jobs in `bubblewrap` may read beside the system's; separated as in PATH."""
    sandbox_memory: ByteSize = Field(ByteSize(4 << 30), validation_alias="MOONMIND_SANDBOX_MEMORY", ge=64 << 20)
    """What one job's processes may use together, where the host can hold them to it."""
    sandbox_cpus: float | None = Field(None, validation_alias="MOONMIND_SANDBOX_CPUS", gt=0, allow_inf_nan=False)
    """Cores that one job may use; unset: all."""
    sandbox_processes: int = Field(1024, validation_alias="MOONMIND_SANDBOX_PROCESSES", ge=16)
    environments: Literal["auto", "declared", "off"] = Field("auto", validation_alias="MOONMIND_ENVIRONMENTS")
    verification: Literal["auto", "declared", "off"] = Field("auto", validation_alias="MOONMIND_VERIFICATION")
    """What is set up for a repository's tests: what `.moonmind.yml` or its build files say, `.moonmind.yml` alone, nothing."""
    protected_files: Literal["warn", "draft", "ask", "refuse"] = Field(
        "draft", validation_alias="MOONMIND_PROTECTED_FILES"
    )
    """What a change of protected files is at least; a repository may ask for more."""
    environment_hosts: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="MOONMIND_ENVIRONMENT_HOSTS")
    """Hosts that set-ups may reach beside their registries, as `host`, `host:port` or `*.domain`; comma-separated."""
    environment_variables: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="MOONMIND_ENVIRONMENT_VARIABLES"
    )
    """Names of this process's variables that set-ups are given: registry settings, secrets; comma-separated."""
    local_repos: Path = Field(Path("var/repositories"), validation_alias="MOONMIND_LOCAL_REPOS")
    """Bare repositories of the `local` forge, `<owner>/<name>.git`."""
    scripted_script: Path | None = Field(None, validation_alias="MOONMIND_SCRIPT")
    """A script file for the `scripted` agent; unset: it extends each path that the tasks name."""

    # --- credentials
    gh_token: SecretStr | None = Field(None, validation_alias=AliasChoices("GH_TOKEN", "GITHUB_TOKEN"))
    github_api_url: str | None = Field(None, validation_alias="GITHUB_API_URL")
    """Unset: what belongs to GITHUB_SERVER_URL, `https://api.github.com` for the public GitHub."""
    github_server_url: str | None = Field(None, validation_alias="GITHUB_SERVER_URL")
    """Where people and git find the repositories; unset: what belongs to GITHUB_API_URL."""
    pull_request_labels: Annotated[tuple[str, ...], NoDecode] = Field(
        (), validation_alias="MOONMIND_PULL_REQUEST_LABELS"
    )
    """Put on every pull request; comma-separated."""
    codex_api_key: SecretStr | None = Field(None, validation_alias="CODEX_API_KEY")
    api_token: SecretStr | None = Field(None, validation_alias="MOONMIND_API_TOKEN")

    # --- Codex
    codex_bin: str | None = Field(None, validation_alias="CODEX_BIN")
    """Unset: `codex` on PATH."""
    codex_home: Path | None = Field(None, validation_alias="CODEX_HOME")
    """Where the operator logged in; unset: `~/.codex`. Runs get homes of their own."""
    codex_base_url: str | None = Field(None, validation_alias="CODEX_BASE_URL")
    codex_model: str | None = Field(None, validation_alias="CODEX_MODEL")
    codex_env: str | None = Field(None, validation_alias="CODEX_ENV")
    """A label for the audit's snapshot; picks `$CODEX_HOME/<label>.config.toml` if present."""

    # --- limits; seconds unless the name says otherwise
    max_agents: int = Field(2, validation_alias="MOONMIND_MAX_AGENTS", ge=1, le=256)
    agent_stall_seconds: float = Field(15 * _MINUTE, validation_alias="MOONMIND_AGENT_STALL_SECONDS", gt=0)
    agent_total_seconds: float = Field(4 * _HOUR, validation_alias="MOONMIND_AGENT_TOTAL_SECONDS", gt=0)
    max_model_calls: int = Field(400, validation_alias="MOONMIND_MAX_MODEL_CALLS", ge=1, le=1_000_000)
    """Of one run, whatever number of agents it takes; a person's retry allows as many again."""
    phase_tasks: int | None = Field(None, validation_alias="MOONMIND_PHASE_TASKS", ge=1)
    """The most tasks of a phase that one run takes up; unset: all that are open."""
    max_jobs: int = Field(os.cpu_count() or 1, validation_alias="MOONMIND_MAX_JOBS", ge=1, le=256)
    """Environments that a host sets up, and tests that it runs, at once, beside its agents."""
    environment_seconds: float = Field(30 * _MINUTE, validation_alias="MOONMIND_ENVIRONMENT_SECONDS", gt=0)
    """After so long a set-up is ended."""
    verification_seconds: float = Field(30 * _MINUTE, validation_alias="MOONMIND_VERIFICATION_SECONDS", gt=0)
    """After so long a test command is ended; a repository may ask for less."""
    verification_space: ByteSize = Field(ByteSize(10 << 30), validation_alias="MOONMIND_VERIFICATION_SPACE", ge=1 << 20)
    """What one test command may write on the disk."""
    environment_space: ByteSize = Field(ByteSize(20 << 30), validation_alias="MOONMIND_ENVIRONMENT_SPACE", ge=0)
    """What a host keeps of environments; beyond it, those that were not used for longest go."""
    agent_relook_seconds: float = Field(60.0, validation_alias="MOONMIND_AGENT_RELOOK_SECONDS", gt=0)
    """The longest wait of a run that is suspended on its agent, if no job poller sees the end."""
    run_deadline_seconds: float = Field(_DAY, validation_alias="MOONMIND_RUN_DEADLINE_SECONDS", gt=0)
    attention_hours: float = Field(72.0, validation_alias="MOONMIND_ATTENTION_HOURS", gt=0, le=8760)
    """How long a run waits for a person's answer before it fails."""
    lease_seconds: float = Field(60.0, validation_alias="MOONMIND_LEASE_SECONDS", gt=0)
    heartbeat_seconds: float = Field(5.0, validation_alias="MOONMIND_HEARTBEAT_SECONDS", gt=0)
    sweep_seconds: float | None = Field(None, validation_alias="MOONMIND_SWEEP_SECONDS", gt=0)
    """The janitor's pace; unset: 1 embedded, 5 otherwise."""
    host_silence_seconds: float = Field(5 * _MINUTE, validation_alias="MOONMIND_HOST_SILENCE_SECONDS", gt=0)
    start_seconds: float = Field(_MINUTE, validation_alias="MOONMIND_START_SECONDS", ge=0)
    """How long a server or a worker that starts waits for its database before it gives up."""
    retention_days: float = Field(30.0, validation_alias="MOONMIND_RETENTION_DAYS", gt=0)
    """After this long, artifacts and workspaces of ended runs are removed; their rows stay."""

    # --- how we speak
    log_format: Literal["auto", "console", "json"] = Field("auto", validation_alias="MOONMIND_LOG_FORMAT")
    log_level: str = Field("INFO", validation_alias="MOONMIND_LOG_LEVEL")
    repositories: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="MOONMIND_REPOSITORIES")
    """Patterns of the repositories that may be run (`acme/*`); comma-separated; unset: all."""
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = Field((), validation_alias="MOONMIND_ALLOWED_HOSTS")
    """Host names that the API answers to beside the local ones; comma-separated."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - replaced by ours, as the signature has it
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return where values come from: the caller, the environment, the file; the first that has one wins."""
        environment = Environment(settings_cls)
        if isinstance(dotenv_settings, DotEnvSettingsSource) and dotenv_settings.env_file is None:
            return init_settings, environment
        return init_settings, environment, File(settings_cls, environment.env_vars)

    @field_validator("env_file")
    @classmethod
    def _place(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @field_validator("github_api_url", "github_server_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        return None if value is None else checked_origin(value)

    @field_validator(
        "allowed_hosts",
        "sandbox_images",
        "environment_hosts",
        "environment_variables",
        "pull_request_labels",
        "repositories",
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("sandbox")
    @classmethod
    def _sandbox(cls, value: str) -> str:
        kind = FORMER_SANDBOXES.get(value, value)
        if kind not in SANDBOXES:
            meant = f"did you mean {kind.lower()}? Use" if kind.lower() in SANDBOXES else "use"
            raise ValueError(f"names no sandbox; {meant} one of {', '.join(SANDBOXES)}")
        return kind

    @field_validator("sandbox_memory", "sandbox_cpus", "sandbox_processes", mode="wrap")
    @classmethod
    def _limit(cls, value: Any, read: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return read(value)
        except ValidationError:
            raise ValueError(_LIMITS[str(info.field_name)]) from None

    @field_validator("sandbox_read", mode="before")
    @classmethod
    def _paths(cls, value: Any) -> Any:
        return tuple(part for part in value.split(os.pathsep) if part) if isinstance(value, str) else value

    @field_validator("sandbox_read")
    @classmethod
    def _absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        paths = tuple(path.expanduser() for path in value)
        if relative := [str(path) for path in paths if not path.is_absolute()]:
            raise ValueError(f"has relative paths: {', '.join(relative)}")
        return paths

    @field_validator("environment_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if odd := [host for host in value if not _HOST.fullmatch(host)]:
            raise ValueError(f"{odd[0]!r} is no host; write `example.org`, `example.org:8080` or `*.example.org`")
        return value

    @field_validator("repositories", mode="wrap")
    @classmethod
    def _patterns(cls, value: Any, read: Callable[[Any], tuple[str, ...]]) -> tuple[str, ...]:
        patterns = tuple(checked(pattern) for pattern in read(value))
        if isinstance(value, str) and not patterns:
            raise ValueError("names no pattern; unset it to allow all repositories")
        return patterns

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        database, broker = self.database_url, self.broker_url
        if broker is not None and not broker.startswith(("amqp://", "amqps://", "pyamqp://")):
            raise ValueError(
                f"CELERY_BROKER_URL has the scheme {urlsplit(broker).scheme or 'none'!r}; RabbitMQ (amqp://, amqps://, "
                "pyamqp://) and no broker at all (embedded) are supported"
            )
        if not database.startswith(("sqlite://", "postgresql+psycopg://")):
            raise ValueError(
                f"DATABASE_URL has the scheme {urlsplit(database).scheme!r}; use postgresql:// or sqlite:///"
            )
        if self._needs_broker and broker is None and not self.sqlite:
            raise ValueError(
                "PostgreSQL needs a broker: set CELERY_BROKER_URL to a RabbitMQ, or unset DATABASE_URL for the embedded engine"
            )
        return self

    @cached_property
    def github(self) -> GitHubUrls:
        """Return the URLs of GitHub's API and web server. Raises NotConfigured if one cannot be derived from the other."""
        return github_urls(api=self.github_api_url, server=self.github_server_url)

    @property
    def embedded(self) -> bool:
        """Return True if the API process runs the engine itself."""
        return self.broker_url is None

    @cached_property
    def database_url(self) -> str:
        """Return SQLAlchemy's URL: DATABASE_URL, else the database in CELERY_RESULT_BACKEND, else SQLite under var/."""
        url = self.database
        if url is None and self.result_backend and self.result_backend.startswith("db+"):
            url = self.result_backend.removeprefix("db+")
        if url is None:
            return f"sqlite:///{self.var_dir.absolute() / 'moonmind.db'}"
        for plain in ("postgresql://", "postgres://"):
            if url.startswith(plain):
                return "postgresql+psycopg://" + url.removeprefix(plain)
        return url

    @property
    def sqlite(self) -> bool:
        """Return True if the database is SQLite."""
        return self.database_url.startswith("sqlite://")

    @property
    def agent(self) -> str:
        """Return the agent adapter's name."""
        return "scripted" if self.test_mode else self.agent_name

    @property
    def forge(self) -> str:
        """Return the forge adapter's name."""
        return "local" if self.test_mode else self.forge_name

    def state_folder(self, installation_id: str) -> Path:
        """Return the folder of mirrors, workspaces, agent homes and run folders."""
        if self.state_dir is not None:
            return self.state_dir.expanduser().absolute()
        base = self.xdg_state_home or Path.home() / ".local" / "state"
        return base.expanduser().absolute() / "moonmind" / installation_id

    def defaulted(self) -> dict[str, Path]:
        """Return the unset variables whose defaults are places in the working directory, with these places."""
        return {
            str(field.validation_alias): field.default
            for name, field in type(self).model_fields.items()
            if name not in self.model_fields_set and isinstance(field.default, Path) and not field.default.is_absolute()
        }

    def check_var(self) -> None:
        """Refuse a `var` that may have come with a clone, where a setting would mean it by default. Raises FolderRefused."""
        if defaults := self.defaulted():
            var_folder.check(defaults, self.xdg_state_home)

    def claim_var(self, *variables: str) -> None:
        """Make and note `var` before it is written to, where one of these means it by default. Raises FolderRefused."""
        defaults = self.defaulted()
        if any(variable in defaults for variable in variables):
            var_folder.claim(defaults, self.xdg_state_home)

    def unknown_variables(self) -> Mapping[str, str | None]:
        """Return the names in the environment and the file that look like settings and are none, with the nearest setting."""
        given = {name for name, value in ambient_environment().items() if value}
        if self.env_file is not None and self.env_file.is_file():  # a pipe can be read once
            given |= env_file.names(self.env_file)
        aliases = (field.validation_alias for field in type(self).model_fields.values())
        known = (alias.choices if isinstance(alias, AliasChoices) else [alias] for alias in aliases)
        return unknown_variables(given, {str(name) for names in known for name in names})

    def secrets(self) -> tuple[str, ...]:
        """Return the values that must appear nowhere.

        These are the named tokens and keys of 12 characters or more, such values of variables that set-ups are given, and the passwords inside addresses: of the
        database, the broker, the result backend, and whatever address the environment holds, proxies first of all.
        """
        named = (self.gh_token, self.codex_api_key, self.api_token)
        tokens = [secret.get_secret_value() for secret in named if secret is not None]
        # GH_TOKEN goes first; what stands beside it in GITHUB_TOKEN is a token all the same.
        tokens += [value for name, value in ambient_environment().items() if name in {"GH_TOKEN", "GITHUB_TOKEN"}]
        urls = (self.database, self.broker_url, self.result_backend, self.codex_base_url)
        ambient = (value for value in ambient_environment().values() if "://" in value)
        given = [name for name in self.environment_variables if _CREDENTIAL.search(name)]
        tokens += [value for name in given if (value := ambient_environment().get(name))]
        addresses = [url.removeprefix("db+") for url in (*urls, *ambient) if url]
        return tuple(dict.fromkeys([*(token for token in tokens if len(token) >= 12), *url_secrets(addresses)]))


class DatabaseSettings(Settings):
    """The settings of a command that only speaks to the database, and so needs no broker."""

    _needs_broker: ClassVar[bool] = False


def load_settings(kind: type[Settings] = Settings, **overrides: Any) -> Settings:
    """Read the settings of this process; raises NotConfigured with the variable's name and what is wrong with it.

    Raises FolderRefused where a folder that may have come with a clone would be this installation's by default.
    """
    try:
        settings = kind(**overrides)
    except ValidationError as error:
        lines = []
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            said = problem["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
            lines.append(f"{where}: {said}" if where else said)
        raise NotConfigured("; ".join(lines)) from None
    settings.check_var()
    return settings


def ambient_environment() -> dict[str, str]:
    """Return a copy of this process's environment, from which adapters build an allow-list."""
    return dict(os.environ)  # the one place that reads it, beside the supervisor
