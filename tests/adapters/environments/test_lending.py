"""Environments lent to real jobs: what one borrower does to them is seen by no other, and not in the store."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.environments.lending import lend
from moonmind.adapters.sandboxes.bubblewrap import Bubblewrap
from moonmind.adapters.sandboxes.docker import Docker
from moonmind.adapters.trees import remove_tree
from moonmind.errors import AgentUnknown
from moonmind.ports.sandbox import Sandbox, SandboxKind
from moonmind.proof.environments.environment_value import Environment
from tests.support.borrowers import FOLDERS, Borrower
from tests.support.built_environments import MADE, build_of, built, state_of, write
from tests.support.docker_engine import DockerEngine
from tests.support.docker_jobs import sandbox_of
from tests.support.plain_wall import require_walls
from tests.support.trees import deepen
from tests.support.vcs_scene import NAME, RUN, a_scene
from tests.support.walls import bubblewrap


class Copying(Bubblewrap):
    """A wall on a file system, or of a bwrap, that knows no overlays."""

    def overlays(self) -> bool:
        return False


class CopyingDocker(Docker):
    """An engine on another machine's file system, say."""

    def overlays(self) -> bool:
        return False


class Loans:
    """A store with one environment, and the sandbox of those who borrow it."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self.root, self.sandbox = root, sandbox
        self.store = EnvironmentStore(root / "state" / "environments", 1 << 40)
        owner = sandbox.user or (os.geteuid(), os.getegid())
        self.record = built(self.store, build=build_of(sandbox=sandbox.kind), owner=owner)

    def borrower(self, name: str) -> Borrower:
        folder = self.root / "state" / name
        folder.mkdir(exist_ok=True)
        return Borrower(self.store, self.sandbox, folder, f"{name}/apply-1")

    def stored(self) -> dict[str, tuple[object, ...]]:
        return state_of(self.record.place, but=("borrowers", "used", "."))


def overlaid(root: Path, _: pytest.FixtureRequest) -> Sandbox:
    sandbox = bubblewrap(root)
    assert sandbox.overlays()
    return sandbox


def copied(root: Path, _: pytest.FixtureRequest) -> Sandbox:
    return Copying(bubblewrap(root).options)


def contained(root: Path, request: pytest.FixtureRequest) -> Sandbox:
    engine: DockerEngine = request.getfixturevalue("docker_engine")
    sandbox = sandbox_of(engine, root)
    assert sandbox.overlays()
    return sandbox


def contained_and_copied(root: Path, request: pytest.FixtureRequest) -> Sandbox:
    engine: DockerEngine = request.getfixturevalue("docker_engine")
    return CopyingDocker(sandbox_of(engine, root)._options)


@pytest.fixture(
    params=[
        overlaid,
        copied,
        *(pytest.param(way, marks=pytest.mark.full) for way in (contained, contained_and_copied)),
    ],
    ids=["overlays", "copies", "docker", "copies for docker"],
)
def loans(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Loans]:
    if request.param in (overlaid, copied):
        require_walls()
    yield Loans(tmp_path, request.param(tmp_path, request))
    remove_tree(tmp_path / "state")


def test_nothing_that_a_borrower_does_is_seen_by_others(loans: Loans) -> None:
    first, second = loans.borrower("first"), loans.borrower("second")
    before, stored = second.seen(), loans.stored()
    assert first.seen() == before
    assert {path for path, (mode, *_) in before.items() if stat.S_ISREG(mode)} == {
        path.replace("home/", "/environment/").replace("workspace/", "/workspace/") for path in MADE
    }
    assert all(uid and gid for _, uid, gid, _ in before.values()), "all of it is the job's own"
    first.spoil()
    assert first.seen() != before
    assert second.seen() == before
    second.spoil()
    assert loans.borrower("third").seen() == before
    assert loans.stored() == stored


def test_what_a_borrower_wrote_stays_for_its_next_command(loans: Loans) -> None:
    borrower = loans.borrower("first")
    borrower.run("sh", "-c", "echo more > $HOME/more; rm /workspace/.venv/lib/site.py")
    assert borrower.run("sh", "-c", "cat $HOME/more; ls /workspace/.venv/lib") == "more\n"


def test_a_capture_has_nothing_of_what_was_lent(loans: Loans, tmp_path: Path) -> None:
    scene = a_scene(tmp_path / "vcs")
    workspace = scene.vcs.open_workspace(NAME, RUN, scene.start)
    (tmp_path / "state" / "first").mkdir()
    workspace.path.rename(tmp_path / "state" / "first" / "workspace")
    borrower = loans.borrower("first")
    borrower.spoil()
    borrower.run("sh", "-c", "echo mine > /workspace/mine; echo mine >> /workspace/README.md")
    names = {str(path.relative_to(borrower.workspace)) for path in borrower.workspace.rglob("*")}
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in borrower.workspace.rglob("*")}
    (tmp_path / "state" / "first" / "workspace").rename(workspace.path)
    capture = scene.vcs.capture(NAME, RUN, workspace)
    changed = {change.path for change in scene.vcs.changes(NAME, scene.start, capture.commit)}
    assert changed == {"mine", "README.md"}
    assert capture.left_out == ()
    assert owners == {borrower.owner}
    assert {name for name in names if "node_modules/" in name or ".venv/" in name} == set()


def test_a_borrower_has_no_rights_by_what_it_is_lent(loans: Loans) -> None:
    borrower = loans.borrower("first")
    program = """
import os, stat, sys
for top in sys.argv[1:]:
    try:
        os.mknod(top + "/null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        continue
    raise SystemExit(f"a device can be made in {top}")
print([line.split()[1] for line in open("/proc/self/status") if line.startswith(("CapEff", "CapBnd", "NoNewPrivs"))])
"""
    assert borrower.python(program, *FOLDERS).strip() == str(["0" * 16, "0" * 16, "1"])


def test_what_a_borrower_left_is_removed(loans: Loans) -> None:
    borrower = loans.borrower("first")
    borrower.spoil()
    borrower.run("sh", "-c", "mkdir $HOME/closed && touch $HOME/closed/file && chmod 0 $HOME/closed")
    remove_tree(borrower.into)
    assert not borrower.into.exists()


def test_a_killed_start_is_done_again(loans: Loans) -> None:
    borrower = loans.borrower("first")
    before = borrower.seen()
    borrower.spoil()
    assert loans.borrower("first").seen() == before


# --- the rest is the same in every sandbox


@pytest.fixture
def plain(tmp_path: Path) -> Loans:
    require_walls()
    return Loans(tmp_path, overlaid(tmp_path, None))  # type: ignore[arg-type] # it asks for nothing


def test_programs_of_the_environment_are_found(plain: Loans) -> None:
    lent = plain.borrower("first").lent
    assert lent.path == ("/workspace/.venv/bin", "/workspace/node_modules/.bin", "/environment/.local/bin")
    assert (lent.variables["HOME"], lent.variables["VIRTUAL_ENV"]) == ("/environment", "/workspace/.venv")
    assert lent.variables["PIP_NO_INDEX"] == "1"


def test_programs_of_an_environment_below_a_folder_are_found(plain: Loans) -> None:
    environment = Environment("packages/web", variables=(("HOME", "/elsewhere"), ("UV_OFFLINE", "0")))
    built(plain.store, "web", build=build_of(environment))
    place = plain.root / "state" / "web"
    place.mkdir()
    lent = Borrower(plain.store, plain.sandbox, place, key="web").lent
    assert lent.path == ("/environment/.local/bin",), "what is in the root belongs to another"
    assert (lent.variables["HOME"], lent.variables["UV_OFFLINE"]) == ("/environment", "0")


def by_a_link(place: Path, outside: Path) -> None:
    place.symlink_to(outside)


def by_a_file(place: Path, _: Path) -> None:
    place.write_text("mine\n")


def by_files(place: Path, _: Path) -> None:
    write(place, {"inner/file": "mine\n"})


@pytest.mark.parametrize("blocked", [by_a_link, by_a_file, by_files])
@pytest.mark.parametrize("path", ["node_modules", "packages/web/node_modules"])
def test_what_is_in_the_way_stays_and_is_named(
    plain: Loans, tmp_path: Path, path: str, blocked: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path / "outside"
    write(outside, {"kept": "kept\n"})
    workspace = tmp_path / "state" / "first" / "workspace"
    write(workspace, {"README.md": "hello\n"})
    (workspace / path).parent.mkdir(parents=True, exist_ok=True)
    blocked(workspace / path, outside)
    before = state_of(workspace / path)
    borrower = plain.borrower("first")
    assert len(borrower.lent.notes) == 1
    assert borrower.lent.notes[0].startswith(f"{path}/ is not lent")
    assert len(borrower.lent.mounts) == 3
    assert borrower.seen("/workspace/.venv", "/environment")
    assert {name: found[5] for name, found in state_of(workspace / path).items()} == {
        name: found[5] for name, found in before.items()
    }
    assert [path.name for path in outside.iterdir()] == ["kept"]


@pytest.mark.parametrize("levels", [40, pytest.param(1200, marks=pytest.mark.full)])
def test_endless_folders_in_the_way_are_left_alone(plain: Loans, tmp_path: Path, levels: int) -> None:
    workspace = tmp_path / "state" / "first" / "workspace"
    deepen(workspace / "node_modules", levels, leaf=None)
    lent = lend(plain.store, "k", "run/apply-1", tmp_path / "state" / "lent", plain.sandbox, workspace)
    assert [note.partition(" ")[0] for note in lent.notes] == ["node_modules/"]


def test_single_files_are_written_where_nothing_is(plain: Loans, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    made = {
        **MADE,
        "workspace/a.cfg": "a\n",
        "workspace/src/b.cfg": "b\n",
        "workspace/c/d.cfg": "c\n",
        "workspace/e": "e\n",
    }
    record = built(plain.store, "files", made)
    assert record.built.copied == ("a.cfg", "e", "src/b.cfg")
    place = tmp_path / "state" / "files"
    write(place / "workspace", {"a.cfg": "mine\n"})
    (place / "workspace" / "src").symlink_to(outside)
    (place / "workspace" / "e").symlink_to(outside)
    borrower = Borrower(plain.store, plain.sandbox, place, key="files")
    assert (place / "workspace" / "a.cfg").read_text() == "mine\n"
    assert not outside.exists()
    assert [note for note in borrower.lent.notes if note.startswith("src/b.cfg is not lent")]
    write(tmp_path / "state" / "other" / "workspace", {"README.md": "x"})
    other = Borrower(plain.store, plain.sandbox, tmp_path / "state" / "other", key="files")
    assert (other.workspace / "src" / "b.cfg").read_text() == "b\n"
    assert other.lent.notes == ()


def test_what_is_gone_is_not_lent(plain: Loans, tmp_path: Path) -> None:
    with pytest.raises(AgentUnknown, match="gone"):
        lend(plain.store, "gone", "run/apply-1", tmp_path / "state" / "lent", plain.sandbox, tmp_path)


def test_the_store_knows_who_borrowed(plain: Loans) -> None:
    plain.borrower("first")
    assert plain.store.borrowers("k") == ("first/apply-1",)
    assert not plain.store.remove("k", lambda job: job == "first/apply-1")


@pytest.mark.parametrize("name", ["a b", "a,b:c", "a:/etc", "a\\b", "ä\U0001f980", "-dash", "a\nb", "n" * 200])
def test_odd_names_of_folders_are_lent(plain: Loans, name: str) -> None:
    built(plain.store, "odd", {f"workspace/{name}/file": "lent\n"})
    place = plain.root / "state" / "odd"
    place.mkdir()
    borrower = Borrower(plain.store, plain.sandbox, place, key="odd")
    assert borrower.run("cat", f"/workspace/{name}/file") == "lent\n"
    assert plain.record.build.sandbox is SandboxKind.BUBBLEWRAP


@pytest.mark.parametrize(
    ("folder", "named", "lent"),
    [
        ("build", ["build/x.txt"], False),
        ("build", ["build/deep/x.txt", "src/a.py"], False),
        ("packages/web/dist", ["packages/web/"], False),
        ("build", ["builds/x.txt", "src/build"], True),
        ("node_modules", ["node_modules/x.js"], True),
        ("packages/web/node_modules", ["packages/web/"], True),
        ("build", [], True),
    ],
)
def test_what_a_task_is_to_write_is_not_hidden_by_a_loan(
    plain: Loans, folder: str, named: list[str], lent: bool
) -> None:
    built(plain.store, "own", {f"workspace/{folder}/file": "lent\n"})
    place = plain.root / "state" / "own"
    (place / "workspace").mkdir(parents=True)
    found = lend(plain.store, "own", "r/submit-1", place / "into", plain.sandbox, place / "workspace", named)
    assert (f"/workspace/{folder}" in {mount.target for mount in found.mounts}) is lent
    assert bool(found.notes) is not lent
