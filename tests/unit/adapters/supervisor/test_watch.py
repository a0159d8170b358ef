from dataclasses import replace

import pytest

from moonmind.adapters.supervisor.watch import End, Watch, outlived

WATCH = Watch(stall_seconds=10, total_seconds=100, output_bytes=1000, started=0, last_life=0)


def test_an_agent_within_its_limits_goes_on() -> None:
    assert WATCH.verdict(9.9) is None
    assert replace(WATCH, last_life=95, received=1000).verdict(99.9) is None


def test_silence_is_a_stall() -> None:
    assert WATCH.verdict(10) is End.STALLED
    assert replace(WATCH, last_life=50).verdict(60) is End.STALLED


def test_the_whole_time_counts_however_lively_the_agent_is() -> None:
    assert replace(WATCH, last_life=99.9).verdict(100) is End.TIMED_OUT


def test_too_much_output_is_said_first() -> None:
    assert replace(WATCH, received=1001).verdict(500) is End.OUTPUT_LIMIT


@pytest.mark.parametrize(
    ("beat", "now", "limit"),
    [
        (1000, 1000, None),
        (1005, 1016, None),
        (1000, 1014, End.STALLED),
        (1099, 1100.9, None),  # its supervisor is about to end it
        (1150, 1150, None),  # and works on that
        (1150, 1154, End.TIMED_OUT),
        (1221, 1221, End.TIMED_OUT),
        (1000, 9999, End.TIMED_OUT),
    ],
)
def test_a_limit_is_outlived_where_the_supervisor_does_not_see_to_it(
    beat: float, now: float, limit: End | None
) -> None:
    assert outlived(1000, beat, stall_seconds=10, total_seconds=100, now=now) is limit
