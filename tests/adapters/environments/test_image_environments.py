"""Environments that are built, and agents that work, in the image that a repository names: real containers."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from moonmind.adapters.environments.environment_builds import BuildOptions, EnvironmentBuilds
from moonmind.adapters.environments.environment_store import EnvironmentStore
from moonmind.adapters.sandbox_choice import NoPin, SandboxChoice
from moonmind.errors import ImageNotAllowed
from moonmind.ports.environments import BuildState, EnvironmentOrder
from moonmind.ports.sandbox import SandboxKind
from moonmind.proof.environments.environment_value import Environment
from moonmind.settings import ambient_environment
from tests.support.docker_engine import DockerEngine
from tests.support.docker_jobs import sandbox_of
from tests.support.waiting import until

pytestmark = [pytest.mark.docker, pytest.mark.full, pytest.mark.timeout(240)]


@pytest.fixture
def theirs(docker_engine: DockerEngine) -> Iterator[str]:
    """Return the name of an image that differs from the operator's by a variable."""
    base = docker_engine.docker("create", "--network", "none", docker_engine.image, "true")
    docker_engine.docker("commit", "--change", "ENV OF_IMAGE=theirs", base, "acme-shop:1")
    docker_engine.docker("rm", base)
    yield "acme-shop:1"
    docker_engine.docker("rmi", "acme-shop:1")


def order(image: str | None) -> EnvironmentOrder:
    environment = Environment(image=image, setup=('echo "of image: $OF_IMAGE" | tee $HOME/seen',))
    return EnvironmentOrder("acme/shop", environment, {}, lambda folder: folder.mkdir())


def is_over(builds: EnvironmentBuilds, key: str) -> bool:
    return builds.look(key).state is not BuildState.BUILDING


def test_a_build_is_in_the_image_that_its_repository_names(
    docker_engine: DockerEngine, theirs: str, tmp_path: Path
) -> None:
    docker = sandbox_of(docker_engine, tmp_path, images=(theirs,))
    choice = SandboxChoice("docker", {SandboxKind.DOCKER: docker}, NoPin(), of_image=docker.of_image)
    state = tmp_path / "state"
    store = EnvironmentStore(state / "environments", 1 << 30)
    builds = EnvironmentBuilds(BuildOptions(state, "i", ambient_environment()), store, choice)
    keys = {}
    try:
        for image, seen in ((theirs, "theirs"), (None, "")):
            key = keys[image] = builds.key(order(image)) or ""
            builds.build(order(image))
            until(partial(is_over, builds, key), "the build")
            status = builds.look(key)
            assert status.state is BuildState.READY, status
            assert (store.building(key).with_name(key) / "home/seen").read_text() == f"of image: {seen}\n"
        assert keys[theirs] != keys[None]
        assert (
            builds.key(order(docker_engine.docker("image", "inspect", "--format", "{{.Id}}", theirs))) == keys[theirs]
        )
        with pytest.raises(ImageNotAllowed):
            builds.build(order("acme-shop:2"))
    finally:
        builds.stop_all()
