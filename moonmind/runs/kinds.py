"""What kind of work a run does: a word of its row and of the API."""

PHASE = "phase"
"""An agent takes up tasks of one phase."""
TICKS = "ticks"
"""Boxes of tasks that are done already are ticked; no agent is asked."""
