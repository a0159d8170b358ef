"""Kill a process of the product at a named place, once: by wrapping its units from outside, never by a trigger inside.

Python imports this at the start of every process that has this folder on its path. MOONMIND_TEST_CRASHES names a
folder: a place is armed by a file of its name there, which gets the ending `.done` right before the kill.
"""

import functools
import importlib.util
import os
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

Applies = Callable[[tuple[Any, ...], Any], bool]
"""Whether a place has been reached: by the arguments of the call and, after it, by its answer."""
Unit = tuple[str, str, str, str, Applies]
"""Module, class, method, before or after the call, when it applies."""

BEFORE, AFTER = "before", "after"


def stage_is(name: str) -> Applies:
    """Apply to a claim of this stage: to Executor._claim's answer."""
    return lambda arguments, answer: isinstance(answer, tuple) and answer[0].run.stage.value == name


def decision(stage: str, kind: str) -> Applies:
    """Apply to Recorder.record for a decision of this kind at this stage."""
    return lambda arguments, answer: arguments[1].run.stage.value == stage and type(arguments[2]).__name__ == kind


def in_thread(name: str) -> Applies:
    """Apply in a thread of this name."""
    return lambda arguments, answer: threading.current_thread().name == name


def found(arguments: tuple[Any, ...], answer: Any) -> bool:
    """Apply when there was something to do."""
    return bool(answer)


def always(arguments: tuple[Any, ...], answer: Any) -> bool:
    """Apply at once."""
    return True


RECORD = ("moonmind.engine.executor", "Recorder", "record")
CLAIM = ("moonmind.engine.executor", "Executor", "_claim")
AGENT = ("moonmind.adapters.agents.supervised_agent", "SupervisedAgent", "start")
JOBS = ("moonmind.adapters.jobs.supervised_jobs", "Jobs", "start")
VCS = ("moonmind.adapters.vcs.git_vcs", "GitVcs")
FORGE = ("moonmind.adapters.forges.local", "LocalForge", "ensure_pull_request")
DISPATCHERS = [
    ("moonmind.adapters.dispatchers.celery", "CeleryDispatcher", "dispatch"),
    ("moonmind.adapters.dispatchers.threads", "ThreadDispatcher", "dispatch"),
]
NOTIFY = ("moonmind.engine.dispatch_loop", "DispatchLoop", "notify")
ACK = ("celery.worker.request", "Request", "acknowledge")
STEP = ("moonmind.adapters.dispatchers.threads", "ThreadDispatcher", "_step")

PLACES: dict[str, Unit | list[Unit]] = {
    # place: its unit, or a list where engines differ
    "after-creation": (*NOTIFY, BEFORE, always),
    "before-first-dispatch": [(*each, BEFORE, always) for each in DISPATCHERS],
    "after-first-dispatch": [(*each, AFTER, always) for each in DISPATCHERS],
    "before-claim": (*CLAIM, BEFORE, always),
    "after-claim-of-discover": (*CLAIM, AFTER, stage_is("discover")),
    "after-fetch": (*VCS, "fetch", AFTER, always),
    "after-discovery": (*RECORD, BEFORE, decision("discover", "Advance")),
    "after-record-of-discover": (*RECORD, AFTER, decision("discover", "Advance")),
    "between-stages": [(*ACK, BEFORE, always), (*STEP, AFTER, found)],
    "after-slot": ("moonmind.engine.stage_services", "StageServices", "take_slot", AFTER, always),
    "after-workspace": (*AGENT, BEFORE, always),
    "before-supervisor": (*JOBS, BEFORE, always),
    "after-supervisor": (*JOBS, AFTER, always),
    "after-start": (*AGENT, AFTER, always),
    "before-suspend": (*RECORD, BEFORE, decision("submit", "Wait")),
    "after-suspend": (*RECORD, AFTER, decision("submit", "Wait")),
    "before-wake": ("moonmind.db.wakeups", "Wakeups", "wake", BEFORE, always),
    "after-wake": (*NOTIFY, BEFORE, in_thread("job-poller")),
    "after-capture": (*VCS, "capture", AFTER, always),
    "after-result": (*RECORD, BEFORE, decision("submit", "Advance")),
    "after-record": (*RECORD, AFTER, decision("submit", "Advance")),
    "before-commit": (*VCS, "commit", BEFORE, always),
    "after-commit": (*VCS, "commit", AFTER, always),
    "after-apply": (*RECORD, BEFORE, decision("apply", "Advance")),
    "before-push": (*VCS, "push", BEFORE, always),
    "after-push": (*VCS, "push", AFTER, always),
    "before-pull-request": (*FORGE, BEFORE, always),
    "after-pull-request": (*FORGE, AFTER, always),
    "after-publish": (*RECORD, BEFORE, decision("publish", "Advance")),
    "after-claim-of-finalize": (*CLAIM, AFTER, stage_is("finalize")),
    "before-close": (*RECORD, BEFORE, decision("finalize", "Close")),
    "after-close": (*RECORD, AFTER, decision("finalize", "Close")),
    "after-expiry": ("moonmind.db.rescues", "Rescues", "expire_leases", AFTER, found),
    "after-release": ("moonmind.db.rescues", "Rescues", "release_all_leases", AFTER, found),
}


def _die(place: str) -> None:
    armed = Path(os.environ["MOONMIND_TEST_CRASHES"]) / place
    try:
        armed.rename(armed.with_suffix(".done"))
    except FileNotFoundError:
        return  # not armed, or another thread was faster and the end is near
    os.kill(os.getpid(), signal.SIGKILL)


def _targets(place: str) -> list[Unit]:
    found = PLACES[place]
    return found if isinstance(found, list) else [found]


def _wrap(module: ModuleType, place: str) -> None:
    for target in _targets(place):
        if target[0] == module.__name__:
            _wrap_one(module, place, *target[1:])


def _wrap_one(module: ModuleType, place: str, kind: str, name: str, when: str, applies: Applies) -> None:
    owner = getattr(module, kind)
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments: Any, **named: Any) -> Any:
        if when == BEFORE and applies(arguments, None):
            _die(place)
        answer = original(*arguments, **named)
        if when == AFTER and applies(arguments, answer):
            _die(place)
        return answer

    setattr(owner, name, wrapped)


class _Watch(MetaPathFinder):
    """Wraps units as soon as their module has been imported."""

    def __init__(self) -> None:
        self.waiting: defaultdict[str, list[str]] = defaultdict(list)
        for place in PLACES:
            for module, *_ in _targets(place):
                self.waiting[module].append(place)

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in self.waiting:
            return None
        places = self.waiting.pop(name)
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.loader is not None
        spec.loader = _After(spec.loader, places)
        return spec


class _After(Loader):
    def __init__(self, loader: Loader, places: list[str]) -> None:
        self.loader = loader
        self.places = places

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        for place in self.places:
            _wrap(module, place)


if os.environ.get("MOONMIND_TEST_CRASHES"):
    sys.meta_path.insert(0, _Watch())
