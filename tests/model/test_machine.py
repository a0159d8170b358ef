"""The state machine of a run by itself: whatever is asked in whatever order, the laws hold."""

import pytest
from hypothesis.stateful import run_state_machine_as_test

from tests.model.moves import Moves
from tests.support.model import PURE_EXAMPLES, TIMEOUT, searching


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT)
def test_no_sequence_of_moves_breaks_a_law() -> None:
    run_state_machine_as_test(Moves, settings=searching(PURE_EXAMPLES))
