"""A stage as the engine knows it: a value with functions and facts, and no name that the engine would have to know."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moonmind.engine.stage_context import StageContext
from moonmind.errors import ErrorInfo
from moonmind.preflight.checks import Need
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Outcome


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """What a run works on and from: its feature's path, the commit that its change starts at, and its tasks."""

    feature_key: str
    commit: str
    tasks: tuple[str, ...] = ()
    """The ids of the phase's spec tasks: those that it is to do, then those that are left for people."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a stage would choose, found out without an effect that lasts."""

    answer: Mapping[str, Any]
    """In the form of `speckit next --json`."""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """What later stages would read; empty where the run would not come to them."""
    error: ErrorInfo | None = None
    """What the run would end with."""


def _keep_checkpoint(context: StageContext) -> Mapping[str, Any]:
    return context.checkpoint


def _stop_nothing(_: StageContext) -> None:
    """Leave everything: the stage starts nothing that outlives it."""


def _no_starting_point(_: Mapping[str, Any]) -> StartingPoint | None:
    return None


def shown(outputs: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Return the outputs of these names, in their order, without those that are not known: what people see of them."""
    return {name: outputs[name] for name in names if outputs.get(name) is not None}


@dataclass(frozen=True, slots=True)
class StageDefinition:
    """What one stage does, and what the engine and the services may know of it.

    Only `run` has no default: a stage that starts nothing and leaves nothing outside needs no more.
    """

    run: Callable[[StageContext], Outcome]
    """Do the stage's work, as far as it can be done without waiting; safe to repeat."""
    abandon: Callable[[StageContext], Mapping[str, Any]] = _keep_checkpoint
    """Stop the stage's job and keep its work when the run is cancelled or late; returns the checkpoint for a retry.

    Raises AgentError while the job may still be at work: then nothing may be recorded as ended.
    """
    stop_job: Callable[[StageContext], None] = _stop_nothing
    """Make sure that no job of this attempt is at work; raises AgentError when that is not certain."""
    leftovers: Callable[[StageContext], str] | None = None
    """Return in a sentence what earlier tries left outside of this installation; empty for nothing."""
    summary: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    """Pick from the stage's outputs what people see in its task's message."""
    starting_point: Callable[[Mapping[str, Any]], StartingPoint | None] = _no_starting_point
    """Read from the stage's outputs what the run works on; None for a stage that does not choose that."""
    preview: Callable[[StageContext], Preview] | None = None
    """Find out what `run` would choose; raises what `run` raises. None for a stage that chooses nothing."""
    needs: frozenset[Need] = frozenset()
    """What has to work for the stage to succeed; a retry is refused where it is known not to."""
    holds_slot: bool = False
    """The stage takes one of its host's agent slots, and gives it back with its outcome."""
    leaves_files: bool = False
    """Later stages read files that this one left: a run goes on from its outputs only while they are there."""
    publishes: bool = False
    """Once the stage is done, its effect is public: nothing that started where it started is published again."""


Stages = Mapping[Stage, StageDefinition]
