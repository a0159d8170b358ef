"""What `doctor` says of this machine's programs and of the other hosts."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import update

from moonmind import __version__
from moonmind.db.clock import db_now
from moonmind.db.tables import api_token as table
from moonmind.db.unit_of_work import Database
from moonmind.ports.check import CheckStatus
from moonmind.preflight.machine_checks import api_token, hosts, speckit
from moonmind.services.tokens import Tokens
from tests.support.databases import register_host
from tests.support.engine_room import IdleAgent


@pytest.mark.parametrize(
    ("count", "status"), [(0, CheckStatus.PASSED), (1, CheckStatus.PASSED), (3, CheckStatus.UNKNOWN)]
)
def test_several_hosts_are_counted_and_told_what_they_do_not_share(
    database: Database, count: int, status: CheckStatus
) -> None:
    for _ in range(count):
        register_host(database, uuid4())
    (found,) = hosts(database)
    assert found.status is status
    assert (f"{count} worker hosts" in found.message) is (count > 1)


def test_a_database_that_does_not_answer_is_said_in_words(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    (found,) = hosts(database)
    database.dispose()
    assert found.status is CheckStatus.UNKNOWN
    assert found.message


def test_speckit_is_found_beside_this_program_and_missed_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = speckit()
    assert (found.status, found.facts) == (CheckStatus.PASSED, {"speckit": __version__})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert speckit()[0].status is CheckStatus.FAILED


@pytest.fixture
def make_tokens(database: Database) -> Callable[..., None]:
    """Create one named token for each word: full, read-only, revoked, expired."""

    def make(*words: str) -> None:
        tokens = Tokens(database)
        for word in words:
            tokens.create(word, read_only=word == "read-only", actor=None)
            if word == "revoked":
                tokens.revoke(word)
            if word == "expired":
                with database._engine.begin() as connection:
                    over = update(table).where(table.c.name == word).values(expires_at=db_now())
                    connection.execute(over)

    return make


ALL = ("revoked", "expired", "read-only", "full")


@pytest.mark.parametrize(
    ("words", "is_set", "is_open", "said"),
    [
        # On loopback no request needs a token, whatever named ones there are: agents pass as their user.
        ((), False, False, "and cancel runs"),
        (("revoked", "expired"), False, False, "and cancel runs"),
        (("full",), False, False, "the named token does not change that"),
        (ALL, False, False, "the 2 named tokens do not change that"),
        # A server for other machines asks everybody for one.
        ((), False, True, "none is valid: nobody can use it"),
        (("revoked", "expired"), False, True, "none is valid: nobody can use it"),
        (("read-only", "revoked"), False, True, "may only read: nobody can start a run"),
        (ALL, False, True, None),
        # So does one with the setting, which is a token itself.
        ((), True, False, None),
        (("revoked",), True, True, None),
    ],
)
def test_the_api_is_said_to_be_as_open_as_it_is(
    database: Database,
    make_tokens: Callable[..., None],
    words: tuple[str, ...],
    is_set: bool,
    is_open: bool,
    said: str | None,
) -> None:
    make_tokens(*words)
    found = api_token(IdleAgent(reaches_host=lambda: True), database, is_set=is_set, is_open=is_open)
    assert [check.name for check in found if check.status is CheckStatus.UNKNOWN] == ["api.token"] * (said is not None)
    assert all(said is not None and said in check.message for check in found)
    assert all("MOONMIND_API_TOKEN" in check.remediation for check in found)


def test_where_the_database_does_not_answer_nobody_is_said_to_be_kept_out(tmp_path: Path) -> None:
    gone = Database(f"sqlite:///{tmp_path / 'nowhere/moonmind.db'}")
    agent = IdleAgent(reaches_host=lambda: True)
    assert api_token(agent, gone, is_set=False, is_open=True) == ()
    (check,) = api_token(agent, gone, is_set=False, is_open=False)
    assert "and cancel runs" in check.message
    gone.dispose()


def test_an_api_that_agents_do_not_reach_is_not_said_to_be_open(database: Database) -> None:
    assert api_token(IdleAgent(reaches_host=lambda: False), database, is_set=False, is_open=False) == ()
