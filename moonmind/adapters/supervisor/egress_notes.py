"""What a build asked for in vain: why, for the build itself, and how often, for whoever reads its result."""

import threading
from collections import Counter
from typing import Any

from moonmind.adapters.supervisor.egress_hosts import Target

SETTING = "MOONMIND_ENVIRONMENT_HOSTS"
_MOST_NOTED = 50
"""Different hosts of each kind."""


class NotPassedOn(Exception):
    """A request goes nowhere; it is answered with this."""

    def __init__(self, status: int, reason: str, words: str) -> None:
        self.status, self.reason, self.words = status, reason, words


class EgressNotes:
    """The counts of one build. Used by several threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._unreachable: Counter[str] = Counter()
        self._received = 0

    def receive(self, size: int) -> None:
        """Count bytes that came in."""
        with self._guard:
            self._received += size

    def unlisted(self, target: Target) -> NotPassedOn:
        """Note that a host is not on the list."""
        return self._refusal(
            target, f"it is not on the list of hosts that the build of an environment may reach; {SETTING} adds hosts"
        )

    def private(self, target: Target) -> NotPassedOn:
        """Note that a host may not have the address that it has."""
        return self._refusal(
            target, f"it has an address of this machine or of a private network, which only hosts of {SETTING} may have"
        )

    def unreachable(self, target: Target, why: str) -> NotPassedOn:
        """Note that a host does not answer as it should."""
        self._note(self._unreachable, target)
        return NotPassedOn(502, f"{target} cannot be reached", f"{target} cannot be reached: {why}")

    def facts(self) -> dict[str, Any]:
        """Return the counts, ready for JSON."""
        with self._guard:
            return {
                "refused": dict(self._refused),
                "unreachable": dict(self._unreachable),
                "received": self._received,
            }

    def _refusal(self, target: Target, why: str) -> NotPassedOn:
        self._note(self._refused, target)
        # Some clients show the first line alone, and some the body.
        return NotPassedOn(403, f"{target} is not allowed, see {SETTING}", f"{target} cannot be reached: {why}")

    def _note(self, counts: Counter[str], target: Target) -> None:
        with self._guard:
            if str(target) in counts or len(counts) < _MOST_NOTED:
                counts[str(target)] += 1
