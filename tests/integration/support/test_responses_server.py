import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.processes import ROOT
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until

HEADERS = {"Authorization": "Bearer test-key", "session-id": "c1"}


def events(answer: httpx.Response) -> list[str]:
    return [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]


def test_each_conversation_has_its_own_turns_and_the_last_one_stays(tmp_path: Path) -> None:
    turns = [{"exec": "true"}, {"message": "done"}]
    with ResponsesServer(turns, tmp_path / "log") as server:
        said = []
        for conversation in ("c1", "c1", "c2", "c1"):
            headers = HEADERS | {"session-id": conversation}
            answer = httpx.post(f"{server.url}/responses", headers=headers, json={"input": []})
            assert events(answer) == ["response.created", "response.output_item.done", "response.completed"]
            said.append("function_call" if "function_call" in answer.text else "message")
        assert said == ["function_call", "message", "function_call", "message"]
        assert [(r["conversation"], r["turn"]) for r in server.requests()] == [
            ("c1", 0),
            ("c1", 1),
            ("c2", 0),
            ("c1", 2),
        ]


def test_the_key_is_asked_for_and_never_logged(tmp_path: Path) -> None:
    with ResponsesServer([{"message": "x"}], tmp_path / "log") as server:
        assert httpx.get(f"{server.url}/models", headers=HEADERS).status_code == 200
        assert httpx.get(f"{server.url}/models").status_code == 401
        assert httpx.post(f"{server.url}/responses", json={}).status_code == 401
        assert [request["authorized"] for request in server.requests()] == [True, False, False]
    assert "test-key" not in (tmp_path / "log").read_text()


def test_errors_drops_and_usage_are_as_written(tmp_path: Path) -> None:
    turns: list[dict[str, Any]] = [
        {"status": 429, "body": {"error": {"message": "slow down"}}, "headers": {"Retry-After": "7"}},
        {"drop": True},
        {"message": "x", "usage": {"input_tokens": 5, "output_tokens": 6}},
    ]
    with ResponsesServer(turns, tmp_path / "log") as server:
        refused, dropped, good = (httpx.post(f"{server.url}/responses", headers=HEADERS, json={}) for _ in range(3))
    assert (refused.status_code, refused.json()["error"]["message"], refused.headers["Retry-After"]) == (
        429,
        "slow down",
        "7",
    )
    assert events(dropped) == ["response.created"]
    usage = json.loads(good.text.splitlines()[-2].removeprefix("data: "))["response"]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (5, 6, 11)


def test_it_runs_as_a_process_and_holds_a_turn_until_a_file_exists(tmp_path: Path) -> None:
    port, script, go = tmp_path / "port", tmp_path / "script.json", tmp_path / "go"
    script.write_text(json.dumps([{"message": "at last", "wait_for": str(go)}]))
    command = [sys.executable, "-m", "tests.support.responses_server", "--port-file", str(port)]
    command += ["--script", str(script), "--log", str(tmp_path / "log")]
    with subprocess.Popen(command, cwd=ROOT) as server:
        try:
            number = until(lambda: port.exists() and port.read_text(), "the port")
            url = f"http://127.0.0.1:{number}/v1/responses"
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(url, headers=HEADERS, json={}, timeout=0.3)
            go.touch()
            assert "at last" in httpx.post(url, headers=HEADERS, json={}).text
        finally:
            server.kill()
