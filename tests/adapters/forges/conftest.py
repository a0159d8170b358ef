"""A GitHub on loopback that the tests of a module share, a repository of its own for each test."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.github import GitHubForge
from moonmind.redact import Redactor
from moonmind.settings import ambient_environment
from tests.support.github_fixtures import new_name, whole_site  # noqa: F401 - fixtures
from tests.support.github_site import MANY, GitHub, github

Build = Callable[..., GitHubForge]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHub]:
    folder = tmp_path_factory.mktemp("github")
    with github(folder, {name: {"README.md": "hello\n"} for name in MANY} | {"acme/empty": {}}) as made:
        yield made


@pytest.fixture
def forge_with(site: GitHub, tmp_path: Path) -> Build:
    def build(token: str | None = None, **options: Any) -> GitHubForge:
        given = token if token is not None else site.token
        base = ForgeOptions(
            environment=ambient_environment(),
            redactor=Redactor([given]),
            state_folder=tmp_path / "state",
            api_url=site.api_url,
            server_url=site.origin,
            token=given,
        )
        return GitHubForge(replace(base, **options))

    return build


@pytest.fixture
def forge(forge_with: Build) -> GitHubForge:
    return forge_with()
