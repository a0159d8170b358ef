"""A question of yes or no at the terminal, where nothing but a yes is one."""

import sys


def confirmed(question: str, otherwise: str) -> bool:
    """Ask, and return True for a yes; else say what did not happen. Ctrl-C says it too, and interrupts."""
    print(f"{question} [y/N] ", end="", flush=True)
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        print(f"\n{otherwise}", file=sys.stderr)
        raise
    if line.strip().casefold() in {"y", "yes"}:
        return True
    # Without a line feed there was only Ctrl-D.
    print(otherwise if line else f"\n{otherwise}", file=sys.stderr)
    return False
