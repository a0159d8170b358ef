"""What an operator is told once after an upgrade."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from structlog.testing import capture_logs

from moonmind.runtime.upgrades import CHANGES, Change, announce

FIRST, SECOND = Change("first", "The first thing changed."), Change("second", "The second thing changed.")


def said(state: Path, *changes: Change, used_before: bool = True) -> list[str]:
    with capture_logs() as logs:
        announce(state, used_before=used_before, changes=changes)
    return [entry["what"] for entry in logs]


def test_a_change_is_said_once(tmp_path: Path) -> None:
    assert said(tmp_path, FIRST) == [FIRST.sentence]
    assert said(tmp_path, FIRST) == []


def test_a_later_program_says_only_what_is_new(tmp_path: Path) -> None:
    said(tmp_path, FIRST)
    assert said(tmp_path, FIRST, SECOND) == [SECOND.sentence]


def test_a_new_installation_is_told_nothing_then_or_later(tmp_path: Path) -> None:
    assert said(tmp_path, FIRST, used_before=False) == []
    assert said(tmp_path, FIRST, SECOND) == [SECOND.sentence]


def test_of_processes_that_start_together_one_says_it(tmp_path: Path) -> None:
    with capture_logs() as logs, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: announce(tmp_path, used_before=True, changes=[FIRST, SECOND]), range(8)))
    assert sorted(entry["change"] for entry in logs) == ["first", "second"]


def test_what_is_noted_is_private(tmp_path: Path) -> None:
    announce(tmp_path, used_before=True, changes=[FIRST])
    assert (tmp_path / "upgrades").stat().st_mode & 0o077 == 0


def test_each_change_has_a_name_of_its_own_and_one_sentence() -> None:
    assert len({change.name for change in CHANGES}) == len(CHANGES)
    for change in CHANGES:
        assert re.fullmatch(r"[a-z0-9-]+", change.name), change.name
        assert change.sentence.endswith("."), change.name
