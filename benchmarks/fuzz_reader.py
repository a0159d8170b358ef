"""Throws mutated tasks.md files at the reader for as long as it is told to: each is read or refused, and soon.

    python -m benchmarks.fuzz_reader [--minutes 10] [--seed 1]

Fails at once at an exception that is no refusal, a reading that takes longer than its bytes allow, or a box that does
not come back to the byte; the input is kept in `fuzz-failure.md` then.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from moonmind.errors import SpecUnreadable
from moonmind.speckit.spec_tasks import NO_BOX
from moonmind.speckit.tasks_md import Mark, read_tasks, tick, untick

FIXTURES = Path(__file__).parents[1] / "tests/fixtures/tasks_md"
_PIECES = (
    b"- [ ] T001 a\n", b"- [x] **T002** b\n", b"  - [X] T003 c\n", b"## Phase 1: A\n", b"```\n", b"~~~~\n", b"<!--", b"-->", b"---\n",
    b"> ", b"\t", b"1. [X] **T004**\n", b"[ ]", b"[~]", b"~~", b"\r", b"\xff", b"\xe2\x9c\x93", b"\xef\xbb\xbf", b"<<<<<<< a\n",
    b"    ", b"* * *\n", b"[a]: b\n", b"<div>\n", b"\0", b"T1-T9", b"(depends on T001)", b"# ", b"### T005: x\n",
)  # fmt: skip
_SECONDS_BASE, _SECONDS_PER_KIB = 2.0, 0.1


def main() -> None:
    """Fuzz, and say how much was tried."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--seed", type=int, default=1)
    chosen = arguments.parse_args()
    chance = random.Random(chosen.seed)
    sources = [path.read_bytes() for path in sorted(FIXTURES.glob("case-*.md"))]
    end = time.monotonic() + chosen.minutes * 60
    tried = read = 0
    slowest = 0.0
    while time.monotonic() < end:
        data = mutated(chance, sources)
        begun = time.monotonic()
        try:
            read += examine(chance, data)
        except Exception:
            Path("fuzz-failure.md").write_bytes(data)
            raise
        took = time.monotonic() - begun
        slowest = max(slowest, took)
        if took > _SECONDS_BASE + _SECONDS_PER_KIB * len(data) / 1024:
            Path("fuzz-failure.md").write_bytes(data)
            sys.exit(f"{len(data)} bytes took {took:.1f} s")
        tried += 1
    print(
        f"{tried} files tried in {chosen.minutes:g} minutes: {read} read, {tried - read} refused; slowest {slowest:.2f} s"
    )


def examine(chance: random.Random, data: bytes) -> bool:
    """Read one file, and bring one of its boxes there and back; True when it could be read."""
    try:
        found = read_tasks(data)
    except SpecUnreadable:
        return False
    counts = {mark: sum(task.mark is mark for task in found.tasks) for mark in Mark}
    if sum(counts.values()) != found.total or found.total == 0:
        raise AssertionError("the counts do not add up")
    if pending := [task for task in found.tasks if task.pending and task.box_offset != NO_BOX]:
        task = chance.choice(pending)
        changed = tick(data, [task])
        (same,) = [one for one in read_tasks(changed).tasks if one.line == task.line]
        if untick(changed, same) != data:
            raise AssertionError("a box did not come back")
    return True


def mutated(chance: random.Random, sources: list[bytes]) -> bytes:
    """Take a file, or parts of two, and change it in a few places."""
    data = bytearray(chance.choice(sources))
    if chance.random() < 0.3:
        other = chance.choice(sources)
        data = data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]
    for _ in range(chance.randrange(1, 12)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(5):
            case 0:
                data[at:at] = chance.choice(_PIECES)
            case 1:
                del data[at : at + chance.randrange(1, 40)]
            case 2 if data:
                data[at % len(data)] = chance.randrange(256)
            case 3:
                data[at:at] = data[at : at + chance.randrange(200)]
            case _:
                data[at:at] = chance.choice(_PIECES) * chance.randrange(1, 60)
    return bytes(data)


if __name__ == "__main__":
    main()
