"""Boxes are written one at a time, and nothing else is."""

from pathlib import Path

import pytest

from moonmind.cli.speckit.checkout import rewrite
from moonmind.cli.speckit.speckit_command import main
from moonmind.errors import SpecUnreadable

TASKS = "specs/spec-42-refresh-docs/tasks.md"

Capture = pytest.CaptureFixture[str]


def test_tick_and_untick_change_one_byte_and_give_it_back(checkout: Path, capsys: Capture) -> None:
    file = checkout / TASKS
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    file.chmod(0o640)
    before = file.read_bytes()
    assert main(["tick", "T002", str(checkout)]) == 0
    after = file.read_bytes()
    assert [now for old, now in zip(before, after, strict=True) if old != now] == [ord("x")]
    assert file.stat().st_mode & 0o777 == 0o640
    assert main(["tick", "T002", str(file)]) == 0
    assert "already" in capsys.readouterr().out
    assert main(["untick", "T002", str(file)]) == 0
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == ["plan.md", "spec.md", "tasks.md"]


def test_an_id_that_stands_twice_is_asked_about(checkout: Path, capsys: Capture) -> None:
    file = checkout / TASKS
    file.write_text("## Phase 1: A\n\n- [ ] T001 One\n- [ ] T001 Two\n")
    assert main(["tick", "T001", str(file)]) == 2
    assert "lines 3, 4" in capsys.readouterr().err
    assert main(["tick", "T001", str(file), "--line", "4"]) == 0
    assert file.read_text().splitlines()[3] == "- [x] T001 Two"
    assert main(["tick", "T009", str(file)]) == 3


def test_a_file_that_changed_underneath_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "tasks.md"
    file.write_text("- [ ] T001 Another person's newer words\n")
    with pytest.raises(SpecUnreadable, match="changed"):
        rewrite(file, b"- [ ] T001 Old\n", b"- [x] T001 Old\n")
    assert file.read_text() == "- [ ] T001 Another person's newer words\n"
    assert [path.name for path in tmp_path.iterdir()] == ["tasks.md"]
