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


LENT = """
import json, os, sys
from pathlib import Path
from tests.support.walls import Box, Mount, bubblewrap
from moonmind.adapters.trees import remove_tree
root = Path(sys.argv[1])
box = Box(root, bubblewrap(root, codex_package=Path(sys.argv[2])))
state = root / "state"
for folder in ("lower/sub", "over/upper", "over/work", "workspace/lent"):
    (state / folder).mkdir(parents=True)
for name in ("lower/file", "lower/sub/file"):
    (state / name).write_text("lent")
(state / "lower/sub").chmod(0o500)
box.mounts = (Mount(state / "lower", "/workspace/lent", writable=True, upper=state / "over/upper"),)
box.run('''
import os, shutil
os.chdir("/workspace/lent")
os.unlink("file")
os.chmod("sub", 0o700)
shutil.rmtree("sub")
os.mkdir("sub")
os.chmod("sub", 0)
''')
lower = {str(path.relative_to(state)): path.stat().st_mode & 0o777 for path in (state / "lower").rglob("*")}
remove_tree(state / "over")
print(json.dumps([box.sandbox.overlays(), lower, sorted(os.listdir(state)), os.listdir(box.workspace / "lent")]))
"""


def test_an_ordinary_user_lends_by_overlays_and_removes_them(stranger: Stranger) -> None:
    overlays, lower, state, workspace = json.loads(stranger.run(LENT, str(codex_package())))
    assert overlays
    assert lower == {"lower/file": 0o644, "lower/sub": 0o500, "lower/sub/file": 0o644}
    assert state == ["lower", "overlay-trials", "workspace"]
    assert workspace == []
