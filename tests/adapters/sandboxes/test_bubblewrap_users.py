"""Bubblewrap for an ordinary user, who has fewer rights than root and so another wall."""

import json
from collections.abc import Iterator

import pytest

from moonmind.adapters.supervisor.containment import Kind
from tests.support.stranger import Stranger
from tests.support.walls import codex_package

ATTEMPTS = """
import dataclasses, json, os, sys
from pathlib import Path
from moonmind.adapters.sandboxes import probe
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.supervisor.containment import Kind
root, kind, package, bare = sys.argv[1:]
environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
options = SandboxOptions(Path(root, "state"), "i", "h", environment=environment, codex_package=Path(package))
if bare:
    from tests.support.walls import NoWall
proof = probe.attempt(NoWall() if bare else Bubblewrap(options), options, kinds=[Kind(kind)])
print(json.dumps(dataclasses.asdict(proof)))
"""
FORKS = """
import os, sys, time
from pathlib import Path
from tests.support.walls import Box, bubblewrap
box = Box(Path(sys.argv[1]), bubblewrap(Path(sys.argv[1]), processes=20, codex_package=Path(sys.argv[2])))
print(box.run('''
import os, time
made = 0
try:
    while made < 100:
        if os.fork() == 0:
            time.sleep(600)
        made += 1
except OSError as error:
    print(made, error.strerror)
'''))
"""


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    made = Stranger()
    yield made
    made.close()


@pytest.mark.parametrize("kind", [Kind.NAMESPACE, pytest.param(Kind.TRACES, marks=pytest.mark.full)])
def test_it_holds(stranger: Stranger, kind: Kind) -> None:
    found = json.loads(stranger.run(ATTEMPTS, kind.value, str(codex_package()), ""))
    assert found["answered"], found
    assert found["through"] == {}


@pytest.mark.full
def test_without_it_everything_gets_through_that_the_kernel_lets_pass(stranger: Stranger) -> None:
    found = json.loads(stranger.run(ATTEMPTS, Kind.TRACES.value, str(codex_package()), "bare"))
    expected = {
        "read-home", "read-run", "read-environment", "write-home", "write-run", "write-link", "write-shown",
        "change-mounts", "see-processes", "trace-processes", "signal-processes", "network-loopback", "network-udp",
        "network-abstract", "network-socket", "docker-socket", "capabilities", "setuid", "read-installation",
    }  # fmt: skip
    assert expected <= found["through"].keys()


def test_a_job_has_no_more_processes_than_it_may(stranger: Stranger) -> None:
    made, _, words = stranger.run(FORKS, str(codex_package())).strip().partition(" ")
    assert (made, words) == ("19", "Resource temporarily unavailable")
