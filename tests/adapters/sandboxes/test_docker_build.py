"""`moonmind sandbox build` and `show` against a real engine; the packaged Dockerfile needs packages that no test fetches."""

import json
from pathlib import Path

import pytest

from moonmind.adapters.sandboxes.docker_build import dockerfile
from moonmind.cli.main import main
from tests.support.docker_engine import DockerEngine

pytestmark = pytest.mark.docker

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def here(docker_engine: DockerEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in docker_engine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MOONMIND_SANDBOX", raising=False)
    monkeypatch.setenv("MOONMIND_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def built(here: Path, docker_engine: DockerEngine, capfd: Capture) -> list[str]:
    """Build an image by a Dockerfile with a context; return the lines that were printed."""
    file = here / "of our own" / "Dockerfile"
    file.parent.mkdir()
    (file.parent / "tool").write_text("#!/bin/sh\n")
    file.write_text("ARG BASE=nothing\nFROM ${BASE}\nCOPY tool /usr/local/bin/\n")
    options = ["--file", str(file), "--base", docker_engine.tag, "--tag", "moonmind-tests-built"]
    assert main(["sandbox", "build", *options]) == 0
    printed, log = capfd.readouterr()
    assert "COPY tool" in log
    return printed.splitlines()


def test_what_was_built_is_named_by_its_id(built: list[str], docker_engine: DockerEngine) -> None:
    kind, image = built
    assert kind == "MOONMIND_SANDBOX=docker"
    name, _, number = image.partition("=")
    assert (name, number[:7]) == ("MOONMIND_SANDBOX_IMAGE", "sha256:")
    assert docker_engine.docker("run", "--rm", "--network", "none", number, "ls", "/usr/local/bin/tool")


@pytest.mark.full
def test_what_was_built_is_what_jobs_run_in(here: Path, built: list[str], capfd: Capture) -> None:
    (here / ".env").write_text("\n".join(built))
    assert main(["sandbox", "show", "--json"]) == 0
    checks = {check["name"]: check for check in json.loads(capfd.readouterr().out)["checks"]}
    assert checks["sandbox"]["message"].startswith("docker: ")
    assert built[1].partition("=")[2] in checks["sandbox"]["message"]


BROKEN = {
    "a Dockerfile that is none": ("FRO x\n", 4, "`docker build` ended with exit code"),
    "a step that fails": ("ARG BASE\nFROM ${BASE}\nCOPY nothing /\n", 4, "`docker build` ended with exit code"),
    "an image that jobs cannot use": ("FROM scratch\nCOPY Dockerfile /\n", 4, "lacks what every job needs: sh"),
}


@pytest.mark.in_every_run(1)
@pytest.mark.parametrize(("text", "code", "words"), BROKEN.values(), ids=BROKEN)
def test_an_image_that_was_not_built_is_no_setting(
    here: Path, docker_engine: DockerEngine, capfd: Capture, text: str, code: int, words: str
) -> None:
    (here / "Dockerfile").write_text(text)
    build = [
        "sandbox",
        "build",
        "--file",
        "Dockerfile",
        "--base",
        docker_engine.image,
        "--tag",
        "moonmind-tests-broken",
    ]
    assert main(build) == code
    printed, log = capfd.readouterr()
    assert printed == ""
    assert words in log


def test_the_packaged_dockerfile_is_there() -> None:
    assert dockerfile().read_text().startswith("# What a job finds in its container")
