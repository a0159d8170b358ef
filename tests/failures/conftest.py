"""What the failure tests share: the product as real processes, in each of the two ways to run it."""

from collections.abc import Iterator

import pytest

from tests.support.engines import ENGINES, SHORT_LEASES, TEST_MODE, Engine, engine_of


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine in test mode with short leases; it is started by the test."""
    with engine_of(request.param, request, TEST_MODE | SHORT_LEASES) as made:
        yield made
