"""The repositories on PostgreSQL beside the model: whatever is asked in whatever order, both say and keep the same."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model.moves import beside
from tests.model.repositories import Repositories
from tests.support.model import EXAMPLES, TIMEOUT, searching


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.timeout(TIMEOUT)
def test_no_sequence_of_moves_parts_the_tables_from_the_model(postgres_repositories: Repositories) -> None:
    run_state_machine_as_test(beside(postgres_repositories), settings=searching(EXAMPLES))
