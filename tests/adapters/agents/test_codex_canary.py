import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.agents import codex_canary
from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_canary import project_check
from moonmind.adapters.agents.codex_login import find_login
from moonmind.adapters.jobs.job_timing import JobTiming
from moonmind.ports.check import Check, CheckStatus
from tests.support.agents import codex_binary

# A stand-in that does with the repository's configuration what a Codex could do, and asks the model for its answer.
STAND_IN = """#!/usr/bin/env python3
import json, os, pathlib, subprocess, sys, tomllib, urllib.error, urllib.request
config = tomllib.loads(pathlib.Path(".codex/config.toml").read_text())
with open(pathlib.Path(sys.argv[0]).with_name("calls"), "a") as calls:
    print(*sys.argv[1:], file=calls)
{deed}
url = next(word for word in sys.argv if "base_url" in word).split('"')[1]
try:
    urllib.request.urlopen(url + "/responses", b"{{}}")
except urllib.error.HTTPError as refused:
    sys.exit(1)
"""
DEEDS = {
    "MCP server": "server = config['mcp_servers']['canary']; subprocess.run([server['command'], *server['args']])",
    "notify": "subprocess.run([*config['notify'], '{}'])",
    "hook": "subprocess.run(json.load(open('.codex/hooks.json'))['hooks']['SessionStart'][0]['hooks'][0]['command'], shell=True)",
}


@pytest.fixture(autouse=True)
def _nothing_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codex_canary, "_proven", set())


@pytest.fixture
def options(tmp_path: Path) -> AgentOptions:
    return AgentOptions(
        tmp_path / "state",
        "i",
        environment={"PATH": f"{Path(sys.executable).parent}:{os.defpath}"},
        codex_home=tmp_path,
        codex_api_key="sk-x" * 9,
    )


def stand_in(tmp_path: Path, deed: str) -> str:
    binary = tmp_path / "codex"
    binary.write_text(STAND_IN.format(deed=deed))
    binary.chmod(0o755)
    return str(binary)


def checked(options: AgentOptions, binary: str, mode: str = "workspace-write") -> Check:
    return project_check(options, find_login(options), binary, mode)


@pytest.mark.parametrize("way", DEEDS)
def test_a_codex_that_obeys_the_repository_is_refused(options: AgentOptions, tmp_path: Path, way: str) -> None:
    check = checked(options, stand_in(tmp_path, DEEDS[way]))
    assert (check.name, check.status) == ("codex.project", CheckStatus.FAILED)
    assert way in check.message
    assert "CODEX_BIN" in check.remediation
    assert checked(options, stand_in(tmp_path, DEEDS[way])).failed  # and is so when asked again


def test_one_that_leaves_it_alone_passes_and_is_not_tried_again(options: AgentOptions, tmp_path: Path) -> None:
    binary = stand_in(tmp_path, "pass")
    assert checked(options, binary).status is CheckStatus.PASSED
    assert checked(options, binary).status is CheckStatus.PASSED
    assert len((tmp_path / "calls").read_text().splitlines()) == 1
    assert list((options.state_folder / "canaries").iterdir()) == []


@pytest.mark.parametrize("change", ["program", "sandbox", "profile"])
def test_whatever_changes_is_tried_again(options: AgentOptions, tmp_path: Path, change: str) -> None:
    assert checked(options, stand_in(tmp_path, "pass")).status is CheckStatus.PASSED
    match change:
        case "program":
            assert checked(options, stand_in(tmp_path, DEEDS["notify"])).failed
        case "sandbox":
            checked(options, str(tmp_path / "codex"), "danger-full-access")
        case "profile":
            (tmp_path / "prod.config.toml").write_text('model = "m"')
            checked(replace(options, codex_env="prod"), str(tmp_path / "codex"))
    assert len((tmp_path / "calls").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("sys.exit('no such option')", "no such option"),
        ("import time; time.sleep(60)", "it did not end within"),
        ("sys.exit()", "it printed nothing"),
    ],
)
def test_one_that_asks_no_model_shows_nothing(options: AgentOptions, tmp_path: Path, deed: str, words: str) -> None:
    check = checked(replace(options, timing=JobTiming(canary=1.0)), stand_in(tmp_path, deed))
    assert check.status is CheckStatus.UNKNOWN
    assert words in check.message
    assert check.remediation


def test_a_state_folder_that_cannot_be_made_shows_nothing(options: AgentOptions, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = checked(replace(options, state_folder=tmp_path / "file" / "state"), stand_in(tmp_path, "pass"))
    assert check.status is CheckStatus.UNKNOWN


def test_what_a_killed_try_left_is_removed_later(options: AgentOptions, tmp_path: Path) -> None:
    left = options.state_folder / "canaries" / "canary-left"
    (left / "codex").mkdir(parents=True)
    os.utime(left, (0, 0))
    checked(options, stand_in(tmp_path, "pass"))
    assert not left.exists()


@pytest.mark.codex_real
@pytest.mark.skipif(codex_binary() is None, reason="there is no codex binary")
class TestReal:
    @pytest.fixture
    def binary(self) -> str:
        return str(codex_binary())

    def test_codex_passes(self, options: AgentOptions, binary: str) -> None:
        check = checked(options, binary)
        assert check.status is CheckStatus.PASSED, check

    def test_and_would_not_if_the_folder_were_trusted(
        self, options: AgentOptions, binary: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def trusting(config: Mapping[str, Any], workspace: Path) -> dict[str, Any]:
            return {**config, "projects": {str(workspace): {"trust_level": "trusted"}}}

        monkeypatch.setattr(codex_canary, "distrusting", trusting)
        check = checked(options, binary)
        assert check.status is CheckStatus.FAILED, check
        assert "MCP server" in check.message
