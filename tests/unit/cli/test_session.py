from pathlib import Path
from uuid import UUID, uuid4

import pytest

from moonmind.cli.session import connected, find_run
from moonmind.errors import InvalidRequest, NotFound
from moonmind.runtime.container import Container
from moonmind.services.run_service import RunService
from tests.support.databases import add_run

ONE = UUID("aaaa1111-0000-4000-8000-000000000001")
OTHER = UUID("aaaa2222-0000-4000-8000-000000000002")


@pytest.fixture
def runs(container: Container) -> RunService:
    for run_id in (ONE, OTHER):
        add_run(container.database, id=run_id)
    return container.runs


def test_a_whole_id_is_taken_as_it_is(runs: RunService) -> None:
    unknown = uuid4()
    assert find_run(runs, f" {str(unknown).upper()} ") == unknown


def test_a_beginning_finds_the_one_run_that_has_it(runs: RunService) -> None:
    assert find_run(runs, "aaaa1") == ONE
    assert find_run(runs, "AAAA2222-00") == OTHER


def test_a_run_beyond_the_first_page_is_found(runs: RunService, container: Container) -> None:
    for number in range(100):
        add_run(container.database, id=UUID(f"bbbb0000-0000-4000-8000-{number:012}"))
    assert find_run(runs, "aaaa1") == ONE


def test_a_beginning_that_two_runs_have_is_refused_with_both(runs: RunService) -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_run(runs, "aaaa")
    assert str(ONE) in refused.value.message
    assert str(OTHER) in refused.value.message


@pytest.mark.parametrize("text", ["", "abc", "last", "%", "aaaa1111-0000-4000-8000-00000000000"[:3], "../../x"])
def test_what_cannot_begin_an_id_is_refused(runs: RunService, text: str) -> None:
    with pytest.raises(InvalidRequest):
        find_run(runs, text)


def test_a_beginning_that_no_run_has_is_not_found(runs: RunService) -> None:
    with pytest.raises(NotFound):
        find_run(runs, "bbbb")


def test_a_container_is_closed_whatever_happens(installation: Path, worker: object) -> None:
    used: list[Container] = []

    def break_down() -> None:
        with connected() as container:
            used.append(container)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_down()
    assert "Connections in pool: 0 " in used[0].database._engine.pool.status()
