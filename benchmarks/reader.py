"""How long reading a tasks.md takes as it grows, and how long `speckit` takes to start.

Bars: 10,000 tasks at most 12 times the time of 1,000; `speckit status` at most twice the time of a Python that imports
what the command line and the reader are built on. No services are needed.

    python -m benchmarks.reader [--rounds 7] [--json]
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import stand
from moonmind.sample import source
from moonmind.speckit.tasks_md import read_tasks

GROWTH_LIMIT = 12.0
START_LIMIT = 2.0


def main() -> None:
    """Measure, print, and fail above a limit."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--json", action="store_true")
    chosen = arguments.parse_args()
    with stand.folder() as place:
        found = measure(place, chosen.rounds)
    stand.show(found, as_json=chosen.json)
    if not found["holds"]:
        sys.exit(1)


def measure(place: Path, rounds: int) -> dict[str, object]:
    """Time each way in turns; milliseconds, medians."""
    for path, content in source.files().items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    small, large = a_list(1_000), a_list(10_000)
    speckit = Path(sys.executable).with_name("speckit")
    ways: dict[str, Callable[[], object]] = {
        "read_1000": lambda: read_tasks(small),
        "read_10000": lambda: read_tasks(large),
        "python_imports": lambda: _run([sys.executable, "-c", "import typer, markdown_it"]),
        "speckit_status": lambda: _run([str(speckit), "status", str(place)]),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(_timed(way))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    growth = medians["read_10000"] / medians["read_1000"]
    start = medians["speckit_status"] / medians["python_imports"]
    return {
        "rounds": rounds,
        **{f"{name}_ms": round(median, 1) for name, median in medians.items()},
        "ten_times_the_tasks_take": round(growth, 2),
        "growth_limit": GROWTH_LIMIT,
        "speckit_in_python_imports": round(start, 2),
        "start_limit": START_LIMIT,
        "holds": growth <= GROWTH_LIMIT and start <= START_LIMIT,
    }


def a_list(tasks: int) -> bytes:
    """Write a tasks.md of so many tasks, a phase for every twenty."""
    lines = ["# Tasks: Large", ""]
    for number in range(1, tasks + 1):
        if number % 20 == 1:
            lines += ["", f"## Phase {number // 20 + 1}: Part {number // 20 + 1}", "", "**Purpose**: More of it", ""]
        mark = "x" if number % 3 else " "
        lines.append(
            f"- [{mark}] T{number:03d} [P] [US{number % 7}] Write the part in src/part{number}.py (depends on T001)"
        )
    return "\n".join(lines).encode()


def _run(argv: list[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True)


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main()
