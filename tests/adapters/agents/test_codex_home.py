import subprocess
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_home import TOKEN_VARIABLE, configuration, furnish, knows_thread, opens_network
from moonmind.adapters.agents.codex_login import find_login
from moonmind.adapters.agents.codex_setup import ensure_codex_home
from moonmind.adapters.trees import remove_tree
from moonmind.errors import NotConfigured
from moonmind.ports.sandbox import SandboxKind
from tests.support.agents import codex_binary
from tests.support.responses_server import ResponsesServer
from tests.support.trees import deepen

KEY = "sk-set-0123456789"


@pytest.fixture
def options(tmp_path: Path) -> AgentOptions:
    (tmp_path / "operator").mkdir()
    return AgentOptions(tmp_path / "state", "i", codex_home=tmp_path / "operator", codex_api_key=KEY)


def furnished(options: AgentOptions, home: Path) -> dict[str, object]:
    furnish(home, configuration(options, find_login(options), "workspace-write"))
    return tomllib.loads((home / "config.toml").read_text())


def test_codex_works_alone_and_calls_nobody(options: AgentOptions, tmp_path: Path) -> None:
    config = furnished(replace(options, codex_model="gpt-5.5"), tmp_path / "home")
    assert config["approval_policy"] == "never"
    assert config["sandbox_mode"] == "workspace-write"
    assert config["model"] == "gpt-5.5"
    assert config["check_for_update_on_startup"] is False
    assert config["analytics"] == {"enabled": False}
    assert config["features"] == {"plugins": False, "apps": False}
    assert config["history"] == {"persistence": "none"}


def test_the_home_holds_no_key_and_is_for_its_user_alone(options: AgentOptions, tmp_path: Path) -> None:
    furnished(options, tmp_path / "home")
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["config.toml"]
    assert KEY not in (tmp_path / "home" / "config.toml").read_text()
    assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_the_repositorys_words_are_there_while_it_has_any(options: AgentOptions, tmp_path: Path) -> None:
    config = configuration(options, find_login(options), "workspace-write")
    furnish(tmp_path / "home", config, "words\n")
    assert (tmp_path / "home" / "AGENTS.md").read_text() == "words\n"
    furnish(tmp_path / "home", config)
    assert not (tmp_path / "home" / "AGENTS.md").exists()


def test_a_labelled_profile_lies_below_what_we_rely_on(options: AgentOptions) -> None:
    assert options.codex_home is not None
    (options.codex_home / "prod.config.toml").write_text(
        'model = "big"\napproval_policy = "on-request"\n[features]\nplugins = true\nother = true\n[mcp_servers.x]\ncommand = "y"\n'
    )
    labelled = replace(options, codex_env="prod")
    config = configuration(labelled, find_login(labelled), "workspace-write")
    assert (config["model"], config["approval_policy"]) == ("big", "never")
    assert config["features"] == {"plugins": False, "apps": False, "other": True}
    assert config["mcp_servers"] == {"x": {"command": "y"}}


def test_a_label_without_a_profile_is_only_a_label(options: AgentOptions) -> None:
    labelled = replace(options, codex_env="prod")
    assert configuration(labelled, find_login(labelled), "workspace-write") == configuration(
        options, find_login(options), "workspace-write"
    )


@pytest.mark.parametrize("label", ["../prod", "a/b", ".hidden", "", "x" * 65])
def test_a_label_that_is_a_path_is_refused(options: AgentOptions, label: str) -> None:
    with pytest.raises(NotConfigured, match="CODEX_ENV"):
        configuration(replace(options, codex_env=label), find_login(options), "workspace-write")


def test_a_broken_profile_is_named(options: AgentOptions) -> None:
    assert options.codex_home is not None
    (options.codex_home / "prod.config.toml").write_text("model =")
    with pytest.raises(NotConfigured, match=r"prod\.config\.toml"):
        configuration(replace(options, codex_env="prod"), find_login(options), "workspace-write")


def test_a_thread_is_known_where_its_session_is(tmp_path: Path) -> None:
    assert not knows_thread(tmp_path, "t-1")
    (tmp_path / "sessions" / "2026").mkdir(parents=True)
    (tmp_path / "sessions" / "2026" / "rollout-2026-t-1.jsonl").touch()
    assert knows_thread(tmp_path, "t-1")
    assert not knows_thread(tmp_path, "t-2")


@pytest.mark.codex_real
@pytest.mark.skipif(codex_binary() is None, reason="there is no codex binary")
def test_the_real_codex_knows_every_key_that_we_write(options: AgentOptions, tmp_path: Path) -> None:
    home = tmp_path / "home"
    furnished(options, home)
    environment = {
        "CODEX_HOME": str(home),
        "PATH": "/usr/bin:/bin",
        "TMPDIR": str(tmp_path / "tmp"),
        TOKEN_VARIABLE: KEY,
    }

    def strict(url: str) -> "subprocess.CompletedProcess[str]":
        setting = f'model_providers.moonmind.base_url="{url}"'
        command = [str(codex_binary()), "exec", "--strict-config", "--skip-git-repo-check", "-c", setting, "-"]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, input="x", capture_output=True, text=True, timeout=30, check=False
        )

    with ResponsesServer([{"message": "done"}], tmp_path / "log", KEY) as server:
        done = strict(server.url)
        assert done.returncode == 0, done.stderr
        config = home / "config.toml"
        config.write_text("no_such_key = 1\n" + config.read_text())
        done = strict(server.url)
        assert done.returncode == 1  # or the first answer would show nothing
        assert "no_such_key" in done.stderr


def test_the_operators_home_is_made_once_and_never_changed(tmp_path: Path) -> None:
    options = AgentOptions(tmp_path, "i", codex_home=tmp_path / "fresh" / ".codex")
    first = ensure_codex_home(options)
    assert (first.config_made, first.usable, first.login) == (True, False, "none")
    assert "auth.json" in first.problem
    assert tomllib.loads(first.config.read_text()) == {"cli_auth_credentials_store": "file"}
    first.config.write_text("model = 'mine'\n")
    second = ensure_codex_home(replace(options, codex_api_key=KEY))
    assert (second.config_made, second.usable, second.problem) == (False, True, "")
    assert first.config.read_text() == "model = 'mine'\n"
    assert KEY not in repr(second)


def test_a_home_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotConfigured, match="cannot be created") as caught:
        ensure_codex_home(AgentOptions(tmp_path, "i", codex_home=tmp_path / "file" / ".codex"))
    assert "CODEX_HOME" in caught.value.advice


def test_an_agents_own_folders_among_its_conversations_hinder_nothing(tmp_path: Path) -> None:
    day = tmp_path / "sessions" / "2026" / "11" / "28"
    deepen(day, 1200)
    (day / "round").symlink_to("..")
    (day / "rollout-2026-11-28T01-02-03-t-1.jsonl").touch()
    assert knows_thread(tmp_path, "t-1")
    assert not knows_thread(tmp_path, "t-2")
    remove_tree(tmp_path / "sessions")


@pytest.mark.parametrize(
    ("sandbox", "label", "opens"),
    [
        ("none", None, True),
        ("none", "closed", True),
        ("codex", None, False),
        ("codex", "absent", False),
        ("codex", "closed", False),
        ("codex", "odd", False),
        ("codex", "broken", False),
        ("codex", "open", True),
        ("codex", "../open", False),
    ],
)
def test_it_is_known_whether_commands_reach_the_network(
    options: AgentOptions, sandbox: str, label: str | None, opens: bool
) -> None:
    assert options.codex_home is not None
    for name, content in {
        "open": "[sandbox_workspace_write]\nnetwork_access = true\n",
        "closed": "[sandbox_workspace_write]\nnetwork_access = false\n",
        "odd": "sandbox_workspace_write = 7\n",
        "broken": "sandbox_workspace_write = [\n",
    }.items():
        (options.codex_home / f"{name}.config.toml").write_text(content)
    assert opens_network(replace(options, codex_env=label), SandboxKind(sandbox)) is opens
