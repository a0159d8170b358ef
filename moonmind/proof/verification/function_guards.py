"""Guards: what stands in front of a function's body so that it does nothing, or only looks so."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Condition:
    """A guard's condition in one language: two texts of the same length, without a name that the code could give a meaning to."""

    holds: bytes
    fails: bytes


@dataclass(frozen=True, slots=True)
class Insertion:
    """Some of a guard, with the condition as it holds, and the place in the file that it is put before."""

    place: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Emptied:
    """A file whose functions do nothing since a guard returns before their bodies."""

    content: bytes
    control: bytes
    """The file with the same guards, but with a condition that fails: it looks as much unlike the agent's file, and does what that does."""
    functions: tuple[str, ...]
    """Their qualified names, in the file's order."""
    left: tuple[str, ...] = ()
    """Those left as they are, since they run while the file is loaded."""


@dataclass(slots=True)
class Guarding:
    """What is found in a file, function by function."""

    insertions: list[Insertion] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def emptied(self, content: bytes, condition: Condition) -> Emptied | None:
        """Return the file with its guards; None where it has no function to be emptied or left."""
        if not self.functions and not self.left:
            return None
        failing = [replace(one, text=one.text.replace(condition.holds, condition.fails)) for one in self.insertions]
        return Emptied(
            _inserted(content, self.insertions), _inserted(content, failing), tuple(self.functions), tuple(self.left)
        )


def _inserted(content: bytes, insertions: Iterable[Insertion]) -> bytes:
    parts, place = [], 0
    for one in sorted(insertions, key=lambda one: one.place):
        parts += [content[place : one.place], one.text]
        place = one.place
    return b"".join([*parts, content[place:]])
