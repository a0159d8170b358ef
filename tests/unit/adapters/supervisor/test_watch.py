from dataclasses import replace

from moonmind.adapters.supervisor.watch import End, Watch

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
