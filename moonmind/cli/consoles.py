"""The consoles: where output goes, how wide it is, and that nothing in it is taken for markup."""

import sys
from typing import TextIO

from rich.console import Console

from moonmind.cli.exits import Exit

_PIPED_WIDTH = 160
"""Columns where no terminal says how many there are: lines are not cut for a reader that has no edge."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """End quietly when the reader goes away, with the code that says so."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(Exit.NO_READER) from None


def out() -> Console:
    """Return the console of standard output."""
    return console(sys.stdout)


def err() -> Console:
    """Return the console of standard error."""
    return console(sys.stderr)


def console(stream: TextIO) -> Console:
    """Return a console on a stream that prints text literally: no markup, no emoji codes, no highlighting."""
    width = None if stream.isatty() else _PIPED_WIDTH
    return _Console(file=stream, width=width, markup=False, emoji=False, highlight=False, soft_wrap=False)


def marks(console: Console) -> dict[str, str]:
    """Choose the marks that the stream's encoding can carry."""
    if console.options.ascii_only:
        return {"succeeded": "+", "failed": "x", "started": ">", "retrying": "~", "waiting": ".", "skipped": "-"}
    return {"succeeded": "✓", "failed": "✗", "started": "●", "retrying": "↻", "waiting": "○", "skipped": "–"}
