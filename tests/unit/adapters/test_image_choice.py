"""Whose image a job runs in: the operator's, or an allowed one that a repository names."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.adapters.sandboxes.docker import Docker
from moonmind.adapters.sandboxes.docker_client import DockerClient
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.errors import ImageNotAllowed
from moonmind.ports.sandbox import SandboxKind
from tests.unit.adapters.test_sandbox_choice import BUBBLEWRAP, CODEX, DOCKER, FAILS, HOLDS, Kept, Wall

OURS, PYTHON, NODE = (f"sha256:{digit * 64}" for digit in "123")


@dataclass
class Images(DockerClient):
    """What an engine answers of its images."""

    there: dict[str, str] = field(default_factory=dict)

    def documents(self, *words: str) -> list[Any] | None:
        assert words[:2] == ("image", "inspect")
        assert words[-1]
        assert not words[-1].startswith("-")
        found = self.there.get(words[-1])
        if found is None:
            return None
        return [found] if "{{json .Id}}" in words else [{"Id": found, "Config": {}}]


@pytest.fixture
def images() -> Images:
    by_name = {"ours": OURS, "python:3.12": PYTHON, "node:22": NODE, "node@sha256:" + "a" * 64: NODE}
    return Images(there=by_name | {found: found for found in by_name.values()})


def engine(images: Images, *allowed: str, image: str | None = "ours") -> Docker:
    return Docker(SandboxOptions(Path("/state"), "i", "h", image=image, images=allowed), images)


@pytest.mark.parametrize(
    ("allowed", "named", "meant"),
    [
        (["python:3.12"], "python:3.12", PYTHON),
        ([PYTHON], "python:3.12", PYTHON),
        (["python:3.12"], PYTHON, PYTHON),
        (["node:22"], "node@sha256:" + "a" * 64, NODE),
        (["node@sha256:" + "a" * 64, "python:3.12"], "node:22", NODE),
        ([], "ours", OURS),
        ([], OURS, OURS),
    ],
)
def test_an_allowed_image_is_what_jobs_run_in(images: Images, allowed: list[str], named: str, meant: str) -> None:
    sandbox = engine(images, *allowed)
    assert sandbox.of_image(named).foundation() == meant
    assert sandbox.foundation() == OURS, "other jobs have the operator's"


@pytest.mark.parametrize(
    "named", ["node:22", NODE, "evil:latest", "python", "sha256:" + "0" * 64, "--privileged", "a b"]
)
def test_an_image_that_nobody_allowed_is_refused_whether_or_not_it_is_here(images: Images, named: str) -> None:
    with pytest.raises(ImageNotAllowed, match="MOONMIND_SANDBOX_IMAGES") as refused:
        engine(images, "python:3.12", "not-here:1").of_image(named)
    assert named in refused.value.message


def test_an_allowed_image_that_is_not_here_is_not_pulled(images: Images) -> None:
    with pytest.raises(ImageNotAllowed, match="never pulled") as refused:
        engine(images, "not-here:1").of_image("not-here:1")
    assert "docker pull" in refused.value.advice


def test_a_name_that_moves_changes_no_job_of_the_process(images: Images) -> None:
    sandbox = engine(images, "python:3.12")
    assert sandbox.of_image("python:3.12").foundation() == PYTHON
    images.there["python:3.12"] = NODE
    assert sandbox.of_image("python:3.12").foundation() == PYTHON
    with pytest.raises(ImageNotAllowed):
        sandbox.of_image("node:22")
    assert engine(images, "python:3.12").of_image("python:3.12").foundation() == NODE


def of(refuses: bool, asked: list[str]) -> Callable[[str], Wall]:
    def of_image(name: str) -> Wall:
        asked.append(name)
        if refuses:
            raise ImageNotAllowed(f"not {name}")
        return Wall(DOCKER, HOLDS)

    return of_image


@pytest.mark.parametrize(
    ("wanted", "image_named", "kept", "kind"),
    [
        ("docker", True, None, DOCKER),
        ("auto", True, None, DOCKER),
        ("auto", False, "docker", DOCKER),
        ("auto", False, None, BUBBLEWRAP),
        ("auto", True, "bubblewrap", BUBBLEWRAP),
        ("bubblewrap", True, None, BUBBLEWRAP),
        ("codex", True, None, CODEX),
        ("none", True, None, SandboxKind.NONE),
    ],
)
def test_only_containers_are_of_a_repositorys_image(
    wanted: str, image_named: bool, kept: str | None, kind: SandboxKind
) -> None:
    asked: list[str] = []
    walls = {DOCKER: Wall(DOCKER, HOLDS), BUBBLEWRAP: Wall(BUBBLEWRAP, HOLDS)}
    for refuses in (False, True):
        choice = SandboxChoice(wanted, walls, Kept(kept), image_named=image_named, of_image=of(refuses, asked))
        if refuses and kind is DOCKER:
            with pytest.raises(ImageNotAllowed):
                choice.chosen(CODEX, keep=True, image="theirs")
            continue
        found = choice.chosen(CODEX, keep=True, image="theirs")
        assert found.kind is kind
        assert (found.wall is walls.get(kind)) is (kind is not DOCKER)
    assert set(asked) == ({"theirs"} if kind is DOCKER else set())


def test_the_answer_is_that_of_the_repositorys_image() -> None:
    walls = {DOCKER: Wall(DOCKER, FAILS), BUBBLEWRAP: Wall(BUBBLEWRAP, HOLDS)}
    choice = SandboxChoice("docker", walls, NoPin(), image_named=True, of_image=of(False, []))
    choice.chosen(CODEX, image="theirs").require()
    assert choice.chosen(CODEX).check.failed
