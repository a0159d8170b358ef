"""Jobs in containers of a real engine: what gets through the wall, and that nothing outlives its owner."""

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from moonmind.adapters.sandboxes.docker import NOBODY, Docker
from moonmind.errors import AgentUnknown, SandboxFailed, SandboxUnavailable
from moonmind.ports.check import CheckStatus
from moonmind.ports.sandbox import BoxedCommand, Mount, Wrapped
from tests.support.docker_engine import DockerEngine
from tests.support.docker_jobs import DockerJob, job, sandbox_of
from tests.support.processes import ROOT, each_process
from tests.support.rootless_engine import USER, as_user, rootless_engine
from tests.support.waiting import until

pytestmark = pytest.mark.docker

FOREVER = ("sleep", "1000")
SOON = 15.0


@pytest.fixture
def sandbox(docker_engine: DockerEngine, tmp_path: Path) -> Docker:
    return sandbox_of(docker_engine, tmp_path)


@pytest.fixture
def running(sandbox: Docker, tmp_path: Path) -> Iterator[DockerJob]:
    with job(sandbox, tmp_path) as made:
        yield made


def containers(engine: DockerEngine, sandbox: Docker) -> list[str]:
    label = f"label=moonmind.installation={sandbox._options.installation_id}"
    return engine.docker("ps", "--all", "--quiet", "--filter", label).split()


# --- what a job finds

LOOK = """
import json, os, socket, subprocess, sys
def tried(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.errno
    return 0
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
script = os.path.join(os.environ["TMPDIR"], "script")
open(script, "w").write("#!/bin/sh\\necho ran\\n")
os.chmod(script, 0o700)
open("made", "w").close()
json.dump({
    "owner": [os.getuid(), os.getgid(), os.getgroups()],
    "environment": dict(os.environ),
    "capabilities": status["CapBnd"].strip(),
    "seccomp": status["Seccomp"].strip(),
    "privileges": status["NoNewPrivs"].strip(),
    "interfaces": [name for _, name in socket.if_nameindex()],
    "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "home": tried(os.environ["HOME"] + "/made"),
    "outside": {path: tried(path) for path in ("/made", "/usr/made", "/etc/made", "/run/moonmind/made", "/read/made")},
    "script": subprocess.run([script], capture_output=True, text=True).stdout,
    "read": open("/read/file").read(),
    "mounts": sorted(line.split()[4] for line in open("/proc/self/mountinfo")),
    "stdin": sys.stdin.read(),
}, sys.stdout)
print("said aside", file=sys.stderr)
sys.exit(7)
"""
# The names are those that the client itself would obey.
VARIABLES = {
    "DOCKER_HOST": "tcp://elsewhere:1",
    "LD_PRELOAD": "",
    "PYTHONPATH": "/workspace",
    "LINES": "a\nb",
    "BYTES": "\udce9'\"",
}


def test_a_job_finds_its_own_things_and_no_others(running: DockerJob, tmp_path: Path) -> None:
    (tmp_path / "read").mkdir()
    (tmp_path / "read/file").write_text("read")
    # An interpreter of ours that believed the job's PYTHONPATH would end here.
    (running.workspace / "socket.py").write_text("raise SystemExit('not ours')")
    ended = running.run(
        *("python3", "-I", "-c", LOOK),
        stdin=b"given", environment=VARIABLES, mounts=(Mount(tmp_path / "read", "/read"),),
    )  # fmt: skip
    assert ended.stderr == b"said aside\n"
    assert (ended.status, ended.client) == (7 << 8, 7)
    found = json.loads(ended.text)
    uid, gid = (NOBODY, NOBODY) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    assert found["owner"] == [uid, gid, [gid]]
    made = (running.workspace / "made").stat()
    assert (made.st_uid, made.st_gid) == (uid, gid)
    assert VARIABLES.items() <= found["environment"].items()
    assert set(found["environment"]) == {*VARIABLES, "HOME", "PATH", "TMPDIR", "LANG", "HOSTNAME"}
    assert (found["capabilities"], found["privileges"], found["seccomp"]) == ("0" * 16, "1", "2")
    assert found["interfaces"] == ["lo"]
    assert found["processes"][0] == 1
    assert len(found["processes"]) == 2, "the first process and the command"
    assert found["home"] == 0
    assert set(found["outside"].values()) <= {13, 30}, "EACCES, EROFS"
    assert (found["script"], found["read"], found["stdin"]) == ("ran\n", "read", "given")
    places = {place for place in found["mounts"] if not place.startswith(("/proc", "/sys", "/dev"))}
    engines_own = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}
    assert places == {"/", "/workspace", "/run/moonmind", "/read", "/home/job", "/tmp"} | engines_own


def test_values_are_in_no_arguments(running: DockerJob, docker_engine: DockerEngine) -> None:
    secret = "a-value-that-nobody-may-read"
    running.start(*FOREVER, environment={"TOKEN": secret})
    arguments = [file.read_bytes() for file in _readable(place / "cmdline" for place in each_process())]
    assert any(b"/run/moonmind/entry.py" in words for words in arguments)
    assert not any(secret.encode() in words for words in arguments)
    [container] = json.loads(docker_engine.docker("inspect", *containers(docker_engine, running.sandbox)))
    assert secret not in json.dumps([container["Args"], container["Config"]["Cmd"], container["Config"]["Labels"]])


def _readable(files: Iterator[Path]) -> Iterator[Path]:
    for file in files:
        try:
            file.read_bytes()
        except OSError:  # ended meanwhile
            continue
        yield file


ODD = ("a,b", 'quo"ted', "with space", "co:lon", "ünï", "a=b", "$HOME", "'")


def test_paths_are_mounted_whatever_their_names(running: DockerJob, tmp_path: Path) -> None:
    for name in ODD:
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    mounts = tuple(Mount(tmp_path / name, f"/{name}") for name in (*ODD, "to"))
    (tmp_path / "to").symlink_to(tmp_path / ODD[0])
    script = 'for folder in "$@"; do cat "/$folder/file"; echo; done'
    ended = running.run("sh", "-c", script, "sh", *ODD, "to", mounts=mounts)
    assert ended.text.splitlines() == [*ODD, ODD[0]]


# --- how it ends

ENDINGS: dict[str, tuple[str, int]] = {
    "fine": ("exit 0", 0),
    "an exit code": ("exit 3", 3 << 8),
    "the highest": ("exit 255", 255 << 8),
    "a code that looks like a signal's": ("exit 137", 137 << 8),
    "killed": ("kill -KILL $$", signal.SIGKILL),
    "terminated": ("kill -TERM $$", signal.SIGTERM),
}


@pytest.mark.in_every_run(2)
@pytest.mark.parametrize(("script", "status"), ENDINGS.values(), ids=ENDINGS)
def test_how_a_command_ended_is_exact(running: DockerJob, script: str, status: int) -> None:
    assert running.run("sh", "-c", script).status == status


def by_link(running: DockerJob, number: int) -> None:
    assert running.link.signal(number)


def by_client(running: DockerJob, number: int) -> None:
    assert running.client is not None
    running.client.send_signal(number)


@pytest.mark.in_every_run(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("send", [by_link, by_client])
def test_signals_reach_the_command(
    running: DockerJob, send: Callable[[DockerJob, int], None], number: signal.Signals
) -> None:
    name = number.name.removeprefix("SIG")
    running.start("sh", "-c", f"trap 'echo {name}; exit 5' {name}; touch ready; while :; do sleep 0.05; done")
    until((running.workspace / "ready").exists, "the command listens")
    send(running, number)
    ended = running.wait()
    assert (ended.text, ended.status) == (f"{name}\n", 5 << 8)


LIMITS: dict[str, tuple[dict[str, int], str, int]] = {
    "memory": ({"memory": 64 << 20}, "held = bytearray(1 << 30)", signal.SIGKILL),
    "processes": ({"processes": 16}, "import os\nfor _ in range(40): os.fork() or os.pause()", 1 << 8),
    "files in memory": ({"memory": 64 << 20}, "open('/tmp/file', 'wb').write(bytes(40 << 20))", 1 << 8),
}


@pytest.mark.in_every_run(1)
@pytest.mark.parametrize(("options", "script", "status"), LIMITS.values(), ids=LIMITS)
def test_a_job_is_held_to_its_limits(
    docker_engine: DockerEngine, tmp_path: Path, options: dict[str, int], script: str, status: int
) -> None:
    with job(sandbox_of(docker_engine, tmp_path, **options), tmp_path) as limited:
        ended = limited.run("python3", "-c", script)
        assert ended.status == status
        assert (b"reached the memory limit" in ended.stderr) == (status == signal.SIGKILL)


# --- who outlives whom

SUPERVISOR = """
import signal, sys
from pathlib import Path
from tests.support.docker_engine import DockerEngine
from tests.support.docker_jobs import DockerJob, sandbox_of
folder = Path(sys.argv[1])
made = DockerJob(sandbox_of(DockerEngine(Path(sys.argv[2]), *sys.argv[3:]), folder), folder)
made.start("sh", "-c", "setsid sleep 1000 & sleep 1000")
print("began", flush=True)
signal.pause()
"""


def test_nothing_outlives_a_killed_supervisor(docker_engine: DockerEngine, sandbox: Docker, tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, tmp_path, docker_engine.folder, docker_engine.programs, docker_engine.address],
        cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    with supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline() == b"began\n"
        assert sandbox.marks() == ("installation/run/apply-1",)
        os.kill(supervisor.pid, signal.SIGKILL)
    until(lambda: not containers(docker_engine, sandbox), "the container is gone", SOON)


def test_a_job_whose_client_was_killed_is_found_and_ended(
    running: DockerJob, docker_engine: DockerEngine, tmp_path: Path
) -> None:
    running.start(*FOREVER)
    assert running.client is not None
    running.client.kill()
    running.client.wait()
    others = sandbox_of(docker_engine, tmp_path, installation_id="another")
    assert (running.sandbox.marks(), others.marks()) == ((running.mark,), ())
    others.end(running.mark)
    running.sandbox.end("installation/run/apply-10")
    assert running.sandbox.marks() == (running.mark,)
    running.sandbox.end(running.mark)
    assert containers(docker_engine, running.sandbox) == []
    running.sandbox.end(running.mark)


def test_a_job_ends_when_its_engine_was_killed(own_engine: DockerEngine, tmp_path: Path) -> None:
    sandbox = sandbox_of(own_engine, tmp_path)
    with job(sandbox, tmp_path) as running:
        running.start("sh", "-c", "while :; do date +%s%N > beat; sleep 0.05; done")
        beat = running.workspace / "beat"
        until(beat.exists, "the command works")
        own_engine.kill()
        assert running.client is not None
        until(lambda: running.client and running.client.poll() is not None, "the client has ended", SOON)
        with pytest.raises(AgentUnknown):
            sandbox.end(running.mark)
        assert running.hang_up(), "the first process hung up"
        last = beat.read_text()
        (running.workspace / "later").touch()
        own_engine.start()
        until(lambda: sandbox.marks() == (), "the engine has removed the container", SOON)
        assert beat.read_text() == last, "nothing ran on"


@pytest.mark.full
def test_what_a_job_writes_in_a_rootless_engine_is_its_users(docker_engine: DockerEngine, tmp_path: Path) -> None:
    with rootless_engine(docker_engine.programs) as rootless:
        folder = rootless.folder / "work"
        with as_user(USER):
            folder.mkdir()
            sandbox = sandbox_of(rootless, folder)
            found = list(islice(sandbox._checks(), 2))
            with job(sandbox, folder) as made:
                ended = made.run("sh", "-c", "touch made; cat /proc/self/status")
        assert [check.status for check in found] == [CheckStatus.PASSED] * 2
        assert "(rootless)" in found[0].message
        status = dict(line.split(":\t", 1) for line in ended.text.splitlines())
        assert (status["CapBnd"], status["NoNewPrivs"]) == ("0" * 16, "1")
        assert (made.workspace / "made").stat().st_uid == USER
        # Another user's engine would give it files that it cannot use.
        check = sandbox_of(rootless, tmp_path).check()[-1]
        assert (check.name, check.failed) == ("sandbox.folders", True)


# --- what is said where there is no wall


def test_an_engine_that_is_down_is_no_verdict(docker_engine: DockerEngine, tmp_path: Path) -> None:
    down = docker_engine.environment | {"DOCKER_HOST": f"unix://{tmp_path}/none"}
    sandbox = sandbox_of(docker_engine, tmp_path, environment=down)
    [check] = sandbox.check()
    assert (check.status, "does not answer" in check.message) == (CheckStatus.UNKNOWN, True)
    with job(sandbox_of(docker_engine, tmp_path), tmp_path) as made:
        made.sandbox = sandbox
        with pytest.raises(SandboxUnavailable):
            made.wrapped("true")
        made.sandbox = sandbox_of(docker_engine, tmp_path)
    for ask in (sandbox.marks, lambda: sandbox.end("a/b/c-1")):
        with pytest.raises(AgentUnknown):
            ask()


@pytest.mark.in_every_run(2)
@pytest.mark.parametrize(
    ("image", "words"),
    [
        (None, "no image is named"),
        ("not-there:1", "has no image not-there:1"),
        ("--privileged", "names no image"),
        ("sha256:" + "0" * 64, "has no image"),
    ],
)
def test_an_image_that_is_not_there_is_said(
    docker_engine: DockerEngine, tmp_path: Path, image: str | None, words: str
) -> None:
    sandbox = sandbox_of(docker_engine, tmp_path, image=image)
    checks = {check.name: check for check in sandbox.check()}
    assert checks["sandbox.image"].failed
    assert words in checks["sandbox.image"].message
    with job(sandbox, tmp_path) as made, pytest.raises(SandboxFailed, match=words):
        made.wrapped("true")


def derived(engine: DockerEngine, folder: Path, name: str, *changes: str, files: dict[str, str] | None = None) -> str:
    """Make an image of a few files, or of the one for jobs where none are given; return its id."""
    if files is None:
        base = engine.docker("create", "--network", "none", engine.image, "true")
        made = engine.docker("commit", *(word for change in changes for word in ("--change", change)), base)
        engine.docker("rm", base)
        return made
    place = folder / f"{name}.tar"
    with tarfile.open(place, "w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content.encode()), 0o755
            tar.addfile(info, io.BytesIO(content.encode()))
    return engine.docker("import", str(place))


def test_an_image_without_a_shell_is_named(docker_engine: DockerEngine, tmp_path: Path) -> None:
    image = derived(docker_engine, tmp_path, "empty", files={"etc/empty": ""})
    check = sandbox_of(docker_engine, tmp_path, image=image).check()[-1]
    docker_engine.docker("rmi", image)
    assert check.failed
    assert "lacks what every job needs: sh" in check.message


def test_the_image_and_the_engine_are_named_for_the_audit(docker_engine: DockerEngine, sandbox: Docker) -> None:
    facts: dict[str, str] = {}
    for check in sandbox.check():
        assert check.status is CheckStatus.PASSED, check
        facts |= check.facts
    assert facts["sandbox"] == "docker"
    assert facts["image"] == docker_engine.image
    assert facts["docker"] in docker_engine.docker("version", "--format", "{{.Server.Version}}")


@pytest.mark.full
def test_an_image_brings_its_variables_and_neither_volumes_nor_checks(
    docker_engine: DockerEngine, tmp_path: Path
) -> None:
    volumes = docker_engine.docker("volume", "ls", "--quiet")
    changes = ("ENV TOOL=there PATH=/opt/tool/bin:/usr/local/bin:/usr/bin:/bin HOME=/elsewhere", "VOLUME /data")
    image = derived(
        docker_engine, tmp_path, "own", *changes, "HEALTHCHECK CMD touch /workspace/checked", "ENTRYPOINT false"
    )
    sandbox = sandbox_of(docker_engine, tmp_path, image=image)
    with job(sandbox, tmp_path) as made:
        ended = made.run("sh", "-c", 'echo "$TOOL $HOME $PATH"; grep " /data " /proc/self/mountinfo')
        first, mount = ended.text.splitlines()
        assert first == "there /home/job /opt/tool/bin:/usr/local/bin:/usr/bin:/bin"
        assert " - tmpfs " in mount
    docker_engine.docker("rmi", image)
    assert docker_engine.docker("volume", "ls", "--quiet") == volumes


PROXIES = {"default": {"httpProxy": "http://elsewhere:3128", "httpsProxy": "http://elsewhere:3128"}}


@pytest.mark.full
def test_the_engine_is_the_operators_and_the_configuration_is_not(docker_engine: DockerEngine, tmp_path: Path) -> None:
    own = tmp_path / "operator"
    own.mkdir()
    (own / "config.json").write_text(json.dumps({"proxies": PROXIES}))
    operator = {"PATH": docker_engine.programs, "HOME": str(tmp_path), "DOCKER_CONFIG": str(own)}
    create = ["docker", "context", "create", "team", "--docker", f"host={docker_engine.host}"]
    subprocess.run(create, env=operator, check=True, capture_output=True)
    for chosen in ({"DOCKER_CONTEXT": "team"}, {"DOCKER_HOST": docker_engine.host}):
        environment = operator | chosen
        seen = ["docker", "run", "--rm", "--network", "none", docker_engine.image, "env"]
        by_hand = subprocess.run(seen, env=environment, check=True, capture_output=True, text=True)
        assert "http://elsewhere" in by_hand.stdout, "else this test shows nothing"
        with job(sandbox_of(docker_engine, tmp_path, environment=environment), tmp_path) as made:
            assert "elsewhere" not in made.run("env").text
    subprocess.run(["docker", "context", "use", "team"], env=operator, check=True, capture_output=True)
    assert not sandbox_of(docker_engine, tmp_path, environment=operator).check()[0].failed
    lost = sandbox_of(docker_engine, tmp_path, environment=operator | {"DOCKER_CONTEXT": "lost"})
    [check] = lost.check()
    assert check.failed
    assert "lost" in check.message


@pytest.mark.full
def test_two_jobs_of_one_mark_are_never_at_work(running: DockerJob, tmp_path: Path) -> None:
    running.start(*FOREVER)
    (tmp_path / "second").mkdir()
    with pytest.raises(AssertionError, match="already in use"), job(running.sandbox, tmp_path / "second") as second:
        second.start(*FOREVER)


@pytest.mark.full
@pytest.mark.parametrize("name", ["a\nb", "a\rb", "a ", "a\x7f"])
def test_a_path_that_docker_cannot_take_is_refused(running: DockerJob, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(SandboxFailed, match="Docker takes no path"):
        running.wrapped("true", mounts=(Mount(tmp_path / name, f"/{name}"),))


@pytest.mark.full
def test_what_is_not_there_is_not_mounted(running: DockerJob, tmp_path: Path) -> None:
    with pytest.raises(SandboxFailed, match="No such file"):
        running.wrapped("true", mounts=(Mount(tmp_path / "none", "/none"),))


@pytest.mark.full
def test_an_environment_that_is_too_large_is_refused(running: DockerJob) -> None:
    assert running.run("sh", "-c", "echo ${#LARGE}", environment={"LARGE": "x" * 100_000}).text == "100000\n"
    with pytest.raises(SandboxFailed, match="environment of a job"):
        running.wrapped("true", environment={"LARGE": "x" * 130_000})


@pytest.mark.full
def test_megabytes_pass_both_ways(running: DockerJob) -> None:
    data = os.urandom(5_000_000)
    assert running.run("cat", stdin=data).stdout == data


class Weak(Docker):
    """A wall with a hole in it."""

    hole: tuple[str, ...] = ()

    def wrap(self, job: BoxedCommand) -> Wrapped:
        made = super().wrap(job)
        at = made.argv.index("--entrypoint")
        return Wrapped((*made.argv[:at], *self.hole, *made.argv[at:]), made.environment)


HOLES: dict[str, tuple[tuple[str, ...], str]] = {
    "the host's files": (("--mount", "type=bind,source=/,target=/host"), "read a file beside MoonMind's program"),
    "the host's processes": (("--pid", "host"), "has to be the first process"),
    "privileges by programs": (("--security-opt", "no-new-privileges=false"), "system calls cannot be filtered"),
    "capabilities": (("--cap-add", "CHOWN"), "hold capabilities"),
}


@pytest.mark.full
@pytest.mark.parametrize(("hole", "words"), HOLES.values(), ids=HOLES)
def test_a_hole_in_the_wall_is_found(
    docker_engine: DockerEngine, tmp_path: Path, hole: tuple[str, ...], words: str
) -> None:
    sandbox = sandbox_of(docker_engine, tmp_path)
    weak = Weak(sandbox._options)
    weak.hole = hole
    check = weak.check()[-1]
    assert (check.name, check.failed) == ("sandbox", True)
    assert words in check.message


def test_what_is_written_over_a_folder_is_kept_apart(
    docker_engine: DockerEngine, sandbox: Docker, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    for folder in ("lower/sub", "over/upper", "over/work"):
        (state / folder).mkdir(parents=True)
    (state / "lower" / "sub" / "file").write_text("lent")
    for path in (state / "lower", *(state / "lower").rglob("*"), state / "over/upper"):
        os.chown(path, *(sandbox.user or (os.geteuid(), os.getegid())))
    assert sandbox.overlays()
    lent = Mount(state / "lower", "/environment", writable=True, upper=state / "over/upper")
    with job(sandbox, tmp_path) as made:
        ended = made.run(
            "sh", "-c", "cd /environment; cat sub/file; rm -r sub; mkdir sub; touch new; ls", mounts=(lent,)
        )
    assert (ended.text, ended.status) == ("lentnew\nsub\n", 0)
    assert (state / "lower" / "sub" / "file").read_text() == "lent"
    assert {path.name for path in (state / "over/upper").iterdir()} == {"new", "sub"}
    until(lambda: volumes(docker_engine, sandbox) == [], "the engine has removed the job's volume", SOON)


@pytest.mark.full
def test_no_volume_is_left_by_a_job_that_is_killed(
    docker_engine: DockerEngine, sandbox: Docker, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    for folder in ("lower", "over/upper", "over/work"):
        (state / folder).mkdir(parents=True)
    lent = Mount(state / "lower", "/environment", writable=True, upper=state / "over/upper")
    with job(sandbox, tmp_path) as running:
        wrapped = running.wrapped(*FOREVER, mounts=(lent,))
        assert "volume-label" in " ".join(wrapped.argv)
        running.start(*FOREVER, mounts=(lent,))
        assert volumes(docker_engine, sandbox)
        assert running.client is not None
        running.client.kill()
        sandbox.end(running.mark)
    until(lambda: volumes(docker_engine, sandbox) == [], "the engine has removed the job's volume", SOON)


def volumes(engine: DockerEngine, sandbox: Docker) -> list[str]:
    label = f"label=moonmind.installation={sandbox._options.installation_id}"
    return engine.docker("volume", "ls", "--quiet", "--filter", label).split()
