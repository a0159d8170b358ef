"""What a capture leaves out, as the stages tell people of it."""

import json
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, Redo
from moonmind.sample import source
from moonmind.stages.apply import policy_question
from tests.support.git_repos import git
from tests.support.stage_parts import REPOSITORY, checkpoint_of
from tests.support.stage_world import World, discovered

FILES: dict[str, bytes | str] = dict(source.files())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    files = {**FILES, ".gitignore": "*.log\n\nrefresh_docs/\n/secret.py\n"}
    with discovered(World(tmp_path, files=files)) as made:
        yield made


def write(folder: Path, **files: str) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)


def deliver(folder: Path) -> None:
    write(folder, **{"refresh_docs/__init__.py": "VERSION = '1'\n", "pyproject.toml": "[project]\n"})


def scaffold(folder: Path) -> None:
    write(folder, **{"web/package.json": "{}\n"})
    git(folder / "web", "init", "--quiet")


def install(folder: Path) -> None:
    write(folder, **{"node_modules/a/index.js": "x\n", "node_modules/b/index.js": "x\n"})


def misname(folder: Path) -> None:
    (folder / "caf\udce9.txt").write_text("x\n")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (scaffold, "web/.git: a tool created a git repository there; its .git is left out, its files are taken"),
        (install, "node_modules: installed dependencies: 2 files left out; name it in .gitignore"),
        (misname, r"caf\xe9.txt: its name is not UTF-8; it is left out"),
    ],
)
def test_what_was_left_out_is_said_to_the_reviewer_and_costs_nothing_else(
    world: World, edit: Callable[[Path], None], said: str
) -> None:
    def work(folder: Path) -> None:
        deliver(folder)
        edit(folder)

    assert isinstance(world.submit_with(work), Done)
    done = world.step(Stage.APPLY)
    assert isinstance(done, Done), done
    assert said in done.result["warnings"]
    assert said in json.loads(world.artifacts.read(policy_question.OUTPUT_PATH))["warnings"]
    assert "refresh_docs/__init__.py" in {file["path"] for file in done.result["files"]}, "a task names it"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda folder: write(folder, **{"secret.py": "x"}), "secret.py: .gitignore:4: /secret.py hides it"),
        (
            lambda folder: write(folder, **{"refresh_docs/other.py": "x"}),
            "refresh_docs/: .gitignore:3: refresh_docs/ hides",
        ),
        (install, "node_modules: installed dependencies: 2 files left out"),
        (misname, r"caf\xe9.txt: its name is not UTF-8"),
    ],
)
def test_an_agent_whose_work_cannot_be_taken_is_not_said_to_have_done_nothing(
    world: World, edit: Callable[[Path], None], said: str
) -> None:
    outcome = world.submit_with(edit)
    assert isinstance(outcome, Failed)
    assert (outcome.error.code, outcome.transient) == ("agent_no_change", False)
    assert outcome.error.message.startswith("The agent changed nothing that can be taken. ")
    assert said in outcome.error.message
    assert checkpoint_of(outcome)["ended"] == outcome.error.message, "the agent is told when it is asked again"


def test_work_found_again_in_the_folder_is_taken_by_the_same_rules(world: World) -> None:
    first = world.submit_with(deliver)
    assert isinstance(first, Done)
    world.results[Stage.SUBMIT] = {**world.results[Stage.SUBMIT], "wip": "0" * 40}
    done = world.step(Stage.APPLY)
    assert isinstance(done, Done)
    assert world.vcs.read(REPOSITORY, done.result["commit"], "refresh_docs/__init__.py") is not None


@pytest.mark.parametrize(
    ("name", "content"),
    [("a\\..\\b", b"x\n"), (".gitmodules", b"[submodule]\n"), ("README.md", b"\0" * (11 * 1024 * 1024))],
    ids=["path", "submodules", "size"],
)
def test_a_refused_change_goes_back_to_its_thread_with_the_work_once_there_are_notes(
    world: World, name: str, content: bytes
) -> None:
    def work(folder: Path) -> None:
        deliver(folder)
        (folder / name).write_bytes(content)

    first = world.submit_with(work)
    assert isinstance(first, Done)
    for _ in range(2):
        again = world.step(Stage.APPLY)
        assert isinstance(again, Failed), "a retry alone judges the kept work again and asks nobody"
        assert again.error.code == "patch_refused"
    world.notes = "Leave that out."
    back = world.step(Stage.APPLY)
    assert isinstance(back, Redo)
    assert repr(name) in back.note
    world.plays({"delete": name}, {"write": "more.py", "content": "x = 1\n"})
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["codexTaskId"] == first.result["codexTaskId"]
    assert "breaks the patch policy" in world.artifacts.read("codex/prompt-2.md").decode()
    applied = world.step(Stage.APPLY)
    assert isinstance(applied, Done)
    assert "refresh_docs/__init__.py" in {file["path"] for file in applied.result["files"]}


def test_files_that_no_commit_holds_are_kept_in_an_archive(world: World) -> None:
    def work(folder: Path) -> None:
        deliver(folder)
        misname(folder)
        (folder / "dump.bin").write_bytes(b"d" * (10 * 1024 * 1024 + 1))
        install(folder)

    done = world.submit_with(work)
    assert isinstance(done, Done)
    (path,) = world.artifacts.of("work_archive")
    assert path == done.result["archivePath"]
    place = world.folder / "artifacts" / str(world.run_id) / path
    assert place.stat().st_mode & 0o077 == 0
    with tarfile.open(place) as archive:
        assert {member.name: member.size for member in archive} == {
            "caf\udce9.txt": 2,
            "dump.bin": 10 * 1024 * 1024 + 1,
        }


def test_a_change_that_is_too_large_for_a_patch_is_kept_in_an_archive(world: World) -> None:
    def work(folder: Path) -> None:
        deliver(folder)
        for number in range(8):
            (folder / f"part{number}").write_bytes(bytes([number]) * (9 * 1024 * 1024))

    assert isinstance(world.submit_with(work), Done)
    refused = world.step(Stage.APPLY)
    assert isinstance(refused, Failed)
    (path,) = world.artifacts.of("work_archive")
    assert path in refused.error.message
