"""Whatever an agent starts ends with its job, by each kind of containment and at each end that a job can have."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from moonmind.adapters.jobs.supervised_jobs import Jobs
from moonmind.adapters.supervisor import cgroups
from moonmind.adapters.supervisor.containment import Kind, contain
from moonmind.adapters.supervisor.folder import read_json, write_json
from moonmind.adapters.supervisor.order import Order
from moonmind.ports.agent import JobState
from tests.support.processes import ROOT, alive, argv_with
from tests.support.waiting import until

KEY = "run/submit-1"

# Each starts a process that has the token in its arguments and carries no trace but what its name says.
ESCAPES = r"""
import ctypes, os, signal, subprocess, sys, time
token = sys.argv[1]
def sleeper(body=""):
    return [sys.executable, "-I", "-S", "-c", body + "\nimport time; time.sleep(600)", token]
def daemon(argv, cwd="/", between=lambda: None):
    if os.fork() == 0:
        os.setsid()
        between()
        if os.fork() == 0:
            os.chdir(cwd)
            os.closerange(0, 256)
            os.execve(argv[0], argv, {})
        os._exit(0)
    os.wait()
NAMED = "import ctypes; ctypes.CDLL(None).prctl(15, b'kworker/0:1', 0, 0, 0)"
DEAF = "import signal\nfor n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)"
def env_i_setsid():
    subprocess.Popen(["env", "-i", "setsid", *sleeper()])
def daemon_without_traces():
    daemon(sleeper())
def renamed():
    daemon(sleeper(NAMED))
def deaf():
    daemon(sleeper(DEAF))
def in_the_workspace():
    daemon(sleeper(), cwd=os.environ["WORKSPACE"])
def of_a_dead_child():
    daemon(sleeper(), between=lambda: os.fork() == 0 and (os.setsid(), None) or None)
def many():
    for _ in range(30):
        daemon(sleeper())
def stopped():
    child = subprocess.Popen(sleeper("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"), env={}, cwd="/", start_new_session=True)
def forking():
    daemon(sleeper("import os, time\nfor _ in range(5): os.fork() or time.sleep(0.01)"))
for escape in (env_i_setsid, daemon_without_traces, renamed, deaf, in_the_workspace, of_a_dead_child, many, stopped, forking):
    escape()
print("{}", flush=True)
open(os.environ["WORKSPACE"] + "/ready", "w").close()
"""
OF_THE_C_LIBRARY = 0b11 << 31
"""Signals 32 and 33 of glibc's threads: its posix_spawn, which Python 3.13 uses, lets children ignore them."""
KINDS = [Kind.NAMESPACE, Kind.CGROUP, Kind.TRACES]


class Site:
    """A job of a supervisor of ours, with any Python program as its agent, and what looks after it."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / "state"
        self.workspace = root / "work"
        self.workspace.mkdir()
        self.token = uuid4().hex
        self.jobs = Jobs(self.state, uuid4().hex, {"PATH": os.defpath})
        self.folder = self.jobs.folder(KEY)
        self.python, self.user = sys.executable, os.geteuid()

    def start(self, kind: Kind, code: str, *, total: float = 60.0) -> dict[str, int]:
        order = Order(
            folder=str(self.folder.path),
            argv=(self.python, "-I", "-S", "-c", code, self.token),
            environment={
                "PATH": os.defpath, "WORKSPACE": str(self.workspace), "MOONMIND_JOB": self.jobs.mark(KEY)
            },
            cwd=str(self.workspace),
            stdin="",
            log_path=str(self.root / "log.jsonl"),
            stall_seconds=60,
            total_seconds=total,
            output_bytes=1 << 30,
            stop_seconds=0.3,
            kinds=(kind.value,),
        )  # fmt: skip
        done = subprocess.run(
            [self.python, "-P", "-m", "moonmind.adapters.supervisor", self.jobs.mark(KEY)],
            input=order.as_bytes(), cwd="/", env={"PYTHONPATH": str(ROOT), "PATH": os.defpath},
            capture_output=True, timeout=60, check=False, user=self.user,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, b"started\n"), done.stderr
        handle = read_json(self.folder.handle)
        assert handle is not None
        assert handle["contained"] == kind.value
        until((self.workspace / "ready").exists, "the agent's processes")
        return handle

    def left(self) -> list[int]:
        return [int(pid) for pid in argv_with(self.token) if alive(int(pid))]

    def close(self) -> None:
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.root)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site(Path(tempfile.mkdtemp(prefix="moonmind-test-", dir="/var/tmp")))
    yield made
    made.close()


def require(kind: Kind) -> None:
    try:
        contain(["/bin/true"], {}, "/", mark=str(os.getpid()), kinds=[kind]).keeper.communicate()
    except OSError as error:
        pytest.skip(f"this host allows no {kind}: {error}")


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_a_job_ends_when_its_supervisor_is_killed(site: Site, kind: Kind) -> None:
    require(kind)
    handle = site.start(kind, ESCAPES + "time.sleep(600)")
    until(lambda: len(site.left()) > 38, "all of them")
    os.kill(handle["pid"], signal.SIGKILL)
    # Nobody looks at the job: what holds it together does this alone.
    until(lambda: not site.left(), "the end of all processes")
    assert not alive(handle["agent_pid"])
    site.jobs.stop(KEY)
    assert site.jobs.poll(KEY).state is JobState.LOST


@pytest.mark.parametrize("end", ["exits", "cancelled", "timed_out"])
@pytest.mark.parametrize("kind", [Kind.NAMESPACE, Kind.TRACES])
def test_all_of_a_job_ends_at_each_of_its_ends(site: Site, kind: Kind, end: str) -> None:
    require(kind)
    if end == "exits":
        site.start(kind, ESCAPES)
    else:
        site.start(kind, ESCAPES + "time.sleep(600)", total=60 if end == "cancelled" else 3)
    if end == "cancelled":
        site.jobs.stop(KEY)
        assert not site.left()
    until(lambda: site.jobs.poll(KEY).state is JobState.ENDED, "the job's end")
    assert not site.left()
    assert site.jobs.poll(KEY).facts["survivors"] == 0


def readable_by_others() -> bool:
    return (
        all(part.stat().st_mode & 0o001 for part in ROOT.parents if part != Path("/"))
        and Path("/usr/bin/python3").exists()
    )


@pytest.mark.parametrize("kind", [Kind.NAMESPACE, Kind.TRACES])
def test_an_ordinary_users_job_ends_with_its_supervisor_too(site: Site, kind: Kind) -> None:
    if os.geteuid() != 0 or not readable_by_others():
        pytest.skip("machine: only root can become an ordinary user, who has to reach this checkout and a Python")
    site.python, site.user = "/usr/bin/python3", 65534
    for folder in (site.root, site.workspace, *site.root.rglob("*")):
        os.chown(folder, site.user, site.user)
    probe = subprocess.run(["unshare", "-Urpf", "true"], user=site.user, check=False, capture_output=True)
    if kind is Kind.NAMESPACE and probe.returncode != 0:
        pytest.skip("this host allows ordinary users no namespace")
    handle = site.start(kind, ESCAPES + "time.sleep(600)")
    until(lambda: len(site.left()) > 38, "all of them")
    os.kill(handle["pid"], signal.SIGKILL)
    until(lambda: not site.left(), "the end of all processes")


def test_the_first_kind_that_works_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "make", lambda mark: None)
    held = contain(["/bin/true"], {"PATH": os.defpath}, "/", mark="x", kinds=[Kind.CGROUP, Kind.TRACES])
    held.keeper.communicate()
    assert (held.kind, held.exit_code()) == (Kind.TRACES, 0)
    with pytest.raises(OSError, match="no control group can be made"):
        contain(["/bin/true"], {}, "/", mark="x", kinds=[Kind.CGROUP])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("argv", "cwd", "error"),
    [
        (["/no/such/program"], "/", FileNotFoundError),
        (["/etc/passwd"], "/", PermissionError),
        (["/etc"], "/", PermissionError),
        (["/bin/true"], "/no/such/folder", FileNotFoundError),
    ],
)
def test_a_command_that_cannot_be_started_says_why(kind: Kind, argv: list[str], cwd: str, error: type[OSError]) -> None:
    require(kind)
    with pytest.raises(error):
        contain(argv, {"PATH": os.defpath}, cwd, mark="x", kinds=[kind])


@pytest.mark.parametrize("ignored", [(), (signal.SIGINT, signal.SIGQUIT), (signal.SIGHUP, signal.SIGTERM)])
@pytest.mark.parametrize("kind", KINDS)
def test_the_agent_gets_its_environment_its_signals_and_its_files_and_nothing_else(
    kind: Kind, ignored: tuple[signal.Signals, ...]
) -> None:
    require(kind)
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in ignored
    }  # as under nohup, or in the background
    try:
        _looks_around(kind)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _looks_around(kind: Kind) -> None:
    look = "env | sort; trap; ls -l /proc/self/fd | wc -l; grep -E 'Sig(Ign|Blk)' /proc/self/status; exit 7"
    held = contain(["/bin/sh", "-c", look], {"PATH": os.defpath, "ODD": "\udcff"}, "/", mark="x", kinds=[kind])
    out, err = held.keeper.communicate()
    lines = out.decode("utf-8", "surrogateescape").splitlines()
    assert (lines[:2], lines[2:3], err) == (["ODD=\udcff", f"PATH={os.defpath}"], ["PWD=/"], b"")
    files, blocked, ignored = lines[3:]
    assert (files, blocked) == ("5", "SigBlk:\t0000000000000000")  # a heading, 0-2 and ls' own
    assert int(ignored.removeprefix("SigIgn:\t"), 16) & ~OF_THE_C_LIBRARY == 0
    assert held.exit_code() == 7


def test_in_a_namespace_an_agent_sees_its_own_processes_only_and_cannot_end_its_keeper() -> None:
    require(Kind.NAMESPACE)
    look = "kill -9 1; kill -9 $PPID; ls /proc | grep -c '^[0-9]'; readlink /proc/self; echo $$"
    held = contain(["/bin/sh", "-c", look], {"PATH": os.defpath}, "/", mark="x", kinds=[Kind.NAMESPACE])
    out, _ = held.keeper.communicate()
    assert out.split() == [b"4", b"5", b"2"]
    assert held.exit_code() == 0
    assert not Path(f"/proc/{held.agent.pid}").exists()


def _mounted_at_proc() -> list[str]:
    """List what is mounted where a keeper mounts; elsewhere others may mount meanwhile."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return [mount for mount in mounts if mount.split()[4].startswith("/proc")]


def test_what_is_mounted_for_an_agent_is_not_seen_outside() -> None:
    require(Kind.NAMESPACE)
    before = _mounted_at_proc()
    held = contain(["/bin/cat"], {"PATH": os.defpath}, "/", mark="x", kinds=[Kind.NAMESPACE])
    assert _mounted_at_proc() == before
    held.keeper.communicate()


def test_a_note_of_a_group_that_is_not_the_jobs_own_kills_nobody(site: Site) -> None:
    require(Kind.CGROUP)
    stranger = cgroups.make("another owner's")
    assert stranger is not None
    with subprocess.Popen(["sleep", "60"]) as child:
        Path(stranger, "cgroup.procs").write_text(str(child.pid))
        handle = site.start(Kind.TRACES, ESCAPES)
        until(lambda: site.jobs.poll(KEY).state is JobState.ENDED, "the job's end")
        write_json(site.folder.handle, {**handle, "group": stranger})
        site.jobs.stop(KEY)
        assert child.poll() is None
        child.kill()
    assert cgroups.emptied(stranger)
