import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.supervisor import loan
from moonmind.adapters.supervisor.order import Loan


@pytest.fixture
def terms(tmp_path: Path) -> Loan:
    (tmp_path / "operator").mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "operator" / "auth.json").write_text("old")
    return Loan(str(tmp_path / "operator" / "auth.json"), str(tmp_path / "home" / "auth.json"))


def test_a_refreshed_login_is_given_back(terms: Loan) -> None:
    held = loan.take(terms)
    assert Path(terms.copy).read_text() == "old"
    assert Path(terms.copy).stat().st_mode & 0o777 == 0o600
    Path(terms.copy).write_text("new")
    loan.give_back(terms, held)
    assert Path(terms.source).read_text() == "new"


def test_an_unchanged_login_is_left_alone(terms: Loan) -> None:
    before = Path(terms.source).stat().st_mtime_ns
    loan.give_back(terms, loan.take(terms))
    assert Path(terms.source).stat().st_mtime_ns == before


def test_the_login_is_lent_to_one_at_a_time(terms: Loan) -> None:
    held = loan.take(terms)
    with pytest.raises(loan.LoginBusy):
        loan.take(terms)
    loan.give_back(terms, held)
    loan.give_back(terms, loan.take(terms))


def test_a_login_that_the_operator_renewed_meanwhile_wins(terms: Loan) -> None:
    held = loan.take(terms)
    Path(terms.copy).write_text("refreshed by the agent")
    Path(terms.source).write_text("renewed by the operator")
    loan.give_back(terms, held)
    assert Path(terms.source).read_text() == "renewed by the operator"


def test_a_logout_meanwhile_is_not_undone(terms: Loan) -> None:
    held = loan.take(terms)
    Path(terms.copy).write_text("refreshed")
    Path(terms.source).unlink()
    loan.give_back(terms, held)
    assert not Path(terms.source).exists()


@pytest.mark.parametrize("again", [loan.settle, lambda terms: os.close(loan.take(terms))])
def test_what_a_killed_borrower_kept_is_given_back_later(terms: Loan, again: Callable[[Loan], object]) -> None:
    os.close(loan.take(terms))  # killed: the lock is free and nothing was given back
    Path(terms.copy).write_text("refreshed")
    again(terms)
    assert Path(terms.source).read_text() == "refreshed"


def test_nothing_is_settled_while_the_login_is_lent(terms: Loan) -> None:
    held = loan.take(terms)
    Path(terms.copy).write_text("half written")
    loan.settle(terms)
    assert Path(terms.source).read_text() == "old"
    loan.give_back(terms, held)


def test_a_home_that_never_borrowed_has_nothing_to_settle(terms: Loan) -> None:
    loan.settle(terms)
    assert Path(terms.source).read_text() == "old"


def test_a_failed_loan_holds_nothing(terms: Loan) -> None:
    Path(terms.source).unlink()
    with pytest.raises(FileNotFoundError):
        loan.take(terms)
    Path(terms.source).write_text("back")
    loan.give_back(terms, loan.take(terms))
