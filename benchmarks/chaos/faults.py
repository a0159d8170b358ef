"""Doing what the plan says, and noting when the service answered again and which runs waited for that."""

import contextlib
import errno
import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from kombu.connection import Connection
from kombu.messaging import Producer
from sqlalchemy import func, or_, select

from benchmarks.chaos.background import Background
from benchmarks.chaos.members import Member, children_of
from benchmarks.chaos.plan import Fault, Planned
from benchmarks.chaos.world import World
from moonmind.db.clock import db_now
from moonmind.db.tables import active, leased, run
from moonmind.runs.chain import STAGES
from tests.support.processes import alive

log = structlog.get_logger(__name__)

VICTIM_SECONDS = 10.0
"""How long a fault waits for an agent at work."""
_GARBAGE = (b"", b"{", b"null", b'[["not-a-run"], {}, {}]', b"\x80\x02}q\x01.", b'{"id": 7}', b'[[], {}, {"chain": 3}]')


@dataclass(frozen=True, slots=True)
class Recovered:
    """One fault that is over: from when runs could go on, and which ones should."""

    fault: Fault
    at: datetime
    """By the database's clock."""
    waiting: tuple[UUID, ...]
    """The runs that were leased or due then."""


class Faults(Background):
    """Does the planned faults one after the other; each is over before the next one begins."""

    def __init__(self, world: World, plan: Sequence[Planned], *, lease_seconds: float) -> None:
        super().__init__("faults")
        self._world = world
        self._plan = plan
        self._lease = lease_seconds
        self.done: Counter[str] = Counter()
        """What was done, by kind; a kind without a victim at that moment is not counted."""
        self.recovered: list[Recovered] = []
        self._finished = 0

    @property
    def share(self) -> float:
        """Return which part of the plan is done."""
        return self._finished / len(self._plan) if self._plan else 1.0

    def work(self) -> None:
        """Follow the plan; a fault that is being done is not broken off."""
        for planned in self._plan:
            if self.closing.wait(planned.pause):
                return
            self._do(planned)
            self._finished += 1

    def _do(self, planned: Planned) -> None:
        victim = _ACTS[planned.fault](self, planned.strength)
        log.info("fault", kind=planned.fault.value, number=self._finished + 1, of=len(self._plan), hit=victim)
        if victim:
            self.done[planned.fault.value] += 1
            self.recovered.append(self._waiting(planned.fault))

    def _waiting(self, fault: Fault) -> Recovered:
        query = select(run.c.id).where(active, or_(leased, run.c.not_before <= db_now()))
        with self._world.engine.connect() as connection:
            at = connection.execute(select(db_now())).scalar_one()
            return Recovered(fault, at, tuple(connection.execute(query).scalars()))

    # --- processes

    def _kill(self, names: Sequence[str], strength: float) -> bool:
        member = self._pick(names, strength)
        self._world.kill(member)
        self._world.await_ready(member)
        return True

    def _pick(self, names: Sequence[str], strength: float) -> Member:
        return self._world.member(names[int(strength * len(names))])

    def _kill_worker(self, strength: float) -> bool:
        return self._kill(("threads", "prefork"), strength)

    def _kill_api(self, strength: float) -> bool:
        return self._kill(("api",), strength)

    def _kill_embedded(self, strength: float) -> bool:
        return self._kill(("embedded",), strength)

    def _kill_child(self, strength: float) -> bool:
        process = self._world.member("prefork").process
        children = children_of(process.pid) if process is not None else []
        return _end(children[int(strength * len(children))]) if children else False

    def _stop_worker(self, strength: float) -> bool:
        return self._stop(("threads", "prefork"), strength)

    def _stop_embedded(self, strength: float) -> bool:
        return self._stop(("embedded",), strength)

    def _stop(self, names: Sequence[str], strength: float) -> bool:
        process = self._pick(names, strength).process
        if process is None or not process.alive:
            return False
        with contextlib.suppress(ProcessLookupError):  # it died in this moment: then it is started again
            os.killpg(process.pid, signal.SIGSTOP)
            time.sleep(self._lease + 5 + 5 * strength)
            os.killpg(process.pid, signal.SIGCONT)
        return True

    def _kill_supervisor(self, strength: float) -> bool:
        return self._kill_job("pid", strength)

    def _kill_agent(self, strength: float) -> bool:
        return self._kill_job("agent_pid", strength)

    def _kill_job(self, who: str, strength: float) -> bool:
        """Kill a process of a job at work, by the ids that its supervisor wrote down."""
        deadline = time.monotonic() + VICTIM_SECONDS
        while time.monotonic() < deadline and not self.closing.is_set():
            if running := self._jobs(who):
                return _end(running[int(strength * len(running))])
            time.sleep(0.1)
        return False

    def _jobs(self, who: str) -> list[int]:
        running = []
        for place in sorted(self._world.state.glob("jobs/*/*/handle.json")):
            if (place.parent / "result.json").exists():
                continue
            try:
                pid = json.loads(place.read_text()).get(who)
            except FileNotFoundError:
                continue  # its run has just been cleaned up
            if isinstance(pid, int) and alive(pid) and pid in self._world.jobs_alive():
                running.append(pid)
        return running

    # --- services

    def _kill_broker(self, strength: float) -> bool:
        assert self._world.broker is not None
        self._world.broker.end(signal.SIGKILL)
        time.sleep(1 + 8 * strength)
        self._world.broker.start()
        return True

    def _stop_database(self, strength: float) -> bool:
        assert self._world.postgres is not None
        self._world.postgres.end(signal.SIGQUIT)
        time.sleep(1 + 8 * strength)
        self._world.postgres.start()
        return True

    def _reset_database(self, _: float) -> bool:
        assert self._world.database_line is not None
        self._world.database_line.reset()
        return True

    def _reset_broker(self, _: float) -> bool:
        assert self._world.broker_line is not None
        self._world.broker_line.reset()
        return True

    def _block_database(self, strength: float) -> bool:
        assert self._world.database_line is not None
        return _blocked(self._world.database_line.block, self._world.database_line.unblock, 5 + 20 * strength)

    def _block_broker(self, strength: float) -> bool:
        assert self._world.broker_line is not None
        return _blocked(self._world.broker_line.block, self._world.broker_line.unblock, 5 + 20 * strength)

    def _fill_disk(self, strength: float) -> bool:
        if not self._world.disk_limited:
            return False
        ballast = self._world.artifacts / ".ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(b"\0" * 65536)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        time.sleep(3 + 7 * strength)
        ballast.unlink()
        return True

    def _send_messages(self, strength: float) -> bool:
        return flood(self._world, garbage=strength < 0.7) > 0


def flood(world: World, *, garbage: bool) -> int:
    """Send stages of known runs in the wrong order, each five times, and what nobody can read; returns how many."""
    assert world.broker is not None
    with world.engine.connect() as connection:
        known = select(run.c.id).order_by(active.desc(), func.random()).limit(5)
        runs = [str(one) for one in connection.execute(known).scalars()]
    names = [stage.task_name for stage in reversed(STAGES)] * 5 + ["moonmind.speckit.unheard_of"]
    tail = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
    sent = 0
    with Connection(world.broker.url()) as line:
        producer = Producer(line, serializer="json", routing_key=world.env["SPEC_WORKFLOW_CODEX_QUEUE"])
        for run_id, name in itertools.product([*runs, str(uuid4()), "no-run"], names):
            message_id = str(uuid4())
            headers = {"lang": "py", "task": name, "id": message_id, "root_id": message_id}
            producer.publish([[run_id], {}, tail], headers=headers, correlation_id=message_id, retry=False)
            sent += 1
        for body, task in itertools.product(_GARBAGE if garbage else (), (STAGES[0].task_name, None)):
            about = {} if task is None else {"task": task, "id": str(uuid4())}
            producer.publish(
                body, content_type="application/json", content_encoding="utf-8", headers=about, retry=False
            )  # fmt: skip
            sent += 1
    return sent


def _end(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def _blocked(block: Callable[[], None], unblock: Callable[[], None], seconds: float) -> bool:
    block()
    time.sleep(seconds)
    unblock()
    return True


_ACTS: dict[Fault, Callable[[Faults, float], bool]] = {
    Fault.WORKER_GROUP: Faults._kill_worker,
    Fault.WORKER_CHILD: Faults._kill_child,
    Fault.WORKER_STOPPED: Faults._stop_worker,
    Fault.SUPERVISOR: Faults._kill_supervisor,
    Fault.AGENT: Faults._kill_agent,
    Fault.API: Faults._kill_api,
    Fault.BROKER: Faults._kill_broker,
    Fault.DATABASE: Faults._stop_database,
    Fault.DATABASE_RESET: Faults._reset_database,
    Fault.DATABASE_BLACK_HOLE: Faults._block_database,
    Fault.BROKER_RESET: Faults._reset_broker,
    Fault.BROKER_BLACK_HOLE: Faults._block_broker,
    Fault.MESSAGES: Faults._send_messages,
    Fault.DISK_FULL: Faults._fill_disk,
    Fault.EMBEDDED: Faults._kill_embedded,
    Fault.EMBEDDED_STOPPED: Faults._stop_embedded,
}
