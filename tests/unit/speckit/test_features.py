import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.errors import FeatureMissing, FeatureUnclear, SpecUnreadable
from moonmind.speckit.features import (
    Feature,
    choose_feature,
    find_features,
    matches,
    normalise_key,
)
from moonmind.speckit.tasks_md import TasksFile, read_tasks

OPEN = read_tasks(b"- [ ] T001 a\n- [x] T002 b\n")
DONE = read_tasks(b"- [x] T001 a\n- [x] T002 b\n")


def features(*folders: str) -> tuple[Feature, ...]:
    return find_features([f"{folder}/tasks.md" for folder in folders])


def files(**marks: TasksFile) -> dict[str, TasksFile]:
    return {f"specs/{name.removeprefix('f').replace('_', '-')}": file for name, file in marks.items()}


# --- finding ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("specs/042-x/tasks.md", "042-x"),
        ("specs/main/tasks.md", "main"),
        ("specs/feature/x/tasks.md", "feature/x"),
        ("specs/spec-42-refresh-docs/tasks.md", "spec-42-refresh-docs"),
        (".specify/specs/001-x/tasks.md", "001-x"),
        ("webapp/specs/001-x/tasks.md", "001-x"),
        ("3-1-t/specs/003-y/tasks.md", "003-y"),
        ("specs/20261122-101500-x/tasks.md", "20261122-101500-x"),
        ("specs/ada/shop/007-x/tasks.md", "ada/shop/007-x"),
        ("tests/specs/001-x/tasks.md", "001-x"),
    ],
)
def test_every_layout_of_spec_kit_is_found(path: str, key: str) -> None:
    (feature,) = find_features([path, "README.md", "specs/042-x/plan.txt"])
    assert (feature.key, feature.path, feature.tasks_path) == (key, path.removesuffix("/tasks.md"), path)


@pytest.mark.parametrize(
    "path",
    [
        "docs/archive/specs/001-x/tasks.md",
        "specs/archive/001-x/tasks.md",
        "tests/fixtures/specs/001-test/tasks.md",
        "templates/specs/001-x/tasks.md",
        ".specify/templates/tasks-template.md",
        "examples/specs/001-x/tasks.md",
        ".kiro/specs/001-x/tasks.md",
        "openspec/specs/001-x/tasks.md",
        "Archive/specs/001-x/tasks.md",
        "specs/tasks.md",
        "docs/tasks.md",
        "tasks.md",
        "specs/001-x/TASKS.md",
        "specs/001-x/my-tasks.md",
    ],
)
def test_samples_copies_and_other_tools_are_left_out(path: str) -> None:
    assert find_features([path]) == ()


def test_documents_that_exist_are_named() -> None:
    (feature,) = find_features(["specs/001-x/tasks.md", "specs/001-x/spec.md"])
    assert (feature.spec_path, feature.plan_path) == ("specs/001-x/spec.md", None)


def test_a_tasks_file_below_a_feature_is_not_another_feature() -> None:
    assert [one.path for one in features("specs/001-x", "specs/001-x/contracts/api")] == ["specs/001-x"]


def test_features_stand_in_the_order_of_their_numbers_and_unnumbered_ones_last() -> None:
    found = features("specs/main", "specs/100-c", "specs/20261122-101500-d", "specs/020-b", "specs/9-a")
    assert [one.key for one in found] == ["9-a", "020-b", "100-c", "20261122-101500-d", "main"]


# --- naming ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written", ["042-x", " 042-x ", "specs/042-x", "specs/042-x/", "./specs/042-x/tasks.md", "/specs/042-x"]
)
def test_the_ways_to_write_a_key_are_one(written: str) -> None:
    assert normalise_key(written) == "042-x"


@given(st.text(alphabet="specs/ .042-xtakmd"))
def test_a_normalised_key_stays_as_it_is(written: str) -> None:
    once = normalise_key(written)
    assert normalise_key(once) == once


@pytest.mark.parametrize("asked", ["042", "42", "042-x", "specs/042-x", "specs/042-x/"])
def test_number_key_and_path_mean_the_same_feature(asked: str) -> None:
    assert matches(features("specs/042-x")[0], asked)


@pytest.mark.parametrize("asked", ["", "specs/", "04", "0421", "042-", "42-x", "x", "9" * 5000])
def test_anything_else_does_not(asked: str) -> None:
    assert not matches(features("specs/042-x")[0], asked)


def test_a_feature_without_leading_number_is_found_by_its_exact_name() -> None:
    (feature,) = features("specs/spec-42-refresh-docs")
    assert matches(feature, "spec-42-refresh-docs")
    assert matches(feature, "specs/spec-42-refresh-docs")
    assert not matches(feature, "42")


def test_a_time_stamp_names_its_feature() -> None:
    assert matches(features("specs/20261122-101500-x")[0], "20261122-101500")


# --- choosing --------------------------------------------------------------------------------------------------------


def test_the_request_comes_first_even_when_the_feature_is_complete() -> None:
    choice = choose_feature(
        features("specs/001-a", "specs/002-b"),
        files(f001_a=OPEN, f002_b=DONE),
        requested="002",
        feature_json='{"feature_directory":"specs/001-a"}',
        branch="001-a",
    )
    assert choice.feature
    assert choice.feature.key == "002-b"
    assert "requested" in choice.reason


def test_feature_json_comes_before_the_branch_and_the_number() -> None:
    known = features("specs/001-a", "specs/002-b", "specs/003-c")
    marks = files(f001_a=OPEN, f002_b=OPEN, f003_c=OPEN)
    pointer = '{"feature_directory":"specs/003-c"}'
    choice = choose_feature(known, marks, feature_json=pointer, branch="002-b")
    assert choice.feature
    assert choice.feature.key == "003-c"
    assert ".specify/feature.json" in choice.reason


@pytest.mark.parametrize(
    "pointer",
    ["", "{", "[]", "null", "7", '{"feature_directory": 7}', '{"feature_directory":"specs/009-z"}', "[" * 100_000],
)
def test_a_pointer_that_points_nowhere_is_passed_over(pointer: str) -> None:
    choice = choose_feature(features("specs/001-a"), files(f001_a=OPEN), feature_json=pointer)
    assert choice.feature
    assert choice.feature.key == "001-a"


def test_a_pointer_to_a_complete_feature_is_passed_over() -> None:
    choice = choose_feature(
        features("specs/001-a", "specs/002-b"),
        files(f001_a=DONE, f002_b=OPEN),
        feature_json='{"feature_directory":"specs/001-a"}',
    )
    assert choice.feature
    assert choice.feature.key == "002-b"


@pytest.mark.parametrize("branch", ["002-b", "refs/heads/002-b", "ada/shop/002-b", "002-another-slug"])
def test_the_branch_comes_before_the_lowest_number(branch: str) -> None:
    choice = choose_feature(features("specs/001-a", "specs/002-b"), files(f001_a=OPEN, f002_b=OPEN), branch=branch)
    assert choice.feature
    assert choice.feature.key == "002-b"
    assert branch in choice.reason


@pytest.mark.parametrize("branch", ["main", "002", "bot/phase-3", "2-b", ""])
def test_a_branch_that_names_no_feature_does_not_count(branch: str) -> None:
    known = features("specs/001-a", "specs/0021-b")
    choice = choose_feature(known, files(f001_a=OPEN, f0021_b=OPEN), branch=branch)
    assert choice.feature
    assert choice.feature.key == "001-a"


def test_the_lowest_number_with_open_tasks_is_taken_and_said() -> None:
    known = features("specs/001-a", "specs/002-b", "specs/003-c")
    choice = choose_feature(known, files(f001_a=DONE, f002_b=OPEN, f003_c=OPEN))
    assert choice.feature
    assert choice.feature.key == "002-b"
    assert choice.reason == "specs/002-b has the lowest number of the 2 features with open tasks"


def test_when_all_is_done_nothing_is_chosen_and_the_reason_says_so() -> None:
    choice = choose_feature(features("specs/001-a", "specs/002-b"), files(f001_a=DONE, f002_b=DONE))
    assert choice.feature is None
    assert choice.reason == "every task of specs/001-a, specs/002-b is done (4 tasks)"


def test_a_request_for_an_unknown_feature_lists_those_there_are() -> None:
    with pytest.raises(FeatureMissing, match=r"'099'.*specs/001-a, specs/002-b") as caught:
        choose_feature(features("specs/001-a", "specs/002-b"), {}, requested="099")
    assert caught.value.details["features"] == ["specs/001-a", "specs/002-b"]


def test_a_repository_without_features_is_said_to_have_none() -> None:
    with pytest.raises(FeatureMissing, match="has no feature"):
        choose_feature((), {})


def test_two_features_that_fit_alike_are_listed_and_none_is_taken() -> None:
    with pytest.raises(FeatureUnclear, match=r"specs/001-a, specs/001-b"):
        choose_feature(features("specs/001-a", "specs/001-b"), files(f001_a=OPEN, f001_b=OPEN))
    with pytest.raises(FeatureUnclear, match=r"'001' matches 2 features equally: specs/001-a, specs/001-b"):
        choose_feature(features("specs/001-a", "specs/001-b"), {}, requested="001")
    with pytest.raises(FeatureUnclear, match=r"alpha/specs/001-a, beta/specs/001-a"):
        choose_feature(features("alpha/specs/001-a", "beta/specs/001-a"), {}, requested="001-a")


def test_the_exact_name_wins_over_the_number_and_the_root_over_a_sub_project() -> None:
    known = features("specs/001-a", "web/specs/001-a", "specs/001-b")
    assert choose_feature(known, {}, requested="001-b").feature == find_features(["specs/001-b/tasks.md"])[0]
    choice = choose_feature(known, {}, requested="001-a")
    assert choice.feature
    assert choice.feature.path == "specs/001-a"
    choice = choose_feature(known, {}, requested="web/specs/001-a")
    assert choice.feature
    assert choice.feature.path == "web/specs/001-a"


def test_an_unreadable_file_is_raised_only_when_its_feature_is_chosen() -> None:
    known = features("specs/001-a", "specs/002-b")
    broken = {"specs/002-b": SpecUnreadable("line 3 is a merge conflict marker")}
    choice = choose_feature(known, files(f001_a=OPEN), unreadable=broken)
    assert choice.feature
    assert choice.feature.key == "001-a"
    with pytest.raises(SpecUnreadable, match="line 3"):
        choose_feature(known, files(f001_a=OPEN), requested="002", unreadable=broken)
    with pytest.raises(SpecUnreadable, match="line 3"):
        choose_feature(known, files(f001_a=DONE), unreadable=broken)


# --- the rules of Spec Kit below 0.10: the branch's prefix finds the folder ------------------------------------------

OLD = ("specs/002-cart", "specs/003-pay", "specs/1000-large", "specs/20260101-120000-audit")


@pytest.mark.parametrize(
    ("branch", "path"),
    [
        ("003-pay", "specs/003-pay"),
        ("003-another-slug", "specs/003-pay"),
        ("1000-x", "specs/1000-large"),
        ("20260101-120000-another-slug", "specs/20260101-120000-audit"),
        ("refs/heads/003-pay", "specs/003-pay"),
        ("ada/shop/003-pay", "specs/003-pay"),
        # None of these has the form that names a feature: the lowest number decides.
        ("12-pay", "specs/002-cart"),
        ("3-pay", "specs/002-cart"),
        ("bot/phase-3", "specs/002-cart"),
        ("20260101-pay", "specs/002-cart"),
        ("main", "specs/002-cart"),
        ("004-new", "specs/002-cart"),
    ],
)
def test_a_branch_finds_its_feature_by_the_prefix_as_old_scripts_do(branch: str, path: str) -> None:
    known = features(*OLD)
    choice = choose_feature(known, dict.fromkeys(OLD, OPEN), branch=branch)
    assert choice.feature is not None
    assert choice.feature.path == path


def test_a_prefix_that_two_folders_have_is_a_question() -> None:
    known = features("specs/003-pay", "specs/003-pray", "specs/002-cart")
    with pytest.raises(FeatureUnclear, match=r"003-pay.*003-pray"):
        choose_feature(known, {}, branch="003-other")
    choice = choose_feature(known, {}, branch="003-pray")
    assert choice.feature is not None
    assert choice.feature.path == "specs/003-pray"
