"""What one lie is: the files that an agent writes instead of its work, the word that it is after, and the rule that catches it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moonmind.proof.substance import Kind, Substance
from tests.support.verified_world import RECIPE

TASKS = """# Tasks: Cart

## Phase 1: Totals

- [ ] T001 Test the total of a cart in tests/test_total.py
- [ ] T002 Add up the prices of a cart in shop/total.py
- [ ] T003 Describe totals in docs/totals.md
"""
IDS = ("T001", "T002", "T003")
WORDS = ("contradicted", "open", "claimed", "changed", "passing", "tested")
"""From the least to the most."""
DONE_HONESTLY = {"docs/totals.md": "# Totals\n\nA total is the sum of all prices.\n"}
"""So that a run has something to show whatever becomes of the lie."""


@dataclass(frozen=True)
class Rule:
    """A rule of the judge, and what takes its place when it is switched off."""

    place: str
    """The name of a function or pattern, from the package on."""
    off: Any


NEVER = re.compile(r"(?!)")


@dataclass(frozen=True)
class Lie:
    """One lie. It is data: a new one needs no new code."""

    files: Mapping[str, str | None]
    """What the agent writes, None for a file that it deletes."""
    gets: Mapping[str, str]
    """The words that it gets, by task, once its rules are off; with them it gets none of these, nor a better one.
    One that gets through gets them as it is.
    """
    rules: tuple[Rule, ...]
    """One, or several where each of them catches it; none of a lie that gets through."""
    says: str
    """What the verdict or a finding says of it; of one that gets through, why it does."""
    there: Mapping[str, str] = field(default_factory=dict)
    """Files of the repository before."""
    tasks: str = TASKS
    recipe: str = RECIPE
    edit: Callable[[Path], object] | None = None
    """What no file can say: links, modes."""

    @property
    def program(self) -> str:
        """Return the program that runs its tests."""
        return self.recipe.partition("run: ")[2].split()[0]


_RULES = "moonmind.proof.verification"
_STAGE = "moonmind.stages.apply"
SUBSTANCE = Rule(f"{_STAGE}.effects._substance", lambda change, read: Substance(Kind.COUNTS))
"""Only code counts: no stub, comment, layout, skipped test."""
COPY = Rule(f"{_STAGE}.effects._is_copy", lambda path, sizes, changes, read: False)
HOOKS = Rule(f"{_RULES}.tampering.meddling_in", lambda path, lines: "")
"""What tests and configuration may not do to the test run."""
LEFT_OUT = Rule(f"{_RULES}.tampering._DESELECTS", NEVER)
SHADOWED = Rule(f"{_RULES}.tampering._shadowed", lambda path: "")
WEAKER = Rule(f"{_RULES}.tampering.weaker_tests", lambda path, before, after: ())
"""A test asserts less than before."""
GONE = Rule(f"{_RULES}.comparison._gone", lambda before, after: ())
SKIPPED_NOW = Rule(f"{_STAGE}.test_findings.now_skipped", lambda verified: [])
OTHER_COMMAND = Rule(f"{_STAGE}.test_findings.other_commands", lambda verified, changes, read: ())
NO_TESTS = Rule(f"{_STAGE}.test_findings._without_tests", lambda verified: ())
NOTICES = Rule(f"{_RULES}.verdicts.ShownTest.notices", True)
"""Under the probe the test fails."""
WORKS = Rule(f"{_RULES}.verdicts.ShownTest.notices_looks", False)
"""Where functions only look emptied, the test passes."""
FAILED_BEFORE = Rule(f"{_RULES}.verdicts.ShownTest.failed_on_the_old_code", True)
ASSERTS = Rule(f"{_RULES}.verdicts.ShownTest.asserts", property(lambda test: True, lambda test, value: None))
OWN_REPORT = Rule(f"{_STAGE}.verification_jobs.read_of", lambda one, reports: list(reports))
SCRIPT = Rule(f"{_RULES}.tampering._in_package", lambda path, before, after: ())
