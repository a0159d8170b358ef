import pytest
from structlog.testing import capture_logs

from moonmind.errors import NotConfigured, Unavailable
from moonmind.runtime import start_wait
from moonmind.runtime.start_wait import when_there


class Building:
    """Something that can be built once a service is there; waiting for it takes no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> None:
        self.errors = list(errors)
        self.now = 100.0
        monkeypatch.setattr(start_wait, "time", self)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "built"


def test_what_is_there_is_built_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as logs:
        assert when_there(Building(monkeypatch), "the database", 60.0) == "built"
    assert logs == []


def test_what_is_late_is_waited_for_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    building = Building(monkeypatch, Unavailable("refused"), Unavailable("starting up"))
    with capture_logs() as logs:
        assert when_there(building, "the database", 60.0) == "built"
    assert [(line["what"], line["error"], line["gives_up_in_seconds"]) for line in logs] == [
        ("the database", "refused", 60),
        ("the database", "starting up", 58),
    ]


def test_what_never_comes_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    building = Building(monkeypatch, *(Unavailable("refused") for _ in range(9)))
    with pytest.raises(Unavailable, match="refused"):
        when_there(building, "the database", 5.0)
    assert building.now == 105.0


def test_what_waiting_does_not_fix_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    building = Building(monkeypatch, NotConfigured("the password is wrong"))
    with pytest.raises(NotConfigured):
        when_there(building, "the database", 60.0)
    assert building.now == 100.0
