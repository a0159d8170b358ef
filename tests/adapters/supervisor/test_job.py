import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.folder import JobFolder, read_json
from moonmind.adapters.supervisor.order import KeyProxy, Loan, Order
from tests.support.processes import ROOT, alive
from tests.support.waiting import until

SECRET = "correct-horse-battery"


class Bench:
    """Starts orders as the agents do, with any Python program as the agent."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = JobFolder(root / "jobs" / "run" / "submit-1")

    def order(self, code: str, **changes: Any) -> Order:
        made = Order(
            folder=str(self.folder.path),
            argv=(sys.executable, "-I", "-c", code),
            environment={"PATH": "/usr/bin:/bin", "MARK": self.root.name},
            cwd=str(self.root),
            stdin="",
            log_path=str(self.root / "log.jsonl"),
            stall_seconds=60,
            total_seconds=60,
            output_bytes=1 << 30,
            secrets=(SECRET,),
            stop_seconds=1.0,
        )
        return replace(made, **changes)

    def launch(self, order: Order) -> "subprocess.CompletedProcess[bytes]":
        command = [sys.executable, "-P", "-m", "moonmind.adapters.supervisor"]
        environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
        return subprocess.run(
            command, input=order.as_bytes(), cwd="/", env=environment, capture_output=True, timeout=60, check=False
        )

    def start(self, code: str, **changes: Any) -> None:
        done = self.launch(self.order(code, **changes))
        assert (done.returncode, done.stdout) == (0, b"started\n"), done.stderr

    def result(self) -> dict[str, Any]:
        until(lambda: not self.folder.locked, "the supervisor's end")
        found = read_json(self.folder.result)
        assert found is not None, self.folder.stderr.read_text()
        return found

    def run(self, code: str, **changes: Any) -> dict[str, Any]:
        self.start(code, **changes)
        return self.result()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "log.jsonl").read_text("utf-8").splitlines()]

    @property
    def handle(self) -> dict[str, Any]:
        found = read_json(self.folder.handle)
        assert found is not None
        return found


SAY = "import json, sys\ndef say(text): print(json.dumps({'type': 'x', 'text': text}), flush=True)\n"
HOLD = SAY + "import time\nsay('ready')\ntime.sleep(60)\n"


def test_a_prompt_larger_than_a_pipe_arrives_whole_and_is_closed(bench: Bench) -> None:
    result = bench.run(SAY + "say(len(sys.stdin.read()))", stdin="é" * 1_000_000)
    assert bench.log() == [{"type": "x", "text": 1_000_000}]
    assert (result["end"], result["exit_code"], result["signal"]) == ("exited", 0, None)


def test_an_agent_that_does_not_read_its_prompt_is_no_error(bench: Bench) -> None:
    assert bench.run("pass", stdin="x" * 1_000_000)["end"] == "exited"


def test_everything_that_was_said_before_a_quick_end_is_in_the_log(bench: Bench) -> None:
    bench.run(SAY + "for n in range(2000): say(n)")
    assert [event["text"] for event in bench.log()] == list(range(2000))


def test_a_line_of_a_mebibyte_is_kept_and_one_of_ten_is_left_out(bench: Bench) -> None:
    bench.run(SAY + "say('a' * (1 << 20)); say('b' * (10 << 20)); say('end')")
    first, second, third = bench.log()
    assert len(first["text"]) == 1 << 20
    assert "left out" in second["message"]
    assert third["text"] == "end"


def test_errors_go_to_their_own_log_masked_and_to_the_result(bench: Bench) -> None:
    result = bench.run(f"import sys; print('bad {SECRET} thing', file=sys.stderr); sys.exit(3)")
    assert (result["exit_code"], result["stderr"]) == (3, "bad [redacted] thing")
    assert bench.folder.stderr.read_text() == "bad [redacted] thing\n"
    assert bench.log() == []


def test_an_agent_that_a_signal_kills_is_told_apart(bench: Bench) -> None:
    result = bench.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    assert (result["end"], result["exit_code"], result["signal"]) == ("exited", None, signal.SIGKILL)


def test_a_deaf_agent_is_killed_after_its_time_to_stop(bench: Bench) -> None:
    code = SAY + "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nsay('ready')\ntime.sleep(60)"
    bench.start(code)
    until(lambda: bench.log() != [], "the agent's first words")
    bench.folder.stop.touch()
    result = bench.result()
    assert (result["end"], result["signal"]) == ("stopped", signal.SIGKILL)
    assert 1 <= result["seconds"] < 20


def test_the_agent_hears_sigint_even_where_the_starter_ignores_it(bench: Bench) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as for commands that a shell runs in the background
    try:
        bench.start(HOLD)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: bench.log() != [], "the agent's first words")
    bench.folder.stop.touch()
    assert bench.result()["signal"] == signal.SIGINT


def test_retry_notices_do_not_keep_an_agent_alive(bench: Bench) -> None:
    code = (
        "import json, time\n"
        "while True:\n"
        "    print(json.dumps({'type': 'error', 'message': 'Reconnecting... waiting for network'}), flush=True)\n"
        "    time.sleep(0.05)\n"
    )
    result = bench.run(code, stall_seconds=1.0)
    assert result["end"] == "stalled"
    assert result["facts"]["notice"].startswith("Reconnecting")


def test_a_forest_of_processes_is_cleared(bench: Bench) -> None:
    code = SAY + (
        "import os, time\n"
        "for depth in range(4):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid()\n"
        "        for fd in (0, 1, 2): os.close(fd)\n"
        "        if depth % 2: os.fork()\n"
        "        time.sleep(300)\n"
        "say('planted')\n"
        "time.sleep(300)\n"
    )
    bench.start(code)
    until(lambda: bench.log() != [], "the agent's word")
    until(lambda: len(kernel.descendants(bench.handle["pid"])) >= 7, "the forest")  # it goes on growing after the word
    planted = kernel.descendants(bench.handle["pid"])
    bench.folder.stop.touch()
    assert bench.result()["survivors"] == 0
    assert [process for process in planted if process.alive] == []


def test_a_supervisor_that_is_told_to_go_takes_the_agent_along_and_leaves_no_result(bench: Bench) -> None:
    bench.start(HOLD)
    os.kill(bench.handle["pid"], signal.SIGTERM)
    until(lambda: not bench.folder.locked, "the supervisor's end")
    assert not bench.folder.result.exists()
    assert not alive(bench.handle["agent_pid"])


def test_an_agent_does_not_outlive_its_supervisor(bench: Bench) -> None:
    bench.start(HOLD)
    os.kill(bench.handle["pid"], signal.SIGKILL)
    until(lambda: not alive(bench.handle["agent_pid"]), "the agent's end")
    assert not bench.folder.result.exists()


def test_starters_that_race_leave_one_agent(bench: Bench) -> None:
    order = bench.order(HOLD).as_bytes()
    command = [sys.executable, "-P", "-m", "moonmind.adapters.supervisor"]
    starters = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}, cwd="/")
        for _ in range(5)
    ]
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write(order)
        starter.stdin.close()
    said = []
    for starter in starters:
        with starter:
            assert starter.stdout is not None
            said.append(starter.stdout.read())
        assert starter.returncode == 0
    assert sorted(said) == [b"already\n"] * 4 + [b"started\n"]


def test_an_ended_job_is_not_started_again(bench: Bench) -> None:
    bench.run("pass")
    assert bench.launch(bench.order("pass")).stdout == b"already\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda bench: {"argv": ("/no/such/program",)}, b"/no/such/program"),
        (lambda bench: {"cwd": str(bench.root / "absent")}, b"absent"),
        (lambda bench: {"log_path": str(bench.root / "absent" / "log.jsonl")}, b"absent"),
        (lambda bench: {"proxy": KeyProxy("ftp://host", "k")}, b"ftp"),
        (lambda bench: {"loan": Loan(str(bench.root / "auth.json"), str(bench.root / "copy"))}, b"auth.json"),
    ],
)
def test_a_start_that_fails_says_why_and_uses_nothing_up(
    bench: Bench, change: Callable[[Bench], dict[str, Any]], words: bytes
) -> None:
    done = bench.launch(bench.order("pass", **change(bench)))
    assert done.returncode == 1
    assert words in done.stderr
    assert b"Traceback" not in done.stderr
    assert not bench.folder.handle.exists()
    assert bench.run("pass")["end"] == "exited"


def test_a_lent_login_is_busy_and_comes_back_refreshed(bench: Bench, tmp_path: Path) -> None:
    source, other = tmp_path / "auth.json", Bench(tmp_path / "other")
    other.root.mkdir()
    source.write_text("old")
    loan = Loan(str(source), str(tmp_path / "copy.json"))
    bench.start(SAY + "import time\nopen('copy.json', 'w').write('new')\nsay('x')\ntime.sleep(60)", loan=loan)
    until(lambda: bench.log() != [], "the agent's first words")
    refused = other.launch(other.order("pass", loan=Loan(str(source), str(other.root / "copy.json"))))
    assert (refused.returncode, other.folder.handle.exists()) == (75, False)
    bench.folder.stop.touch()
    bench.result()
    assert source.read_text() == "new"
    assert other.run("pass", loan=Loan(str(source), str(other.root / "copy.json")))["end"] == "exited"


def test_a_log_that_cannot_be_written_ends_the_job_with_a_sentence(bench: Bench) -> None:
    result = bench.run(SAY + "import time\nwhile True: say('x'); time.sleep(0.01)", log_path="/dev/full")
    assert result["end"] == "log_failed"
    assert "No space left" in result["problem"]


def test_a_thread_is_told_as_soon_as_it_is_known(bench: Bench) -> None:
    bench.start(
        "import json, time; print(json.dumps({'type': 'thread.started', 'thread_id': 't-1'}), flush=True); time.sleep(60)"
    )
    facts = until(lambda: read_json(bench.folder.facts), "the facts")
    assert facts == {"v": 1, "thread_id": "t-1"}


@pytest.mark.skipif(os.geteuid() != 0, reason="machine: the supervisor lets nobody but root look inside")
def test_the_supervisor_holds_nothing_of_its_starter(bench: Bench) -> None:
    bench.start(HOLD)
    supervisor = Path(f"/proc/{bench.handle['pid']}")
    assert supervisor.joinpath("cwd").readlink() == Path("/")
    stat = supervisor.joinpath("stat").read_text().rpartition(")")[2].split()
    assert int(stat[3]) == bench.handle["pid"]  # a session of its own
    opened = {os.readlink(entry) for entry in supervisor.joinpath("fd").iterdir()}
    assert not [name for name in opened if name.startswith("/dev/pts")]
    assert SECRET not in supervisor.joinpath("cmdline").read_text()
    assert SECRET not in supervisor.joinpath("environ").read_text()


def test_rubbish_on_standard_input_is_refused_in_a_sentence(bench: Bench) -> None:
    command = [sys.executable, "-P", "-m", "moonmind.adapters.supervisor"]
    done = subprocess.run(
        command, input=b'{"v": 1}', env={"PYTHONPATH": str(ROOT)}, cwd="/", capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert b"not an order" in done.stderr
    assert b"Traceback" not in done.stderr
