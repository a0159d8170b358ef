"""What every Vcs adapter promises about reading: mirrors, trees, names, trailers."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from moonmind.adapters.files import locked
from moonmind.errors import VcsError, VcsRefused
from moonmind.ports.check import CheckStatus
from moonmind.ports.forge import Repository
from moonmind.ports.vcs import MergeOutlook
from tests.support.git_repos import commit_to, delete_branch, git, make_bare
from tests.support.vcs_scene import FILES, NAME, RUN, Scene, a_scene, a_vcs


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


def test_the_probe_names_the_git_that_is_used(scene: Scene) -> None:
    (check,) = scene.vcs.check()
    assert check.status is CheckStatus.PASSED
    assert check.facts["git"][0].isdigit()


def test_a_fetch_brings_all_branches_and_drops_those_that_are_gone(scene: Scene) -> None:
    other = commit_to(scene.bare, "topic/one", {"a": "1"}, "Topic", start=scene.start)
    git(scene.bare, "tag", "v1", scene.start)
    scene.vcs.fetch(scene.repository)
    assert dict(scene.vcs.branches(NAME)) == {"main": scene.start, "topic/one": other}
    delete_branch(scene.bare, "topic/one")
    replaced = commit_to(scene.bare, "topic", {"a": "2"}, "In the place of a folder", start=scene.start)
    scene.vcs.fetch(scene.repository)
    assert dict(scene.vcs.branches(NAME)) == {"main": scene.start, "topic": replaced}


def test_the_name_of_a_repository_is_found_in_any_spelling(scene: Scene) -> None:
    assert scene.vcs.branches("Acme/Demo") == {"main": scene.start}


def test_fetches_at_once_all_succeed(scene: Scene, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(a_vcs(fresh).fetch, scene.repository) for _ in range(6)]:
            done.result(60)
    assert a_vcs(fresh).branches(NAME) == {"main": scene.start}


def test_a_fetch_that_was_stopped_holds_up_no_other(scene: Scene) -> None:
    tip = commit_to(scene.bare, "main", {"README.md": "changed\n"}, "Change\n")
    with capture_logs() as logs, locked(scene.mirror.with_suffix(".lock"), 1.0):
        a_vcs(scene.state, lock_seconds=0.1).fetch(scene.repository)
    assert scene.vcs.branches(NAME)["main"] == tip
    assert "mirror.not_locked" in [line["event"] for line in logs]


def test_an_empty_repository_is_fetched_and_has_no_branches(tmp_path: Path) -> None:
    make_bare(tmp_path / "empty.git", {})
    vcs = a_vcs(tmp_path / "state")
    vcs.fetch(Repository("acme/empty", f"file://{tmp_path}/empty.git", "main", empty=True))
    assert vcs.branches("acme/empty") == {}


@pytest.mark.parametrize(
    "url", ["https://example.invalid/acme/demo", "ext::sh -c true", "/tmp/x", "--upload-pack=true", "file://u:p@h/x"]
)
def test_no_other_transport_and_no_credential_in_a_url_is_taken(tmp_path: Path, url: str) -> None:
    with pytest.raises(VcsRefused):
        a_vcs(tmp_path / "state").fetch(Repository(NAME, url, "main"))


def test_what_was_never_fetched_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(VcsRefused, match="no mirror of acme/other") as caught:
        a_vcs(tmp_path / "state").branches("acme/other")
    assert "discovery" in caught.value.advice


def test_a_listing_gives_every_file_with_mode_and_size(scene: Scene) -> None:
    listed = {file.path: (file.mode, file.size) for file in scene.vcs.listing(NAME, scene.start)}
    assert listed == {name: ("100755" if name == "tool.sh" else "100644", len(FILES[name])) for name in FILES}


def test_a_file_is_read_whole_or_not_at_all(scene: Scene) -> None:
    assert scene.vcs.read(NAME, scene.start, "src/app.py") == b"print('hi')\n"
    for missing in ("nowhere", "src", "src/", "", "src/*", "../README.md", ":(top)README.md"):
        assert scene.vcs.read(NAME, scene.start, missing) is None, missing
    with pytest.raises(VcsRefused, match="at most 3"):
        scene.vcs.read(NAME, scene.start, "README.md", limit=3)


def test_names_that_people_do_not_expect_are_listed_and_read(scene: Scene) -> None:
    names = ["two\nlines", "a b", "tab\there", "größe/日本.md", '"quoted"', ":colon", "-dash", "caf\udce9"]
    commit = commit_to(scene.bare, "main", dict.fromkeys(names, "odd\n"), "Odd names")
    scene.vcs.fetch(scene.repository)
    assert {file.path for file in scene.vcs.listing(NAME, commit)} == set(names) | FILES.keys()
    assert [scene.vcs.read(NAME, commit, name) for name in names] == [b"odd\n"] * len(names)
    assert [change.path for change in scene.vcs.changes(NAME, scene.start, commit)] == sorted(
        names, key=lambda name: name.encode("utf-8", "surrogateescape")
    )


@pytest.mark.parametrize(
    "content", [b"", b"x", b"\n", b"0" * 40 + b" blob 3\nabc\n", b"missing\n\0\r\n", bytes(range(256)) * 300]
)
def test_contents_are_read_in_one_go_whatever_they_hold(scene: Scene, content: bytes) -> None:
    files = {"specs/a\rb/tasks.md": content, "größe\n.md": b"x\n" + content, "same.md": content}
    commit = commit_to(scene.bare, "main", files, "Odd contents")
    scene.vcs.fetch(scene.repository)
    listed = {file.path: file.object_id for file in scene.vcs.listing(NAME, commit)}
    found = scene.vcs.blobs(NAME, tuple(dict.fromkeys(listed[path] for path in files)))
    assert {path: found[listed[path]] for path in files} == files
    assert scene.vcs.blobs(NAME, ()) == {}


def test_contents_that_are_none_or_not_there_are_refused(scene: Scene) -> None:
    tree = git(scene.bare, "rev-parse", f"{scene.start}^{{tree}}").decode().strip()
    for name in ("0" * 40, scene.start, tree, "HEAD", "--help", ""):
        with pytest.raises(VcsRefused):
            scene.vcs.blobs(NAME, (name,))


def test_what_holds_a_path_is_found_without_a_listing(scene: Scene) -> None:
    odd = {"specs/a\rb/tasks.md": "x", "specs/größe/tasks.md": "x", "specs/link/tasks.md": "../a"}
    other = commit_to(scene.bare, "other", odd, "Odd", start=scene.start, modes={"specs/link/tasks.md": "120000"})
    scene.vcs.fetch(scene.repository)
    asked = [(commit, path) for commit in (scene.start, other) for path in (*odd, "src", "src/app.py", "nowhere", "")]
    found = scene.vcs.holding(NAME, [*asked, (other, "specs/../README.md"), (other, "a\nb")])
    assert found == {*((other, path) for path in odd), (scene.start, "src/app.py"), (other, "src/app.py")}
    assert scene.vcs.holding(NAME, ()) == frozenset()


@pytest.mark.parametrize("commit", ["0" * 40, "main", "--help", "HEAD", ""])
def test_what_is_no_commit_is_refused(scene: Scene, commit: str) -> None:
    with pytest.raises(VcsRefused):
        scene.vcs.listing(NAME, commit)


def test_ancestry_counts_a_commit_as_its_own_ancestor(scene: Scene) -> None:
    later = commit_to(scene.bare, "main", {"b": "1"}, "Later")
    scene.vcs.fetch(scene.repository)
    assert scene.vcs.is_ancestor(NAME, scene.start, later)
    assert scene.vcs.is_ancestor(NAME, scene.start, scene.start)
    assert not scene.vcs.is_ancestor(NAME, later, scene.start)


def test_trailers_are_read_with_lower_case_keys(scene: Scene) -> None:
    message = f"Do it\n\nWhy: because\n\nRun-Id: {RUN}\nPhase: 2\n"
    commit = commit_to(scene.bare, "main", {"b": "1"}, message)
    plain = commit_to(scene.bare, "main", {"b": "2"}, "Do it again")
    scene.vcs.fetch(scene.repository)
    found = scene.vcs.history(NAME, plain, scene.start, files="b", limit=9)
    assert [(one.id, one.trailers) for one in found] == [(plain, {}), (commit, {"run-id": str(RUN), "phase": "2"})]


def test_a_history_is_what_the_base_lacks_with_the_files_that_were_asked_about(scene: Scene) -> None:
    message = f"Tick it\n\nRun-Id: {RUN}\nFeature: specs/x\n"
    files = {"specs/x/tasks.md": "a", "größe\n/tasks.md": "b", "tasks.md": "c", "specs/x/my-tasks.md": "d", "e": "e"}
    first = commit_to(scene.bare, "topic", files, message, start=scene.start)
    second = commit_to(scene.bare, "topic", {"x": "y"}, "Two\nlines\n\nand more")
    later = commit_to(scene.bare, "main", {"b": "1", "specs/y/tasks.md": "z"}, "Later")
    tree = git(scene.bare, "rev-parse", f"{second}^{{tree}}").decode().strip()
    merge = git(scene.bare, "commit-tree", tree, "-p", second, "-p", later, "-m", "").decode().strip()
    git(scene.bare, "update-ref", "refs/heads/topic", merge)
    scene.vcs.fetch(scene.repository)
    found = scene.vcs.history(NAME, merge, later, files="tasks.md", limit=9)
    assert [commit.id for commit in found] == [merge, second, first]
    assert found[0].parents == (second, later)
    assert [commit.subject for commit in found] == ["", "Two lines", "Tick it"]
    assert {(commit.author, commit.committer) for commit in found} == {("A Person", "A Person")}
    assert found[2].trailers == {"run-id": str(RUN), "feature": "specs/x"}
    assert set(found[2].touched) == {"specs/x/tasks.md", "größe\n/tasks.md", "tasks.md"}
    assert found[0].touched == found[1].touched == ()
    assert scene.vcs.history(NAME, merge, later, files="tasks.md", limit=1) == found[:1]
    assert scene.vcs.history(NAME, later, merge, files="tasks.md", limit=9) == ()


@pytest.mark.parametrize(
    ("ours", "theirs", "conflicts"),
    [
        ({"new.py": "1\n"}, {"other.py": "2\n"}, ()),
        ({"README.md": "ours\n"}, {"README.md": "theirs\n"}, ("README.md",)),
        ({"src/app.py": None}, {"src/app.py": "print('ho')\n"}, ("src/app.py",)),
        ({"größe\n": "1\n"}, {"größe\n": "2\n"}, ("größe\n",)),
        ({"a": "1\n", ".gitattributes": "* merge=ours\n"}, {"a": "2\n"}, ("a",)),
    ],
)
def test_a_merge_is_tried_without_being_made(
    scene: Scene, ours: dict[str, str | None], theirs: dict[str, str | None], conflicts: tuple[str, ...]
) -> None:
    commit = commit_to(scene.bare, "topic", ours, "Ours", start=scene.start)
    commit_to(scene.bare, "main", theirs, "Theirs")
    base = commit_to(scene.bare, "main", {"more": "1\n"}, "More")
    scene.vcs.fetch(scene.repository)
    objects = git(scene.mirror, "count-objects", "-v")
    assert scene.vcs.merge_outlook(NAME, commit, base) == MergeOutlook(2, conflicts)
    assert scene.vcs.merge_outlook(NAME, base, scene.start) == MergeOutlook(0, ())
    assert git(scene.mirror, "count-objects", "-v") == objects
    assert list((scene.state / "scratch").iterdir()) == []


def test_lines_that_are_far_apart_merge_cleanly(scene: Scene) -> None:
    lines = [f"{number}\n" for number in range(40)]
    commit_to(scene.bare, "main", {"long": "".join(lines)}, "Long")
    start = commit_to(scene.bare, "main", {"x": "1"}, "Start")
    commit = commit_to(scene.bare, "topic", {"long": "".join(["first\n", *lines[1:]])}, "Ours", start=start)
    base = commit_to(scene.bare, "main", {"long": "".join([*lines[:-1], "last\n"])}, "Theirs")
    scene.vcs.fetch(scene.repository)
    assert scene.vcs.merge_outlook(NAME, commit, base) == MergeOutlook(1, ())


def test_what_has_no_common_history_cannot_be_told(scene: Scene) -> None:
    stranger = commit_to(scene.bare, "stranger", {"a": "1"}, "Another beginning")
    scene.vcs.fetch(scene.repository)
    assert scene.vcs.merge_outlook(NAME, stranger, scene.start) == MergeOutlook(1, None)
    with pytest.raises(VcsRefused):
        scene.vcs.merge_outlook(NAME, "0" * 40, scene.start)


def test_a_forge_that_was_away_is_fetched_when_it_is_back(scene: Scene) -> None:
    scene.bare.rename(scene.bare.with_suffix(".away"))
    with pytest.raises(VcsError):
        scene.vcs.fetch(scene.repository)
    scene.bare.with_suffix(".away").rename(scene.bare)
    scene.vcs.fetch(scene.repository)
    assert scene.vcs.branches(NAME) == {"main": scene.start}
