import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from moonmind.adapters.agents import codex
from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_project import INSTRUCTIONS_BYTES, distrusting, instructions
from moonmind.ports.agent import JobEnd, JobState, JobStatus
from tests.support.agents import CodexScene, codex_binary
from tests.support.hostile_project import RULED, plant
from tests.support.waiting import until

UNTRUSTED = {"trust_level": "untrusted"}


@pytest.mark.parametrize(
    "name", ["tree", 'a "quoted" one', "back\\slash", "dots.and spaces", "ünïcode", "[tables]='x'"]
)
def test_a_workspace_of_any_name_is_untrusted(tmp_path: Path, name: str) -> None:
    written = tomllib.loads(tomli_w.dumps(distrusting({"model": "m"}, tmp_path / name)))
    assert written["model"] == "m"
    assert written["projects"][str(tmp_path / name)] == UNTRUSTED


def test_every_folder_above_and_what_links_lead_to_are_untrusted_too(tmp_path: Path) -> None:
    (tmp_path / "disk" / "run").mkdir(parents=True)
    (tmp_path / "state").symlink_to("disk")
    named = distrusting({}, tmp_path / "state" / "run")["projects"]
    assert {f"{tmp_path}/state/run", f"{tmp_path}/disk/run", f"{tmp_path}/state", f"{tmp_path}/disk", "/"} <= set(named)
    assert list(named.values()) == [UNTRUSTED] * len(named)


def test_no_other_decision_stays(tmp_path: Path) -> None:
    trusted = {"projects": {str(tmp_path): {"trust_level": "trusted"}, "/srv": {"trust_level": "trusted"}}}
    named = distrusting(trusted, tmp_path)["projects"]
    assert named[str(tmp_path)] == UNTRUSTED
    assert "/srv" not in named


class TestInstructions:
    def test_the_first_that_says_something_is_taken(self, tmp_path: Path) -> None:
        assert instructions(tmp_path, {}) == ""
        (tmp_path / "CLAUDE.md").write_text("third")
        assert instructions(tmp_path, {}) == ""
        assert "third" in instructions(tmp_path, {"project_doc_fallback_filenames": ["CLAUDE.md"]})
        (tmp_path / "AGENTS.md").write_text("second\n")
        assert instructions(tmp_path, {}) == "# AGENTS.md of the repository\n\nsecond\n"
        (tmp_path / "AGENTS.override.md").write_text(" \n")
        assert "second" in instructions(tmp_path, {})
        (tmp_path / "AGENTS.override.md").write_text("first")
        assert "first" in instructions(tmp_path, {})

    def test_a_long_one_is_cut(self, tmp_path: Path) -> None:
        (tmp_path / "AGENTS.md").write_bytes(b"\xff" + b"x" * (2 * INSTRUCTIONS_BYTES))
        assert INSTRUCTIONS_BYTES <= len(instructions(tmp_path, {})) < INSTRUCTIONS_BYTES + 100
        assert "xxx\n" in instructions(tmp_path, {"project_doc_max_bytes": 10})
        assert instructions(tmp_path, {"project_doc_max_bytes": 0}) == ""

    def test_a_link_leads_to_another_file_of_the_workspace(self, tmp_path: Path) -> None:
        (tmp_path / "CLAUDE.md").write_text("words")
        (tmp_path / "AGENTS.md").symlink_to("CLAUDE.md")
        assert "words" in instructions(tmp_path, {})

    @pytest.mark.parametrize("kind", ["absolute", "up", "folder outside", "loop", "gone", "pipe", "folder", "device"])
    def test_what_is_no_file_of_the_workspace_is_not_read(self, tmp_path: Path, kind: str) -> None:
        (tmp_path / "outside").mkdir()
        (tmp_path / "outside" / "AGENTS.md").write_text("SECRET")
        workspace = tmp_path / "tree"
        workspace.mkdir()
        path = workspace / "AGENTS.md"
        match kind:
            case "absolute":
                path.symlink_to(tmp_path / "outside" / "AGENTS.md")
            case "up":
                path.symlink_to("../outside/AGENTS.md")
            case "folder outside":
                (workspace / "docs").symlink_to("../outside")
                path.symlink_to("docs/AGENTS.md")
            case "loop":
                path.symlink_to("AGENTS.md")
            case "gone":
                path.symlink_to("nowhere.md")
            case "pipe":
                os.mkfifo(path)
            case "folder":
                path.mkdir()
            case "device":
                path.symlink_to("/dev/zero")
        assert instructions(workspace, {}) == ""


class Hostile(CodexScene):
    """Codex in a repository that tries every way in, with hooks that Codex is told to take for reviewed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        (root / "state-disk").mkdir()
        self.state.symlink_to("state-disk")
        self.workspace = self.state / "workspaces" / "run-1" / "tree"
        (self.workspace / ".git").mkdir(parents=True)
        (self.workspace / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
        self.marks = root / "marks"
        self.marks.mkdir()
        self.binary = root / "codex"
        hooks = '[ "$1" = exec ] && { shift; set -- exec --dangerously-bypass-hook-trust "$@"; }'
        self.binary.write_text(f'#!/bin/sh\n{hooks}\nexec "{codex_binary()}" "$@"\n')
        self.binary.chmod(0o755)

    def options(self) -> AgentOptions:
        return replace(super().options(), codex_bin=str(self.binary))

    def _turns(self, play: str) -> list[dict[str, Any]]:
        escape = "true" if self.sandbox == "none" else f"{RULED} {self.marks}/rules"
        return [{"exec": escape}, {"message": f"{play} $canary"}]

    def did(self, attempt: int, resume: str | None = None) -> JobStatus:
        job = replace(self.job(attempt, resume=resume), prompt="Use $canary.")
        self.agent.start(job)
        status = self.ended(job)
        assert status.result is not None
        assert status.result.end is JobEnd.COMPLETED, status.result.message
        return status

    @property
    def config(self) -> Path:
        return self.state / "homes" / "run-1" / "codex" / "config.toml"

    def worked(self) -> set[str]:
        return {path.name for path in self.marks.iterdir()}


@pytest.fixture(params=["profile", "codex", "none"])
def scene(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    if codex_binary() is None:
        pytest.skip("there is no codex binary")
    made = Hostile(tmp_path)
    made.sandbox = "none" if request.param == "none" else "codex"
    if request.param == "codex":
        monkeypatch.setattr(codex, "holds", lambda *_: False)
    yield made
    made.close()


@pytest.mark.codex_real
class TestReal:
    def test_nothing_of_the_repositorys_runs_at_a_first_start_or_in_a_resumed_thread(self, scene: Hostile) -> None:
        scene.behave("first", "second")
        (scene.workspace / "AGENTS.md").write_text("Words of the repository, the first.\n")
        plant(scene.workspace, scene.marks)
        thread = scene.did(1).thread_id
        assert scene.worked() == set()
        # What Codex 0.163 wrote by itself, and what a program before this one left.
        trusting = scene.config.read_text().replace('"untrusted"', '"trusted"')
        scene.config.write_text(trusting)
        (scene.workspace / "AGENTS.md").write_text("Words of the repository, the second.\n")
        assert scene.did(2, resume=thread).thread_id == thread
        assert scene.worked() == set()
        assert '"trusted"' not in scene.config.read_text()
        asked = [json.dumps(request["input"]) for request in scene.server.requests()]
        assert "Words of the repository, the first." in asked[0]
        assert "Words of the repository, the second." in asked[-1]

    def test_the_ways_in_are_open_where_the_project_is_trusted(
        self, scene: Hostile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Show that the test above would see it."""

        def trusting(config: dict[str, Any], workspace: Path) -> dict[str, Any]:
            named = distrusting(config, workspace)["projects"]
            return {**config, "projects": {name: {"trust_level": "trusted"} for name in named}}

        monkeypatch.setattr(codex, "distrusting", trusting)
        scene.behave("only")
        plant(scene.workspace, scene.marks)
        scene.did(1)
        wanted = {"mcp_server", "trusts_itself", "hooks_file", "hooks_in_the_configuration"}
        wanted |= {"rules"} if "sandbox_mode" in scene.config.read_text() and scene.sandbox == "codex" else set()
        assert until(lambda: scene.worked() >= wanted, f"the marks {wanted}")
        assert scene.agent.poll("run-1/submit-1").state is JobState.ENDED
