"""What ordinary tools leave in a folder: their own files are left out and said, the agent's work is taken."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.ports.vcs import Capture, LeftOut, Workspace
from tests.support.git_repos import commit_to, git
from tests.support.trees import deepen
from tests.support.vcs_scene import NAME, RUN, Scene, a_scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return a_scene(tmp_path)


@pytest.fixture
def workspace(scene: Scene) -> Workspace:
    return scene.vcs.open_workspace(NAME, RUN, scene.start)


def write(place: Path, content: str = "x\n") -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)


def take(scene: Scene, workspace: Workspace, *named: str) -> tuple[set[str], dict[str, LeftOut]]:
    taken: Capture = scene.vcs.capture(NAME, RUN, workspace, named=named)
    changed = {change.path for change in scene.vcs.changes(NAME, workspace.starting_commit, taken.commit)}
    return changed, {item.path: item for item in taken.left_out}


# --- repositories inside the folder --------------------------------------------------------------------------------


def plain(folder: Path) -> None:
    git(folder, "init", "--quiet")


def committed(folder: Path) -> None:
    plain(folder)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "Begin")


def bare_beside(folder: Path) -> None:
    git(folder, "init", "--quiet", "--separate-git-dir", str(folder / "elsewhere.git"))
    assert (folder / ".git").is_file()


def broken(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")


def file_to_nowhere(folder: Path) -> None:
    (folder / ".git").write_text("gitdir: /nowhere/at/all\n")


@pytest.mark.parametrize("place", ["web", "apps/web", "a/b/c/d"])
@pytest.mark.parametrize("begin", [plain, committed, broken, file_to_nowhere])
def test_the_files_of_a_repository_that_a_scaffolder_began_are_taken(
    scene: Scene, workspace: Workspace, begin: Callable[[Path], None], place: str
) -> None:
    folder = workspace.path / place
    write(folder / "package.json")
    write(folder / "src" / "index.ts")
    write(folder / ".gitignore", "dist/\n")
    write(folder / "dist" / "out.js")
    write(folder / "noise.log")
    begin(folder)
    changed, left = take(scene, workspace)
    assert changed == {f"{place}/package.json", f"{place}/src/index.ts", f"{place}/.gitignore"}
    assert {item.rule for item in left.values()} <= {"nested_git"}
    if begin in {plain, committed}:
        assert set(left) == {f"{place}/.git"}


def test_repositories_inside_of_repositories_and_several_are_all_taken(scene: Scene, workspace: Workspace) -> None:
    places = ["web", "web/inner", "web/inner/most", "api", "docs/site"]
    for place in places:
        write(workspace.path / place / "f")
        committed(workspace.path / place)
    changed, left = take(scene, workspace)
    assert changed == {f"{place}/f" for place in places}
    assert set(left) == {f"{place}/.git" for place in places}


def test_a_repository_begun_among_tracked_files_changes_nothing_of_them(scene: Scene, workspace: Workspace) -> None:
    write(workspace.path / "src" / "app.py", "changed\n")
    write(workspace.path / "src" / "new.py")
    committed(workspace.path / "src")
    assert take(scene, workspace)[0] == {"src/app.py", "src/new.py"}


def test_an_empty_repository_leaves_nothing(scene: Scene, workspace: Workspace) -> None:
    git(workspace.path, "init", "--quiet", "empty")
    changed, left = take(scene, workspace)
    assert (changed, set(left)) == (set(), {"empty/.git"})


# --- what tools make -----------------------------------------------------------------------------------------------

MADE: dict[str, tuple[tuple[str, ...], str]] = {
    "node_modules": (("web/node_modules/a/index.js", "web/node_modules/.package-lock.json"), "dependencies"),
    "pnpm": (("modules/.modules.yaml", "modules/a/index.js"), "dependencies"),
    "composer": (("vendor/composer/installed.json", "vendor/autoload.php"), "dependencies"),
    "pods": (("ios/Pods/a.m",), "dependencies"),
    "python caches": (("src/__pycache__/app.cpython-311.pyc", ".pytest_cache/v/x", ".mypy_cache/3.11/x"), "cache"),
    "tagged cache of any name": (("whatever/CACHEDIR.TAG", "whatever/deep/x"), "cache"),
    "cargo": (("tool/target/debug/x",), "build_output"),
    "cargo of any name": (("out/.rustc_info.json", "out/debug/x"), "build_output"),
    "maven": (("service/target/classes/A.txt",), "build_output"),
    "cmake": (("bld/CMakeCache.txt", "bld/x.ninja"), "build_output"),
    "gradle": (("app/build/libs/x.jar",), "build_output"),
    "egg-info": (("demo.egg-info/PKG-INFO", "demo.egg-info/SOURCES.txt"), "build_output"),
    "desktop": ((".DS_Store", "src/.DS_Store", "Thumbs.db"), "system_file"),
    "stray bytecode": (("lib/a.pyc", "lib/A.class", "lib/a.o"), "build_output"),
    "coverage": ((".coverage", ".coverage.host.123"), "cache"),
}
BESIDE = {
    "pods": ("ios/Podfile.lock",),
    "cargo": ("tool/Cargo.toml",),
    "maven": ("service/pom.xml",),
    "gradle": ("app/build.gradle.kts",),
}
TAG = "Signature: 8a477f597d28d172789f06886806bc55\n"


@pytest.mark.parametrize(("files", "rule"), MADE.values(), ids=MADE)
def test_what_a_tool_made_is_left_out_and_counted(
    scene: Scene, workspace: Workspace, request: pytest.FixtureRequest, files: tuple[str, ...], rule: str
) -> None:
    beside = BESIDE.get(request.node.callspec.id, ())
    for path in (*files, *beside, "made.py"):
        write(workspace.path / path, TAG if path.endswith("CACHEDIR.TAG") else "x\n")
    changed, left = take(scene, workspace)
    assert changed == {"made.py", *beside}
    assert {item.rule for item in left.values()} == {rule}
    assert sum(item.files for item in left.values()) == len(files)


def make_environment(folder: Path) -> None:
    """Make a virtual environment as Python before 3.13 does, which does not hide it from git."""
    visible = ["--without-scm-ignore-files"] if sys.version_info >= (3, 13) else []
    command = [sys.executable, "-m", "venv", "--without-pip", *visible, str(folder)]
    subprocess.run(command, check=True, timeout=60)


@pytest.mark.parametrize("place", [".venv", "env", "tools/my env", "x/y/sandbox"])
def test_a_virtual_environment_of_any_name_is_left_out(scene: Scene, workspace: Workspace, place: str) -> None:
    make_environment(workspace.path / place)
    write(workspace.path / "made.py")
    changed, left = take(scene, workspace)
    assert changed == {"made.py"}
    ((_, item),) = left.items()
    assert (item.path, item.rule) == (place, "environment")
    assert "virtual environment" in item.words


@pytest.mark.parametrize("place", [".", "src"])
def test_a_virtual_environment_among_other_files_is_told_from_them(
    scene: Scene, workspace: Workspace, place: str
) -> None:
    folder = workspace.path / place
    make_environment(folder)
    write(folder / "bin" / "serve.sh")
    write(folder / "lib" / "util.py")
    prefix = "" if place == "." else f"{place}/"
    changed, left = take(scene, workspace)
    assert changed == {f"{prefix}bin/serve.sh", f"{prefix}lib/util.py"}
    assert {item.rule for item in left.values()} == {"environment"}


@pytest.mark.parametrize(
    "path",
    ["target/plan.md", "build/rules.py", "deps/list.txt", "bin/run.sh", "vendor/ours.go", "cache/keys.py", "env/x"],
)
def test_names_that_may_mean_anything_are_taken(scene: Scene, workspace: Workspace, path: str) -> None:
    write(workspace.path / path)
    assert take(scene, workspace) == ({path}, {})


@pytest.mark.parametrize("path", ["node_modules/ours/index.js", "src/__pycache__/kept.pyc", ".venv/pyvenv.cfg"])
def test_what_the_repository_tracks_is_taken_as_always(scene: Scene, path: str) -> None:
    start = commit_to(scene.bare, "main", {path: "1\n"}, "Tracked")
    scene.vcs.fetch(scene.repository)
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    write(workspace.path / path, "2\n")
    write((workspace.path / path).with_name("more.txt"))
    changed, left = take(scene, workspace)
    assert changed == {path, str(Path(path).with_name("more.txt"))}
    assert left == {}


@pytest.mark.parametrize("path", ["node_modules/shim/index.js", ".cache/seed.json", "web/.next/keep"])
def test_a_file_that_a_task_names_is_taken_wherever_it_is(scene: Scene, workspace: Workspace, path: str) -> None:
    write(workspace.path / path)
    write((workspace.path / path).with_name("other"))
    changed, left = take(scene, workspace, path)
    assert changed == {path}
    assert len(left) == 1


def test_a_program_that_was_built_is_left_out_unless_a_task_names_it(scene: Scene, workspace: Workspace) -> None:
    for name in ("server", "cmd/tool"):
        write(workspace.path / name)
        (workspace.path / name).write_bytes(b"\x7fELF\x02\x01")
        (workspace.path / name).chmod(0o755)
    changed, left = take(scene, workspace, "cmd/tool")
    assert changed == {"cmd/tool"}
    assert left["server"].words.startswith("a compiled program")


def test_many_caches_are_a_few_lines(scene: Scene, workspace: Workspace) -> None:
    for number in range(60):
        write(workspace.path / f"p{number}" / "__pycache__" / "m.pyc")
        write(workspace.path / f"q{number}.pyc")
        (workspace.path / f"odd{number}\udcff").touch()
    _, left = take(scene, workspace)
    assert len(left) <= 13
    assert sum(item.files for item in left.values()) == 180


# --- ignore rules --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "path", "rule"),
    [
        ({".gitignore": "*.log\n\nlib/\n"}, "src/lib/util.ts", ".gitignore:3: lib/"),
        ({"docs/.gitignore": "*\n"}, "docs/guide.md", "docs/.gitignore:1: *"),
        ({".gitignore": "/*\n!/src\n"}, "Makefile", ".gitignore:1: /*"),
        ({".gitignore": "*.json\n", "a/.gitignore": "!b.json\n"}, "a/c.json", ".gitignore:1: *.json"),
    ],
)
def test_a_deliverable_that_a_rule_hides_is_taken_if_a_task_names_it_and_said_otherwise(
    scene: Scene, rules: dict[str, str], path: str, rule: str
) -> None:
    start = commit_to(scene.bare, "main", rules, "Rules")
    scene.vcs.fetch(scene.repository)
    workspace = scene.vcs.open_workspace(NAME, RUN, start)
    write(workspace.path / path)
    assert take(scene, workspace, "README.md") == (set(), {})
    said = {item.path: item.words for item in scene.vcs.hidden(NAME, RUN, workspace)}
    assert any(path.startswith(place) and rule in words for place, words in said.items()), said
    assert take(scene, workspace, f"./{path}") == ({path}, {})


def test_a_folder_that_a_task_names_and_a_rule_hides_is_said_with_the_rule(scene: Scene, workspace: Workspace) -> None:
    write(workspace.path / ".gitignore", "lib/\n*.tmp\n")
    write(workspace.path / "src" / "lib" / "a.ts")
    write(workspace.path / "data" / "b.tmp")
    changed, left = take(scene, workspace, "src/lib/", "data")
    assert changed == {".gitignore"}
    assert {path: item.words.partition(" hides")[0] for path, item in left.items()} == {
        "src/lib/": ".gitignore:1: lib/",
        "data/b.tmp": ".gitignore:2: *.tmp",
    }


@pytest.mark.parametrize("path", [".env", "config/.env.local", "certs/server.key", "deploy/credentials.json", ".npmrc"])
def test_what_usually_holds_secrets_stays_hidden_whoever_names_it(
    scene: Scene, workspace: Workspace, path: str
) -> None:
    write(workspace.path / ".gitignore", f"{Path(path).name}\n")
    write(workspace.path / path)
    changed, left = take(scene, workspace, path)
    assert changed == {".gitignore"}
    assert left[path].words == f".gitignore:1: {Path(path).name} hides it, and files of this name usually hold secrets"


@pytest.mark.parametrize("path", [".venv", "node_modules", "../outside", "/etc/passwd", ".git/config", ""])
def test_naming_what_is_no_file_of_the_folder_takes_nothing(scene: Scene, workspace: Workspace, path: str) -> None:
    write(workspace.path / ".gitignore", "*.log\n.venv\nnode_modules\n")
    write(workspace.path / "node_modules" / "a.js")
    write(workspace.path / ".venv" / "pyvenv.cfg")
    assert take(scene, workspace, path) == ({".gitignore"}, {})


# --- depth ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("levels", "name"), [(2100, "d"), (30, "n" * 200)])
def test_what_lies_too_deep_for_a_path_is_left_out_and_the_rest_is_taken(
    scene: Scene, workspace: Workspace, levels: int, name: str
) -> None:
    deepen(workspace.path / "deep", levels, name=name)
    write(workspace.path / "made.py")
    changed, left = take(scene, workspace)
    assert changed == {"made.py"}
    assert {(item.rule, len(item.path) < 200) for item in left.values()} == {("unreadable", True)}
    assert "File name too long" in next(iter(left.values())).words
    scene.vcs.close_workspace(NAME, RUN)
    assert not workspace.path.exists()


def test_a_folder_that_the_agent_closed_whole_is_opened_again(scene: Scene, workspace: Workspace) -> None:
    write(workspace.path / "made.py")
    os.chmod(workspace.path, 0)
    assert take(scene, workspace)[0] == {"made.py"}
