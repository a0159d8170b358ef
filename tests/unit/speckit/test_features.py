import pytest
from hypothesis import given
from hypothesis import strategies as st

from moonmind.speckit.features import Feature, find_features, matches, normalise_key, without_tasks


def features(*folders: str) -> tuple[Feature, ...]:
    return find_features([f"{folder}/tasks.md" for folder in folders])


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
    "written",
    ["042-x", " 042-x ", "specs/042-x", "specs/042-x/", "./specs/042-x/tasks.md", "/specs/042-x", "specs\\042-x"],
)
def test_the_ways_to_write_a_key_are_one(written: str) -> None:
    assert normalise_key(written) == "042-x"


@given(st.text(alphabet="specs/ .042-xtakmd"))
def test_a_normalised_key_stays_as_it_is(written: str) -> None:
    once = normalise_key(written)
    assert normalise_key(once) == once


@pytest.mark.parametrize("asked", ["042", "42", "042-x", "specs/042-x", "specs/042-x/", "042-X", "Specs\\042-x"])
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


@pytest.mark.parametrize(
    "path",
    [
        ".claude/specs/001-x/tasks.md",
        ".github/specs/001-x/tasks.md",
        ".cursor/work/specs/001-x/tasks.md",
        "apps/web/.codex/specs/001-x/tasks.md",
        "node_modules/pkg/specs/001-x/tasks.md",
        "specs/_archive/001-x/tasks.md",
        "specs/archive-2025/001-x/tasks.md",
        "specs/_template/tasks.md",
        "specs/000-template/tasks.md",
        "tests/__fixtures__/specs/001-x/tasks.md",
        "specs/done/001-x/tasks.md",
        "specs/_done/001-x/tasks.md",
        "specs/01-done/001-x/tasks.md",
        "specs/99-archive/001-x/tasks.md",
        "specs/superseded/001-x/tasks.md",
        "test-fixtures/specs/001-x/tasks.md",
        "worktrees/x/specs/002-y/tasks.md",
        "specs/completed/2025/001-x/tasks.md",
        "backend/specs/Deprecated/001-x/tasks.md",
    ],
)
def test_copies_of_tools_and_packages_and_what_is_over_are_left_out(path: str) -> None:
    assert find_features([path, "specs/002-y/tasks.md"]) == features("specs/002-y")


@pytest.mark.parametrize("folder", ["specs/003-archive", "specs/done", "specs/004-old-data"])
def test_a_feature_may_have_such_a_name(folder: str) -> None:
    assert set(find_features([f"{folder}/tasks.md", "specs/002-y/tasks.md"])) == set(features(folder, "specs/002-y"))


@pytest.mark.parametrize(
    "folder",
    [
        "demo/specs/001-x",
        "apps/Demos/specs/x",
        "examples/todo/specs/001-x",
        "tests/data/specs/001-x",
        "old/specs/001-x",
        "specs/demo",
        "specs/000-demo",
        "specs/000-example-feature",
        "specs/example",
        "specs/samples/001-x",
        "specs/completed/001-x",
    ],
)
def test_a_demo_is_no_work_beside_numbered_features(folder: str) -> None:
    paths = [f"{folder}/tasks.md", f"{folder}/spec.md"]
    assert find_features([*paths, "specs/002-y/tasks.md"]) == features("specs/002-y")
    assert [one.path for one in find_features(paths)] == [folder]


@pytest.mark.parametrize(
    "folders",
    [
        ("specs/demo", "specs/search"),
        ("specs/demo-mode", "specs/001-a"),
        ("specs/live-demo", "specs/001-a"),
        ("specs/example-feature", "specs/001-a"),
        ("specs/20250101-demo", "specs/001-a"),
        ("specs/001-a", "specs/002-demo-mode"),
        ("specs/001-", "specs/002-b"),
        ("specs/12345678901234567890", "specs/002-b"),
    ],
)
def test_a_feature_about_a_demo_is_work(folders: tuple[str, ...]) -> None:
    assert len(features(*folders)) == 2


@pytest.mark.parametrize("file", ["package.json", ".specify/memory/constitution.md"])
def test_a_project_may_be_called_test(file: str) -> None:
    found = find_features(["packages/test/specs/001-x/tasks.md", "specs/002-y/tasks.md", f"packages/test/{file}"])
    assert len(found) == 2


def test_features_that_are_over_are_better_than_none() -> None:
    assert len(features("specs/completed/001-x", "specs/done/002-x")) == 2


@pytest.mark.timeout(5)
@pytest.mark.parametrize("part", ["done" + "-" * 200_000 + "x", "-" * 200_000 + "x", "0" * 200_000 + "a"])
def test_a_name_of_any_length_is_read_at_once(part: str) -> None:
    assert len(features(f"specs/{part}/001-x", f"{part}/specs/002-x")) == 2


@pytest.mark.parametrize(
    ("paths", "root"),
    [
        (["specs/001-x/tasks.md", "package.json"], ""),
        ([".specify/specs/001-x/tasks.md"], ""),
        (["docs/specs/001-x/tasks.md", "package.json"], ""),
        (["backend/specs/001-x/tasks.md", "backend/.specify/memory/constitution.md"], "backend"),
        (["backend/.specify/specs/001-x/tasks.md"], "backend"),
        (["apps/web/specs/001-x/tasks.md", "apps/web/package.json"], "apps/web"),
        (["apps/web/docs/specs/001-x/tasks.md", "apps/web/pubspec.yaml"], "apps/web"),
        (["apps/web/design/specs/001-x/tasks.md", "apps/Cargo.toml"], "apps"),
        (["backend/specs/001-x/tasks.md"], "backend"),
        # The repository's own build file counts.
        (["package.json", "planning/specs/001-x/tasks.md", "src/a.ts"], ""),
        (["go.mod", "team/planning/specs/001-x/tasks.md"], ""),
        ([".specify/memory/constitution.md", "planning/specs/001-x/tasks.md"], ""),
        (["pyproject.toml", "backend/specs/001-x/tasks.md", "backend/Cargo.toml"], "backend"),
        # A folder for documentation may be a project.
        (["apps/docs/package.json", "apps/docs/specs/001-x/tasks.md"], "apps/docs"),
        (["docs/pyproject.toml", "docs/specs/001-x/tasks.md", "package.json"], "docs"),
        (["apps/design/.specify/memory/a.md", "apps/design/specs/001-x/tasks.md"], "apps/design"),
    ],
)
def test_the_project_around_a_feature_is_a_fact_of_the_tree(paths: list[str], root: str) -> None:
    assert find_features(paths)[0].root == root


def test_folders_with_a_spec_and_no_tasks_are_listed() -> None:
    paths = ["specs/001-a/tasks.md", "specs/001-a/spec.md", "specs/002-b/spec.md", ".claude/specs/003-c/spec.md"]
    assert without_tasks(paths, find_features(paths)) == ("specs/002-b",)
