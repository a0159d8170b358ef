"""Features in different places have branches of their own, and work in flight stays on the branch it is on."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from moonmind.ports.vcs import Commit
from moonmind.runs import naming
from moonmind.runs.chain import Stage
from moonmind.speckit.features import find_features
from moonmind.stages.discover.branches import slugs
from moonmind.stages.discover.candidates import Candidates, Start
from moonmind.stages.discover.feature_branches import worked_on
from moonmind.stages.discover.snapshot import Snapshot
from tests.support.git_repos import commit_to, merge
from tests.support.stage_world import World

RUN = "11111111-2222-4333-8444-555555555555"
ROOT, BACK, FRONT = "specs/001-a", "backend/specs/001-a", "frontend/specs/001-a"
PLAIN = "moonmind/001-a"


def tasks(box: str = " ") -> str:
    return f"# Tasks: X\n\n## Phase 1: Things\n\n- [{box}] T001 Write a.py\n- [ ] T002 Write b.py\n"


def a_world(folder: Path, *paths: str) -> World:
    return World(folder, files={f"{path}/tasks.md": tasks() for path in paths})


def add(world: World, *paths: str) -> None:
    commit_to(world.bare, "main", {f"{path}/tasks.md": tasks() for path in paths}, "Add features")


def remove(world: World, *paths: str) -> None:
    commit_to(world.bare, "main", {f"{path}/tasks.md": None for path in paths}, "Remove features")


def works(world: World, branch: str, path: str, *, message: str | None = None, ticks: bool = True) -> str:
    """Put a commit on a branch as a run of the feature makes it, and give its id."""
    words = message or f"001-a: Phase 1\n\nFeature: {path}\nRun-Id: {RUN}\n"
    files = {"a.py": f"# {branch}\n"} | ({f"{path}/tasks.md": tasks("x")} if ticks else {})
    return commit_to(world.bare, branch, files, words, start=world.tip("main"))


def start_of(world: World, path: str) -> Start:
    world.requested = path
    repository = world.forge.repository("acme/demo")
    world.vcs.fetch(repository)
    snapshot = Snapshot(repository, world.vcs.branches(repository.full_name), world.vcs)
    candidates = Candidates(world.context(Stage.DISCOVER), snapshot)
    choice, base = candidates.choose()
    assert choice.feature
    assert choice.feature.path == path
    return candidates.start_of(choice.feature, base)


def by_path(path: str, number: int = 1) -> str:
    return naming.branch(naming.path_slug(path), number)


def test_a_key_of_its_own_keeps_its_branch_wherever_the_folder_stands(tmp_path: Path) -> None:
    world = a_world(tmp_path, ROOT, "backend/specs/002-b", ".specify/specs/003-c")
    assert start_of(world, ROOT).branch == PLAIN
    assert start_of(world, "backend/specs/002-b").branch == "moonmind/002-b"
    assert start_of(world, ".specify/specs/003-c").branch == "moonmind/003-c"
    assert start_of(world, "backend/specs/002-b").called == "002-b"


def test_features_of_one_key_have_a_branch_and_a_name_each(tmp_path: Path) -> None:
    world = a_world(tmp_path, ROOT, BACK, FRONT)
    starts = [start_of(world, path) for path in (ROOT, BACK, FRONT)]
    assert [start.branch for start in starts] == [by_path(path) for path in (ROOT, BACK, FRONT)]
    assert [start.called for start in starts] == [ROOT, BACK, FRONT]
    assert by_path(BACK).startswith("moonmind/backend-001-a-")


@pytest.mark.parametrize("ticks", [True, False])
@pytest.mark.parametrize("number", ["", "-2"])
def test_work_in_flight_stays_on_its_branch_when_a_feature_of_its_key_appears(
    tmp_path: Path, number: str, ticks: bool
) -> None:
    world = a_world(tmp_path, ROOT)
    tip = works(world, f"{PLAIN}{number}", ROOT, ticks=ticks)
    assert start_of(world, ROOT).branch_tip == tip
    add(world, BACK)
    root, back = start_of(world, ROOT), start_of(world, BACK)
    assert (root.branch, root.branch_tip) == (f"{PLAIN}{number}", tip)
    assert (back.branch, back.branch_tip) == (by_path(BACK), None)


@pytest.mark.parametrize("path", [ROOT, BACK, FRONT])
def test_work_in_flight_stays_on_its_branch_when_its_key_becomes_its_own(tmp_path: Path, path: str) -> None:
    world = a_world(tmp_path, ROOT, BACK, FRONT)
    tip = works(world, by_path(path), path)
    remove(world, *({ROOT, BACK, FRONT} - {path}))
    start = start_of(world, path)
    assert (start.branch, start.branch_tip, start.called) == (by_path(path), tip, "001-a")
    merge(world.bare, by_path(path), "main")  # which brings the others back
    remove(world, *({ROOT, BACK, FRONT} - {path}))
    assert start_of(world, path).branch == PLAIN


@pytest.mark.parametrize("left", [ROOT, FRONT])
def test_a_branch_of_a_feature_that_is_gone_is_not_taken_over(tmp_path: Path, left: str) -> None:
    world = a_world(tmp_path, BACK)
    works(world, PLAIN, BACK)
    remove(world, BACK)
    add(world, left)
    start = start_of(world, left)
    assert (start.branch, start.branch_tip) == (f"{PLAIN}-2", None)
    assert "another feature's" in start.reason


def test_a_branch_of_both_from_the_time_when_they_were_one_is_both_features(tmp_path: Path) -> None:
    world = a_world(tmp_path, ROOT, BACK)
    works(world, PLAIN, ROOT)
    tip = works(world, PLAIN, BACK)
    assert start_of(world, ROOT).branch_tip == start_of(world, BACK).branch_tip == tip


def test_a_branch_that_says_nothing_is_that_of_its_name(tmp_path: Path) -> None:
    world = a_world(tmp_path, ROOT)
    tip = works(world, PLAIN, ROOT, message="By hand", ticks=False)
    assert start_of(world, ROOT).branch_tip == tip
    add(world, BACK)
    assert start_of(world, ROOT).branch == by_path(ROOT)
    tip = works(world, by_path(BACK), BACK, message="By hand", ticks=False)
    assert start_of(world, BACK).branch_tip == tip


def test_a_name_that_is_now_another_features_first_still_goes_on(tmp_path: Path) -> None:
    world = a_world(tmp_path, ROOT)
    tip = works(world, f"{PLAIN}-2", ROOT)
    add(world, "specs/001-a-2")
    root, other = start_of(world, ROOT), start_of(world, "specs/001-a-2")
    assert (root.branch, root.branch_tip) == (f"{PLAIN}-2", tip)
    assert (other.branch, other.branch_tip) == (f"{PLAIN}-2-2", None)


def test_names_differ_from_those_of_a_feature_on_the_default_branch(tmp_path: Path) -> None:
    world = a_world(tmp_path, ROOT)
    files = {f"{ROOT}/tasks.md": None, "specs/002-b/tasks.md": tasks(), f"{BACK}/tasks.md": tasks()}
    commit_to(world.bare, "002-b", files, "Elsewhere", start=world.tip("main"))
    assert start_of(world, ROOT).branch == PLAIN
    repository = world.forge.repository("acme/demo")
    snapshot = Snapshot(repository, world.vcs.branches(repository.full_name), world.vcs)
    candidates = Candidates(world.context(Stage.DISCOVER), snapshot)
    (back,) = [feature for feature in snapshot.features("002-b") if feature.path == BACK]
    assert candidates.start_of(back, "002-b").branch == by_path(BACK)


@pytest.mark.parametrize(
    "paths",
    [
        (ROOT, BACK, "specs/001-a-2", "specs/backend-001-a"),
        ("specs/001-A", "specs/001-a", "web/specs/001-A"),
        ("specs/caf\u00e9", "specs/cafe\u0301", "web/specs/caf\u00e9", "web/specs/cafe\u0301"),
        ("a/specs/x", "b/specs/x", f"specs/{naming.path_slug('a/specs/x')}"),
        ("a/specs/a_b", "b/specs/a_b", "specs/a-b", "specs/a b"),
        ("specs/\u5b57", "a/specs/\u5b57", "specs/\u3042", "a/specs/\u3042"),
    ],
)
def test_no_two_features_have_one_name_even_where_case_does_not_count(paths: Sequence[str]) -> None:
    found = slugs(find_features(f"{path}/tasks.md" for path in paths))
    assert found.keys() == set(paths)
    assert len({slug.casefold() for slug in found.values()}) == len(paths)


def test_paths_whose_short_digests_are_alike_get_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = naming._digest
    monkeypatch.setattr(naming, "_digest", lambda text: "0" * 8 + digest(text)[8:])
    found = slugs(find_features(["a/b/specs/x/tasks.md", "a-b/specs/x/tasks.md", "c/specs/x/tasks.md"]))
    assert len(set(found.values())) == 3
    assert found["c/specs/x"] == "c-x-00000000"
    assert naming.is_named_by_path(naming.branch(found["a/b/specs/x"], 2), "a/b/specs/x")


def a_commit(number: int, *touched: str, **trailers: str) -> Commit:
    said = {name.replace("_", "-"): value for name, value in trailers.items()}
    return Commit(f"{number}", (f"{number - 1}",), "A", "A", "s", said, tuple(f"{path}/tasks.md" for path in touched))


@pytest.mark.parametrize(
    ("history", "owners"),
    [
        ((), set()),
        ((a_commit(2), a_commit(1)), set()),
        ((a_commit(1, BACK, run_id=RUN),), {BACK}),
        ((a_commit(1, run_id=RUN, feature=BACK),), {BACK}),
        ((a_commit(1, BACK, run_id=RUN, feature=ROOT),), {ROOT}),
        ((a_commit(2, FRONT), a_commit(1, BACK, run_id=RUN)), {BACK}),
        ((a_commit(2, FRONT, run_id="nobody"), a_commit(1, BACK, run_id=RUN)), {BACK}),
        ((a_commit(1, FRONT),), {FRONT}),
        ((a_commit(1, run_id=RUN, feature="gone/specs/001-a"),), {"gone/specs/001-a"}),
        # What a merge brought, `9`, is not on the way along the first parents.
        ((a_commit(2, BACK, run_id=RUN), a_commit(9, FRONT, run_id=RUN), a_commit(1)), {BACK}),
    ],
)
def test_a_branch_works_on_what_its_own_commits_say(history: Sequence[Commit], owners: set[str]) -> None:
    features = find_features(f"{path}/tasks.md" for path in (ROOT, BACK, FRONT))
    assert worked_on(history, features) == owners
