from random import Random

from hypothesis import given
from hypothesis import strategies as st

from moonmind.ports.forge import PullState
from moonmind.stages.discover.branches import BranchFact, choose, numbers

OPEN, MERGED, CLOSED = PullState.OPEN, PullState.MERGED, PullState.CLOSED


def test_a_feature_without_branches_gets_its_first() -> None:
    choice = choose([BranchFact(1, None)])
    assert (choice.number, choice.tip) == (1, None)


def test_the_branch_with_an_open_pull_request_goes_on() -> None:
    choice = choose([BranchFact(1, "tip", (OPEN,), ahead=True), BranchFact(2, None)])
    assert (choice.number, choice.tip) == (1, "tip")


def test_a_branch_whose_push_was_not_followed_by_a_pull_request_goes_on() -> None:
    assert choose([BranchFact(1, "tip", (), ahead=True)]).tip == "tip"


def test_after_a_merge_the_next_number_starts_at_the_base() -> None:
    choice = choose([BranchFact(1, "tip", (MERGED,)), BranchFact(2, None)])
    assert (choice.number, choice.tip) == (2, None)


def test_a_merged_branch_that_was_deleted_is_never_named_again() -> None:
    assert choose([BranchFact(1, None, (MERGED,)), BranchFact(2, None)]).number == 2


def test_a_reopened_pull_request_counts_as_open() -> None:
    assert choose([BranchFact(1, "tip", (OPEN, CLOSED))]).tip == "tip"


def test_an_older_open_branch_wins_over_a_newer_closed_one() -> None:
    choice = choose([BranchFact(1, "old", (OPEN,)), BranchFact(2, "new", (CLOSED,), ahead=True)])
    assert (choice.number, choice.tip) == (1, "old")


def test_the_newest_of_two_open_branches_goes_on() -> None:
    assert choose([BranchFact(1, "old", (OPEN,)), BranchFact(2, "new", (OPEN,))]).tip == "new"


def test_a_branch_that_holds_nothing_new_is_left_alone() -> None:
    choice = choose([BranchFact(1, "tip", (), ahead=False)])
    assert (choice.number, choice.tip) == (2, None)


facts = st.builds(
    BranchFact,
    number=st.integers(1, 9),
    tip=st.none() | st.just("tip"),
    pulls=st.lists(st.sampled_from(PullState), max_size=3).map(tuple),
    ahead=st.booleans(),
)


@given(st.lists(facts, max_size=6, unique_by=lambda fact: fact.number))
def test_a_choice_is_an_open_branch_or_a_name_that_nobody_used(given_facts: list[BranchFact]) -> None:
    choice = choose(given_facts)
    chosen = [fact for fact in given_facts if fact.number == choice.number and fact.used]
    if choice.tip is None:
        assert not chosen
        assert all(fact.number < choice.number for fact in given_facts if fact.used)
    else:
        assert chosen
        assert OPEN in chosen[0].pulls or (not chosen[0].pulls and chosen[0].ahead)


@given(st.lists(facts, max_size=6, unique_by=lambda fact: fact.number), st.randoms())
def test_the_order_of_the_facts_plays_no_part(given_facts: list[BranchFact], random: Random) -> None:
    shuffled = list(given_facts)
    random.shuffle(shuffled)
    assert choose(shuffled) == choose(given_facts)


def test_numbers_are_read_from_names_and_nothing_else() -> None:
    names = ["moonmind/x", "moonmind/x-3", "moonmind/x-03", "moonmind/x-0", "moonmind/xy-2", "x-4", "moonmind/x-2-y"]
    assert numbers("x", names) == (1, 3)


def test_numbers_that_no_run_ever_gave_are_left_out() -> None:
    assert numbers("x", ["moonmind/x-1000", "moonmind/x-1001", "moonmind/x-999999", "moonmind/x-99999999"]) == (1000,)
