"""What discover asks a person, and what is made of the answer."""

from collections.abc import Mapping
from typing import Any, ClassVar

from moonmind.engine.stage_context import StageContext
from moonmind.engine.stage_state import Checkpoint
from moonmind.runs.attention import Option
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Ask
from moonmind.runs.stored_text import storable
from moonmind.speckit.answer import CHOOSE_FEATURE, CONTINUE, STALE_BOXES, Answer
from moonmind.speckit.features import listed


class DiscoverCheckpoint(Checkpoint):
    """Whose boxes a person was asked about."""

    stage: ClassVar[Stage] = Stage.DISCOVER

    v: int = 1
    asked_about: str | None = None
    """The path of the feature whose boxes may be stale."""


def chosen_in(context: StageContext) -> str | None:
    """Return the path of the feature that a person chose, or goes on with whatever its boxes say; None: nobody did."""
    answer = context.answer
    if answer is None or answer.kind not in {CHOOSE_FEATURE, STALE_BOXES}:
        return None
    return context.resumes(DiscoverCheckpoint).asked_about if answer.choice == CONTINUE else answer.choice


def question(found: Answer) -> Ask:
    """Put an answer that needs a person as a question with its options: features by path, and CONTINUE for stale boxes."""
    options = [Option(one.feature, storable(str(one))) for one in found.candidates if one.phase is not None]
    others = [one.feature for one in found.candidates if one.phase is None]
    people = f" Only tasks for people are open in {listed(others)}." if others else ""
    text = storable(f"{found.text}{people}")
    if found.asks == CHOOSE_FEATURE or found.feature is None:
        return Ask(CHOOSE_FEATURE, text, tuple(options))
    path = found.feature.path
    phase = f" with {found.work.phase.title}" if found.work is not None else ""
    go_on = Option(CONTINUE, storable(f"go on in {path}{phase} as its boxes say"))
    elsewhere = (option for option in options if option.value != path)
    checkpoint: Mapping[str, Any] = DiscoverCheckpoint(asked_about=path).stored()
    text = f"{text} To have boxes ticked for what is there, cancel this run and use `moonmind reconcile`."
    return Ask(found.asks or CHOOSE_FEATURE, text, (go_on, *elsewhere), checkpoint, feature=path)
