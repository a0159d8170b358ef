"""The name of a user of this machine, as it is recorded with what the user asks for."""

import os
import pwd
from functools import cache


def own_name() -> str:
    """Return the name of the user that this process runs as."""
    return name_of(os.geteuid())


def name_of(uid: int) -> str:
    """Return a user's name, or `uid 1234` where this machine knows none."""
    try:
        return _known(uid)
    except KeyError:
        return f"uid {uid}"


@cache
def _known(uid: int) -> str:
    return pwd.getpwuid(uid).pw_name
