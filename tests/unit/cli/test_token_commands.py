import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from moonmind.cli.main import main
from moonmind.cli.token_commands import lifetime
from moonmind.db.unit_of_work import Database
from moonmind.errors import InvalidRequest
from moonmind.os_user import own_name
from moonmind.services.tokens import Tokens
from tests.support.databases import everything

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
DAY = timedelta(days=1)


@pytest.fixture
def tokens(database: Database) -> Tokens:
    """What a server with this database goes by."""
    return Tokens(database)


def test_a_token_is_printed_once_and_alone(moonmind: Command, tokens: Tokens, capsys: Capture) -> None:
    assert moonmind("token", "create", "ci") == 0
    out, err = capsys.readouterr()
    assert tokens.admit(out.strip()).name == "ci"
    assert out.strip() not in err
    assert "only this once" in err
    assert moonmind("token", "list") == 0
    listed = capsys.readouterr().out
    assert re.search(rf"^ci +valid +everything +just now by {own_name()} +never *$", listed, re.MULTILINE)
    assert out.strip() not in listed


def test_with_json_each_command_prints_one_document(moonmind: Command, tokens: Tokens, capsys: Capture) -> None:
    assert moonmind("token", "create", "dash", "--read", "--expires", "30d", "--json") == 0
    made = json.loads(capsys.readouterr().out)
    assert tokens.admit(made.pop("token")).read_only
    assert (made["name"], made["readOnly"], made["state"], made["createdBy"]) == ("dash", True, "valid", own_name())
    assert moonmind("token", "list", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"items": [made]}
    assert moonmind("token", "revoke", "dash", "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "revoked"


def test_a_token_that_may_only_read_says_so(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("token", "create", "dash", "--read", "--expires", "2099-01-31") == 0
    assert "may read, until 2099-02-01 00:00 UTC" in capsys.readouterr().err
    assert moonmind("token", "list") == 0
    assert re.search(r"^dash +valid +read .* 2099-02-01 00:00 UTC$", capsys.readouterr().out, re.MULTILINE)


def test_a_revoked_token_stays_in_the_list(moonmind: Command, tokens: Tokens, capsys: Capture) -> None:
    moonmind("token", "create", "ci")
    assert moonmind("token", "revoke", "ci") == 0
    assert "within 5 seconds" in capsys.readouterr().out
    assert moonmind("token", "revoke", "ci") == 0
    capsys.readouterr()
    assert moonmind("token", "create", "ci") == 3
    assert "there is, or was, a token with the name ci" in capsys.readouterr().err
    assert [token.state for token in tokens.list()] == ["revoked"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("create", "Ana"), 2, "cannot be the name of a token"),
        (("create", "api-token"), 2, "MOONMIND_API_TOKEN"),
        (("create", "ci", "--expires", "tomorrow"), 2, "neither a number of days nor a date"),
        (("create", "ci", "--expires", "2020-01-31"), 2, "cannot end at 2020-02-01 00:00 UTC"),
        (("create", "ci", "--expires", "99999d"), 2, "36500 days at most"),
        (("create",), 2, "--help"),
        (("revoke", "ghost"), 3, "moonmind token list"),
    ],
)
def test_what_cannot_be_is_explained_and_changes_nothing(
    moonmind: Command, database: Database, capsys: Capture, arguments: tuple[str, ...], code: int, said: str
) -> None:
    before = everything(database)
    assert moonmind("token", *arguments) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert everything(database) == before


@pytest.mark.parametrize("arguments", [("create", "ci"), ("list",), ("revoke", "ci")])
def test_in_a_folder_without_a_database_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["token", *arguments]) == 3
    assert "moonmind db upgrade" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_says_which_database_it_is(moonmind: Command, capsys: Capture) -> None:
    for arguments in (("token",), ("token", "--help")):
        assert moonmind(*arguments) == 0
        out = capsys.readouterr().out
        assert "the installation's own database" in out
        for command in ("create", "list", "revoke"):
            assert command in out


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1d", DAY),
        ("30d", 30 * DAY),
        ("99999d", 99_999 * DAY),
        ("2027-01-31", datetime(2027, 2, 1, tzinfo=UTC)),
        ("2028-02-29", datetime(2028, 3, 1, tzinfo=UTC)),
        ("2027-12-31", datetime(2028, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_lifetime_is_days_or_the_last_day(text: str, meant: timedelta | datetime) -> None:
    assert lifetime(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", "30", "d", "0d", "-1d", "1.5d", "30 d", "30D", "100000d", "never", "\N{ARABIC-INDIC DIGIT THREE}d"),
        *(
            "2027-02-29",
            "2027-13-01",
            "27-01-31",
            "20270131",
            "2027-W04-7",
            "2027-01-31T00:00",
            "9999-12-31",
            "0000-01-01",
        ),
    ],
)
def test_any_other_lifetime_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="neither a number of days nor a date"):
        lifetime(text)
