"""What tests on a GitHub on loopback share; the GitHub is the module's, as the fixture `shared`."""

from collections.abc import Iterator

import pytest

from tests.support.github_site import GitHub, take


@pytest.fixture(name="site")
def whole_site(shared: GitHub) -> Iterator[GitHub]:
    """The module's GitHub; what a test breaks is put right after it."""
    yield shared
    shared.faults.clear()
    shared.down = False


@pytest.fixture(name="name")
def new_name(site: GitHub) -> str:
    """A repository that no other test has."""
    return take(site)
