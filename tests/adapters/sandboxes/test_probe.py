"""What a proof tries is real: without a wall it gets through, and through a hole in a wall under its own name alone."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from moonmind.adapters.sandboxes import breach, probe
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.containment import Kind
from moonmind.errors import SandboxFailed
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import PYTHON, BoxedCommand, Mount, Sandbox, Wrapped
from tests.support.processes import ROOT, argv_with
from tests.support.waiting import until
from tests.support.walls import Holed, NoWall, bubblewrap

OF_ROOT = {
    "read-installation",
    "read-kernel",
    "write-installation",
    "write-system",
    "network-raw",
    "devices",
    "kernel-settings",
}
"""What an ordinary user cannot do even without a wall, or not on every machine."""
NEEDS_MORE = {"terminal", "open-files"}
"""What a supervisor does not hand on in the first place; they have tests of their own."""
OF_THE_MACHINE = {"network-host", "network-route", "network-vsock", "keys", "read-kernel", "devices"}
"""What there has to be on a machine: another network than loopback, a machine around it, keys, a kernel's log, a disk."""


@pytest.fixture(autouse=True)
def _nothing_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_proven", {})
    monkeypatch.setattr(probe, "_refuted", {})


@pytest.fixture
def options(tmp_path: Path) -> SandboxOptions:
    for name in ("state", "home"):
        (tmp_path / name).mkdir()
    environment = {"PATH": os.defpath, "HOME": str(tmp_path / "home")}
    return replace(bubblewrap(tmp_path).options, environment=environment)


@pytest.fixture(autouse=True)
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note what this test's probes are called: others may run beside them."""
    made: list[str] = []
    genuine = secrets.token_hex

    def noted(size: int) -> str:
        made.append(genuine(size))
        return made[-1]

    monkeypatch.setattr(secrets, "token_hex", noted)
    return made


def left_over(options: SandboxOptions, tokens: list[str]) -> list[str]:
    """List what these probes left anywhere."""
    folders = [*map(Path, breach.SYSTEM), ROOT, Path(options.environment["HOME"])]
    found = [str(path) for folder in folders for token in tokens for path in folder.glob(f"{breach.PREFIX}{token}*")]
    return found + [str(path) for path in (options.state_folder / "probes").glob("*")]


def test_without_a_wall_everything_gets_through(options: SandboxOptions, tokens: list[str]) -> None:
    proof = probe.attempt(NoWall(), options, kinds=[Kind.TRACES])
    expected = breach.WORDS.keys() - NEEDS_MORE - (OF_ROOT if os.geteuid() else set())
    assert expected - proof.through.keys() <= OF_THE_MACHINE, proof
    assert left_over(options, tokens) == []


def without(*words: str) -> Callable[[list[str]], list[str]]:
    def bore(argv: list[str]) -> list[str]:
        for place in range(len(argv)):
            if tuple(argv[place : place + len(words)]) == words:
                return argv[:place] + argv[place + len(words) :]
        raise AssertionError(words)

    return bore


def instead(old: tuple[str, ...], new: tuple[str, ...]) -> Callable[[list[str]], list[str]]:
    def bore(argv: list[str]) -> list[str]:
        for place in range(len(argv)):
            if tuple(argv[place : place + len(old)]) == old:
                return [*argv[:place], *new, *argv[place + len(old) :]]
        raise AssertionError(old)

    return bore


def shown_too(source: str, target: str, way: str = "--ro-bind") -> Callable[[list[str]], list[str]]:
    return instead(("--remount-ro", "/"), (way, source, target, "--remount-ro", "/"))


def writable(target: str) -> Callable[[list[str]], list[str]]:
    def bore(argv: list[str]) -> list[str]:
        place = next(at for at in range(len(argv)) if argv[at] == "--ro-bind" and argv[at + 2] == target)
        return [*argv[:place], "--bind", *argv[place + 1 :]]

    return bore


def unfiltered(argv: list[str]) -> list[str]:
    place = argv.index("--seccomp")
    return argv[:place] + argv[place + 2 :]


NETWORK = {"network-loopback", "network-udp", "network-abstract"}
HOLES: dict[str, tuple[Callable[[list[str]], list[str]], set[str]]] = {
    "the host's network": (without("--unshare-net"), NETWORK),
    "the home": (shown_too("{home}", "/data"), {"read-home"}),
    "the state folder": (shown_too("{state}", "/data"), {"read-run", "network-socket", "docker-socket"}),
    "a writable home": (shown_too("{home}", "/data", "--bind"), {"read-home", "write-home"}),
    "the installation": (shown_too(str(ROOT), "/data"), {"read-installation"}),
    "the host's identity": (shown_too("/etc/machine-id", "/etc/machine-id"), {"read-system"}),
    "the host's processes": (instead(("--proc", "/proc"), ("--ro-bind", "/proc", "/proc")), {"see-processes"}),
    "capabilities": (instead(("--cap-drop", "ALL"), ("--cap-add", "ALL")), {"capabilities"}),
    "no filter": (unfiltered, {"keys"}),
    "a writable link": (writable("/run/moonmind"), {"write-link"}),
    "a writable folder": (writable(probe.SHOWN), {"write-shown", "change-mounts"}),
    "writable programs": (writable("/usr"), {"write-system"}),
    "settings of the kernel": (without("--ro-bind", "/proc/sys", "/proc/sys"), {"kernel-settings"}),
    "devices": (
        lambda argv: without("--remount-ro", "/dev")(instead(("--dev", "/dev"), ("--dev-bind", "/dev", "/dev"))(argv)),
        {"devices"},
    ),
}  # fmt: skip
FOLLOWS = {
    "the host's network": {"network-host", "network-route", "network-raw"},
    "no filter": {"network-vsock", "read-kernel"},
    "capabilities": {"network-raw", "change-mounts", "write-shown", "read-kernel"},
    "devices": {"read-kernel", "terminal"},
    "writable programs": {"write-installation"},
}
"""What may get through besides, as this machine has it."""
CLOSED_BY_SUPERVISORS = {"the host's processes"}
"""What a job cannot get at behind this hole where its supervisor made a pid namespace around the wall."""
NEEDS_ROOT = {"writable programs", "settings of the kernel", "devices"}


@pytest.mark.in_every_run(3)
@pytest.mark.parametrize("hole", HOLES)
def test_a_hole_is_reported_by_its_name(options: SandboxOptions, tokens: list[str], hole: str) -> None:
    if hole in NEEDS_ROOT and os.geteuid() != 0:
        pytest.skip("machine: only root gets through this hole")
    bore, names = HOLES[hole]
    places = {"{home}": options.environment["HOME"], "{state}": str(options.state_folder)}
    sandbox = Holed(bubblewrap_of(options), lambda argv: [places.get(word, word) for word in bore(argv)])
    through = probe.attempt(sandbox, options, kinds=[Kind.TRACES]).through
    assert names <= through.keys(), through
    assert through.keys() <= names | FOLLOWS.get(hole, set()), through
    check = probe.check(sandbox, options, lambda: [hole], holds="")
    assert check.failed or hole in CLOSED_BY_SUPERVISORS
    assert hole in CLOSED_BY_SUPERVISORS or all(name in check.message for name in names)
    assert left_over(options, tokens) == []


def bubblewrap_of(options: SandboxOptions) -> Sandbox:
    return Bubblewrap(options)


def test_the_hosts_numbers_of_processes_are_refused_by_the_first_process(options: SandboxOptions) -> None:
    sandbox = Holed(bubblewrap_of(options), lambda argv: without("--as-pid-1")(without("--unshare-pid")(argv)))
    check = probe.check(sandbox, options, list, holds="")
    assert check.failed
    assert "first process of a pid namespace" in check.message


@pytest.mark.parametrize("kind", [Kind.NAMESPACE, Kind.TRACES])
def test_bubblewrap_holds(options: SandboxOptions, tokens: list[str], kind: Kind) -> None:
    proof = probe.attempt(bubblewrap_of(options), options, kinds=[kind])
    assert proof == probe.Proof()
    assert left_over(options, tokens) == []


class Counted:
    """Counts proofs."""

    def __init__(self, whole: Sandbox) -> None:
        self.kind, self.user = whole.kind, whole.user
        self.end, self.marks, self.check, self.overlays = whole.end, whole.marks, whole.check, whole.overlays
        self.foundation = whole.foundation
        self._whole = whole
        self.wraps = 0

    def wrap(self, job: BoxedCommand) -> Wrapped:
        self.wraps += 1
        return self._whole.wrap(job)


class TestRemembered:
    @pytest.fixture
    def counted(self, options: SandboxOptions) -> Counted:
        return Counted(bubblewrap_of(options))

    def checked(self, counted: Counted, options: SandboxOptions, *identity: object) -> Check:
        return probe.check(counted, options, lambda: identity, holds="Limits.")

    def test_what_was_proven_is_not_tried_again(self, counted: Counted, options: SandboxOptions) -> None:
        assert self.checked(counted, options).status is CheckStatus.PASSED
        assert self.checked(counted, options).status is CheckStatus.PASSED
        probe._proven.clear()
        check = self.checked(counted, options)
        assert (check.status, counted.wraps) == (CheckStatus.PASSED, 1)
        assert "Limits." in check.message

    @pytest.mark.in_every_run(2)
    @pytest.mark.parametrize("change", ["identity", "options", "boot", "file", "user"])
    def test_whatever_changes_is_tried_again(
        self, counted: Counted, options: SandboxOptions, change: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert self.checked(counted, options).status is CheckStatus.PASSED
        match change:
            case "identity":
                self.checked(counted, options, "another file")
            case "options":
                self.checked(counted, replace(options, processes=1))
            case "boot":
                monkeypatch.setattr(kernel, "boot_id", lambda: "another")
                self.checked(counted, options)
            case "user":
                monkeypatch.setattr(counted, "user", (os.getuid(), os.getgid()))
                self.checked(counted, options)
            case "file":
                probe._proven.clear()
                (options.state_folder / "sandbox.json").write_text('{"v": 1, "held": {"bubblewrap": "x"}}')
                self.checked(counted, options)
        assert counted.wraps == 2

    @pytest.mark.in_every_run(2)
    @pytest.mark.parametrize(
        "content", ["", "{", "[]", '{"v": 1}', '{"v": 1, "held": []}', "\x00" * 99, '{"v": 2, "held": {}}']
    )
    def test_a_damaged_file_is_as_good_as_none(self, counted: Counted, options: SandboxOptions, content: str) -> None:
        (options.state_folder / "sandbox.json").write_text(content)
        assert self.checked(counted, options).status is CheckStatus.PASSED
        probe._proven.clear()
        assert self.checked(counted, options).status is CheckStatus.PASSED
        assert counted.wraps == 1

    def test_what_got_through_is_remembered_for_a_moment_only(
        self, options: SandboxOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counted = Counted(Holed(bubblewrap_of(options), writable("/run/moonmind")))
        assert self.checked(counted, options).failed
        assert self.checked(counted, options).failed
        assert counted.wraps == 1
        assert not (options.state_folder / "sandbox.json").exists()
        monkeypatch.setattr(probe, "_REFUTED_SECONDS", 0.0)
        assert self.checked(counted, options).failed
        assert counted.wraps == 2


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["sh", "-c", "echo no namespaces >&2; exit 1"], "no namespaces"),
        (["true"], "it said nothing"),
        (["sh", "-c", "echo 'breach: {}'"], "it said nothing"),
        (["sh", "-c", "echo 'breach: nonsense'"], "it said nothing"),
    ],
)
def test_a_wall_that_lets_nothing_be_tried_is_none(options: SandboxOptions, command: list[str], words: str) -> None:
    sandbox = Holed(bubblewrap_of(options), lambda _: command)
    check = probe.check(sandbox, options, list, holds="", fix=lambda said: f"fix {said}")
    assert check.failed
    assert words in check.message
    assert words in check.remediation
    with pytest.raises(SandboxFailed, match=words):
        probe.prove(sandbox, options)


def test_one_that_is_slow_shows_nothing(
    options: SandboxOptions, tokens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_SECONDS", 0.5)
    token = f"600.{os.getpid()}"
    sandbox = Holed(bubblewrap_of(options), lambda _: ["sleep", token])
    assert probe.check(sandbox, options, list, holds="").status is CheckStatus.UNKNOWN
    assert argv_with(token) == []
    assert left_over(options, tokens) == []


def test_where_nothing_can_be_planted_nothing_is_shown(options: SandboxOptions) -> None:
    (options.state_folder / "probes").touch()
    check = probe.check(bubblewrap_of(options), options, list, holds="")
    assert check.status is CheckStatus.UNKNOWN


KILLED = """
import sys, time
from dataclasses import replace
from pathlib import Path
from moonmind.adapters.sandboxes import probe
from tests.support.walls import Holed, bubblewrap
root = Path(sys.argv[1])
sandbox = bubblewrap(root)
options = replace(sandbox.options, environment={"HOME": str(root / "home")})
probe.attempt(Holed(sandbox, lambda argv: ["sleep", sys.argv[2]]), options)
"""


def test_a_probe_that_is_killed_leaves_no_process_and_the_next_one_clears_up(
    options: SandboxOptions, tokens: list[str]
) -> None:
    root, token = options.state_folder.parent, f"601.{os.getpid()}"
    killed = subprocess.Popen([sys.executable, "-c", KILLED, str(root), token], cwd=ROOT)
    until(lambda: argv_with(token) if len(argv_with(token)) > 1 else None, "the probe")
    (folder,) = (options.state_folder / "probes").iterdir()
    plan = json.loads((folder / "shown" / breach.PLAN).read_text())
    tokens.append(folder.name)
    held = probe.attempt(bubblewrap_of(options), options)
    assert folder.exists(), "another probe's folder is left alone while it lives"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    until(lambda: argv_with(token) == [], "its end")
    until(lambda: argv_with(plan["decoy"]) == [], "the planted process's end")
    assert left_over(options, tokens) != []
    assert probe.attempt(bubblewrap_of(options), options) == held == probe.Proof()
    assert left_over(options, tokens) == []


HANDED = """
import os, pty, sys
how, results, *argv = sys.argv[1:]
if how == "file":
    os.dup2(os.open("/", os.O_RDONLY), 9)
    out = os.open(results, os.O_WRONLY | os.O_CREAT)
    os.dup2(out, 1)
    os.execv(argv[0], argv)
pid, terminal = pty.fork()
if pid == 0:
    os.dup2(os.open(results, os.O_WRONLY | os.O_CREAT), 1)
    os.execv(argv[0], argv)
try:
    while os.read(terminal, 1024):
        pass
except OSError:
    pass
os.waitpid(pid, 0)
"""
"""Starts a program with a terminal, or with a folder left open."""


@pytest.mark.parametrize(("how", "name"), [("terminal", "terminal"), ("file", "open-files")])
@pytest.mark.parametrize("walled", [False, True])
def test_what_no_supervisor_hands_on_does_not_get_through_either(
    options: SandboxOptions, how: str, name: str, walled: bool
) -> None:
    plan = {
        "token": "t", "secret": "s3cret", "decoy": "d3coy", "folders": {"installation": []}, "system": {}, "pid": 1 << 22, "signal": 0,
        "tcp": [], "udp": ["127.0.0.1", 9], "abstract": "none", "addresses": [], "engines": [], "disk": [0, 0],
        "keyring": 0, "program": {},
    }  # fmt: skip
    folder = options.state_folder / "shown"
    folder.mkdir()
    (folder / breach.PLAN).write_text(json.dumps(plan))
    (folder / "breach.py").write_bytes(Path(breach.__file__).read_bytes())
    command = (PYTHON, "-I", "-S", "/shown/breach.py", "/shown", "/shown", "/shown", name)
    job = BoxedCommand("m", command, {"PATH": os.defpath}, (Mount(folder, "/shown"),), cwd="/")
    wrapped = bubblewrap_of(options).wrap(job) if walled else None
    by_hand = [sys.executable, *command[1:3], f"{folder}/breach.py", *[str(folder)] * 3, name]
    argv = [sys.executable, "-c", HANDED, how, f"{folder}/out", *(wrapped.argv if wrapped else by_hand)]
    subprocess.run(argv, env=dict(wrapped.environment) if wrapped else {}, check=True, timeout=60)
    found = json.loads((folder / "out").read_text().removeprefix(breach.RESULT))
    assert found[name].startswith(breach.HELD if walled else breach.THROUGH), found[name]


def test_every_attempt_has_words_and_a_method() -> None:
    methods = {name.replace("-", "_") for name in breach.WORDS}
    assert methods <= vars(breach.Attempts).keys()
    assert {name for name in vars(breach.Attempts) if not name.startswith("_")} == methods
