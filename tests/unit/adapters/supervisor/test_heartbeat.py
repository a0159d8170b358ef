import time
from pathlib import Path

import pytest

from moonmind.adapters.supervisor.heartbeat import Heartbeat, last_beat


def test_a_beat_is_the_time_of_the_clock_that_stands_still_while_the_host_sleeps(tmp_path: Path) -> None:
    before = time.monotonic()
    Heartbeat(tmp_path / "heartbeat").beat()
    beat = last_beat(tmp_path / "heartbeat")
    assert beat is not None
    assert before - 0.001 <= beat <= time.monotonic() + 0.001


def test_beats_that_follow_each_other_closely_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, made = tmp_path / "heartbeat", Heartbeat(tmp_path / "heartbeat")
    now = 100.0
    monkeypatch.setattr("moonmind.adapters.supervisor.heartbeat.time.monotonic", lambda: now)
    seen = []
    for step in (0.0, 0.2, 0.2, 0.2, 123456.0):
        now += step
        made.beat()
        seen.append(last_beat(place))
    assert seen == [100.0, 100.0, 100.0, 100.6, 123556.6]


@pytest.mark.parametrize("content", [None, b"", b"soon", b"\xff"])
def test_a_file_that_says_nothing_is_no_beat(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "heartbeat"
    if content is not None:
        place.write_bytes(content)
    assert last_beat(place) is None
