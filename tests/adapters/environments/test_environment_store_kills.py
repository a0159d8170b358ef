"""Processes that are killed while they change the store of environments, at each call that reaches the disk."""

import contextlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import ROOT

PROGRAM = r"""
import json, os, signal, sys
from pathlib import Path
from moonmind.adapters.environments.environment_store import EnvironmentStore
from tests.support.built_environments import AT, MADE, begun, build_of, everything, write

REACH = {"open", "os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.utime", "os.scandir"}


def killed_after(calls):
    def count(event, _):
        global left
        if event in REACH:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    global left
    left = calls
    sys.addaudithook(count)


def nobody(_):
    return False


def prepared(folder, way):
    store = EnvironmentStore(folder, 1 << 40)
    write(begun(store, "k"), MADE)
    if way in ("remove", "begin again"):
        store.seal("k", build_of(), everything)
    if way == "begin again":
        write(begun(store, "k"), MADE)
    return store


def do(store, way):
    match way:
        case "seal":
            store.seal("k", build_of(), everything)
        case "fail":
            store.fail("k", "words", "env/k-1", AT)
        case "remove":
            store.remove("k", nobody)
        case "begin again":
            store.begin("k")


def judged(store, folder, way):
    "Look at what a killed process left, do it again, and look again."
    found = store.find("k")
    if found is not None:
        whole = {path.name for path in found.place.rglob("*") if path.is_file()}
        assert whole >= {Path(path).name for path in MADE} | {"build.log"}, whole
        assert found.built.folders == (".venv", "node_modules", "packages/web/node_modules")
        assert found.built.files == len(MADE)
    failed = store.failed("k")
    assert failed is None or failed.message == "words"
    do(store, way)
    store.sweep(nobody, grace=-1)
    left = {path.name for path in folder.iterdir()} - {".locks"}
    assert left == {"seal": {"k"}, "fail": {"k.failed"}, "remove": set(), "begin again": {"k"}}[way], left


root, way = Path(sys.argv[1]), sys.argv[2]
calls = 0
while True:
    calls += 1
    folder = root / str(calls)
    store = prepared(folder, way)
    pid = os.fork()
    if pid == 0:
        killed_after(calls)
        do(store, way)
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL), (calls, status)
    judged(store, folder, way)
    if status == 0:
        break
print(json.dumps(calls))
"""


@pytest.mark.in_every_run(1)
@pytest.mark.parametrize("way", ["seal", "fail", "remove", "begin again"])
def test_a_killed_process_leaves_what_the_next_one_completes(tmp_path: Path, way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), way],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) > 5, "calls at which it was killed"


MANY = r"""
import sys
from pathlib import Path
from moonmind.adapters.environments.environment_store import EnvironmentStore
from tests.support.built_environments import built

store = EnvironmentStore(Path(sys.argv[1]), 1 << 40)
print("ready", flush=True)
sys.stdin.read()
for number in range(60):
    found = store.borrow("k", f"run/apply-{number}")
    if found is None:
        if sys.argv[2] == "0":  # a key has one build at a time
            built(store)
    elif number % 2:
        store.remove("k", lambda _: False)
    store.sweep(lambda _: True)
    store.trim(lambda _: False)
"""


def test_two_processes_share_the_store(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        both = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", MANY, str(tmp_path / "store"), str(number)],
                    cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                )
            )
            for number in range(2)
        ]  # fmt: skip
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        for one in both:
            assert one.stdin is not None
            one.stdin.close()
        for one in both:
            assert one.stderr is not None
            assert one.stderr.read() == ""
            assert one.wait(60) == 0
    assert {path.name for path in (tmp_path / "store").iterdir()} <= {".locks", "k"}
