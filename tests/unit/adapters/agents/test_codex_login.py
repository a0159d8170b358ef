import json
from pathlib import Path

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex_login import LoginKind, find_login

KEY = "sk-stored-0123456789"
TOKENS = {
    "access_token": "access-0123456789",
    "refresh_token": "refresh-0123456789",
    "id_token": "id",
    "account_id": None,
}


def options(home: Path, key: str | None = None) -> AgentOptions:
    return AgentOptions(home / "state", "i", codex_home=home, codex_api_key=key)


def store(home: Path, content: object) -> None:
    (home / "auth.json").write_text(json.dumps(content))


def test_the_setting_wins_over_what_is_stored(tmp_path: Path) -> None:
    store(tmp_path, {"auth_mode": "apikey", "OPENAI_API_KEY": KEY})
    login = find_login(options(tmp_path, "sk-set"))
    assert (login.kind, login.key, login.secrets) == (LoginKind.SETTING, "sk-set", ("sk-set",))


def test_a_stored_key_is_found(tmp_path: Path) -> None:
    store(tmp_path, {"auth_mode": "apikey", "OPENAI_API_KEY": KEY})
    login = find_login(options(tmp_path))
    assert (login.kind, login.key, login.secrets) == (LoginKind.STORED_KEY, KEY, (KEY,))


@pytest.mark.parametrize("extra", [{}, {"auth_mode": "chatgpt"}, {"OPENAI_API_KEY": None}])
def test_a_chatgpt_login_has_no_key_and_its_tokens_are_secrets(tmp_path: Path, extra: dict[str, object]) -> None:
    store(tmp_path, {"tokens": TOKENS, "last_refresh": "2026-01-01"} | extra)
    login = find_login(options(tmp_path))
    assert (login.kind, login.key) == (LoginKind.CHATGPT, None)
    assert set(login.secrets) == {"access-0123456789", "refresh-0123456789"}


def test_the_default_home_is_below_the_users(tmp_path: Path) -> None:
    (tmp_path / ".codex").mkdir()
    store(tmp_path / ".codex", {"OPENAI_API_KEY": KEY})
    login = find_login(AgentOptions(tmp_path, "i", environment={"HOME": str(tmp_path)}))
    assert (login.home, login.key) == (tmp_path / ".codex", KEY)


def test_nothing_stored_is_no_problem_in_itself(tmp_path: Path) -> None:
    login = find_login(options(tmp_path))
    assert (login.kind, login.problem) == (LoginKind.NONE, "")


@pytest.mark.parametrize("content", ['{"OPENAI_API_KEY": "sk-half', "[]", "{}", '{"OPENAI_API_KEY": ""}', "\xff"])
def test_a_store_that_cannot_be_used_is_explained_without_quoting_it(tmp_path: Path, content: str) -> None:
    (tmp_path / "auth.json").write_text(content, "latin-1")
    login = find_login(options(tmp_path))
    assert login.kind is LoginKind.NONE
    assert str(tmp_path / "auth.json") in login.problem
    assert "sk-half" not in login.problem


def test_a_login_does_not_show_its_secrets(tmp_path: Path) -> None:
    store(tmp_path, {"OPENAI_API_KEY": KEY})
    assert KEY not in repr(find_login(options(tmp_path)))
    assert "sk-set" not in repr(options(tmp_path, "sk-set"))
