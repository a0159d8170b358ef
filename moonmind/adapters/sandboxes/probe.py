"""Proves a sandbox: runs breach.py behind its wall as a job runs, with secrets, sockets and a process to find on the host."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

import moonmind
from moonmind.adapters.files import replace_file
from moonmind.adapters.sandboxes import breach
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor import kernel
from moonmind.adapters.supervisor.containment import Contained, Kind, contain
from moonmind.adapters.supervisor.link import ENTRY, PORT, Link
from moonmind.adapters.trees import remove_tree
from moonmind.errors import MoonMindError, SandboxFailed, SandboxMissing
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import (
    CHECK,
    LINK,
    MISSING,
    PATH,
    PYTHON,
    WORKSPACE,
    BoxedCommand,
    Mount,
    Sandbox,
    SandboxKind,
)

SHOWN = "/run/probe"
"""Where the attempts find their plan, behind the wall: a read-only folder."""
_FOLDER = "probes"
_REMEMBERED = "sandbox.json"
_MOST_REMEMBERED = 50
_LOCK, _PLANTED = "lock", "planted.json"
_SECONDS = 60.0
_SIGNAL_SECONDS = 5.0
_OUTPUT = 1 << 20
_PASSING = ("resource temporarily unavailable", "no space left", "cannot allocate memory", "too many open files")
"""Words of a host that lacks something now: they show nothing of the wall."""
_SYSTEM = (
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/machine-id",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/ssh/ssh_host_rsa_key",
)
"""What tells one host from another, or lets anyone be it."""
_DECOY = """
import ctypes, sys, time
libc = ctypes.CDLL(None)
libc.prctl(1, 9, 0, 0, 0)
libc.prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)
print("here", flush=True)
time.sleep(600)
"""
"""A process to be found: it dies with the probe, and any process of the user may trace it, also where that is restricted."""

_proven: dict[str, "Proof"] = {}
"""Of this process: by what was proven, as in the file."""
_refuted: dict[str, tuple[float, "Proof"]] = {}
"""Of this process, for a moment: many look at a sandbox that fails, and each try costs a second."""
_REFUTED_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What the attempts came to."""

    through: Mapping[str, str] = field(default_factory=dict)
    """The names of those that got through, and how."""
    words: str = ""
    """What was said instead of an answer, where the wall was not even built."""
    answered: bool = True
    late: bool = False
    """It took too long, which shows nothing."""


def prove(sandbox: Sandbox, options: SandboxOptions) -> tuple[str, ...]:
    """Return the names, as in `breach.WORDS`, of the attempts that got through.

    Raises SandboxFailed where the wall cannot be built, and OSError where nothing could be planted or started.
    """
    proof = attempt(sandbox, options)
    if not proof.answered:
        raise SandboxFailed(f"nothing came from behind the wall: {proof.words}")
    return tuple(proof.through)


def check(
    sandbox: Sandbox,
    options: SandboxOptions,
    identity: Callable[[], Sequence[object]],
    *,
    holds: str,
    fix: Callable[[str], str] = lambda _: "",
    facts: Mapping[str, str] | None = None,
) -> Check:
    """Prove the sandbox, or remember that it has been proven; an answer for the preflight list.

    `identity` is what the wall is built of: where it, the options, this program or the kernel changes, all is tried anew. It may
    raise SandboxFailed. `holds` says which limits hold, `fix` what to do about words of a program that could build no wall.
    """
    try:
        key = _key(sandbox, options, identity())
        if (proof := _remembered(sandbox, options, key)) is None:
            proof = attempt(sandbox, options)
            if proof.answered and not proof.through:
                _remember(sandbox, options, key, proof)
            else:
                _refuted[key] = (time.monotonic(), proof)
    except MoonMindError as error:
        return refusal(error)
    except OSError as error:
        message = f"whether {sandbox.kind} holds could not be found out: {error}"
        return Check(CHECK, CheckStatus.UNKNOWN, message, "Free what the host lacks, then run `moonmind doctor` again.")
    return _judged(sandbox, proof, holds, fix, facts or {})


def refusal(error: MoonMindError) -> Check:
    """Return the answer of a sandbox that could not even be tried; a fact tells whether this host lacks what it is built of."""
    status = CheckStatus.UNKNOWN if error.retryable else CheckStatus.FAILED
    facts = {MISSING: "yes"} if isinstance(error, SandboxMissing) else {}
    return Check(CHECK, status, error.message, error.advice, facts)


def _judged(sandbox: Sandbox, proof: Proof, holds: str, fix: Callable[[str], str], facts: Mapping[str, str]) -> Check:
    if not proof.answered and any(words in proof.words.lower() for words in _PASSING):
        message = f"whether {sandbox.kind} holds could not be found out: {proof.words}"
        return Check(CHECK, CheckStatus.UNKNOWN, message, "Free what the host lacks, then run `moonmind doctor` again.")
    if proof.late:
        message = f"whether {sandbox.kind} holds could not be found out: no answer in {_SECONDS:.0f} s"
        return Check(CHECK, CheckStatus.UNKNOWN, message, "Run `moonmind doctor` again when this host is less busy.")
    if not proof.answered:
        message = f"{sandbox.kind} cannot be used on this host: {proof.words}"
        return Check(
            CHECK, CheckStatus.FAILED, message, fix(proof.words) or SandboxFailed.remediation, {MISSING: "yes"}
        )
    if proof.through:
        found = "; ".join(f"{breach.WORDS.get(name, name)} ({name}: {how})" for name, how in proof.through.items())
        message = f"{sandbox.kind} does not hold: a job can {found}"
        return Check(CHECK, CheckStatus.FAILED, message, SandboxFailed.remediation)
    message = f"{sandbox.kind}: {len(breach.WORDS)} ways out were tried, and none led out. {holds}"
    return Check(CHECK, CheckStatus.PASSED, message.strip(), facts={"sandbox": sandbox.kind.value, **facts})


# --- what is remembered


def _key(sandbox: Sandbox, options: SandboxOptions, identity: Sequence[object]) -> str:
    """Return a digest of all on which a proof depends."""
    programs = sorted(Path(__file__).parent.glob("*.py"))
    code = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in programs]
    environment = [options.environment.get(name) for name in ("HOME", "PATH", "DOCKER_HOST")]
    terms = (
        options,
        environment,
        sandbox.kind,
        sandbox.user,
        identity,
        code,
        kernel.boot_id(),
        os.getuid(),
        sys.version,
    )
    return hashlib.sha256(repr(terms).encode("utf-8", "surrogateescape")).hexdigest()


def _remembered(sandbox: Sandbox, options: SandboxOptions, key: str) -> Proof | None:
    if key in _proven:
        return _proven[key]
    if key in _refuted and time.monotonic() - _refuted[key][0] < _REFUTED_SECONDS:
        return _refuted[key][1]
    try:
        known = json.loads((options.state_folder / _REMEMBERED).read_bytes())
        if known["v"] == 1 and known["held"].get(_slot(sandbox, options)) == key:
            return Proof()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # not there yet, or not ours: it is proven anew
    return None


def _slot(sandbox: Sandbox, options: SandboxOptions) -> str:
    """Return under which name a proof is remembered: of each image there is one."""
    return f"{sandbox.kind.value} {options.image}" if sandbox.kind is SandboxKind.DOCKER else sandbox.kind.value


def _remember(sandbox: Sandbox, options: SandboxOptions, key: str, proof: Proof) -> None:
    _proven[key] = proof
    path = options.state_folder / _REMEMBERED
    held: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        held = {str(kind): str(known) for kind, known in dict(json.loads(path.read_bytes())["held"]).items()}
    slot = _slot(sandbox, options)
    held.pop(slot, None)
    held = {**dict([*held.items()][-_MOST_REMEMBERED + 1 :]), slot: key}
    with contextlib.suppress(OSError):  # then the next process proves it again
        replace_file(path, json.dumps({"v": 1, "held": held}).encode())


# --- the proof itself


def attempt(sandbox: Sandbox, options: SandboxOptions, *, kinds: Sequence[Kind] = tuple(Kind)) -> Proof:
    """Plant what can be found, let the attempts be made, and remove everything. Raises OSError, SandboxFailed."""
    with _folder(options.state_folder / _FOLDER) as folder, contextlib.ExitStack() as stack:
        planted = stack.enter_context(_Planted(folder, options, sandbox))
        decoy = stack.enter_context(_decoy(planted))
        link = Link(folder / "link")
        mark = f"{options.installation_id}/probe/{folder.name}"
        command = [PYTHON, "-I", "-S", f"{LINK}/{ENTRY}", LINK, str(PORT)]
        command += [PYTHON, "-I", "-S", f"{SHOWN}/{Path(breach.__file__).name}", SHOWN, LINK, WORKSPACE]
        mounts = (
            Mount(planted.workspace, WORKSPACE, writable=True),
            Mount(planted.shown, SHOWN),
            Mount(folder / "link", LINK),
        )
        try:
            wrapped = sandbox.wrap(BoxedCommand(mark, tuple(command), {"PATH": PATH}, mounts))
            contained = contain(wrapped.argv, wrapped.environment, "/", mark=mark, kinds=kinds)
        except BaseException:
            link.end()
            raise
        run = _Run(contained, link, planted)
        try:
            run.hold(time.monotonic() + _SECONDS)
        finally:
            link.end()
            _end(contained)
            sandbox.end(mark)
        return run.proof(decoy)


def _end(contained: Contained) -> None:
    contained.keeper.kill()
    contained.keeper.communicate()
    contained.kill_group()
    contained.close()


@contextlib.contextmanager
def _folder(parent: Path) -> Iterator[Path]:
    """Make a folder that other probes leave alone while this process lives; what dead ones left is removed."""
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in parent.iterdir():
        _clear(left)
    folder = parent / secrets.token_hex(8)
    building = parent / f".{folder.name}"
    building.mkdir(mode=0o700)
    with (building / _LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        building.rename(folder)
        try:
            yield folder
        finally:
            _remove(folder)


def _clear(left: Path) -> None:
    """Remove a probe's folder and what it planted elsewhere, unless a probe holds it."""
    try:
        with (left / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(left)
    except FileNotFoundError:
        if left.name.startswith(".") and time.time() - left.lstat().st_mtime > _SECONDS:
            remove_tree(left)
    except BlockingIOError:
        return


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError, ValueError):
        for name in json.loads((folder / _PLANTED).read_bytes()):
            if Path(name).name.startswith(breach.PREFIX):
                Path(name).unlink(missing_ok=True)
    remove_tree(folder)


class _Planted:
    """Secrets on the host, and services that greet whoever reaches them."""

    def __init__(self, folder: Path, options: SandboxOptions, sandbox: Sandbox) -> None:
        self.token, self.secret, self.decoy = folder.name, secrets.token_hex(16), secrets.token_hex(16)
        self.folder, self.shown, self.workspace, self.run = (
            folder, folder / "shown", folder / "workspace", folder / "run",
        )  # fmt: skip
        self.pid = 0
        self.listeners: list[socket.socket] = []
        self._options, self._sandbox = options, sandbox
        self.places = {
            "home": [options.environment.get("HOME", "")],
            # Nothing is planted there: what it holds is known.
            "installation": [str(folder) for folder in _installation()],
            "run": [str(self.run)],
            "socket": [str(self.run)],
            "engine": [str(self.run)],
            "link": [str(folder / "link")],
            "shown": [str(self.shown)],
        }

    def __enter__(self) -> Self:
        try:
            for folder in (self.shown, self.workspace, self.run):
                folder.mkdir(mode=0o755)
                folder.chmod(0o755)
            self._let_in()
            self._note()
            for kind in ("home", "run"):
                self._plant(kind)
            self._listen()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self.listeners:
            listener.close()

    def _let_in(self) -> None:
        """Let the sandbox's user write to the workspace."""
        if self._sandbox.user is not None:
            try:
                os.chown(self.workspace, *self._sandbox.user)
            except PermissionError:
                self.workspace.chmod(0o777)

    def path(self, kind: str, ending: str = "") -> list[Path]:
        """Return where a file of this kind is planted, or would be written."""
        name = f"{breach.PREFIX}{self.token}-{kind}{ending}"
        return [Path(folder, name) for folder in self.places.get(kind, []) if folder.startswith("/")]

    def _note(self) -> None:
        """Write down all that may come to lie elsewhere, before it does."""
        written = [
            path for kind in ("home", "installation") for end in ("", "-written") for path in self.path(kind, end)
        ]
        name = f"{breach.PREFIX}{self.token}-system-written"
        written += [Path(folder, name) for folder in breach.SYSTEM]
        (self.folder / _PLANTED).write_text(json.dumps([str(path) for path in written]))

    def _plant(self, kind: str) -> None:
        for path in self.path(kind):
            # A home or a program that the worker may not write to: then there is nothing that a job could find by us.
            with contextlib.suppress(OSError):
                path.write_text(f"{self.secret}\n")
                path.chmod(0o644)  # it is no secret, and a job may be another user

    def _listen(self) -> None:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with contextlib.suppress(OSError):  # no IPv6 here
                self._add(family, socket.SOCK_STREAM, (address, 0))
        self._add(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{breach.PREFIX}{self.token}")
        for kind in ("socket", "engine"):
            # By way of a descriptor: a socket's address is short, and a path may be long.
            handle = os.open(self.run, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                (path,) = self.path(kind)
                self._add(socket.AF_UNIX, socket.SOCK_STREAM, f"/proc/self/fd/{handle}/{path.name}")
                path.chmod(0o666)
            finally:
                os.close(handle)
        self._add(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0))

    def _add(self, family: int, kind: int, address: object) -> None:
        listener = socket.socket(family, kind)
        self.listeners.append(listener)
        listener.bind(address)  # type: ignore[arg-type] # an address of the family
        if kind == socket.SOCK_STREAM:
            listener.listen(16)
        listener.setblocking(False)

    def answer(self, listener: socket.socket) -> None:
        """Greet a caller, so that it knows whom it reached."""
        with contextlib.suppress(OSError):
            if listener.type == socket.SOCK_DGRAM:
                words, caller = listener.recvfrom(64)
                listener.sendto(words, caller)
                return
            peer, _ = listener.accept()
            with peer:
                peer.sendall(self.token.encode())

    def lay_out(self, pid: int) -> None:
        """Write the plan, once all is there, and the program that follows it."""
        self.pid = pid
        inet = [one.getsockname() for one in self.listeners if one.family in (socket.AF_INET, socket.AF_INET6)]
        engine = self._options.environment.get("DOCKER_HOST", "")
        plan = {
            "token": self.token,
            "secret": self.secret,
            "decoy": self.decoy,
            "folders": self.places,
            "system": _digests(_SYSTEM),
            "program": _digests([str(folder / _PROGRAM) for folder in _installation()]),
            "pid": pid,
            "signal": signal.SIGUSR1,
            "tcp": [address[:2] for address in inet[:-1]],
            "udp": inet[-1][:2],
            "abstract": f"{breach.PREFIX}{self.token}",
            "addresses": _addresses(),
            "engines": ["/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock"]
            + ([engine.removeprefix("unix://")] if engine.startswith("unix://") else []),
            "disk": _disk(),
            "keyring": breach.keyring(),
        }
        (self.shown / breach.PLAN).write_text(json.dumps(plan))
        shutil.copyfile(breach.__file__, self.shown / Path(breach.__file__).name)
        for path in self.shown.iterdir():
            path.chmod(0o644)
        if os.geteuid() == 0 and (program := shutil.which("cat", path=PATH)) is not None:
            shutil.copyfile(program, self.shown / "setuid")
            os.chown(self.shown / "setuid", 65534, 65534)
            (self.shown / "setuid").chmod(0o4755)


_PROGRAM = (
    Path(breach.__file__).resolve().relative_to(Path(moonmind.__file__).resolve().parents[1]).with_name("probe.py")
)
"""A file of the installation by which a job would know it."""


def _installation() -> list[Path]:
    """Return the folder in which this program lies; none where it is the system's, which is no secret."""
    folder = Path(moonmind.__file__).resolve().parents[1]
    return [] if folder.is_relative_to("/usr") else [folder]


def _digests(names: Sequence[str]) -> dict[str, str]:
    """Return what these files hold, shortened, of those that can be read."""
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            if content := Path(name).read_bytes():
                found[name] = hashlib.sha256(content).hexdigest()
    return found


def _addresses() -> list[str]:
    """Return an address of this host that is not its loopback, as far as routes tell."""
    found = []
    for family, elsewhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((elsewhere, 53))
            found.append(asked.getsockname()[0])
    return found


def _disk() -> tuple[int, int]:
    device = Path("/").stat().st_dev
    for entry in Path("/sys/block").glob("*/dev"):
        with contextlib.suppress(OSError, ValueError):
            major, minor = entry.read_text().strip().split(":")
            return int(major), int(minor)
    return os.major(device), os.minor(device)


@contextlib.contextmanager
def _decoy(planted: _Planted) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a process to be found, and lay out the plan, which names it."""
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _DECOY, planted.decoy],
        env={"SECRET": planted.secret},
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"here\n":
                raise OSError("no process can be started")
            planted.lay_out(process.pid)
            yield process
        finally:
            process.kill()


class _Run:
    """Stays with the attempts to their end, and serves them meanwhile."""

    def __init__(self, contained: Contained, link: Link, planted: _Planted) -> None:
        self._contained, self._link, self._planted = contained, link, planted
        self._said = {"stdout": bytearray(), "stderr": bytearray()}
        self._began = False
        self._late = False

    def hold(self, deadline: float) -> None:
        """Go on until all that is behind the wall has ended, or until it is late."""
        keeper = self._contained.keeper
        _open(keeper.stdin).close()
        keeper.stdin = None  # it waits for nothing more
        pipes = {"stdout": _open(keeper.stdout), "stderr": _open(keeper.stderr)}
        with selectors.DefaultSelector() as selector:
            for name, pipe in pipes.items():
                selector.register(pipe, selectors.EVENT_READ, name)
            selector.register(self._link.life, selectors.EVENT_READ, self._take_up(selector))
            for listener in self._planted.listeners:
                selector.register(listener, selectors.EVENT_READ, self._planted.answer)
            while pipes:
                left = deadline - time.monotonic()
                if left <= 0:
                    self._late = True
                    return
                for key, _ in selector.select(left):
                    if not isinstance(key.data, str):
                        key.data(key.fileobj)
                    elif not self._read(key.data, key.fd):
                        selector.unregister(pipes.pop(key.data))
            self._link.hear()
            self._began = self._link.began

    def _take_up(self, selector: selectors.BaseSelector) -> Callable[[socket.socket], None]:
        """Return what is done when the first process behind the wall is there: it is heard from then on."""

        def hear(peer: socket.socket) -> None:
            if not self._link.hear():
                selector.unregister(peer)

        def take_up(_: socket.socket) -> None:
            if (peer := self._link.accept()) is not None:
                selector.register(peer, selectors.EVENT_READ, hear)

        return take_up

    def _read(self, name: str, pipe: int) -> bool:
        chunk = os.read(pipe, 1 << 16)
        self._said[name] += chunk[: _OUTPUT - len(self._said[name])]
        return bool(chunk)

    def proof(self, decoy: "subprocess.Popen[bytes]") -> Proof:
        """Judge what was said, by what is seen on the host. The decoy is dead by then only where somebody ended it."""
        found = self._answers()
        if self._late or found is None or not self._began:
            words = " ".join(self._said["stderr"].decode("utf-8", "replace").split())[-500:]
            return Proof(words=words or "it said nothing", answered=False, late=self._late)
        through = {}
        for name in breach.WORDS:
            words = str(found.get(name, "nothing was said"))
            if words != breach.HELD and not self._is_untrue(name):
                through[name] = words.removeprefix(breach.THROUGH)
        if "signal-processes" in through and not _ended_by(decoy, signal.SIGUSR1):
            del through["signal-processes"]
        return Proof(through)

    def _is_untrue(self, name: str) -> bool:
        """Return True where a file was written that is not on the host: folders behind the wall may have the same names."""
        kind = name.removeprefix("write-")
        paths = self._planted.path(kind, "-written") if name.startswith("write-") else []
        return bool(paths) and not any(path.exists() for path in paths)

    def _answers(self) -> dict[str, object] | None:
        for line in reversed(self._said["stdout"].decode("utf-8", "replace").splitlines()):
            if line.startswith(breach.RESULT):
                with contextlib.suppress(ValueError):
                    found = json.loads(line.removeprefix(breach.RESULT))
                    return found if isinstance(found, dict) else None
        return None


def _ended_by(process: "subprocess.Popen[bytes]", number: int) -> bool:
    try:
        return process.wait(_SIGNAL_SECONDS) == -number
    except subprocess.TimeoutExpired:
        return False


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise OSError("a process without pipes")
    return pipe
