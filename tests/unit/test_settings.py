"""What the environment says, and what is refused with a sentence."""

from pathlib import Path

import pytest

from moonmind.adapters import registry
from moonmind.errors import NotConfigured
from moonmind.settings import Settings, ambient_environment, load_settings

AMQP = "amqp://guest:guest@localhost:5672//"
POSTGRES = "postgresql://moonmind:secret@localhost/moonmind"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep `.env` of the working directory out."""
    monkeypatch.chdir(tmp_path)


def under(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return load_settings()


def refusal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    with pytest.raises(NotConfigured) as refused:
        under(monkeypatch, **environment)
    return refused.value.message


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "field", "read"),
    [
        ("SPEC_WORKFLOW_CODEX_QUEUE", "other", "queue", "other"),
        ("SPEC_WORKFLOW_ARTIFACT_ROOT", "/srv/artifacts", "artifact_root", Path("/srv/artifacts")),
        ("SPEC_WORKFLOW_TEST_MODE", "true", "test_mode", True),
        ("MOONMIND_VAR_DIR", "/srv/var", "var_dir", Path("/srv/var")),
        ("MOONMIND_STATE_DIR", "/srv/state", "state_dir", Path("/srv/state")),
        ("MOONMIND_AGENT", "mine", "agent_name", "mine"),
        ("MOONMIND_FORGE", "mine", "forge_name", "mine"),
        ("MOONMIND_SANDBOX", "docker", "sandbox", "docker"),
        ("MOONMIND_SANDBOX", "workspace-write", "sandbox", "codex"),
        ("CODEX_BIN", "/opt/codex", "codex_bin", "/opt/codex"),
        ("CODEX_HOME", "/opt/home", "codex_home", Path("/opt/home")),
        ("CODEX_MODEL", "m", "codex_model", "m"),
        ("CODEX_ENV", "staging", "codex_env", "staging"),
        ("CODEX_BASE_URL", "http://127.0.0.1:1", "codex_base_url", "http://127.0.0.1:1"),
        ("MOONMIND_MAX_AGENTS", "7", "max_agents", 7),
        ("MOONMIND_PHASE_TASKS", "10", "phase_tasks", 10),
        ("MOONMIND_LEASE_SECONDS", "1.5", "lease_seconds", 1.5),
        ("MOONMIND_HEARTBEAT_SECONDS", "0.5", "heartbeat_seconds", 0.5),
        ("MOONMIND_SWEEP_SECONDS", "2", "sweep_seconds", 2.0),
        ("MOONMIND_RETENTION_DAYS", "1", "retention_days", 1.0),
        ("MOONMIND_LOG_FORMAT", "json", "log_format", "json"),
        ("MOONMIND_ALLOWED_HOSTS", " one.example , two.example,", "allowed_hosts", ("one.example", "two.example")),
    ],
)
def test_every_setting_is_read_from_the_variable_that_the_documents_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, read: object
) -> None:
    monkeypatch.delenv("MOONMIND_SANDBOX")
    assert getattr(load_settings(), field) != read
    assert getattr(under(monkeypatch, **{variable: value}), field) == read


def test_every_field_has_a_name_of_its_own_in_the_environment() -> None:
    names: list[str] = []
    for field in Settings.model_fields.values():
        alias = field.validation_alias
        names.extend([alias] if isinstance(alias, str) else [str(choice) for choice in getattr(alias, "choices", [])])
    assert len(names) == len(Settings.model_fields) + 1
    assert len(set(names)) == len(names)
    assert all(name == name.upper() for name in names)


def test_github_token_is_another_name_for_gh_token_which_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    second = under(monkeypatch, GITHUB_TOKEN="the-second-token").gh_token
    assert second is not None
    assert second.get_secret_value() == "the-second-token"
    first = under(monkeypatch, GH_TOKEN="the-first-token").gh_token
    assert first is not None
    assert first.get_secret_value() == "the-first-token"


def test_an_empty_value_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = under(
        monkeypatch,
        CELERY_BROKER_URL="",
        DATABASE_URL="",
        SPEC_WORKFLOW_CODEX_QUEUE="",
        MOONMIND_MAX_AGENTS="",
        GH_TOKEN="",
    )
    assert empty == load_settings()
    assert (empty.queue, empty.embedded, empty.sqlite, empty.gh_token) == ("codex", True, True, None)


def test_a_dot_env_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SPEC_WORKFLOW_CODEX_QUEUE=file\nMOONMIND_MAX_AGENTS=3\nUNKNOWN=1\n")
    monkeypatch.setenv("SPEC_WORKFLOW_CODEX_QUEUE", "environment")
    settings = load_settings()
    assert (settings.queue, settings.max_agents) == ("environment", 3)


# --- where rows live -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "url"),
    [
        ({"DATABASE_URL": POSTGRES}, "postgresql+psycopg://moonmind:secret@localhost/moonmind"),
        ({"DATABASE_URL": "postgres://h/d"}, "postgresql+psycopg://h/d"),
        ({"DATABASE_URL": "postgresql+psycopg://h/d"}, "postgresql+psycopg://h/d"),
        ({"CELERY_RESULT_BACKEND": f"db+{POSTGRES}"}, "postgresql+psycopg://moonmind:secret@localhost/moonmind"),
        ({"CELERY_RESULT_BACKEND": "db+sqlite:////srv/x.db"}, "sqlite:////srv/x.db"),
        (
            {"CELERY_RESULT_BACKEND": f"db+{POSTGRES}", "DATABASE_URL": "postgresql://other/d"},
            "postgresql+psycopg://other/d",
        ),
        ({"DATABASE_URL": "sqlite:////srv/x.db"}, "sqlite:////srv/x.db"),
    ],
)
def test_rows_live_where_database_url_says_else_beside_celerys_results(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], url: str
) -> None:
    assert under(monkeypatch, CELERY_BROKER_URL=AMQP, **environment).database_url == url


@pytest.mark.parametrize("environment", [{}, {"CELERY_RESULT_BACKEND": "rpc://"}])
def test_without_a_database_rows_live_in_a_file_below_var(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, environment: dict[str, str]
) -> None:
    settings = under(monkeypatch, **environment)
    assert settings.database_url == f"sqlite:///{tmp_path}/var/moonmind.db"
    assert (settings.sqlite, settings.embedded) == (True, True)


def test_the_documented_pair_of_urls_is_enough_for_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = under(
        monkeypatch,
        CELERY_BROKER_URL="pyamqp://guest:guest@localhost:5672//",
        CELERY_RESULT_BACKEND="db+postgresql://moonmind:secret@localhost:5432/moonmind",
    )
    assert (settings.embedded, settings.sqlite) == (False, False)
    assert settings.database_url == "postgresql+psycopg://moonmind:secret@localhost:5432/moonmind"


# --- what is refused -----------------------------------------------------------------------------------------------


def test_postgresql_without_a_broker_is_refused_with_both_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, DATABASE_URL=POSTGRES)
    assert "CELERY_BROKER_URL" in message
    assert "unset DATABASE_URL" in message
    assert "secret" not in message


@pytest.mark.parametrize("broker", ["redis://localhost/0", "memory://", "sqs://", "localhost"])
def test_a_broker_that_is_not_rabbitmq_is_refused_by_its_scheme(monkeypatch: pytest.MonkeyPatch, broker: str) -> None:
    message = refusal(monkeypatch, CELERY_BROKER_URL=broker)
    assert message.startswith("CELERY_BROKER_URL has the scheme ")
    assert "RabbitMQ" in message


@pytest.mark.parametrize("url", ["mysql://h/d", "postgresql+asyncpg://h/d", "postgresql+psycopg2://h/d"])
def test_a_database_that_is_neither_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    assert refusal(monkeypatch, DATABASE_URL=url, CELERY_BROKER_URL=AMQP).startswith("DATABASE_URL has the scheme ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("MOONMIND_MAX_AGENTS", "0"),
        ("MOONMIND_MAX_AGENTS", "many"),
        ("MOONMIND_LEASE_SECONDS", "-1"),
        ("MOONMIND_RETENTION_DAYS", "0"),
        ("MOONMIND_LOG_FORMAT", "xml"),
        ("SPEC_WORKFLOW_TEST_MODE", "perhaps"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    assert refusal(monkeypatch, **{variable: value}).startswith(f"{variable}: ")


# --- the rest ------------------------------------------------------------------------------------------------------


def test_test_mode_is_the_scripted_agent_and_the_local_forge_whatever_else_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = under(monkeypatch, SPEC_WORKFLOW_TEST_MODE="1", MOONMIND_AGENT="mine", MOONMIND_FORGE="mine")
    assert (settings.agent, settings.forge) == ("scripted", "local")
    monkeypatch.delenv("SPEC_WORKFLOW_TEST_MODE")
    assert (load_settings().agent, load_settings().forge) == ("mine", "mine")


def test_the_agent_and_the_forge_that_nobody_chose_are_installed() -> None:
    settings = load_settings()
    assert registry.load("agents", settings.agent).name == settings.agent
    assert registry.load("forges", settings.forge).name == settings.forge


def test_secrets_are_masked_from_twelve_characters_on_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = under(monkeypatch, GH_TOKEN="x" * 12, CODEX_API_KEY="y" * 40, MOONMIND_API_TOKEN="z" * 11)
    assert settings.secrets() == ("x" * 12, "y" * 40)
    assert not any(shown in repr(settings) for shown in ("x" * 12, "y" * 40, "z" * 11))


def test_the_state_folder_is_the_installations_own_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert under(monkeypatch, XDG_STATE_HOME=str(tmp_path / "xdg")).state_folder("i") == tmp_path / "xdg/moonmind/i"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load_settings().state_folder("i") == tmp_path / "home/.local/state/moonmind/i"
    assert under(monkeypatch, MOONMIND_STATE_DIR="~/mine").state_folder("i") == tmp_path / "home/mine"


def test_a_reader_can_name_settings_directly_and_change_none() -> None:
    settings = load_settings(queue="direct")
    assert settings.queue == "direct"
    with pytest.raises(ValueError, match="frozen"):
        settings.queue = "other"  # type: ignore[misc]  # what the test is about


def test_the_ambient_environment_is_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONE", "1")
    copy = ambient_environment()
    copy["ONE"] = "2"
    assert ambient_environment()["ONE"] == "1"


def test_a_value_out_of_its_bounds_is_said_with_the_variables_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOONMIND_MAX_AGENTS", "0")
    with pytest.raises(NotConfigured) as refused:
        load_settings()
    assert refused.value.message == "MOONMIND_MAX_AGENTS: must be greater than or equal to 1"


PASSWORD = "n0t-a%2Fdefault"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", f"postgresql://moonmind:{PASSWORD}@db.internal/moonmind"),
        ("DATABASE_URL", f"postgresql://moonmind@db.internal/moonmind?password={PASSWORD}"),
        ("CELERY_BROKER_URL", f"amqp://moonmind:{PASSWORD}@mq:5672//"),
        ("CELERY_RESULT_BACKEND", f"db+postgresql://moonmind:{PASSWORD}@db/moonmind"),
        ("CODEX_BASE_URL", f"https://gateway:{PASSWORD}@models.internal/v1"),
        ("HTTPS_PROXY", f"http://operator:{PASSWORD}@proxy.internal:3128"),
        ("https_proxy", f"http://operator:{PASSWORD}@proxy.internal:3128"),
        ("HTTP_PROXY", f"http://:{PASSWORD}@proxy.internal"),
        ("all_proxy", f"socks5h://operator:{PASSWORD}@10.0.0.1:1080"),
        ("PIP_INDEX_URL", f"https://__token__:{PASSWORD}@packages.internal/simple"),
    ],
)
def test_passwords_inside_addresses_are_secrets(monkeypatch: pytest.MonkeyPatch, name: str, url: str) -> None:
    monkeypatch.setenv(name, url)
    if name in {"DATABASE_URL", "CELERY_RESULT_BACKEND"}:
        monkeypatch.setenv("CELERY_BROKER_URL", "amqp://localhost//")
    assert {PASSWORD, "n0t-a/default"} <= set(load_settings().secrets())


def test_both_names_of_the_github_token_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GH_TOKEN", "ghp_" + "a1" * 18)
    monkeypatch.setenv("GITHUB_TOKEN", "ghs_" + "b2" * 18)
    settings = load_settings()
    assert settings.gh_token is not None
    assert settings.gh_token.get_secret_value() == "ghp_" + "a1" * 18
    assert {"ghp_" + "a1" * 18, "ghs_" + "b2" * 18} <= set(settings.secrets())


@pytest.mark.parametrize(
    "url",
    [
        "amqp://guest:guest@localhost:5672//",
        "amqp://guest:guestguest@localhost:5672//",
        "postgresql://postgres:postgres@localhost/postgres",
        "postgresql://moonmind:moonmind@localhost/moonmind",
        "postgresql://app:warehouse@db/warehouse",
        "postgresql://app:Database@database.internal/x",
        "redis://:short-7@cache/0",
        "http://proxy:aaaabbbb@proxy.internal:3128",
        "amqp://user:Password123@mq",
        "http://[not-an-address:passw0rd!@x",
        "https://example.com/a:b@c",
    ],
)
def test_defaults_and_names_are_no_secrets(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SOME_URL", url)
    assert load_settings().secrets() == ()


@pytest.mark.parametrize(
    ("former", "kind"), [("danger-full-access", "none"), ("workspace-write", "codex"), ("bubblewrap", "bubblewrap")]
)
def test_a_mode_of_codex_names_the_sandbox_that_it_means(
    monkeypatch: pytest.MonkeyPatch, former: str, kind: str
) -> None:
    assert under(monkeypatch, MOONMIND_SANDBOX=former).sandbox == kind


@pytest.mark.parametrize("named", ["read-only", "podman", "Docker", "workspace_write"])
def test_an_unknown_sandbox_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch, named: str) -> None:
    with pytest.raises(NotConfigured, match=r"MOONMIND_SANDBOX.*auto, docker, bubblewrap, codex, none"):
        under(monkeypatch, MOONMIND_SANDBOX=named)


@pytest.mark.parametrize("named", ["Docker", "BUBBLEWRAP", "Auto"])
def test_a_sandbox_in_capitals_is_refused_with_the_one_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    said = f"MOONMIND_SANDBOX: names no sandbox; did you mean {named.lower()}? Use one of auto, "
    assert refusal(monkeypatch, MOONMIND_SANDBOX=named).startswith(said)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        *(("MEMORY", value, "is no size of 64 MiB or more; write it as 4GiB or 512MiB")
          for value in ("much", "4 Gi B", "32MiB", "-4GiB", "1e99999")),
        *(("CPUS", value, "is no number of cores above 0; write it as 2 or 1.5")
          for value in ("two", "0", "-1", "1,5", "inf", "nan")),
        *(("PROCESSES", value, "is no whole number of 16 or more; write it as 1024")
          for value in ("many", "15", "20.5", "1k")),
    ],
)  # fmt: skip
def test_a_limit_that_cannot_be_read_is_refused_with_an_example(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    assert refusal(monkeypatch, **{f"MOONMIND_SANDBOX_{name}": value}) == f"MOONMIND_SANDBOX_{name}: {said}"


@pytest.mark.parametrize("value", ["usr/share", "/opt/a:b", "./x:/y"])
def test_what_jobs_may_read_is_named_by_whole_paths(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(NotConfigured, match="MOONMIND_SANDBOX_READ"):
        under(monkeypatch, MOONMIND_SANDBOX_READ=value)


@pytest.mark.parametrize("host", ["https://example.org", "*", "10.0.0.0/8", "a b", "example.org/simple", "exämple.org"])
def test_what_is_no_host_is_refused_with_an_example(host: str) -> None:
    with pytest.raises(NotConfigured, match=r"MOONMIND_ENVIRONMENT_HOSTS: .*\*\.example\.org"):
        load_settings(MOONMIND_ENVIRONMENT_HOSTS=f"pypi.example.org,{host}")


@pytest.mark.parametrize(
    "hosts", ["example.org", "a.example.org:8080, *.example.org", "127.0.0.1:3141", "[::1]:80", "localhost"]
)
def test_hosts_of_environments_are_taken_with_and_without_ports(hosts: str) -> None:
    assert load_settings(MOONMIND_ENVIRONMENT_HOSTS=hosts).environment_hosts == tuple(hosts.replace(" ", "").split(","))


def test_the_values_of_variables_for_set_ups_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_OURS", "0123456789abcdef")
    monkeypatch.setenv("AWS_REGION", "ap-southeast-2")
    monkeypatch.setenv("UV_INDEX_URL", "https://me:a-password-of-it@pypi.example.org/simple")
    found = load_settings(MOONMIND_ENVIRONMENT_VARIABLES="TOKEN_OF_OURS,NOT_SET,AWS_REGION,UV_INDEX_URL").secrets()
    assert "0123456789abcdef" in found
    assert "a-password-of-it" in found
    assert not {"ap-southeast-2", "https://me:a-password-of-it@pypi.example.org/simple"} & set(found)
