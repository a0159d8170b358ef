import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from moonmind.adapters.agents.agent_options import AgentOptions
from moonmind.adapters.agents.codex import CodexAgent
from moonmind.adapters.agents.codex_checks import find_codex
from moonmind.errors import CredentialInvalid
from moonmind.ports.check import Check, CheckStatus
from tests.support.agents import codex_binary
from tests.support.processes import free_port

KEY = "sk-good-0123456789"


@pytest.fixture
def service() -> Iterator[str]:
    class Models(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.path == "/v1/models" and self.headers["Authorization"] == f"Bearer {KEY}"
            self.send_response(200 if good else 500 if self.path.startswith("/broken") else 401)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def options(tmp_path: Path, service: str) -> AgentOptions:
    binary = tmp_path / "bin" / "codex"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\necho codex-cli 9.8.7\n")
    binary.chmod(0o755)
    return AgentOptions(
        tmp_path,
        "i",
        environment={"PATH": f"{binary.parent}:/usr/bin:/bin"},
        codex_home=tmp_path / "operator",
        codex_base_url=f"{service}/v1/",
        codex_api_key=KEY,
        codex_env="prod",
    )


def checks(options: AgentOptions) -> dict[str, Check]:
    return {check.name: check for check in CodexAgent(options).check()}


def test_all_is_well(options: AgentOptions) -> None:
    found = checks(options)
    assert list(found) == ["codex.binary", "codex.login", "codex.key", "codex.project", "sandbox"]
    # The program of this test asks no model; test_codex_canary.py has those that do.
    assert found.pop("codex.project").status is CheckStatus.UNKNOWN
    assert {check.status for check in found.values()} == {CheckStatus.PASSED}
    assert found["codex.binary"].facts["version"] == "9.8.7"
    assert found["codex.login"].facts == {"login": "API key from CODEX_API_KEY", "label": "prod"}
    assert KEY not in repr(found)


def test_a_missing_binary_says_how_to_get_one(options: AgentOptions) -> None:
    check = checks(replace(options, codex_bin="/no/such/codex"))["codex.binary"]
    assert check.status is CheckStatus.FAILED
    assert "CODEX_BIN names /no/such/codex" in check.message
    assert "script/bootstrap" in check.remediation
    assert "npm install" in check.remediation
    assert checks(replace(options, codex_bin="/no/such/codex"))["codex.project"].status is CheckStatus.SKIPPED


def test_a_binary_that_fails_is_not_taken(options: AgentOptions, tmp_path: Path) -> None:
    (tmp_path / "bin" / "codex").write_text("#!/bin/sh\necho broken library >&2\nexit 127\n")
    check = checks(options)["codex.binary"]
    assert check.status is CheckStatus.FAILED
    assert "broken library" in check.message


def test_a_binary_of_another_machine_is_not_taken(options: AgentOptions, tmp_path: Path) -> None:
    (tmp_path / "bin" / "codex").write_bytes(b"\x7fELF nonsense")
    assert checks(options)["codex.binary"].status is CheckStatus.FAILED


def test_a_refused_key_fails(options: AgentOptions) -> None:
    found = checks(replace(options, codex_api_key="sk-bad-0123456789"))
    assert found["codex.login"].status is CheckStatus.PASSED
    assert found["codex.key"].status is CheckStatus.FAILED
    assert "401" in found["codex.key"].message
    assert "CODEX_API_KEY" in found["codex.key"].remediation
    assert "sk-bad" not in repr(found)


def test_a_service_that_fails_or_is_not_there_proves_nothing(options: AgentOptions, service: str) -> None:
    broken = checks(replace(options, codex_base_url=f"{service}/broken"))["codex.key"]
    assert (broken.status, "500" in broken.message) == (CheckStatus.UNKNOWN, True)
    absent = checks(replace(options, codex_base_url=f"http://127.0.0.1:{free_port()}"))["codex.key"]
    assert (absent.status, "ConnectError" in absent.message) == (CheckStatus.UNKNOWN, True)
    odd = checks(replace(options, codex_base_url="nonsense"))["codex.key"]
    assert odd.status is CheckStatus.UNKNOWN


def test_without_a_login_the_key_is_not_asked_about(options: AgentOptions) -> None:
    found = checks(replace(options, codex_api_key=None))
    assert found["codex.login"].status is CheckStatus.FAILED
    assert "codex login" in found["codex.login"].remediation
    assert found["codex.key"].status is CheckStatus.SKIPPED


def test_a_chatgpt_login_is_stored_and_not_probed(options: AgentOptions, tmp_path: Path) -> None:
    (tmp_path / "operator").mkdir()
    (tmp_path / "operator" / "auth.json").write_text('{"tokens": {"access_token": "0123456789abcdef"}}')
    found = checks(replace(options, codex_api_key=None))
    assert found["codex.login"].status is CheckStatus.PASSED
    assert found["codex.login"].message == "ChatGPT login; model calls not capped"
    assert found["codex.key"].status is CheckStatus.SKIPPED


def test_a_broken_profile_fails_the_login(options: AgentOptions, tmp_path: Path) -> None:
    (tmp_path / "operator").mkdir()
    (tmp_path / "operator" / "prod.config.toml").write_text("=")
    assert checks(options)["codex.login"].status is CheckStatus.FAILED


def test_a_named_binary_is_looked_for_by_name_or_path(options: AgentOptions, tmp_path: Path) -> None:
    assert find_codex(options) == str(tmp_path / "bin" / "codex")
    assert find_codex(replace(options, codex_bin=str(tmp_path / "bin" / "codex"))) == str(tmp_path / "bin" / "codex")
    with pytest.raises(CredentialInvalid) as caught:
        find_codex(replace(options, codex_bin="other-codex"))
    assert caught.value.details == {"check": "codex.binary"}


@pytest.mark.codex_real
@pytest.mark.skipif(codex_binary() is None, reason="there is no codex binary")
def test_the_real_codex_tells_its_version(options: AgentOptions) -> None:
    check = checks(replace(options, codex_bin=codex_binary()))["codex.binary"]
    assert check.status is CheckStatus.PASSED
    assert check.facts["version"][0].isdigit()
