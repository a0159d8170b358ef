from uuid import UUID, uuid4

import pytest

from moonmind.cli.session import find_run, opened
from moonmind.errors import InvalidRequest, NotFound
from tests.support.terminal import Runs, Session, a_run

ONE = UUID("aaaa1111-0000-4000-8000-000000000001")
OTHER = UUID("aaaa2222-0000-4000-8000-000000000002")


@pytest.fixture
def runs() -> Runs:
    kept = Runs()
    for run_id in [ONE, OTHER, *(uuid4() for _ in range(250))]:
        kept.add(a_run(id=run_id if str(run_id)[:4] != "aaaa" or run_id in {ONE, OTHER} else uuid4()))
    return kept


def test_a_whole_id_is_taken_as_it_is(runs: Runs) -> None:
    unknown = uuid4()
    assert find_run(runs, f" {str(unknown).upper()} ") == unknown


def test_a_beginning_finds_the_one_run_that_has_it(runs: Runs) -> None:
    assert find_run(runs, "aaaa1") == ONE
    assert find_run(runs, "AAAA2222-00") == OTHER


def test_a_run_beyond_the_first_page_is_found(runs: Runs) -> None:
    last = list(runs.kept)[-1]
    assert find_run(runs, str(last)[:13]) == last


def test_a_beginning_that_two_runs_have_is_refused_with_both(runs: Runs) -> None:
    with pytest.raises(InvalidRequest) as refused:
        find_run(runs, "aaaa")
    assert str(ONE) in refused.value.message
    assert str(OTHER) in refused.value.message


@pytest.mark.parametrize("text", ["", "abc", "last", "%", "aaaa1111-0000-4000-8000-00000000000"[:3], "../../x"])
def test_what_cannot_begin_an_id_is_refused(runs: Runs, text: str) -> None:
    with pytest.raises(InvalidRequest):
        find_run(runs, text)


def test_a_beginning_that_no_run_has_is_not_found(runs: Runs) -> None:
    with pytest.raises(NotFound):
        find_run(Runs(), "aaaa")


def test_a_session_is_closed_whatever_happens(session: Session) -> None:
    with pytest.raises(ZeroDivisionError), opened(lambda: session):
        raise ZeroDivisionError
    assert session.closed == 1
