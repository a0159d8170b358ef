"""What a build asked for in vain: why, for the build itself, and how often, for whoever reads its result."""

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Any

from moonmind.adapters.supervisor.egress_hosts import PORTS, Target

SETTING = "MOONMIND_ENVIRONMENT_HOSTS"
_MOST_NOTED = 50
"""Different hosts of each kind."""
_MOST_NAMED = 5
"""Of each kind, in a sentence."""
_LONGEST_REASON = 300


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
        self._unlisted: dict[str, None] = {}
        self._private: dict[str, None] = {}
        self._reasons: dict[str, str] = {}
        """Why hosts were unreachable first."""
        self._received = 0

    def receive(self, size: int) -> None:
        """Count bytes that came in."""
        with self._guard:
            self._received += size

    def unlisted(self, target: Target) -> NotPassedOn:
        """Note that a host is not on the list."""
        return self._refusal(
            self._unlisted,
            target,
            f"it is not on the list of hosts that the build of an environment may reach; {SETTING} adds hosts",
        )

    def private(self, target: Target) -> NotPassedOn:
        """Note that a host may not have the address that it has."""
        return self._refusal(
            self._private,
            target,
            f"it has an address of this machine or of a private network, which only hosts of {SETTING} may have",
        )

    def unreachable(self, target: Target, why: str) -> NotPassedOn:
        """Note that a host does not answer as it should."""
        self._note(self._unreachable, target)
        with self._guard:
            if len(self._reasons) < _MOST_NOTED:
                self._reasons.setdefault(str(target), why[:_LONGEST_REASON])
        return NotPassedOn(502, f"{target} cannot be reached", f"{target} cannot be reached: {why}")

    def facts(self) -> dict[str, Any]:
        """Return the counts, ready for JSON."""
        with self._guard:
            return {
                "refused": dict(self._refused),
                "unreachable": dict(self._unreachable),
                "received": self._received,
            }

    def sentences(self) -> list[str]:
        """Return, for people, what was asked for in vain and what to do about it: a few sentences, none where there is nothing."""
        with self._guard:
            unlisted, private, reasons = list(self._unlisted), list(self._private), dict(self._reasons)
        found = []
        if unlisted:
            found.append(
                f"the build asked for {_named(unlisted)}, which {_is(unlisted)} not in the allow-list; "
                f"add {_it(unlisted)} with {SETTING}"
            )
        if private:
            found.append(
                f"the build asked for {_named(private)} at an address of this machine or of a private network, which only hosts of "
                f"{SETTING} may have; add {_it(private)} there if {'they are' if len(private) > 1 else 'it is'} meant"
            )
        found += [
            f"the build asked for {_listed_as(place)}, which could not be reached: {why}"
            for place, why in list(reasons.items())[:_MOST_NAMED]
        ]
        return found

    def _refusal(self, kind: dict[str, None], target: Target, why: str) -> NotPassedOn:
        self._note(self._refused, target)
        with self._guard:
            if len(kind) < _MOST_NOTED:
                kind[_listed_as(str(target))] = None
        # Some clients show the first line alone, and some the body.
        return NotPassedOn(403, f"{target} is not allowed, see {SETTING}", f"{target} cannot be reached: {why}")

    def _note(self, counts: Counter[str], target: Target) -> None:
        with self._guard:
            if str(target) in counts or len(counts) < _MOST_NOTED:
                counts[str(target)] += 1


def _listed_as(place: str) -> str:
    """Return `host:port` as an operator lists it: without a port that every listed host has."""
    host, _, port = place.rpartition(":")
    return host if int(port) in PORTS else place


def _named(places: Sequence[str]) -> str:
    if len(places) > _MOST_NAMED:
        return f"{', '.join(places[:_MOST_NAMED])} and {len(places) - _MOST_NAMED} others"
    *most, last = places
    return f"{', '.join(most)} and {last}" if most else last


def _is(places: Sequence[str]) -> str:
    return "are" if len(places) > 1 else "is"


def _it(places: Sequence[str]) -> str:
    return "them" if len(places) > 1 else "it"
