import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.stages.verdicts import Judgement, Verdict, Verification, judge
from tests.support.plans import a_task

NAMED = a_task(paths=("src/app.py",))
TESTED = a_task(paths=("tests/test_app.py",), tests=("tests/test_app.py",))
BARE = a_task(text="Think about it")


def verdict(task, changed=(), tree=None, claimed=(), verification=None):
    (found,) = judge(
        [task],
        changed=changed,
        tree=set(changed) if tree is None else tree,
        claimed=claimed,
        verification=verification,
    )
    return found.verdict


def test_a_named_path_in_the_change_proves_the_task_without_any_claim() -> None:
    assert verdict(NAMED, ["src/app.py"]) is Verdict.PROVEN


def test_a_claim_without_the_change_proves_nothing() -> None:
    assert verdict(NAMED, ["other.py"], ["src/app.py", "other.py"], {"T001"}) is Verdict.UNPROVEN


def test_a_claimed_file_that_does_not_exist_contradicts() -> None:
    assert verdict(NAMED, ["other.py"], claimed={"T001"}) is Verdict.CONTRADICTED


def test_a_missing_file_that_nobody_claims_is_only_unproven() -> None:
    assert verdict(NAMED, ["other.py"]) is Verdict.UNPROVEN


def test_removing_the_named_file_is_a_change_to_it() -> None:
    assert verdict(NAMED, ["src/app.py"], tree=[]) is Verdict.PROVEN


def test_a_task_that_names_nothing_is_attested_by_the_claim() -> None:
    assert verdict(BARE, ["x"], claimed={"T001"}) is Verdict.ATTESTED
    assert verdict(BARE, ["x"]) is Verdict.UNPROVEN


def test_a_failing_verification_takes_the_claim_its_force() -> None:
    assert verdict(BARE, ["x"], claimed={"T001"}, verification=Verification(failing=True)) is Verdict.UNPROVEN


def test_a_failed_test_contradicts_even_if_the_file_was_changed() -> None:
    failed = Verification(failed=frozenset({"tests/test_app.py"}), failing=True)
    assert verdict(TESTED, ["tests/test_app.py"], verification=failed) is Verdict.CONTRADICTED


def test_a_passed_test_proves_a_task_whose_file_was_there_before() -> None:
    passed = Verification(passed=frozenset({"tests/test_app.py"}))
    assert verdict(TESTED, ["other"], ["tests/test_app.py", "other"], verification=passed) is Verdict.PROVEN


@pytest.mark.parametrize(
    ("named", "changed", "tree", "proven"),
    [
        ("src/models/", ["src/models/user.py"], None, True),
        ("src/models", ["src/models/user.py"], None, True),
        ("src/model", ["src/models/user.py"], None, False),
        ("models/user.py", ["backend/models/user.py"], None, True),
        ("user.py", ["src/superuser.py"], None, False),
        # The root holds the very file, so a change to another of that name is not meant.
        ("README.md", ["docs/README.md"], ["README.md", "docs/README.md"], False),
    ],
)
def test_which_changed_paths_a_name_stands_for(named, changed, tree, proven) -> None:
    assert (verdict(a_task(paths=(named,)), changed, tree) is Verdict.PROVEN) is proven


@given(
    paths=st.lists(st.sampled_from(["a.py", "b/c.py", "b"]), max_size=2),
    changed=st.lists(st.sampled_from(["a.py", "b/c.py", "z"]), max_size=3),
    claimed=st.booleans(),
)
def test_only_what_is_proven_or_attested_ticks_and_a_claim_never_turns_into_proof(paths, changed, claimed) -> None:
    task = a_task(paths=tuple(paths))
    with_claim = verdict(task, changed, claimed={"T001"} if claimed else ())
    without = verdict(task, changed)
    assert (with_claim is Verdict.PROVEN) == (without is Verdict.PROVEN)
    assert with_claim.ticks == (with_claim in {Verdict.PROVEN, Verdict.ATTESTED})
    if paths:
        assert with_claim is not Verdict.ATTESTED


def test_a_judgement_survives_its_row() -> None:
    found = Judgement("T001", 3, Verdict.ATTESTED, "said so", claimed=True)
    assert Judgement.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_repeated_ids_are_judged_line_by_line() -> None:
    found = judge(
        [a_task(line=1, paths=("a",)), a_task(line=2, paths=("b",))], changed=["a"], tree=["a"], claimed=frozenset()
    )
    assert [item.verdict.ticks for item in found] == [True, False]
    assert [item.key for item in found] == ["1:T001", "2:T001"]
