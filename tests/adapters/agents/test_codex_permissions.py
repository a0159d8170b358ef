import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex import CodexAgent
from moonmind.adapters.agents.codex_permissions import PROFILE, Reach, confined
from moonmind.ports.agent import AgentJob, JobEnd
from tests.support.agents import CodexScene, codex_binary

CREDENTIALS = (
    ".ssh/id_rsa", ".netrc", ".git-credentials", ".config/gh/hosts.yml", ".config/git/credentials", ".aws/credentials",
    ".config/gcloud/credentials.db", ".azure/msal_token_cache.json", ".docker/config.json", ".npmrc", ".pypirc",
    ".gnupg/private-keys-v1.d/a.key", ".cargo/credentials.toml", ".bash_history", ".python_history", ".pgpass",
    ".config/pypoetry/auth.toml", ".terraform.d/credentials.tfrc.json", ".password-store/a.gpg", ".vault-token",
)  # fmt: skip
HIDDEN = (
    "OPERATORS-CREDENTIAL",
    "SERVICES-DATABASE",
    "OPERATORS-LOGIN",
    "SERVICES-SETTINGS",
    "ANOTHER-RUNS-LOGIN",
    "ANOTHER-RUNS-WORK",
    "OWN-LOGIN",
)


def test_the_profile_takes_the_place_of_the_mode_and_keeps_what_it_allowed(tmp_path: Path) -> None:
    reach = Reach(tmp_path / "state" / "tree", tmp_path / "state" / "tmp", (tmp_path / "state", tmp_path / ".env"))
    config = {
        "model": "m",
        "sandbox_mode": "workspace-write",
        "sandbox_workspace_write": {"network_access": True, "writable_roots": ["/srv/cache"]},
        "shell_environment_policy": {"inherit": "all", "set": {"A": "b"}},
    }
    made = confined(config, reach)
    assert "sandbox_mode" not in made
    assert "sandbox_workspace_write" not in made
    assert (made["model"], made["default_permissions"]) == ("m", PROFILE)
    profile = made["permissions"][PROFILE]
    assert profile["network"] == {"enabled": True}
    assert profile["filesystem"] == {
        ":slash_tmp": "read",
        f"{tmp_path}/state": "deny",
        f"{tmp_path}/.env": "deny",
        f"{tmp_path}/state/tree": "write",
        f"{tmp_path}/state/tmp": "write",
        "/srv/cache": "write",
    }
    assert made["shell_environment_policy"]["set"] == {"A": "b", "HOME": f"{tmp_path}/state/tmp/home"}
    assert not confined({}, reach)["permissions"][PROFILE]["network"]["enabled"]


class Confined(CodexScene):
    """Codex in its own sandbox, told to read what it should not see."""

    sandbox = "codex"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.workspace = self.state / "workspaces" / "run-1" / "tree"
        self.workspace.mkdir(parents=True)
        self.service = root / "service"
        places = {
            "OPERATORS-LOGIN": root / "operator" / "auth.json",
            "SERVICES-SETTINGS": self.service / ".env",
            "ANOTHER-RUNS-LOGIN": self.state / "homes" / "run-2" / "codex" / "auth.json",
            "ANOTHER-RUNS-WORK": self.state / "workspaces" / "run-2" / "tree" / "secret.py",
            "OWN-LOGIN": self.state / "homes" / "run-1" / "codex" / "auth.json",
        }
        self.home = root / "home"
        self.database = self.service / "var" / "moonmind.db"
        elsewhere = root / "elsewhere" / "kube"
        several = {self.home / name: "OPERATORS-CREDENTIAL" for name in CREDENTIALS} | {
            elsewhere / "config": "OPERATORS-CREDENTIAL",
            self.database: "SERVICES-DATABASE",
        }
        for path, words in ({path: words for words, path in places.items()} | several).items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"words": words}))
        (self.home / ".kube").symlink_to(elsewhere)
        (self.home / ".profile").write_text("READABLE")
        self.reads = " ".join(str(path) for path in (*places.values(), *several, self.home / ".kube/config"))

    def options(self) -> AgentOptions:
        made = super().options()
        return replace(made, environment={**made.environment, "HOME": str(self.home)}, private=(self.database,))

    def _turns(self, play: str) -> list[dict[str, Any]]:
        made = {"patch": f"*** Begin Patch\n*** Add File: {play}.txt\n+made\n*** End Patch"}
        command = (
            f"cat {self.reads}; cat {self.home}/.profile /etc/shadow; grep -r OPERATORS- {self.home}; find {self.root} -name auth.json -exec cat {{}} + ; "
            f"cat {play}.txt; echo kept > ~/note && cat ~/note; echo out > {self.root}/outside; echo by-command > {play}.log"
        )
        return [made, {"exec": command}, {"message": "T001: done"}]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Confined]:
    if codex_binary() is None:
        pytest.skip("there is no codex binary")
    made = Confined(tmp_path)
    monkeypatch.chdir(made.service)
    yield made
    made.close()


def config_of(scene: Confined) -> dict[str, Any]:
    return tomllib.loads((scene.state / "homes" / "run-1" / "codex" / "config.toml").read_text())


@pytest.mark.codex_real
def test_commands_read_no_login_no_setting_and_nothing_of_other_runs(scene: Confined) -> None:
    scene.behave("first", "second")
    thread: str | None = None
    for attempt, play in enumerate(("first", "second"), 1):
        job: AgentJob = scene.job(attempt, resume=thread)
        scene.started(job)
        if attempt == 1:  # what is stored after the start is hidden as well
            (scene.home / ".s3cfg").write_text("OPERATORS-CREDENTIAL")
        if "default_permissions" not in config_of(scene):
            pytest.skip("machine: Codex's sandbox cannot be set up")
        ended = scene.ended(job)
        assert ended.result is not None
        assert ended.result.end is JobEnd.COMPLETED, ended.result.message
        assert thread in (None, ended.thread_id)  # resumed, under the same profile
        thread = ended.thread_id
        log = json.dumps(scene.log(attempt))
        assert not [words for words in HIDDEN if words in log]
        assert "kept" in log
        assert "READABLE" in log
        assert "root:" not in log
        assert (scene.workspace / f"{play}.txt").read_text() == "made\n"
        assert (scene.workspace / f"{play}.log").read_text() == "by-command\n"
        assert not (scene.root / "outside").exists()


def test_a_codex_that_knows_no_profiles_is_given_the_mode(tmp_path: Path) -> None:
    codex = tmp_path / "codex"
    codex.write_text("#!/bin/sh\nexit 2\n")
    codex.chmod(0o700)
    options = AgentOptions(tmp_path / "state", "i", codex_bin=str(codex), codex_home=tmp_path, codex_api_key="sk-x" * 9)
    agent = CodexAgent(options)
    scene = Confined(tmp_path / "scene")
    job = replace(scene.job(), workspace=tmp_path)
    agent._jobs.folder(job.key).make()
    order = agent._order(job)
    assert order.argv[order.argv.index("-s") + 1] == "workspace-write"
    config = tomllib.loads((tmp_path / "state" / "homes" / "run-1" / "codex" / "config.toml").read_text())
    assert config["sandbox_mode"] == "workspace-write"
    assert "default_permissions" not in config


def test_a_codex_that_holds_its_login_itself_gets_the_proxys_password_and_its_commands_do_not(tmp_path: Path) -> None:
    codex = tmp_path / "codex"
    codex.write_text("#!/bin/sh\nexit 2\n")
    codex.chmod(0o700)
    operator = tmp_path / "operator"
    operator.mkdir()
    (operator / "auth.json").write_text(json.dumps({"tokens": {"access_token": "opaque-to-everybody"}}))
    proxy = "http://user:hunter2-hunter2@proxy:1"
    options = AgentOptions(
        tmp_path / "state", "i", codex_bin=str(codex), codex_home=operator, environment={"https_proxy": proxy}
    )
    agent = CodexAgent(options)
    job = replace(Confined(tmp_path / "scene").job(), workspace=tmp_path)
    agent._jobs.folder(job.key).make()
    lent = agent._order(job)
    assert (lent.proxy, lent.environment["https_proxy"]) == (None, proxy)
    config = tomllib.loads((tmp_path / "state" / "homes" / "run-1" / "codex" / "config.toml").read_text())
    assert config["shell_environment_policy"]["set"]["https_proxy"] == "http://proxy:1"
    (operator / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": "sk-x" * 9}))
    assert agent._order(job).environment["https_proxy"] == "http://proxy:1"
