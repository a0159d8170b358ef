import pytest

from tests.support.plain_wall import require_walls


@pytest.fixture(autouse=True)
def walls(request: pytest.FixtureRequest) -> None:
    """Leave out what needs namespaces where none can be made; containers need an engine."""
    if "docker" not in request.path.name:
        require_walls()
