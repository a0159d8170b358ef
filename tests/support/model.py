"""How long a model check searches, and how it is to be repeated: one place for all of `tests/model`."""

import os

from hypothesis import HealthCheck, Phase, settings

EXAMPLES = int(os.environ.get("MOONMIND_TEST_MODEL_EXAMPLES", "40"))
"""How many sequences of moves are tried on each database: 200 with --full, 2000 for a long look."""
STEPS = 50
PURE_EXAMPLES = 10 * EXAMPLES
"""Without a database a sequence costs a tenth."""
TIMEOUT = 500 + 2 * EXAMPLES
"""Seconds until such a test counts as hung; a seventh of it is usual."""


def searching(examples: int) -> settings:
    """Settings of a check that is to pass: a failure is made small and printed with the line that repeats it.

    With CI=true Hypothesis chooses the same sequences every time, else new ones.
    """
    return _plain(examples, phases=(Phase.generate, Phase.shrink))


def finding(examples: int) -> settings:
    """Settings of a check that is to fail, with the same sequences every time; nobody reads how."""
    return settings(_plain(examples, phases=(Phase.generate,)), derandomize=True, print_blob=False)


def _plain(examples: int, *, phases: tuple[Phase, ...]) -> settings:
    return settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        phases=phases,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        # How long a step takes is the machine's affair.
        suppress_health_check=[HealthCheck.too_slow],
    )
