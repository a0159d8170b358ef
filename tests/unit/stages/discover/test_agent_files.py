import time

import pytest

from moonmind.stages.discover.agent_files import configures_an_agent, warnings


@pytest.mark.parametrize(
    "path",
    [
        ".codex/config.toml",
        ".codex/hooks.json",
        ".codex/rules/default.rules",
        ".codex/agents/reviewer.toml",
        ".codex/skills/deploy/scripts/run.sh",
        ".codex",
        "packages/app/.codex/config.toml",
        "a/b/c/.codex/x/y.json",
        ".Codex/config.toml",
        ".CODEX/CONFIG.TOML",
        "sub/.cOdEx/config.toml",
        ".codex /config.toml",
        ".codex./config.toml",
        ".co\u200cdex/config.toml",
        ".codex::$INDEX_ALLOCATION/config.toml",
        "CODEX~1/config.toml",
        ".agents/plugins/marketplace.json",
        ".agents/skills/deploy/agents/openai.yaml",
        ".codex-plugin/plugin.json",
        ".Claude-Plugin/plugin.json",
        ".mcp.json",
        "tools/.MCP.json",
    ],
)
def test_a_file_that_can_name_a_program_counts_at_any_depth_and_in_any_spelling(path: str) -> None:
    assert configures_an_agent(path)


@pytest.mark.parametrize(
    "path",
    [
        ".codex/prompts/speckit.implement.md",
        ".agents/skills/speckit-implement/SKILL.md",
        "AGENTS.md",
        "codex/config.toml",
        "src/codex.py",
        "docs/mcp.json",
        "my.codex/config.toml",
        ".codexrc",
        "agents/openai.yaml",
        "mcp.json",
        "README.md",
    ],
)
def test_words_and_other_names_do_not(path: str) -> None:
    assert not configures_an_agent(path)


def test_one_sentence_names_the_first_few() -> None:
    assert warnings(["README.md", ".codex/prompts/a.md"]) == ()
    (one,) = warnings(["README.md", ".codex/config.toml"])
    assert ": .codex/config.toml. " in one
    (many,) = warnings(f".codex/agents/{number}.toml" for number in range(9))
    assert ".codex/agents/4.toml and 4 more. " in many
    assert "agents/5" not in many


def test_a_large_tree_takes_no_time() -> None:
    listing = [f"src/package{number % 100}/module{number}.py" for number in range(200_000)]
    before = time.process_time()
    assert warnings(listing) == ()
    assert time.process_time() - before < 2
