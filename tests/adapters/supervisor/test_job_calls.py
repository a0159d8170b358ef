"""What the supervisor does with an agent that has made as many calls of the model as its run may."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.supervisor.folder import read_json
from moonmind.adapters.supervisor.order import PROXY_TOKEN, PROXY_URL, KeyProxy
from tests.adapters.supervisor.test_job import Bench
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


ASKING = """
import json, os, sys, time, urllib.error, urllib.request
def ask():
    request = urllib.request.Request(sys.argv[1] + "/responses", b"{}", {"Authorization": "Bearer " + os.environ["TOKEN"]})
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as refused:
        return refused.code
while ask() == 200:
    pass
print(json.dumps({"type": "thread.started", "thread_id": "t"}), flush=True)
"""
AT_THE_LIMIT = {
    "that ends by itself": "sys.exit(1)",
    "that is killed": "os.kill(os.getpid(), 9)",
    "that goes on asking": "while True: ask()",
    "that ignores the request to end": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: time.sleep(0.01)",
    "that says nothing of its turn": "sys.exit(0)",
}


@pytest.fixture
def asked(bench: Bench) -> Iterator[dict[str, Any]]:
    with ResponsesServer([{"message": "go on"}], bench.root / "server.jsonl", "k") as server:
        yield {
            "proxy": KeyProxy(server.url, "k", calls_before=10, calls_base=10, calls_most=13),
            "environment": {"PATH": "/usr/bin:/bin", "TOKEN": PROXY_TOKEN},
        }


def calling(deed: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-c", ASKING + deed, PROXY_URL)


@pytest.mark.parametrize("kind", AT_THE_LIMIT)
def test_an_agent_at_the_limit_of_model_calls_is_ended(bench: Bench, asked: dict[str, Any], kind: str) -> None:
    result = bench.run("", argv=calling(AT_THE_LIMIT[kind]), stop_seconds=0.3, **asked)
    assert result["end"] == "call_limit"
    assert result["model_calls"] == "3 calls were made, 3 are allowed"
    assert result["facts"]["thread_id"] == "t"
    assert read_json(bench.folder.calls) == {"v": 1, "total": 13, "base": 10, "most": 13}


def test_an_agent_that_completes_its_turn_all_the_same_is_complete(bench: Bench, asked: dict[str, Any]) -> None:
    done = """print(json.dumps({"type": "turn.completed", "usage": {}}))"""
    result = bench.run("", argv=calling(done), **asked)
    assert (result["end"], result["facts"]["completed"]) == ("exited", True)


def test_the_calls_of_a_killed_supervisor_stay_counted(bench: Bench, asked: dict[str, Any]) -> None:
    bench.start("", argv=calling("time.sleep(60)"), stop_seconds=30, **asked)
    until(lambda: (read_json(bench.folder.calls) or {})["total"] == 13, "three calls")
    os.kill(bench.handle["pid"], signal.SIGKILL)
    until(lambda: not bench.folder.locked, "the supervisor's end")
    assert (read_json(bench.folder.calls) or {})["total"] == 13
