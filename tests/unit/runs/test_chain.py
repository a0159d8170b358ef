"""The order of the stages."""

from moonmind.runs import chain
from moonmind.runs.chain import Stage


def test_a_chain_from_a_stage_holds_it_and_all_that_follow() -> None:
    assert chain.from_stage(Stage.APPLY) == (Stage.APPLY, Stage.PUBLISH, Stage.FINALIZE)
    assert chain.from_stage(Stage.DISCOVER) == chain.STAGES


def test_nothing_follows_the_last_stage() -> None:
    assert chain.following(Stage.FINALIZE) is None
    assert chain.following(Stage.DISCOVER) is Stage.SUBMIT


def test_positions_count_from_the_first_stage() -> None:
    assert [chain.STAGES[stage.position] for stage in Stage] == list(Stage)


def test_task_names_are_stable() -> None:
    assert Stage.SUBMIT.task_name == "moonmind.speckit.submit"
