"""What a project lacks, found before a run does."""

import json
import os
from pathlib import Path

import pytest

from moonmind.cli.speckit.speckit_command import main

Capture = pytest.CaptureFixture[str]


def checks(checkout: Path, capsys: Capture, code: int) -> dict[str, list[str]]:
    assert main(["doctor", str(checkout), "--json"]) == code
    found: dict[str, list[str]] = {}
    for check in json.loads(capsys.readouterr().out)["checks"]:
        found.setdefault(f"{check['name']} {check['status']}", []).append(check["message"])
    return found


def test_a_sound_project_passes(checkout: Path, capsys: Capture) -> None:
    found = checks(checkout, capsys, 0)
    assert found["spec-kit passed"] == ["Spec Kit 1.2.3"]
    assert "next: Phase 1" in found["specs/spec-42-refresh-docs passed"][0]
    assert main(["doctor", str(checkout)]) == 0
    assert "constitution" in capsys.readouterr().out


def test_what_would_stop_a_run_or_surprise_it_is_named(checkout: Path, capsys: Capture) -> None:
    folder = checkout / "specs/spec-42-refresh-docs"
    (folder / "plan.md").write_text(" \n")
    later = (folder / "tasks.md").stat().st_mtime + 3600
    os.utime(folder / "spec.md", (later, later))
    broken = checkout / "specs/043-broken"
    broken.mkdir()
    (broken / "tasks.md").write_text("nothing\n")
    (checkout / ".specify/memory/constitution.md").write_text("# [PROJECT_NAME] Constitution\n")
    (checkout / ".specify/feature.json").write_text('{"feature_directory": "specs/099-gone"}')
    found = checks(checkout, capsys, 1)
    assert "no line such as" in found["specs/043-broken failed"][0]
    looks = found["specs/spec-42-refresh-docs unknown"]
    assert any("plan.md is empty" in words for words in looks)
    assert any("spec.md is newer than tasks.md" in words for words in looks)
    assert "still the template" in found["constitution unknown"][0]
    assert "specs/099-gone" in found["feature.json unknown"][0]


def test_two_features_alike_are_a_question_for_a_person(checkout: Path, capsys: Capture) -> None:
    for name in ("007-a", "007-b"):
        place = checkout / "specs" / name
        place.mkdir()
        (place / "tasks.md").write_text("## Phase 1: A\n\n- [ ] T001 One\n")
    found = checks(checkout, capsys, 0)
    assert "specs/007-a: 1 of 1 tasks open" in found["choice unknown"][0]
    assert "specs/007-b: 1 of 1 tasks open" in found["choice unknown"][0]
