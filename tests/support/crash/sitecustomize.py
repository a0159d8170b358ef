"""Kill a process of the product at a named place, once: by wrapping its units from outside, never by a trigger inside.

Python imports this at the start of every process that has this folder on its path. MOONMIND_TEST_CRASH names the
place, MOONMIND_TEST_CRASH_MARK a file that is made right before the kill, so that it happens once.
"""

import functools
import importlib
import os
import signal
import sys
from importlib.abc import Loader, MetaPathFinder
from pathlib import Path

PLACES = {
    # place: (module, class, method, before or after the call, condition on the call)
    "after-slot": ("moonmind.adapters.agents.base", "SupervisedAgent", "start", "before", None),
    "after-start": ("moonmind.adapters.agents.base", "SupervisedAgent", "start", "after", None),
    "after-result": ("moonmind.engine.recorder", "Recorder", "record", "before", "submit-done"),
    "after-record": ("moonmind.engine.recorder", "Recorder", "record", "after", "submit-done"),
    "after-commit": ("moonmind.engine.recorder", "Recorder", "record", "before", "apply-done"),
    "after-push": ("moonmind.adapters.vcs.git_vcs", "GitVcs", "push", "after", None),
    "after-pull-request": ("moonmind.adapters.forges.local", "LocalForge", "ensure_pull_request", "after", None),
}


def _applies(condition, arguments):
    if condition is None:
        return True
    stage = condition.partition("-")[0]
    claim, decision = arguments[1], arguments[2]
    return claim.run.stage.value == stage and type(decision).__name__ == "Advance"


def _die():
    mark = Path(os.environ["MOONMIND_TEST_CRASH_MARK"])
    try:
        descriptor = os.open(mark, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return
    os.close(descriptor)
    os.kill(os.getpid(), signal.SIGKILL)


def _wrap(module, place):
    _, kind, name, when, condition = PLACES[place]
    owner = getattr(module, kind)
    original = getattr(owner, name)

    @functools.wraps(original)
    def wrapped(*arguments, **named):
        if when == "before" and _applies(condition, arguments):
            _die()
        answer = original(*arguments, **named)
        if when == "after" and _applies(condition, arguments):
            _die()
        return answer

    setattr(owner, name, wrapped)


class _Watch(MetaPathFinder):
    """Wraps the unit as soon as its module has been imported."""

    def __init__(self, place):
        self.place = place
        self.busy = False

    def find_spec(self, name, path, target=None):
        if self.busy or name != PLACES[self.place][0]:
            return None
        self.busy = True
        spec = importlib.util.find_spec(name)
        self.busy = False
        spec.loader = _After(spec.loader, self.place)
        return spec


class _After(Loader):
    def __init__(self, loader, place):
        self.loader = loader
        self.place = place

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        self.loader.exec_module(module)
        _wrap(module, self.place)


if os.environ.get("MOONMIND_TEST_CRASH"):
    import importlib.util

    sys.meta_path.insert(0, _Watch(os.environ["MOONMIND_TEST_CRASH"]))
