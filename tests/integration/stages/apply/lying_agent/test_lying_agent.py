"""Each lie is caught; and by the rule that it names, as it gets through where that one is switched off."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.stages.apply.lying_agent.catalogue import IN_EVERY_RUN, KNOWN_TO_GET_THROUGH, LIES
from tests.integration.stages.apply.lying_agent.liars_world import LiarsWorld
from tests.integration.stages.apply.lying_agent.lie import IDS, WORDS, WORKS, Lie

CASES = [
    pytest.param(lie, id=name, marks=() if name in IN_EVERY_RUN else pytest.mark.full) for name, lie in LIES.items()
]


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[LiarsWorld]:
    lie = request.getfixturevalue("lie")
    assert isinstance(lie, Lie)
    if shutil.which(lie.program) is None:
        pytest.skip(f"{lie.program} is not installed")
    made = LiarsWorld(tmp_path, lie)
    yield made
    made.agent.forget(str(made.run_id))


@pytest.mark.parametrize("lie", CASES)
def test_a_lie_is_caught_and_only_by_its_rules(lie: Lie, world: LiarsWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    found = world.told()
    for task, word in lie.gets.items():
        assert WORDS.index(found.words[task]) < WORDS.index(word), found.summary
    assert lie.says in found.summary
    if WORKS in lie.rules:  # nobody is told that it fails without the change's code
        assert all(test.probe != "failed" for one in found.by_id.values() for test in one.tests), found.by_id

    for rule in lie.rules:
        monkeypatch.setattr(rule.place, rule.off)
    believed = world.judged_again()
    assert {task: believed.words[task] for task in lie.gets} == lie.gets, believed.summary


@pytest.mark.full
@pytest.mark.parametrize("lie", [pytest.param(lie, id=name) for name, lie in KNOWN_TO_GET_THROUGH.items()])
def test_a_lie_that_is_known_to_get_through_still_does(lie: Lie, world: LiarsWorld) -> None:
    found = world.told()
    assert {task: found.words[task] for task in lie.gets} == lie.gets, found.summary


def test_the_catalogue_is_as_large_as_it_says() -> None:
    assert len(LIES) >= 50
    assert len(IN_EVERY_RUN) == len(IN_EVERY_RUN & LIES.keys()) <= 10
    assert not LIES.keys() & KNOWN_TO_GET_THROUGH.keys()
    assert all(not lie.rules and lie.says and lie.gets for lie in KNOWN_TO_GET_THROUGH.values())
    assert all(lie.rules and lie.says and lie.gets.keys() <= set(IDS) for lie in LIES.values())
