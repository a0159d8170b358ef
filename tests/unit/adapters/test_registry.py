import sys
from pathlib import Path

import pytest

from moonmind.adapters import registry
from moonmind.errors import NotConfigured


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package that brings one good and one broken agent."""
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    info.joinpath("entry_points.txt").write_text(
        "[moonmind.agents]\nother = other_agent:OtherAgent\nbroken = absent_module:Agent\n"
    )
    tmp_path.joinpath("other_agent.py").write_text("class OtherAgent:\n    name = 'other'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "other_agent", raising=False)


@pytest.mark.usefixtures("third_party")
def test_a_third_party_is_found_as_ours_are() -> None:
    assert registry.load("agents", "other").name == "other"


def test_our_agents_are_found() -> None:
    assert registry.load("agents", "scripted").name == "scripted"
    assert registry.load("agents", "codex").name == "codex"


@pytest.mark.usefixtures("third_party")
def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(NotConfigured, match="codxe") as caught:
        registry.load("agents", "codxe")
    assert "other" in caught.value.message
    assert "MOONMIND_AGENT" in caught.value.advice


@pytest.mark.usefixtures("third_party")
def test_an_adapter_that_cannot_be_imported_says_why() -> None:
    with pytest.raises(NotConfigured, match="absent_module"):
        registry.load("agents", "broken")
