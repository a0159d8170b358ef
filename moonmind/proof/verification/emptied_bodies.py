"""A file with the bodies of the functions that a change added or changed emptied: a test that tests them then fails."""

from collections.abc import Callable
from functools import partial

from moonmind.proof.verification.emptied_python import emptied_python
from moonmind.proof.verification.emptied_script import emptied_script
from moonmind.proof.verification.function_guards import Emptied
from moonmind.proof.verification.script_syntax import ENDINGS

LARGEST = 512 * 1024
"""Bytes of a file that is emptied."""

_Emptying = Callable[[bytes | None, bytes, bool], Emptied | None]
_BY_ENDING: dict[str, _Emptying] = {
    ".py": emptied_python,
    ".pyw": emptied_python,
    **{ending: partial(emptied_script, ending) for ending in ENDINGS},
}


def emptied(path: str, before: bytes | None, after: bytes, *, inert: bool = False) -> Emptied | None:
    """Return the new file in which the functions that the change added or changed do nothing.

    A guard returns before their bodies, which stay as they are. They return nothing, or their own object where they end so
    after some work; those that run while the file is loaded are left as they are. With `inert`, all of them return an object
    that can be called, read and iterated over without anything coming of it, so that files load that use it.

    A function is changed if its body, signature or decorators differ from those of the same qualified name before;
    comments, layout and docstrings do not count. Statements outside of functions stay. None where there is no function to be
    emptied or left: data and constants only, stubs, a language that cannot be read, a file above `LARGEST`.
    """
    emptying = _BY_ENDING.get(_ending(path))
    if emptying is None or len(after) > LARGEST or (before is not None and len(before) > LARGEST):
        return None
    return emptying(before, after, inert)


def can_be_emptied(path: str) -> bool:
    """Return True for a file in a language whose functions can be emptied."""
    return _ending(path) in _BY_ENDING


def _ending(path: str) -> str:
    name = path.rpartition("/")[2].casefold()
    return f".{name.rpartition('.')[2]}" if "." in name else ""
