"""A supervisor and a command that it reaches through two sockets only, in namespaces of the command's own."""

import os
import signal
import sys
from typing import Any

import pytest

from moonmind.adapters.jobs.job_results import read_result
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.link import URL
from moonmind.adapters.supervisor.order import PROXY_TOKEN, PROXY_URL, KeyProxy
from moonmind.ports.agent import JobEnd
from tests.adapters.supervisor.test_job import HOLD, SAY, Bench
from tests.support.plain_wall import LINK, require_walls, walled
from tests.support.processes import alive
from tests.support.responses_server import ResponsesServer
from tests.support.waiting import until


@pytest.fixture(autouse=True)
def walls() -> None:
    require_walls()


ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
STUBBORN = SAY + (
    "import os, signal, time\n"
    "for number in (2, 15): signal.signal(number, signal.SIG_IGN)\n"
    "if os.fork() == 0: os.setsid()\n"
    "say('ready')\ntime.sleep(60)\n"
)


def start(bench: Bench, code: str, *arguments: str, **changes: Any) -> None:
    command = walled(bench.folder, (sys.executable, "-I", "-c", code, *arguments))
    bench.start("", **{"argv": command, "walled": True, "environment": ENVIRONMENT, **changes})


def run(bench: Bench, code: str, *arguments: str, **changes: Any) -> dict[str, Any]:
    start(bench, code, *arguments, **changes)
    return bench.result()


def processes_of(bench: Bench) -> list[int]:
    return [process.pid for process in kernel.marked("MARK", bench.root.name)]


@pytest.mark.parametrize(("code", "exit_code", "number"), [
    ("", 0, None),
    ("raise SystemExit(7)", 7, None),
    ("raise SystemExit(137)", 137, None),
    ("import os; os.kill(os.getpid(), 9)", None, signal.SIGKILL),
    ("import os; os.kill(os.getpid(), 15)", None, signal.SIGTERM),
])  # fmt: skip
def test_the_end_of_a_command_is_told_exactly(
    bench: Bench, code: str, exit_code: int | None, number: int | None
) -> None:  # fmt: skip
    result = run(bench, code)
    assert (result["end"], result["exit_code"], result["signal"]) == ("exited", exit_code, number)
    assert result["wall"] == ("killed" if number == signal.SIGKILL else "")


def test_a_command_has_its_prompt_its_output_and_its_first_process(bench: Bench) -> None:
    run(
        bench, SAY + "import os; say(len(sys.stdin.read())); say([os.getppid(), os.getpid() < 10])", stdin="é" * 500_000
    )
    assert [event["text"] for event in bench.log()] == [500_000, [1, True]]


def test_a_command_that_is_to_stop_is_interrupted_and_may_end_in_good_order(bench: Bench) -> None:
    start(bench, SAY + "import time\nsay('ready')\ntry:\n time.sleep(60)\nexcept KeyboardInterrupt:\n say('bye')")
    until(lambda: bench.log() != [], "the command")
    bench.folder.stop.touch()
    assert bench.result()["end"] == "stopped"
    assert bench.log()[-1]["text"] == "bye"


@pytest.mark.parametrize("how", ["stopped", "supervisor killed", "wall killed"])
def test_nothing_is_left_behind_the_wall(bench: Bench, how: str) -> None:
    start(bench, STUBBORN, stop_seconds=0.3, environment={**ENVIRONMENT, "MARK": bench.root.name})
    until(lambda: bench.log() != [], "the command")
    at_work = processes_of(bench)
    assert len(at_work) >= 3
    match how:
        case "stopped":
            bench.folder.stop.touch()
        case "supervisor killed":
            os.kill(bench.handle["pid"], signal.SIGKILL)
        case "wall killed":
            os.kill(bench.handle["agent_pid"], signal.SIGKILL)
    until(lambda: not any(alive(pid) for pid in at_work), "the end of all processes")
    until(lambda: not bench.folder.locked, "the end of the supervisor")
    if how == "wall killed":
        result = bench.result()
        assert (result["wall"], result["survivors"]) == ("broken", 0)
        assert read_result(result).end is JobEnd.SANDBOX


@pytest.mark.parametrize(
    "wall", [("/bin/sh", "-c", "echo no namespaces here >&2; exit 1"), ("/bin/false",), ("/bin/true",)]
)
def test_a_wall_that_cannot_be_built_is_no_end_of_the_agent(bench: Bench, wall: tuple[str, ...]) -> None:
    result = bench.run("", argv=wall, walled=True, environment=ENVIRONMENT)
    assert result["wall"] == "not built"
    read = read_result(result)
    assert read.end is JobEnd.SANDBOX
    assert read.message.startswith("the sandbox could not be built")


ASK = """
import os, urllib.request
request = urllib.request.Request(sys.argv[1] + "/responses", b"{}", {"Authorization": "Bearer " + os.environ["TOKEN"]})
say([urllib.request.urlopen(request).status for _ in range(3)])
"""


def test_a_command_without_a_network_reaches_the_model(bench: Bench) -> None:
    with ResponsesServer([{"message": "go on"}], bench.root / "server.jsonl", "k") as server:
        result = run(
            bench,
            SAY + ASK,
            PROXY_URL,
            proxy=KeyProxy(server.url, "k", calls_most=100),
            environment={**ENVIRONMENT, "TOKEN": PROXY_TOKEN},
        )
    assert bench.log() == [{"type": "x", "text": [200, 200, 200]}], result
    assert result["model_calls"].startswith("3 calls")


@pytest.mark.parametrize("address", [URL, "http://127.0.0.1:1", "http://10.0.0.1"])
def test_a_command_without_a_token_or_with_another_address_gets_nothing(bench: Bench, address: str) -> None:
    code = (
        SAY
        + "import urllib.request as u\ntry: say(u.urlopen(sys.argv[1], timeout=3).status)\nexcept OSError as e: say(str(e))"
    )
    with ResponsesServer([{"message": "go on"}], bench.root / "server.jsonl", "k") as server:
        run(bench, code, address, proxy=KeyProxy(server.url, "k"))
    (event,) = bench.log()
    assert ("403" in event["text"]) is (address == URL)


@pytest.mark.parametrize("attempt", ["a second connection", "the supervisor's part", "a new socket"])
def test_a_command_cannot_take_the_place_of_its_first_process(bench: Bench, attempt: str) -> None:
    code = {
        "a second connection": "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1] + '/life.sock'); s.sendall(b'exit 0\\n')",
        "the supervisor's part": "os.kill(1, 9)",
        "a new socket": "os.kill(1, 19); os.kill(1, 15)",
    }[attempt]
    start(
        bench,
        SAY + f"import os, socket, time\ntry:\n {code}\nexcept OSError: pass\nsay('done')\nraise SystemExit(3)",
        LINK,
    )
    result = bench.result()
    assert (result["exit_code"], result["signal"], result["wall"]) in {(3, None, ""), (None, signal.SIGTERM, "")}


def test_a_long_path_is_no_trouble(bench: Bench) -> None:
    bench.root = bench.root / ("long-" * 30) / ("longer-" * 20)
    bench.root.mkdir(parents=True)
    bench.folder = type(bench.folder)(bench.root / "jobs" / "run" / "submit-1")
    assert run(bench, HOLD.replace("60", "0"))["exit_code"] == 0


@pytest.mark.parametrize("part", ["environ", "fd/1", "mem", "maps", "auxv"])
def test_a_command_has_no_part_in_its_first_process(bench: Bench, part: str) -> None:
    code = "import os\ntry:\n open(p, 'r+' if p.endswith('1') else 'r').read(1)\n say('read')\n"
    code += "except OSError as error: say(error.strerror)"
    run(bench, f"{SAY}p = '/proc/1/{part}'\n{code}")
    assert [event["text"] for event in bench.log()] == ["Permission denied"]


def test_what_kills_a_command_behind_a_wall_may_have_been_a_limit(bench: Bench) -> None:
    read = read_result(run(bench, "import os; os.kill(os.getpid(), 9)"))
    assert read.end is JobEnd.SANDBOX
    assert "MOONMIND_SANDBOX_MEMORY" in read.message
