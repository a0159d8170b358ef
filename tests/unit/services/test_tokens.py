"""Named API tokens, on a real database."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from moonmind.db.clock import db_now
from moonmind.db.tables import api_token
from moonmind.db.unit_of_work import Database
from moonmind.errors import InvalidRequest, NotFound, TokenNameTaken, Unauthorized
from moonmind.redact import MASK, Redactor
from moonmind.services.tokens import Tokens
from moonmind.wire import NewApiToken
from tests.support.databases import at_once, everything


@pytest.fixture
def tokens(database: Database) -> Tokens:
    return Tokens(database)


def let_expire(database: Database, name: str) -> None:
    """Set a token's end to now, by the database's clock."""
    with database._engine.begin() as connection:
        connection.execute(update(api_token).where(api_token.c.name == name).values(expires_at=db_now()))


@pytest.mark.parametrize("name", ["ci", "ana", "0", "a.b_c-d", "x" * 64])
@pytest.mark.parametrize("read_only", [True, False])
def test_who_holds_the_text_is_known_by_the_name(tokens: Tokens, name: str, read_only: bool) -> None:
    made = tokens.create(name, read_only=read_only, actor="ana")
    assert (made.name, made.read_only, made.state, made.created_by) == (name, read_only, "valid", "ana")
    found = tokens.admit(made.token)
    assert (found.name, found.read_only) == (name, read_only)
    assert [one.name for one in tokens.list()] == [name]


def test_the_text_is_stored_nowhere_and_masked_by_its_look(tokens: Tokens, database: Database) -> None:
    made = [tokens.create(f"t{number}", actor=None) for number in range(20)]
    rows = repr(everything(database))
    for one in made:
        assert one.token.startswith("mm_")
        assert one.token not in rows
        assert Redactor().text(f"Authorization: Bearer {one.token}.") == f"Authorization: Bearer {MASK}."
    assert len({one.token for one in made}) == len(made)


@pytest.mark.parametrize("name", ["", "Ana", "-ci", ".ci", "a b", "a/b", "ci\n", "zoë", "x" * 65, "uid 0", "api-token"])
def test_a_name_that_could_be_misread_is_refused(tokens: Tokens, name: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be the name of a token"):
        tokens.create(name, actor="ana")
    assert tokens.list() == []


def test_a_name_is_never_used_twice(tokens: Tokens, database: Database) -> None:
    first = tokens.create("ci", actor="ana")
    for _ in range(2):
        with pytest.raises(TokenNameTaken):
            tokens.create("ci", actor="ben")
        tokens.revoke("ci")
    (kept,) = tokens.list()
    assert (kept.created_by, kept.created_at) == ("ana", first.created_at)


def test_of_two_tokens_of_one_name_at_once_one_is_made(tokens: Tokens) -> None:
    found = at_once(4, lambda number: tokens.create("ci", actor=f"user{number}"))
    (made,) = (one for one in found if isinstance(one, NewApiToken))
    assert [type(one) for one in found if one is not made] == [TokenNameTaken] * 3
    assert tokens.admit(made.token).name == "ci"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mm_",
        "mm_" + "A" * 42,
        "mm_" + "A" * 43,
        "mm_" + "A" * 44,
        "MM_" + "A" * 43,
        "mm_" + "ä" * 43,
        "x" * 5000,
        "\0",
    ],
)
def test_a_text_that_is_no_token_is_refused(tokens: Tokens, text: str) -> None:
    tokens.create("ci", actor=None)
    with pytest.raises(Unauthorized, match="is not valid"):
        tokens.admit(text)


def test_one_changed_letter_is_another_token(tokens: Tokens) -> None:
    text = tokens.create("ci", actor=None).token
    for place in range(3, len(text)):
        other = "A" if text[place] != "A" else "B"
        with pytest.raises(Unauthorized):
            tokens.admit(text[:place] + other + text[place + 1 :])


def test_a_revoked_token_is_refused_at_once_and_for_good(tokens: Tokens) -> None:
    text = tokens.create("ci", actor=None).token
    other = tokens.create("other", actor=None).token
    assert tokens.any_valid()
    first = tokens.revoke("ci")
    assert (first.state, tokens.revoke("ci")) == ("revoked", first)
    with pytest.raises(Unauthorized, match="ci was revoked"):
        tokens.admit(text)
    assert tokens.admit(other).name == "other"
    tokens.revoke("other")
    assert not tokens.any_valid()


def test_a_token_that_is_not_there_cannot_be_revoked(tokens: Tokens) -> None:
    with pytest.raises(NotFound, match="nobody"):
        tokens.revoke("nobody")


def test_a_token_expires_by_the_databases_clock(tokens: Tokens, database: Database) -> None:
    text = tokens.create("ci", expires=timedelta(days=1), actor=None).token
    assert tokens.admit(text).name == "ci"
    let_expire(database, "ci")
    with pytest.raises(Unauthorized, match="ci has expired"):
        tokens.admit(text)
    assert [one.state for one in tokens.list()] == ["expired"]
    assert not tokens.any_valid()


@pytest.mark.parametrize("days", [1, 30, 36_500])
def test_a_lifetime_counts_from_now(tokens: Tokens, database: Database, days: int) -> None:
    made = tokens.create("ci", expires=timedelta(days=days), actor=None)
    assert made.expires_at is not None
    assert made.expires_at - made.created_at <= timedelta(days=days)
    with database.read() as unit:
        now = unit.now()
    assert made.expires_at > now + timedelta(days=days, minutes=-1)


@pytest.mark.parametrize(
    "end",
    [
        datetime(2020, 1, 1, tzinfo=UTC),
        datetime(1971, 5, 5, tzinfo=UTC),
        datetime(9999, 12, 31, tzinfo=UTC),
        timedelta(0),
        timedelta(days=36_501),
    ],
)
def test_an_end_that_is_past_or_far_away_is_refused(tokens: Tokens, end: datetime | timedelta) -> None:
    with pytest.raises(InvalidRequest, match="cannot end at"):
        tokens.create("ci", expires=end, actor=None)
    assert tokens.list() == []
