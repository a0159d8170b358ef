"""What it costs a job to have a large environment lent, beside the same job without one, and beside `cp -a` of it.

The real store, the real walls, a command that does nothing; everything in turns within one run. By overlays nothing is copied;
where there are none, each job gets a copy, which takes what `cp -a` takes.

    python -m benchmarks.lending [--rounds 5] [--files 50000] [--megabytes 1000] [--docker] [--json]
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import stand
from moonmind.adapters.environments.environment_record import HOME, Build
from moonmind.adapters.environments.environment_store import WORKSPACE as CHECKOUT
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.environments.lending import lend
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.docker import Docker
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.adapters.trees import give_to, remove_tree
from moonmind.ports.sandbox import HOME as JOB_HOME
from moonmind.ports.sandbox import PATH, WORKSPACE, BoxedCommand, Mount, Sandbox
from moonmind.proof.environments.environment_value import Environment
from moonmind.settings import ambient_environment
from tests.support.docker_engine import engine
from tests.support.walls import codex_package

LIMIT_SECONDS = 3.0
"""What a job may take longer to start with an environment than without."""
KEY = "large"
_FILES_OF_A_FOLDER = 50


class CopyingBubblewrap(Bubblewrap):
    """A bwrap that knows no overlays."""

    def overlays(self) -> bool:
        return False


def main() -> None:
    """Measure, print, and fail above the limit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--files", type=int, default=50_000)
    arguments.add_argument("--megabytes", type=int, default=1000)
    arguments.add_argument("--docker", action="store_true")
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with stand.folder() as place, _sandbox(place, docker=chosen.docker) as sandbox:
        found = measure(place, sandbox, chosen.rounds, chosen.files, chosen.megabytes)
    stand.show(found, as_json=chosen.json)
    if not found["holds"]:
        sys.exit(1)


@contextlib.contextmanager
def _sandbox(place: Path, *, docker: bool) -> Iterator[Sandbox]:
    state = place / "state"
    state.mkdir()
    if not docker:
        yield Bubblewrap(_options(state, ambient_environment()))
        return
    with engine() as made:
        yield Docker(_options(state, made.environment, made.image))


def _options(state: Path, environment: dict[str, str], image: str | None = None) -> SandboxOptions:
    return SandboxOptions(
        state, "benchmark", "host", environment=environment, codex_package=codex_package(), image=image
    )


def measure(place: Path, sandbox: Sandbox, rounds: int, files: int, megabytes: int) -> dict[str, object]:
    """Time each way in turns; seconds, medians."""
    store = EnvironmentStore(place / "state" / "environments", 1 << 40)
    sealed = _timed(lambda: _build(store, sandbox, files, megabytes << 20))
    record = store.find(KEY)
    if record is None or not sandbox.overlays():
        raise SystemExit("this sandbox has no overlays here")
    ways: dict[str, Callable[[], None]] = {
        "without": lambda: _start(place, sandbox, store, None),
        "overlays": lambda: _start(place, sandbox, store, sandbox),
        "cp": lambda: _cp(record.place, place / "state" / "job" / "cp"),
    }
    if isinstance(sandbox, Bubblewrap):
        ways["copies"] = lambda: _start(place, sandbox, store, CopyingBubblewrap(sandbox.options))
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            (place / "state" / "job" / "workspace").mkdir(parents=True)
            times[name].append(_timed(way))
            remove_tree(place / "state" / "job")
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    more = medians["overlays"] - medians["without"]
    return {
        "sandbox": sandbox.kind.value,
        "files": record.built.files,
        "megabytes": record.built.size >> 20,
        "rounds": rounds,
        "build_and_seal_s": round(sealed, 2),
        **{f"{name}_s": round(median, 3) for name, median in medians.items()},
        **{f"{name}_spread_s": [round(min(taken), 3), round(max(taken), 3)] for name, taken in times.items()},
        "overlays_more_than_without_s": round(more, 3),
        "overlays_in_cp": round(medians["overlays"] / medians["cp"], 4),
        **({"copies_in_cp": round(medians["copies"] / medians["cp"], 2)} if "copies" in medians else {}),
        "limit_s": LIMIT_SECONDS,
        "holds": more <= LIMIT_SECONDS,
    }


def _build(store: EnvironmentStore, sandbox: Sandbox, files: int, size: int) -> None:
    """Make an environment half of which is in the checkout, half in the home."""
    place = store.begin(KEY)
    (place / CHECKOUT).mkdir()
    (place / HOME).mkdir()
    store.note_checkout(KEY)
    content = os.urandom(size // files)
    for number in range(files // _FILES_OF_A_FOLDER):
        top = place / HOME / ".cache" if number % 2 else place / CHECKOUT / "node_modules"
        folder = top / f"package{number // 20}" / f"folder{number}"
        folder.mkdir(parents=True)
        for each in range(_FILES_OF_A_FOLDER):
            (folder / f"file{each}.js").write_bytes(content)
    if sandbox.user is not None:
        for folder in (place / CHECKOUT, place / HOME):
            give_to(folder, *sandbox.user)
    store.seal(KEY, Build("acme/demo", Environment(), "", sandbox.kind, datetime.now(UTC), 0.0), set)


def _start(place: Path, sandbox: Sandbox, store: EnvironmentStore, lender: Sandbox | None) -> None:
    """Start a job whose command does nothing, with an environment lent as `lender` has it, or without one."""
    job = place / "state" / "job"
    workspace = job / "workspace"
    if sandbox.user is not None:
        os.chown(workspace, *sandbox.user)
    mounts: tuple[Mount, ...] = (Mount(workspace, WORKSPACE, writable=True),)
    variables = {"HOME": JOB_HOME, "PATH": PATH}
    if lender is not None:
        lent = lend(store, KEY, "run/apply-1", job / "lent", lender, workspace)
        mounts, variables = (*mounts, *lent.mounts), {**lent.variables, "PATH": lent.search_path}
    wrapped = sandbox.wrap(BoxedCommand("benchmark/run/apply-1", ("true",), variables, mounts))
    subprocess.run(wrapped.argv, env=dict(wrapped.environment), cwd="/", check=True, capture_output=True)


def _cp(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--", str(source), str(target)], check=True)


def _timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
