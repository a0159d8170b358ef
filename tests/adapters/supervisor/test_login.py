import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx
import pytest

from moonmind.adapters.supervisor.folder import try_lock
from moonmind.adapters.supervisor.keyproxy import Proxy
from moonmind.adapters.supervisor.login import CLIENT_ID, ChatGpt, LoginRefused, expiry, relayed
from moonmind.adapters.supervisor.order import KeyProxy
from tests.support.chatgpt import Issuer, jwt, stored


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


class Front:
    def __init__(self, issuer: Issuer, folder: Path, body: dict[str, Any]) -> None:
        self.file = folder / "auth.json"
        self.file.write_text(json.dumps(body))
        terms = KeyProxy(
            f"{issuer.url}/backend-api/codex", "", str(self.file), f"{issuer.url}/oauth/token", calls_most=100
        )
        self.proxy = Proxy(terms, folder / "calls.json")
        self.proxy.serve()

    def ask(self) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.proxy.token}", "chatgpt-account-id": "acc-of-the-agent"}
        return httpx.post(f"{self.proxy.url}/responses", headers=headers, timeout=30)

    @property
    def tokens(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.file.read_text())["tokens"]
        return found


def test_a_login_is_added_to_each_call_and_named_to_nobody(issuer: Issuer, tmp_path: Path) -> None:
    access = jwt(1)
    issuer.accepted.add(access)
    front = Front(issuer, tmp_path, stored(access))
    answer = front.ask()
    assert answer.status_code == 200
    assert issuer.seen == [("/backend-api/codex/responses", access, "acc-1")]
    assert issuer.renewals == []
    assert access not in answer.text + str(answer.headers)


@pytest.mark.parametrize("seconds", [-100.0, 0.0, 200.0])
def test_a_token_that_is_about_to_expire_is_renewed_first(issuer: Issuer, tmp_path: Path, seconds: float) -> None:
    front = Front(issuer, tmp_path, stored(jwt(1, seconds)))
    assert front.ask().status_code == 200
    assert front.ask().status_code == 200
    assert issuer.renewals == [{"client_id": CLIENT_ID, "grant_type": "refresh_token", "refresh_token": "refresh-1"}]
    assert front.tokens["refresh_token"] == "refresh-2"
    assert front.tokens["account_id"] == "acc-1"
    assert front.file.stat().st_mode & 0o777 == 0o600


def test_a_token_that_is_refused_is_renewed_and_the_call_made_again(issuer: Issuer, tmp_path: Path) -> None:
    front = Front(issuer, tmp_path, stored(jwt(1)))
    assert front.ask().status_code == 200
    assert (len(issuer.seen), front.tokens["refresh_token"]) == (2, "refresh-2")
    assert front.proxy.calls.words() == "1 calls were made, 100 are allowed"


def test_many_at_once_renew_it_once(issuer: Issuer, tmp_path: Path) -> None:
    fronts = [Front(issuer, tmp_path, stored(jwt(1, -5))) for _ in range(3)]  # three jobs, one file
    with ThreadPoolExecutor(9) as pool:
        codes = list(pool.map(lambda number: fronts[number % 3].ask().status_code, range(18)))
    assert codes == [200] * 18
    assert len(issuer.renewals) == 1


@pytest.mark.parametrize(("status", "code"), [(200, 401), (400, 401), (403, 401), (500, 500)])
def test_a_login_that_cannot_be_renewed_is_told_without_its_tokens(
    issuer: Issuer, tmp_path: Path, status: int, code: int
) -> None:
    issuer.status, issuer.valid = status, "another"
    access = jwt(1, -5)
    front = Front(issuer, tmp_path, stored(access))
    answer = front.ask()
    assert answer.status_code == code
    assert issuer.seen == []
    assert front.tokens["refresh_token"] == "refresh-1"
    assert "refresh-1" not in answer.text
    assert access not in answer.text
    assert front.proxy.calls.words().startswith("0 calls")


def test_what_is_renewed_elsewhere_meanwhile_is_used(issuer: Issuer, tmp_path: Path) -> None:
    old, new = jwt(1, -5), jwt(2)
    issuer.accepted.add(new)
    file = tmp_path / "auth.json"
    file.write_text(json.dumps(stored(old)))
    login = ChatGpt(file, f"{issuer.url}/oauth/token")
    holder = try_lock(file.with_name("auth.json.moonmind-lock"))
    assert holder is not None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(login.headers)
        file.write_text(json.dumps(stored(new, "refresh-9")))
        os.close(holder)
        assert waiting.result(10)["Authorization"] == f"Bearer {new}"
    assert issuer.renewals == []


@pytest.mark.parametrize("torn", [b"", b"{", b'{"tokens": {"access_tok', '{"tokens": "\u00e4'.encode()[:-1]])
@pytest.mark.parametrize("use", ["headers", "renewed"])
def test_a_login_that_is_just_being_written_is_waited_for(tmp_path: Path, torn: bytes, use: str) -> None:
    file, old, new = tmp_path / "auth.json", jwt(1), jwt(2)
    file.write_bytes(torn)
    login = ChatGpt(file, "http://127.0.0.1:1", writing_seconds=30)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(
            login.headers if use == "headers" else lambda: login.renewed({"Authorization": f"Bearer {old}"})
        )
        assert not wait([waiting], 0.2).done  # would be refused by now
        file.write_text(json.dumps(stored(new)))
        assert waiting.result(10) in (True, {"Authorization": f"Bearer {new}", "ChatGPT-Account-ID": "acc-1"})


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"tokens": 1}', '{"tokens": {"access_token": "x"}}'])
def test_a_file_that_is_no_login_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "auth.json").write_text(content)
    with pytest.raises(LoginRefused):
        ChatGpt(tmp_path / "auth.json", "http://127.0.0.1:1", writing_seconds=0).headers()


@pytest.mark.parametrize("token", [None, "", 7])
def test_a_refresh_token_that_goes_while_a_job_runs_is_missed_in_words(tmp_path: Path, token: object) -> None:
    file, access = tmp_path / "auth.json", jwt(1)
    file.write_text(json.dumps(stored(access)))
    login = ChatGpt(file, "http://127.0.0.1:1")
    body = stored(access)
    body["tokens"]["refresh_token"] = token
    file.write_text(json.dumps(body))
    with pytest.raises(LoginRefused, match="codex login"):
        login.renewed({"Authorization": f"Bearer {access}"})


def test_only_a_login_of_a_known_kind_is_relayed() -> None:
    assert relayed(stored(jwt(1))) is not None
    claimed = jwt(1, seconds=3600.0, **{"https://api.openai.com/auth": {"chatgpt_account_id": "acc-2"}})
    assert relayed(stored(claimed, account=None)) == (claimed, "acc-2")
    for odd in (
        stored("opaque"),
        stored(jwt(1), refresh=""),
        stored(jwt(1), account=None),
        stored(jwt(1), account="a\nb"),
        {"tokens": None},
        {},
    ):
        assert relayed(odd) is None, odd


@pytest.mark.parametrize("token", ["", "a.b", "a.b.c", "a.!!.c", "..", "a.W10.c", "a.eyJleHAiOiJ4In0.c"])
def test_what_is_no_token_never_lives(token: str) -> None:
    assert expiry(token) == 0.0
