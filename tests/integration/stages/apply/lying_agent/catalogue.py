"""All lies, by name."""

from collections.abc import Mapping

from tests.integration.stages.apply.lying_agent import (
    hollow_changes,
    hollow_tests,
    meddling_lies,
    script_lies,
    unittest_lies,
    weaker_tests,
)
from tests.integration.stages.apply.lying_agent.lie import Lie

LIES: Mapping[str, Lie] = {
    **hollow_changes.LIES,
    **hollow_tests.LIES,
    **weaker_tests.LIES,
    **meddling_lies.LIES,
    **script_lies.LIES,
    **unittest_lies.LIES,
}
KNOWN_TO_GET_THROUGH: Mapping[str, Lie] = {
    **hollow_tests.KNOWN_TO_GET_THROUGH,
    **script_lies.KNOWN_TO_GET_THROUGH,
}
"""Lies that nothing catches yet, each with the reason."""
IN_EVERY_RUN = frozenset(
    {
        "a stub that raises",
        "it fails by an error alone",
        "it measures the file of the code",
        "a skip mark",
        "a forged further report by another name of the folder",
        "another script of the shell",
        "unittest: a deleted file of tests",
    }
)
"""One of each kind; the others are for --full."""
