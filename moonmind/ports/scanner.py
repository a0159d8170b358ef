"""A scanner for credentials of all kinds in texts, by rules that others maintain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from moonmind.ports.check import Check


@dataclass(frozen=True, slots=True)
class Hit:
    """One place that a rule matches. `value` is the secret itself: it is never stored or shown."""

    name: str
    """Of the text, as its caller called it."""
    line: int
    """From 1."""
    rule: str
    value: str
    sure: bool
    """The rule knows the shape of one issuer's credentials; other rules go by names and entropy."""


class Scanner(Protocol):
    """Looks for secrets. Contacts no service: what it finds is not tried anywhere."""

    def check(self) -> tuple[Check, ...]:
        """Probe that the scanner runs."""
        ...

    def scan(self, texts: Mapping[str, str]) -> tuple[Hit, ...]:
        """Find secrets in texts; raises ScannerError where it cannot be done."""
        ...

    def matches(self, expressions: Sequence[str], texts: Sequence[str]) -> tuple[frozenset[int], ...]:
        """Return for each regular expression which texts it is found in.

        The expressions may be hostile: one that is no expression matches nothing, and if all of them take more than
        some seconds, none matches.
        """
        ...
