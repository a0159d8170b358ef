"""What nobody holds on to any more is found by the traces that it carries, and nothing else is."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.supervisor import kernel, own
from moonmind.adapters.supervisor.folder import write_json
from moonmind.adapters.supervisor.traces import pipes_of
from tests.support.processes import alive, argv_with
from tests.support.waiting import until

KEY = "run/submit-1"
SPACE = os.readlink("/proc/self/ns/pid").strip("pid:[]")
SLEEP = "import time; time.sleep(600)"
ORPHAN = """
import os, sys
os.setsid()
if os.fork() == 0:
    if cwd := {cwd!r}: os.chdir(cwd)
    if root := {root!r}: os.chroot(root)
    keep = {keep!r}
    if path := {path!r}: os.dup2(os.open(path, os.O_RDONLY), keep := 9)
    for number in range(256):
        if number != keep:
            try: os.close(number)
            except OSError: pass
    exec({body!r})
    os.execve({python!r}, {argv!r}, {{}})
os._exit(0)
"""


class Lost:
    """A job whose supervisor and keeper were killed; only its notes are left."""

    def __init__(self, root: Path) -> None:
        self.state, self.workspace = root / "state", root / "work"
        self.workspace.mkdir()
        (self.workspace / "file").touch()
        self.token = uuid4().hex
        self.jobs = Jobs(self.state, self.token, {})
        self.folder = self.jobs.folder(KEY)
        self.folder.make()
        self.home = self.jobs.home("run")
        self.out, self.end = os.pipe()
        me = kernel.identify(os.getpid())
        with subprocess.Popen(["true"]) as now:
            begun = kernel.identify(now.pid).started
        self.handle = {
            "pid": me.pid, "started": begun, "agent_pid": me.pid, "agent_started": "0", "boot": kernel.boot_id(),
            "folders": [str(self.workspace)], "pipes": pipes_of(self.out),
        }  # fmt: skip
        write_json(self.folder.handle, self.handle)

    def orphan(
        self,
        *words: str,
        cwd: str = "/",
        root: str = "",
        keep: int = -1,
        path: str = "",
        body: str = "",
        runs: str = SLEEP,
    ) -> int:
        """Leave a process under init that has the token, these words and this one trace."""
        argv = [sys.executable, "-I", "-S", "-c", runs, self.token, *words]
        code = ORPHAN.format(cwd=cwd, root=root, keep=keep, path=path, body=body, python=sys.executable, argv=argv)
        subprocess.run([sys.executable, "-I", "-S", "-c", code], pass_fds=[self.end], check=True, env={})
        # The interpreter that it is started by has the token in its program, and still holds what the orphan sheds.
        (pid,) = until(lambda: [each for each in argv_with(self.token) if self.token in words_of(each)], "the orphan")
        return int(pid)


def words_of(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return []  # it ended while we looked


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Lost]:
    made = Lost(tmp_path)
    yield made
    for pid in argv_with(made.token):
        os.kill(int(pid), signal.SIGKILL)
    os.close(made.out)
    os.close(made.end)


@pytest.mark.parametrize(
    "trace", ["cwd", "cwd below", "cwd removed", "tmp", "home", "file", "pipe", "command line", "option", "session"]
)
def test_an_orphan_that_carries_one_trace_is_ended(lost: Lost, trace: str) -> None:
    below = lost.workspace / "a" / "b"
    below.mkdir(parents=True)
    match trace:
        case "cwd":
            pid = lost.orphan(cwd=str(lost.workspace))
        case "cwd below" | "cwd removed":
            pid = lost.orphan(cwd=str(below))
        case "tmp":
            pid = lost.orphan(cwd=str(lost.folder.temporary))
        case "home":
            pid = lost.orphan(cwd=str(lost.home))
        case "file":
            pid = lost.orphan(path=str(lost.workspace / "file"))
        case "pipe":
            pid = lost.orphan(keep=lost.end)
        case "command line":
            pid = lost.orphan("--cd", str(lost.workspace), "helper")
        case "option":
            pid = lost.orphan(f"--root={below}")
        case _:
            pid = lost.orphan()
            session = kernel.session_of(pid)
            note = {"pid": 1, "started": "0", "session": session}
            write_json(lost.folder.seen, {"processes": [note]})
    if trace == "cwd removed":
        below.rmdir()
    lost.jobs.stop(KEY)
    assert not alive(pid)


def test_a_process_that_was_noted_is_ended_whatever_it_shed(lost: Lost) -> None:
    pid = lost.orphan()
    one = kernel.identify(pid)
    write_json(lost.folder.seen, {"processes": [{"pid": pid, "started": one.started, "session": 0}]})
    lost.jobs.stop(KEY)
    assert not alive(pid)


@pytest.mark.parametrize("who", ["nothing", "elsewhere", "namesake", "older", "other job", "other boot"])
def test_an_orphan_that_is_not_the_jobs_lives_on(lost: Lost, who: str) -> None:
    match who:
        case "nothing":
            pid = lost.orphan()
        case "elsewhere":
            pid = lost.orphan(cwd=str(lost.workspace.parent))
        case "namesake":
            twin = Path(f"{lost.workspace}-2")
            twin.mkdir()
            pid = lost.orphan(f"--cd={twin}", cwd=str(twin))
        case "older":
            pid = lost.orphan(cwd=str(lost.workspace))
            later = int(kernel.identify(pid).started) + 1
            write_json(lost.folder.handle, {**lost.handle, "started": str(later)})
        case "other job":
            pid = lost.orphan(cwd=str(lost.jobs.home("another-run")))
        case _:
            pid = lost.orphan(cwd=str(lost.workspace))
            write_json(lost.folder.handle, {**lost.handle, "boot": "another"})
    lost.jobs.stop(KEY)
    assert alive(pid)


@pytest.mark.parametrize("argv", [["sleep", "600"], ["/bin/sh", "-c", "sleep 600; true"]])
def test_what_a_process_outside_of_the_job_started_lives_on(lost: Lost, argv: list[str]) -> None:
    # An editor, or a shell that stands in the folder with what it started: this test is their parent.
    with subprocess.Popen(argv, cwd=lost.workspace, start_new_session=True) as child:
        until(lambda: kernel.name_of(child.pid) in ("sleep", "sh"), "its program")
        lost.jobs.stop(KEY)
        assert child.poll() is None
        os.killpg(child.pid, signal.SIGKILL)


SERVERS = [
    ("-m", "moonmind.cli.main", "up"), ("-m", "moonmind.cli", "worker"), ("-m", "celery", "worker"),
    ("celery", "worker"), ("uvicorn", "x:app"),
]  # fmt: skip


@pytest.mark.parametrize("words", SERVERS)
def test_an_orphan_that_is_called_like_a_server_is_ended(lost: Lost, words: tuple[str, ...]) -> None:
    pid = lost.orphan(*words, cwd=str(lost.workspace))
    lost.jobs.stop(KEY)
    assert not alive(pid)


REGISTER = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from moonmind.adapters.jobs.supervised_jobs import Jobs
Jobs(Path({state!r}), "", {{}})
file = open({file!r})
import time; time.sleep(600)
"""


@pytest.mark.parametrize("words", SERVERS)
def test_a_server_that_reads_the_runs_files_lives_on(lost: Lost, words: tuple[str, ...]) -> None:
    names = {"path": sys.path, "state": str(lost.state), "file": str(lost.workspace / "file")}
    pid = lost.orphan(*words, runs=REGISTER.format(**names))
    until(lambda: list((lost.state / "processes").glob(f"*.{pid}.*")), "its note")
    until(lambda: kernel_links(pid, lost.workspace / "file"), "its open file")
    lost.jobs.stop(KEY)
    assert alive(pid)


def test_notes_of_processes_that_are_gone_are_removed(lost: Lost) -> None:
    folder = lost.state / "processes"
    gone = [
        folder / name for name in (f"{kernel.boot_id()}.{SPACE}.{os.getpid()}.1", f"another.{os.getpid()}.2", "torn")
    ]
    elsewhere = folder / f"{kernel.boot_id()}.1{SPACE}.{os.getpid()}.1"  # another container's, which counts for itself
    for note in (*gone, elsewhere):
        note.touch()
    assert own.registered(folder) == {kernel.identify(os.getpid())}
    assert not any(note.exists() for note in gone)
    assert elsewhere.exists()


STOPPER = """
import os, sys
sys.path[:0] = {path!r}
from pathlib import Path
from moonmind.adapters.jobs.supervised_jobs import Jobs
if {forks!r} and os.fork():
    os.wait()
else:
    Jobs(Path({state!r}), {token!r}, {{}}).stop({key!r})
Path({mark!r}, str(os.getpid())).touch()
"""


@pytest.mark.parametrize("who", ["itself", "its parent"])
def test_who_ends_the_job_is_never_of_it(lost: Lost, tmp_path: Path, who: str) -> None:
    # Whatever it stands in, and though its own parent is gone: here, at the job's file.
    mark = tmp_path / "ended"
    mark.mkdir()
    path = [os.path.abspath(place) for place in sys.path]
    forks = who == "its parent"
    runs = STOPPER.format(path=path, forks=forks, state=str(lost.state), token=lost.token, key=KEY, mark=str(mark))
    pid = lost.orphan(path=str(lost.workspace / "file"), runs=runs)
    until(lambda: not alive(pid), "the end of the process")
    assert len(list(mark.iterdir())) == 1 + forks
    assert (mark / str(pid)).exists()


def test_the_supervisor_of_the_runs_other_job_is_never_of_it(lost: Lost) -> None:
    one = kernel.identify(lost.orphan(cwd=str(lost.workspace)))
    other = lost.jobs.folder("run/submit-2")
    other.make()
    write_json(other.handle, {**lost.handle, "pid": one.pid, "started": one.started})
    lost.jobs.stop(KEY)
    assert one.alive


@pytest.mark.parametrize("at", ["state", "state/processes"])
def test_a_process_that_cannot_be_noted_says_so_and_works(tmp_path: Path, at: str) -> None:
    file = tmp_path / at
    file.parent.mkdir(exist_ok=True)
    file.touch()
    with capture_logs() as logs:
        Jobs(tmp_path / "state", "an-installation", {})
    assert [(line["event"], line["log_level"]) for line in logs] == [("process.not_registered", "warning")]


def kernel_links(pid: int, file: Path) -> bool:
    return any(os.path.realpath(link) == str(file) for link in Path(f"/proc/{pid}/fd").iterdir())
