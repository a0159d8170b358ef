"""What a capture leaves out, as the stages tell people of it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed
from moonmind.sample import source
from moonmind.stages import apply
from tests.support.git_repos import git
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

FILES: dict[str, bytes | str] = dict(source.files())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, files={**FILES, ".gitignore": "*.log\n\nrefresh_docs/\n/secret.py\n"})
    assert isinstance(made.step(Stage.DISCOVER), Done)
    yield made
    made.agent.forget(str(made.run_id))


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
        (scaffold, "web/.git: the repository that a tool began there is left out; its files are taken"),
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
    assert said in done.outputs["warnings"]
    assert said in json.loads(world.artifacts.read(apply.OUTPUT_PATH))["warnings"]
    assert "refresh_docs/__init__.py" in {file["path"] for file in done.outputs["files"]}, "a task names it"


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
    assert outcome.kept["ended"] == outcome.error.message, "the agent is told when it is asked again"


def test_work_found_again_in_the_folder_is_taken_by_the_same_rules(world: World) -> None:
    first = world.submit_with(deliver)
    assert isinstance(first, Done)
    world.outputs[Stage.SUBMIT] = {**world.outputs[Stage.SUBMIT], "wip": "0" * 40}
    done = world.step(Stage.APPLY)
    assert isinstance(done, Done)
    assert world.vcs.read(REPOSITORY, done.outputs["commit"], "refresh_docs/__init__.py") is not None
