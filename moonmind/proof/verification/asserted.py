"""What a function of a test file asserts, itself and by the functions that it calls."""

from collections.abc import Mapping
from dataclasses import dataclass, field

MANY = 100
"""What a snapshot or a loop over data counts where it may stand for many assertions."""
_MOST = 10_000
_DEEPEST = 10


@dataclass(slots=True)
class Asserted:
    """What one function asserts."""

    found: list[tuple[str, int]] = field(default_factory=list)
    """Each assertion of its own: what it says, shortened, and how many it counts for."""
    calls: list[tuple[str, int]] = field(default_factory=list)
    """The functions of its file that it names, by their keys, and how many times each counts."""
    forms: list[tuple[str, int]] = field(default_factory=list)
    """Of scripts: the values that it asserts something of, and how exactly."""
    decides: bool = False
    """One of its own assertions asks for more than that something is there."""
    foreign: set[str] = field(default_factory=set)
    """What it calls, by name, that its file does not hold; `self.` before what its class must have from elsewhere."""


def with_helpers(functions: Mapping[str, Asserted], *, generous: bool) -> dict[str, int]:
    """Return how much each function asserts with what it calls; `generous` with what that calls in turn, too."""
    own = {name: sum(times for _, times in one.found) for name, one in functions.items()}
    counts = own
    for _ in range(_DEEPEST if generous else 1):
        counts = {
            name: min(_MOST, own[name] + sum(counts.get(called, 0) * times for called, times in one.calls))
            for name, one in functions.items()
        }
    return counts
