"""One job from the agent's start to its result: the loop of the process that owns the agent."""

import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from moonmind.adapters.supervisor import cgroups, kernel, loan
from moonmind.adapters.supervisor.calls import CallCount
from moonmind.adapters.supervisor.containment import Contained, Kind, contain
from moonmind.adapters.supervisor.folder import JobFolder, write_json
from moonmind.adapters.supervisor.heartbeat import Heartbeat
from moonmind.adapters.supervisor.keyproxy import Proxy
from moonmind.adapters.supervisor.lines import LineBuffer, LogFile, ScreenLines
from moonmind.adapters.supervisor.link import Link
from moonmind.adapters.supervisor.order import PROXY_TOKEN, PROXY_URL, Order
from moonmind.adapters.supervisor.printout import Printout
from moonmind.adapters.supervisor.space import SpaceWatch
from moonmind.adapters.supervisor.traces import ProcessNotes, pipes_of
from moonmind.adapters.supervisor.transcript import Transcript
from moonmind.adapters.supervisor.watch import End, Watch
from moonmind.redact import Redactor

if TYPE_CHECKING:
    from moonmind.adapters.supervisor.egress import EgressProxy

_TICK_SECONDS = 0.2
_AT_ONCE = (End.SPACE_LIMIT, End.DISK_FULL, End.PROCESS_LIMIT)
"""What has reached such a limit is given no time to end well: it would go on."""
_COUNT_SECONDS = 0.5
"""How often processes are counted."""
_CHUNK = 1 << 18
_LINE_LIMIT = 8 << 20
_TEXT_LINE_LIMIT = 1 << 16
_STDERR_LIMIT = 4 << 20
_DRAIN_SECONDS = 5.0
_KILL_SECONDS = 60.0


class Job:
    """Owns one agent. `run` returns when the agent and all its descendants have ended."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._folder = JobFolder(Path(order.folder))
        self._egress = _way_out(order)
        self._redactor = Redactor((*order.secrets, *(self._egress.secrets if self._egress is not None else ())))
        self._transcript: Transcript | Printout = (
            Printout(self._redactor) if order.plain else Transcript(self._redactor, order.usage_before)
        )
        self._log = LogFile(Path(order.log_path))
        self._stderr = LogFile(self._folder.stderr, _STDERR_LIMIT)
        self._tail: deque[str] = deque(maxlen=30)
        self._out = ScreenLines(_TEXT_LINE_LIMIT) if order.plain else LineBuffer(_LINE_LIMIT)
        self._err = LineBuffer(_TEXT_LINE_LIMIT)
        self._heartbeat = Heartbeat(self._folder.heartbeat)
        self._selector = selectors.DefaultSelector()
        self._pending = memoryview(order.stdin.encode())
        self._end: End | None = None
        self._problem = ""
        self._contained: Contained | None = None
        self._exit_code: int | None = None
        self._kill_at = float("inf")
        self._lent: int | None = None
        self._told = False
        self._count_at = 0.0
        self._calls: CallCount | None = None
        self._notes = ProcessNotes(self._folder.seen)
        self._link: Link | None = None
        self._space = SpaceWatch(order.space) if order.space is not None else None
        self._in_vain: list[str] = []
        """What a build asked for in the network and did not get, in sentences."""
        self._beyond = False
        """Something behind the wall did not end."""

    def start(self) -> None:
        """Start the agent and write the handle. Raises OSError, LoginBusy; then nothing is left running."""
        kernel.adopt_orphans()
        kernel.hide_memory()
        signal.signal(signal.SIGTERM, lambda *_: self._stop(End.TERMINATED))
        # Handled, not ignored: what is ignored stays ignored in the agent, and SIGINT is how it is asked to stop.
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)
        order = self._order
        if order.loan is not None:
            self._lent = loan.take(order.loan)
            # What a lent login is used for passes no proxy: it is neither counted nor limited.
            write_json(self._folder.calls, {"capped": False})
        link = self._link = Link(self._folder.link) if order.walled else None
        served = order.proxy is not None or self._egress is not None
        listener = link.take_model() if link is not None and served else None
        proxy = Proxy(order.proxy, self._folder.calls, listener) if order.proxy is not None else None
        self._calls = proxy.calls if proxy is not None else None
        url, token = (proxy.url, proxy.token) if proxy is not None else ("", "")
        supervisor = os.getpid()
        # Before there are threads: what dies with its parent dies with the thread that started it.
        held = self._contained = contain(
            [part.replace(PROXY_URL, url) for part in order.argv],
            {name: value.replace(PROXY_TOKEN, token) for name, value in order.environment.items()},
            order.cwd,
            mark=order.folder,
            kinds=tuple(Kind(name) for name in order.kinds) or tuple(Kind),
            merged=order.plain,
        )
        now = time.monotonic()
        handle = {
            "pid": supervisor,
            "started": kernel.identify(supervisor).started,
            "agent_pid": held.agent.pid,
            "agent_started": held.agent.started,
            "contained": held.kind.value,
            "group": held.group,
            "folders": [order.cwd],
            "pipes": pipes_of(*(pipe.fileno() for pipe in (held.keeper.stdout, held.keeper.stderr) if pipe)),
            "boot": kernel.boot_id(),
            "at": time.time(),
            "monotonic": now,
            "stall_seconds": order.stall_seconds,
            "total_seconds": order.total_seconds,
        }
        write_json(self._folder.handle, handle)
        self._watch = Watch(order.stall_seconds, order.total_seconds, order.output_bytes, now, now)
        if proxy is not None:
            proxy.serve()
        if self._egress is not None and listener is not None:
            self._egress.serve(listener)
        if self._space is not None:
            self._space.begin()

    def run(self) -> None:
        """Stay with the agent to its end, kill what it left, and write the result: last, and only then."""
        try:
            self._converse()
        finally:
            survivors = self._clear()
            if self._lent is not None and self._order.loan is not None:
                loan.give_back(self._order.loan, self._lent)
        self._drain()
        self._stderr.close()
        try:
            self._note_in_vain()
            self._log.close()
        except OSError as error:
            self._fail_log(error)
        if self._end is not End.TERMINATED:
            write_json(self._folder.result, self._result(survivors))

    def abandon(self) -> None:
        """Kill what was started, when a start fails half-way."""
        self._clear()
        if self._lent is not None and self._order.loan is not None:
            loan.give_back(self._order.loan, self._lent)

    def explain(self, text: str) -> None:
        """Write an internal error where an operator will look for it."""
        self._stderr.add(self._redactor.text(text).encode("utf-8", "replace"))

    # --- while it runs

    def _converse(self) -> None:
        held = self._running()
        self._register(held.keeper.stdin, selectors.EVENT_WRITE, self._feed)
        self._register(held.keeper.stdout, selectors.EVENT_READ, self._read_stdout)
        self._register(held.keeper.stderr, selectors.EVENT_READ, self._read_stderr)
        if self._link is not None:
            self._selector.register(self._link.life, selectors.EVENT_READ, self._meet)
        # Readable when the agent ends, so that a reader need not wait for the next tick.
        self._selector.register(
            os.fdopen(os.pidfd_open(held.keeper.pid), "rb", buffering=0), selectors.EVENT_READ, lambda _: False
        )
        while not self._over():
            self._pump()
            self._reap()
            now = time.monotonic()
            if self._over():
                break
            if held.kind is Kind.TRACES:
                self._notes.note(now)
            if self._end is None:
                asked = (
                    End.STOPPED
                    if self._folder.stop.exists()
                    else self._watch.verdict(now) or self._spent(now) or self._filled() or self._crowded(now)
                )
                if asked is not None:
                    self._stop(asked)
            elif now >= self._kill_at:
                if self._link is not None:
                    self._link.hang_up()  # what is behind the wall need not be a descendant
                held.signal(signal.SIGKILL)
        self._end = self._end or (End.EXITED if self._complete() else End.CALL_LIMIT)

    def _register(self, pipe: IO[bytes] | None, events: int, move: Callable[[int], bool]) -> None:
        if pipe is not None:  # what prints text has no pipe of its own for errors
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, events, move)

    def _spent(self, now: float) -> End | None:
        """Return when an agent that was refused a call of the model has had time enough to end by itself."""
        refused = self._calls.refused_at if self._calls is not None else None
        return End.CALL_LIMIT if refused is not None and now >= refused + self._order.stop_seconds else None

    def _filled(self) -> End | None:
        """Return the limit of space that is reached, if any."""
        if self._space is None or self._space.end is None:
            return None
        self._problem = self._problem or self._space.problem
        return self._space.end

    def _crowded(self, now: float) -> End | None:
        """Return the limit of processes, if it is exceeded."""
        most = self._order.most_processes
        if most is None or now < self._count_at:
            return None
        self._count_at = now + _COUNT_SECONDS
        # Counting the job's own means to look at each process there is.
        if kernel.threads() <= most or len(kernel.descendants(os.getpid())) <= most:
            return None
        self._problem = self._problem or f"more than {most} at a time (MOONMIND_SANDBOX_PROCESSES)"
        return End.PROCESS_LIMIT

    def _over(self) -> bool:
        return self._exit_code is not None

    def _running(self) -> Contained:
        if self._contained is None:
            raise RuntimeError("the job has not been started")
        return self._contained

    def _stop(self, why: End) -> None:
        """Ask the agent to end; the loop makes sure that it does. Also called from a signal handler."""
        if self._end is None and self._exit_code is None and self._contained is not None:
            self._end = why
            self._kill_at = time.monotonic() + (0.0 if why in _AT_ONCE else self._order.stop_seconds)
            # The program that built the wall would only die of it.
            if self._link is None or not self._link.signal(signal.SIGINT):
                self._contained.signal(signal.SIGINT)

    def _pump(self) -> None:
        """Read and write what is ready, or wait a tick for it."""
        self._heartbeat.beat()
        for key, _ in self._selector.select(_TICK_SECONDS):
            move: Callable[[int], bool] = key.data
            if not move(key.fd):
                self._selector.unregister(key.fileobj)
                cast("IO[bytes]", key.fileobj).close()

    def _meet(self, _: int) -> bool:
        """Take the connection of what is behind the wall; the socket is then closed, and nobody else can."""
        assert self._link is not None  # noqa: S101 - its socket was ready
        peer = self._link.accept()
        if peer is None:
            return True
        self._selector.register(peer, selectors.EVENT_READ, lambda _: self._link is not None and self._link.hear())
        return False

    def _feed(self, pipe: int) -> bool:
        try:
            self._pending = self._pending[os.write(pipe, self._pending[:_CHUNK]) :] if self._pending else self._pending
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it does not want to read on; what it does is judged by its output
            return False
        return bool(self._pending)

    def _read_stdout(self, pipe: int) -> bool:
        chunk = os.read(pipe, _CHUNK)
        self._watch.received += len(chunk)
        if self._end is not End.OUTPUT_LIMIT:
            if self._order.plain:  # also what is no line yet, as a bar that grows
                self._watch.last_life = time.monotonic()
            self._note(self._out.feed(chunk) if chunk else self._out.rest())
        return bool(chunk)

    def _note(self, lines: Any) -> None:
        for line, cut in lines:
            if not line.strip() and not self._order.plain:
                continue
            written, alive = self._transcript.take(line, cut)
            if alive:
                self._watch.last_life = time.monotonic()
            try:
                self._log.add(written)
            except OSError as error:
                self._fail_log(error)
            if self._transcript.thread_id is not None and not self._told:
                self._told = True
                write_json(self._folder.facts, {"thread_id": self._transcript.thread_id})

    def _fail_log(self, error: OSError) -> None:
        self._problem = self._problem or error.strerror or str(error)
        self._stop(End.LOG_FAILED)

    def _read_stderr(self, pipe: int) -> bool:
        chunk = os.read(pipe, _CHUNK)
        for line, _ in self._err.feed(chunk) if chunk else self._err.rest():
            text = line.decode("utf-8", "replace")
            self._tail.append(text)
            self._stderr.add(self._redactor.text(text).encode("utf-8", "replace"))
        return bool(chunk)

    # --- when it ends

    def _complete(self) -> bool:
        """Return False if the agent ended by itself since it was refused a call of the model."""
        done = self._exit_code == 0 and self._transcript.completed
        return done or self._calls is None or self._calls.refused_at is None

    def _reap(self) -> bool:
        """Reap dead children; return True if no child is left, and so no descendant: orphans become children."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if self._contained is not None and pid == self._contained.keeper.pid:
                self._contained.keeper.returncode = os.waitstatus_to_exitcode(status)
                self._exit_code = self._contained.exit_code()
                if self._link is not None and self._link.heard_out() is not None:
                    self._exit_code = os.waitstatus_to_exitcode(self._link.heard_out() or 0)

    def _clear(self) -> list[kernel.Process]:
        """Kill every descendant; return those that could not be killed, above all another user's."""
        deadline = time.monotonic() + _KILL_SECONDS
        self._beyond = not self._parted()
        if self._contained is not None and self._exit_code is None:
            os.kill(
                self._contained.keeper.pid, signal.SIGKILL
            )  # takes the agent along, also where /proc shows no process
        while not self._reap():
            self._heartbeat.beat()
            left = kernel.descendants(os.getpid())
            if time.monotonic() > deadline:
                return left
            for process in left:
                process.signal(signal.SIGKILL)
            time.sleep(0.005)
        if self._contained is not None and not self._contained.kill_group():
            return cgroups.members(self._contained.group)
        return []

    def _parted(self) -> bool:
        """Hang up on what is behind the wall, if there is one; return False if it does not end of that."""
        if self._link is None:
            return True
        for key in list(self._selector.get_map().values()):
            if key.fileobj in self._link.sockets:
                self._selector.unregister(key.fileobj)
        return self._link.end()

    def _drain(self) -> None:
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline and self._selector.get_map():
            self._pump()
        self._selector.close()

    def _note_in_vain(self) -> None:
        """Write at the log's end what a build did not get of the network. Raises OSError."""
        if self._egress is not None:
            # What is asked for is the build's choice, and could hold what it was given.
            self._in_vain = [self._redactor.text(words) for words in self._egress.notes.sentences()]
        for words in self._in_vain:
            self._log.add(f"moonmind: {words}".encode("utf-8", "replace"))

    def _result(self, survivors: list[kernel.Process]) -> dict[str, Any]:
        exit_code = self._exit_code if self._exit_code is not None else -signal.SIGKILL
        return {
            "end": (self._end or End.EXITED).value,
            "exit_code": exit_code if exit_code >= 0 else None,
            "signal": -exit_code if exit_code < 0 else None,
            "at": time.time(),
            "seconds": round(time.monotonic() - self._watch.started, 3),
            "plain": self._order.plain,
            "facts": self._transcript.facts(),
            "stderr": self._redactor.text("\n".join(self._tail))[-8192:],
            "problem": self._problem,
            "model_calls": self._calls.words() if self._calls is not None else "",
            "wall": self._wall(),
            "refusals": sorted(self._calls.refusals) if self._calls is not None else None,
            "egress": self._egress.notes.facts() if self._egress is not None else None,
            "in_vain": self._in_vain,
            "survivors": len(survivors) + self._beyond,
            "left": [{"pid": process.pid, "started": process.started} for process in survivors],
        }

    def _wall(self) -> str:
        """Return what became of the wall where the command did not end by itself behind it; empty otherwise."""
        if self._link is None or self._end is not End.EXITED:
            return ""
        if self._link.status is None:
            return "broken" if self._link.began else "not built"
        # By whom is not known: a limit of memory, above all, kills what uses the most.
        return (
            "killed" if os.WIFSIGNALED(self._link.status) and os.WTERMSIG(self._link.status) == signal.SIGKILL else ""
        )


def _way_out(order: Order) -> "EgressProxy | None":
    if order.egress is None:
        return None
    # Here, so that the supervisors of agents, of which there are many, need no more memory and time for it.
    from moonmind.adapters.supervisor.egress import EgressProxy

    return EgressProxy(order.egress)
