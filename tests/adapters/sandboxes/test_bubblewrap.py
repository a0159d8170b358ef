"""Jobs behind a real bubblewrap: what they see, and what ends them."""

import ast
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor.containment import Kind
from moonmind.errors import SandboxFailed
from moonmind.ports.check import CheckStatus
from moonmind.ports.sandbox import HOME, PATH, Mount
from moonmind.settings import ambient_environment
from tests.support.processes import argv_with
from tests.support.waiting import until
from tests.support.walls import Box, bubblewrap, connected

LOOK = r"""
import json, os, pwd
print(json.dumps({
    "pid": os.getpid(), "ids": [os.getuid(), os.getgid()], "cwd": os.getcwd(), "root": sorted(os.listdir("/")),
    "environment": dict(os.environ), "homes": os.listdir("/home"), "name": pwd.getpwuid(os.getuid()).pw_dir,
    "interfaces": os.listdir("/proc/sys/net/ipv4/conf"), "status": open("/proc/self/status").read(),
    "processes": [name for name in os.listdir("/proc") if name.isdigit()],
}))
"""
HIDDEN = ("sys", "var", "opt", "srv", "mnt", "media", "boot")


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path, bubblewrap(tmp_path))


def test_a_job_sees_its_own_world(box: Box) -> None:
    box.variables = {"SECRET": "s3cret", "LD_LIBRARY_PATH": "/evil", "HOME": HOME}
    seen = json.loads(box.run(LOOK))
    assert seen["pid"] == 1
    assert seen["processes"] == ["1"]
    assert seen["ids"] == [os.getuid(), os.getgid()]
    assert seen["cwd"] == "/workspace"
    assert not set(seen["root"]) & set(HIDDEN)
    assert seen["homes"] == ["job"]
    assert seen["name"] == HOME
    assert set(seen["interfaces"]) == {"all", "default", "lo"}
    assert {name: seen["environment"].get(name) for name in box.variables} == box.variables
    assert set(seen["environment"]) <= {"PATH", "PWD", "LC_CTYPE", *box.variables}
    lines = dict(line.split(":\t", 1) for line in seen["status"].splitlines() if ":\t" in line)
    assert (int(lines["CapEff"], 16), int(lines["CapBnd"], 16), lines["NoNewPrivs"]) == (0, 0, "1")


def test_values_of_variables_are_not_in_arguments_and_do_not_work_outside(box: Box) -> None:
    box.variables = {"LD_PRELOAD": str(box.workspace / "evil.so"), "PYTHONPATH": "s3cret"}
    wrapped = box.sandbox.wrap(box.job(["{python}"]))
    assert not [word for word in wrapped.argv if "s3cret" in word or "evil.so" in word]
    assert {"LD_PRELOAD", "PYTHONPATH"}.isdisjoint(wrapped.environment)


@pytest.mark.parametrize("name", ["a b", "a:b", "a\nb", "ä\U0001f980", "-dash", "$(x)'\"", "\udcff\udcfe", "a\\b,c=d"])
def test_odd_names_of_folders_are_mounted(box: Box, name: str) -> None:
    odd = box.root / "state" / name
    odd.mkdir()
    (odd / "file").write_text("found")
    box.mounts = (Mount(odd, f"/home/job/{name}", writable=True), Mount(odd / "file", f"/workspace/{name}"))
    program = "import sys; name = sys.argv[1]; print(open(f'/home/job/{name}/file').read(), open(f'/workspace/{name}').read()); open(f'/home/job/{name}/new', 'w')"
    assert box.run(program, name) == "found found\n"
    assert (odd / "new").exists()


def test_what_lies_in_a_mount_may_be_mounted_over(box: Box) -> None:
    lent = box.root / "state" / "lent"
    lent.mkdir()
    (lent / "m").touch()
    box.mounts = (Mount(lent, "/workspace/a/b"), Mount(box.workspace, "/workspace/a", writable=True))
    assert box.run("import os; print(os.listdir('/workspace/a/b'))") == "['m']\n"


def refused(box: Box) -> str:
    with pytest.raises(SandboxFailed) as refusal:
        box.sandbox.wrap(box.job(["{python}"]))
    assert refusal.value.advice
    return refusal.value.message


@pytest.mark.parametrize(
    "path",
    [
        "/", "/etc", "/etc/shadow", "/root", "/home", "/var", "/proc/1", "/run", "/dev/null", "relative", "/usr/../etc", "/tmp", "/var/tmp",
        "/home/{someone}",
        "{state}", "{state}/workspace", "{above}", "{home}", "{installation}", "{installation}/moonmind", "{link}",
        "{missing}", "{socket}", "{loop}",
    ],
)  # fmt: skip
def test_settings_that_would_open_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    places = {
        "state": tmp_path / "state",
        "above": tmp_path,
        "home": Path.home(),
        "installation": Path(__file__).parents[3],
        "link": tmp_path / "link",
        "missing": tmp_path / "missing",
        "socket": tmp_path / "socket",
        "loop": tmp_path / "loop",
        "someone": next((path.name for path in Path("/home").iterdir()), "someone"),
    }
    (tmp_path / "link").symlink_to("/etc")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)
        listener.bind("socket")
        box = Box(tmp_path, bubblewrap(tmp_path, read=(Path(path.format(**places)),)))
        assert "cannot be shown" in refused(box)


def test_further_folders_are_readable_under_their_own_paths(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "tool").write_text("here")
    (tmp_path / "by-link").symlink_to(tools)
    box = Box(tmp_path, bubblewrap(tmp_path, read=(tools, tmp_path / "by-link")))
    program = "import os, sys; print(*(open(p + '/tool').read() for p in sys.argv[1:]), os.listdir(os.path.dirname(sys.argv[1])), os.access(sys.argv[1], os.W_OK))"
    assert box.run(program, str(tools), str(tmp_path / "by-link")) == "here here ['by-link', 'tools'] False\n"


@pytest.mark.parametrize("linked", [False, True])
def test_programs_in_further_folders_are_found_after_the_systems(tmp_path: Path, *, linked: bool) -> None:
    tools = tmp_path / "tools"
    (tools / "bin").mkdir(parents=True)
    for name, words in {"swift": "from the tools", "cat": "not the system's"}.items():
        (tools / "bin" / name).write_text(f"#!/bin/sh\necho {words}\n")
        (tools / "bin" / name).chmod(0o755)
    read = tools
    if linked:
        read = tmp_path / "by-link"
        read.symlink_to(tools)
    ambient = ambient_environment()
    searched = {"HOME": ambient["HOME"], "PATH": f"{ambient['PATH']}:{tools / 'bin'}"}
    sandbox = bubblewrap(tmp_path, read=(read,), environment=searched)
    program = "import os, subprocess; print(subprocess.check_output('swift; cat /dev/null', shell=True, text=True), os.environ['PATH'])"
    assert Box(tmp_path, sandbox).run(program) == f"from the tools\n {PATH}:{read / 'bin'}\n"
    assert "swift" in sandbox_says(bubblewrap(tmp_path, environment=searched))
    assert "swift" not in sandbox_says(sandbox)


def sandbox_says(sandbox: Bubblewrap) -> str:
    (check,) = sandbox.check()
    assert check.status is CheckStatus.PASSED
    return check.message


def test_a_link_that_a_job_left_leads_nowhere(box: Box) -> None:
    outside = box.root / "secrets"
    outside.mkdir()
    (box.workspace / "node_modules").symlink_to(outside)
    box.mounts = (Mount(box.workspace / "node_modules", "/workspace/x"),)
    assert "by a link" in refused(box)


@pytest.mark.parametrize("place", ["a", "a/b"])
def test_nothing_is_mounted_where_a_job_left_a_link(box: Box, place: str) -> None:
    outside = box.root / "outside"
    outside.mkdir()
    (box.workspace / "a").symlink_to(outside)
    box.mounts = (Mount(box.workspace, f"/workspace/{place}"),)
    assert "a link" in refused(box)
    assert list(outside.iterdir()) == []


def overlaid(box: Box, upper: str = "over/upper") -> Mount:
    """Return an overlay over a folder of the state folder."""
    state = box.root / "state"
    for folder in ("lower", "over/upper", "over/work"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    (state / "lower" / "file").write_text("lent")
    return Mount(state / "lower", "/workspace/lent", writable=True, upper=state / upper)


def test_what_is_written_over_a_folder_is_kept_apart(box: Box) -> None:
    assert box.sandbox.overlays()
    box.mounts = (overlaid(box),)
    (box.workspace / "lent").mkdir()
    program = "import os; os.chdir('lent'); os.rename('file', 'moved'); open('new', 'w'); print(os.listdir())"
    assert sorted(ast.literal_eval(box.run(program))) == ["moved", "new"]
    state = box.root / "state"
    assert [path.name for path in (state / "lower").iterdir()] == ["file"]
    assert {path.name for path in (state / "over/upper").iterdir()} == {"file", "moved", "new"}
    assert list((box.workspace / "lent").iterdir()) == []


@pytest.mark.parametrize("upper", ["missing/upper", "linked/upper", "over/linked", "../outside/upper", "over/file"])
def test_an_overlay_that_would_write_elsewhere_is_refused(box: Box, upper: str) -> None:
    box.mounts = (overlaid(box, upper),)
    state, outside = box.root / "state", box.root / "outside"
    for folder in ("upper", "work"):
        (outside / folder).mkdir(parents=True)
    (state / "linked").symlink_to(outside)
    (state / "over/linked").symlink_to(outside / "upper")
    (state / "over/file").touch()
    assert "folder" in refused(box)
    assert [list((outside / folder).iterdir()) for folder in ("upper", "work")] == [[], []]


@pytest.mark.parametrize("words", ["", "--overlay-src --overlay"])
def test_where_overlays_do_not_work_there_are_none(tmp_path: Path, words: str) -> None:
    real = bubblewrap(tmp_path)._bwrap()
    known = "--ro-bind --args --file --seccomp --size --perms --as-pid-1 --cap-drop"
    refusal = 'for word; do [ "$word" = --overlay ] && exit 1; done'
    (tmp_path / "bwrap").write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && {{ echo {known} {words}; exit; }}\n{refusal}\nexec {real} "$@"\n'
    )
    (tmp_path / "bwrap").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "HOME": str(tmp_path / "home")}
    box = Box(tmp_path, bubblewrap(tmp_path, environment=environment, codex_package=None))
    assert not box.sandbox.overlays()
    assert list((tmp_path / "state" / "overlay-trials").glob("*")) == []
    assert box.run("print('works')") == "works\n"


@pytest.mark.parametrize("works", [True, False])
def test_a_later_bwrap_is_used_if_overlays_work_by_it_alone(tmp_path: Path, *, works: bool) -> None:
    real = bubblewrap(tmp_path)._bwrap()
    old, new = tmp_path / "path" / "bwrap", tmp_path / "codex" / "bwrap"
    for program in (old, new):
        program.parent.mkdir()
    old.write_text(f'#!/bin/sh\n[ "$1" = --help ] && {{ {real} --help | grep -v overlay; exit; }}\nexec {real} "$@"\n')
    new.write_text(
        f'#!/bin/sh\n[ "$1" = --help ] && exec {real} --help\n{"" if works else "exit 1"}\nexec {real} "$@"\n'
    )
    for program in (old, new):
        program.chmod(0o755)
    environment = {"PATH": f"{old.parent}:{os.defpath}", "HOME": str(tmp_path / "home")}
    box = Box(tmp_path, bubblewrap(tmp_path, environment=environment, codex_package=new.parent))
    assert box.sandbox.overlays() is works
    wrapped = box.sandbox.wrap(box.job(["{python}"]))
    assert (str(new if works else old) in wrapped.argv, str(old if works else new) in wrapped.argv) == (True, False)
    assert box.run("print('works')") == "works\n"


@pytest.mark.parametrize("target", ["x", "/", "/proc/x", "/dev", "/sys", "/a/../b"])
def test_targets_that_cannot_be_meant_are_refused(box: Box, target: str) -> None:
    box.mounts = (Mount(box.workspace, target),)
    assert "cannot be shown" in refused(box)


@pytest.mark.parametrize("kind", [Kind.NAMESPACE, Kind.TRACES])
def test_a_supervised_job_runs_and_tells_how_it_ended(box: Box, kind: Kind) -> None:
    with box.linked("raise SystemExit(7)", kinds=[kind]) as (contained, link):
        connected(link)
        assert contained.kind is kind
        until(lambda: not link.hear(), "the end")
        assert os.waitstatus_to_exitcode(link.status or 0) == 7


SLEEPERS = """
import os, subprocess, sys, time
for _ in range(3):
    subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)", sys.argv[1]], start_new_session=True, env={})
time.sleep(600)
"""


@pytest.mark.in_every_run(3)
@pytest.mark.parametrize("kind", [Kind.NAMESPACE, Kind.TRACES])
@pytest.mark.parametrize("how", ["hung up", "agent", "keeper"])
def test_everything_ends_with_the_supervisor(box: Box, how: str, kind: Kind) -> None:
    token = f"token-{os.getpid()}-{how}"
    with box.linked(SLEEPERS, token, kinds=[kind]) as (contained, link):
        connected(link)
        until(lambda: len(argv_with(token)) >= 4, "its processes")
        match how:
            case "hung up":
                assert link.end()
            case "agent":
                contained.signal(signal.SIGKILL)
            case "keeper":
                contained.keeper.kill()
        until(lambda: argv_with(token) == [], "their end")


def test_no_bwrap_is_a_sentence(tmp_path: Path) -> None:
    box = Box(tmp_path, bubblewrap(tmp_path, environment={"PATH": "/nowhere"}, codex_package=None))
    assert "no bwrap" in refused(box)
    old = tmp_path / "bwrap"
    old.write_text("#!/bin/sh\necho --ro-bind --args --file --seccomp\n")
    old.chmod(0o755)
    box = Box(tmp_path, bubblewrap(tmp_path, environment={"PATH": str(tmp_path)}, codex_package=None))
    assert "version 0.5" in refused(box)


PROGRAMS = r"""
import os, pty, socket, subprocess, sys, threading
ran = []
thread = threading.Thread(target=ran.append, args=(1,)); thread.start(); thread.join()
ran.append(subprocess.run([sys.executable, "-I", "-S", "-c", "print(2)"], capture_output=True, text=True).stdout.strip())
ran.append(subprocess.run(["sh", "-c", "git init -q x && cd x && git log 2>&1 | head -1; echo $HOME; id -un"], cwd="/tmp", capture_output=True, text=True).stdout.split("\n")[1:3])
os.close(pty.openpty()[0])
listener = socket.create_server(("127.0.0.1", 0)); socket.create_connection(listener.getsockname())
ran.append(socket.gethostbyname("localhost"))
with open("/tmp/tool", "w") as tool: tool.write("#!/bin/sh\necho 3\n")
os.chmod("/tmp/tool", 0o755)
ran.append(subprocess.check_output(["/tmp/tool"], text=True).strip())
print(ran)
"""


def test_programs_work_as_usual(box: Box) -> None:
    box.variables = {"HOME": HOME}
    name = "root" if os.getuid() == 0 else "job"
    assert box.run(PROGRAMS).strip() == str([1, "2", [HOME, name], "127.0.0.1", "3"])


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("bwrap: setting up uid map: Permission denied", "amespace"),
        ("bwrap: No permissions to create a new namespace", "amespace"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "container"),
    ],
)
def test_a_host_that_forbids_it_is_told_how_to_allow_it(tmp_path: Path, words: str, advice: str) -> None:
    real = bubblewrap(tmp_path)._bwrap()
    (tmp_path / "bwrap").write_text(f'#!/bin/sh\n[ "$1" = --help ] && exec {real} --help\necho "{words}" >&2\nexit 1\n')
    (tmp_path / "bwrap").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.defpath}", "HOME": str(tmp_path / "home")}
    (check,) = bubblewrap(tmp_path, environment=environment, codex_package=None).check()
    assert check.failed
    assert words in check.message
    assert advice in check.remediation


def test_the_check_names_limits_and_what_jobs_do_not_have(tmp_path: Path) -> None:
    for folder in ("tools", "more"):
        (tmp_path / folder).mkdir()
    for tool in ("tools/deno", "tools/unheard-of", "more/elixir"):
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    environment = {"PATH": f"{tmp_path}/tools:{tmp_path}/more:{os.defpath}", "HOME": str(tmp_path / "home")}
    (check,) = bubblewrap(tmp_path, environment=environment, memory=3 << 29).check()
    assert (check.name, check.status) == ("sandbox", CheckStatus.PASSED), check
    assert "1.5 GiB" in check.message
    assert "none for memory" in check.message
    missing = check.message.rpartition(": ")[2].removesuffix(".").split(", ")
    assert {"deno", "elixir"} <= set(missing)
    assert "unheard-of" not in missing
    assert check.facts["bwrap"]


def test_a_state_folder_that_jobs_would_see_is_refused(tmp_path: Path) -> None:
    box = Box(tmp_path, Bubblewrap(SandboxOptions(Path("/usr/share"), "i", "h")))
    assert "/usr" in refused(box)


@pytest.mark.parametrize("name", ["", "A=B", "A\0"])
def test_names_that_no_variable_can_have_are_refused(box: Box, name: str) -> None:
    box.variables = {name: "x"}
    assert "variable" in refused(box)
