"""Tests that reach a limit: whose fault that is, what people read of it, and whether the agent is asked again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Redo
from tests.support.verified_world import A_TEST, TOTAL, VerifiedWorld, project

GOOD = {"shop/total.py": TOTAL, "tests/test_total.py": A_TEST}
OUTPUT = 1 << 20
PRINTS = "head -c 3000000 /dev/zero | tr '\\\\0' x"
FORKS = "for n in $(seq 80); do sleep 60 & done; wait"
WRITES = "head -c 100000000 /dev/zero >large; sleep 60"
HANGS = "sleep 60"
LIMITS = [
    pytest.param(PRINTS, "the test command wrote more output than the limit allows", id="prints"),
    pytest.param(FORKS, "more than 40 at a time (MOONMIND_SANDBOX_PROCESSES)", id="forks", marks=pytest.mark.full),
    pytest.param(WRITES, "what it wrote takes more than 64 MiB", id="writes", marks=pytest.mark.full),
    pytest.param(HANGS, "it took longer than its limit, and was ended after ", id="hangs", marks=pytest.mark.full),
]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], VerifiedWorld]]:
    made: list[VerifiedWorld] = []

    def world(run: str) -> VerifiedWorld:
        recipe = f'environment: {{}}\nverify:\n  - run: "{run}"\n    timeout: 8\n'
        found = VerifiedWorld(
            tmp_path, project(recipe=recipe), job_options={"space": 64 << 20, "output_bytes": OUTPUT, "processes": 40}
        )
        made.append(found)
        return found

    yield world
    for one in made:
        one.tests.stop(one.run_id)
        one.agent.forget(str(one.run_id))


@pytest.mark.parametrize(("run", "words"), LIMITS)
def test_a_limit_that_was_reached_before_is_not_the_changes_fault(
    make: Callable[[str], VerifiedWorld], run: str, words: str
) -> None:
    found = make(run).judged(GOOD)
    (command,) = found.tests.commands
    assert command.outcome == "failed before"
    assert words in command.why
    assert "before the change" in command.why
    assert found.tests.draft == ""
    assert set(found.words.values()) == {"changed"}


@pytest.mark.parametrize(("run", "words"), LIMITS)
def test_a_limit_that_only_the_change_reaches_goes_back_to_its_agent(
    make: Callable[[str], VerifiedWorld], run: str, words: str
) -> None:
    world = make(f"test ! -e shop/total.py || {{ {run}; }}")
    world.works(GOOD)
    assert isinstance(world.step(Stage.DISCOVER), Done)
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    back = world.verified()
    assert isinstance(back, Redo)
    assert words in back.note
    assert "and not before the change" in back.note


def test_what_is_left_out_of_reports_is_said(tmp_path: Path) -> None:
    recipe = "environment: {}\nverify:\n  - run: truncate -s 1G out.xml\n    reports: [out.xml]\n"
    found = VerifiedWorld(tmp_path, project(recipe=recipe)).judged(GOOD)
    assert found.tests.commands[0].notes == ("the report out.xml is not read: it is too large",)
