"""Real projects' trees: what comes next is what a careful reader would answer."""

import json
from pathlib import Path

import pytest

from moonmind.cli.speckit.speckit_command import main
from tests.support.skeletons import EXPECTED, judge, skeleton

Capture = pytest.CaptureFixture[str]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_comes_next_is_what_a_careful_reader_answers(name: str, tmp_path: Path, capsys: Capture) -> None:
    main(["next", "--json", str(skeleton(name).lay_out(tmp_path))])
    report = json.loads(capsys.readouterr().out)
    assert judge(name, report) == "right", report
    accepted = {one["answer"] for one in EXPECTED[name]["accept"]}
    assert report["answer"] != "ask" or "ask" in accepted


def test_newer_features_without_tasks_are_told(tmp_path: Path, capsys: Capture) -> None:
    main(["next", "--json", str(skeleton("26").lay_out(tmp_path))])
    notes = " ".join(json.loads(capsys.readouterr().out)["notes"])
    assert "have a spec.md and no tasks.md yet" in notes
    assert notes.count("specs/0") >= 3
