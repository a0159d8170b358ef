"""The forge's cooldown: one run that is told to wait writes it, and all of them wait."""

import random
from datetime import datetime

from moonmind.engine.stage_context import StageContext
from moonmind.errors import ForgeLimited, Unavailable
from moonmind.runs.machine import Suspend, WaitingReason

FORGE_COOLDOWN = "forge"
_SPREAD_SECONDS = 10.0
"""Runs that waited for one instant do not all ask in it."""


def held_back(context: StageContext) -> Suspend | None:
    """Return the wait for a cooldown in force; None where the stage may talk to the forge."""
    opens = context.services.cooldown(FORGE_COOLDOWN)
    return None if opens is None else Suspend(WaitingReason.RATE_LIMIT, until=opens)


def unavailable(until: datetime | None) -> Unavailable:
    """Return the error for whoever waits for an answer now."""
    moment = f"{until:%Y-%m-%d %H:%M:%S} UTC"
    return Unavailable(f"the forge asked to wait until {moment}", remediation="Ask again after that.")


def suspend(context: StageContext, error: ForgeLimited) -> Suspend:
    """Write a cooldown of as long as the forge asked, and wait for it. This costs no attempt."""
    seconds = error.seconds + random.uniform(0, min(_SPREAD_SECONDS, error.seconds / 10))  # noqa: S311 - spreads load
    opens = context.services.extend_cooldown(FORGE_COOLDOWN, seconds, error.message)
    return Suspend(WaitingReason.RATE_LIMIT, until=opens)
