"""The forge's gate: one run that is told to wait closes it, and all of them wait."""

import random

from moonmind.engine.stage_context import StageContext
from moonmind.errors import ForgeLimited
from moonmind.runs.machine import Park, WaitingReason

FORGE_GATE = "forge"
_SPREAD_SECONDS = 10.0
"""Runs that waited for one instant do not all ask in it."""


def held_back(context: StageContext) -> Park | None:
    """Return the wait until the forge's cooldown ends; None if the stage may call the forge now."""
    opens = context.office.gate(FORGE_GATE)
    return None if opens is None else Park(WaitingReason.RATE_LIMIT, until=opens, kept=context.kept)


def parked(context: StageContext, error: ForgeLimited) -> Park:
    """Close the gate for as long as the forge asked, and wait for it. This costs no attempt."""
    seconds = error.seconds + random.uniform(0, min(_SPREAD_SECONDS, error.seconds / 10))  # noqa: S311 - spreads load
    opens = context.office.pause(FORGE_GATE, seconds, error.message)
    return Park(WaitingReason.RATE_LIMIT, until=opens, kept=context.kept)
